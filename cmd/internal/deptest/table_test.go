package deptest

// layers are the top-level folders from left to right: a package imports only
// from its own layer and from those to its left.
var layers = []string{"objects", "refs", "remote", "core", "cmd"}

// row says which of our packages one package may import. What a name allows
// is exactly that package; "x/..." allows x and all below it.
type row struct {
	pkg  string
	may  []string
	help bool // a test helper: only tests and other helpers may import it
}

var rows = []row{
	{pkg: "objects"},
	{pkg: "objects/objecttest", may: []string{"objects"}, help: true},
	{pkg: "objects/vfs"},
	{pkg: "objects/vfs/faultfs", may: []string{"objects/vfs"}, help: true},
	{pkg: "objects/kv"},
	{pkg: "objects/kv/badgerkv", may: []string{"objects/kv", "objects/vfs"}},
	{pkg: "objects/kv/memkv", may: []string{"objects/kv"}, help: true},
	{pkg: "objects/kv/kvtest", may: []string{"objects/kv", "objects/kv/memkv"}, help: true},
	{pkg: "objects/prolly", may: []string{"objects"}},
	{pkg: "objects/chunk", may: []string{"objects"}},
	{pkg: "objects/content", may: []string{"objects", "objects/chunk"}},
	{pkg: "objects/pack", may: []string{"objects", "objects/vfs"}},
	{pkg: "objects/store", may: []string{"objects", "objects/kv", "objects/pack", "objects/vfs"}},

	{pkg: "refs", may: []string{"objects", "objects/prolly", "objects/vfs"}},
	{pkg: "refs/refstest", may: []string{"objects", "refs"}, help: true},

	{pkg: "remote/bucket"},
	{pkg: "remote/bucket/buckettest", may: []string{"remote/bucket"}, help: true},
	{pkg: "remote/bucket/local", may: []string{"objects", "objects/vfs", "remote/bucket"}},
	{pkg: "remote/backup", may: []string{"objects/...", "refs", "remote", "remote/bucket"}},
	{pkg: "remote/backup/parity", may: []string{"objects"}},
	{pkg: "remote/backup/crypt", may: []string{"objects", "remote/bucket"}},
	{pkg: "remote", may: []string{"objects/...", "refs", "remote/bucket"}},

	{pkg: "core", may: []string{"objects/...", "refs", "remote/...", "core/..."}},
	{pkg: "core/internal/ordered"},
	{pkg: "core/internal/yaml"},
	{pkg: "core/backupplan", may: []string{"objects"}},
	{pkg: "core/dataset", may: []string{"objects"}},
	{pkg: "core/dataset/split", may: []string{"objects", "objects/prolly", "core/dataset"}},
	{pkg: "core/dataset/check", may: []string{"objects", "objects/prolly", "core/dataset"}},
	{pkg: "core/dataset/report", may: []string{"objects", "core/dataset"}},
	{pkg: "core/dataset/datasettest", may: []string{"objects", "objects/objecttest", "objects/prolly", "core/dataset"}, help: true},
	{pkg: "core/dataset/label", may: []string{"objects", "core/dataset", "core/dataset/similar", "core/dataset/table", "core/internal/yaml"}},
	{pkg: "core/dataset/table", may: []string{"objects", "core/dataset"}},
	{pkg: "core/dataset/facts", may: []string{"objects", "objects/vfs", "core/dataset"}},
	{pkg: "core/dataset/similar", may: []string{"objects", "core/dataset"}},
	{pkg: "core/dataset/export"},
	{pkg: "core/gitpair", may: []string{"objects", "objects/vfs"}},
	{pkg: "core/history", may: []string{"objects"}},
	{pkg: "core/revision", may: []string{"objects", "refs", "core/history"}},
	{pkg: "core/worktree", may: []string{"objects", "objects/chunk", "objects/content", "objects/prolly", "objects/vfs"}},

	{pkg: "cmd/mlvc", may: []string{"objects/vfs", "core/...", "cmd/internal/cli"}},
	{pkg: "cmd/internal/cli", may: []string{"objects/...", "refs", "remote/...", "core/..."}},
	{pkg: "cmd/internal/deptest"},
	{pkg: "cmd/mlvc-bench"},
}

// owner says which of our packages may import an outside module (or a package
// of the standard library that is not for everyone), tests included.
type owner struct {
	module string
	may    []string
	test   bool // every test and every helper may, too
}

var owners = []owner{
	// One package owns each heavy dependency.
	{module: "github.com/dgraph-io/badger/v4", may: []string{"objects/kv/badgerkv"}},
	{module: "google.golang.org/protobuf", may: []string{"objects/kv/badgerkv"}}, // Badger's own files are written in it
	{module: "github.com/go-git/go-git/v5", may: []string{"core/gitpair"}},
	{module: "github.com/go-git/go-billy/v5", may: []string{"core/gitpair"}}, // the file systems that go-git takes
	{module: "github.com/spf13/cobra", may: []string{"cmd/..."}},
	{module: "github.com/spf13/pflag", may: []string{"cmd/..."}},
	{module: "github.com/vbauerster/mpb/v8", may: []string{"cmd/internal/cli"}},
	{module: "golang.org/x/term", may: []string{"cmd/..."}},
	{module: "github.com/pelletier/go-toml/v2", may: []string{"core/..."}},
	{module: "github.com/bmatcuk/doublestar/v4", may: []string{"core/..."}},
	{module: "github.com/gofrs/flock", may: []string{"objects/kv/badgerkv", "objects/store", "remote/bucket/local", "core"}, test: true},
	{module: "github.com/zeebo/blake3", may: []string{"objects/...", "refs", "remote", "remote/backup/...", "core/...", "cmd/mlvc-bench"}},
	{module: "github.com/klauspost/reedsolomon", may: []string{"remote/backup/parity"}},
	{module: "filippo.io/age", may: []string{"remote/backup/crypt"}},
	{module: "golang.org/x/crypto", may: []string{"remote/backup/crypt"}}, // SSH keys that are locked
	{module: "github.com/fxamacker/cbor/v2", may: []string{"objects/...", "refs", "core/..."}},
	{module: "github.com/klauspost/compress", may: []string{"objects/pack", "core/dataset/table", "cmd/mlvc-bench"}},
	{module: "github.com/parquet-go/parquet-go", may: []string{"core/dataset/table"}},
	{module: "golang.org/x/sys", may: []string{"objects/vfs", "objects/kv/badgerkv", "objects/pack", "core/...", "cmd/mlvc-bench"}},
	{module: "golang.org/x/image", may: []string{"core/dataset/similar"}},
	{module: "golang.org/x/sync", may: []string{"objects/...", "refs", "remote/...", "core/...", "cmd/..."}},

	// For tests alone.
	{module: "github.com/PlakarKorp/go-cdc-chunkers", test: true},
	{module: "github.com/google/go-cmp", test: true},
	{module: "github.com/rogpeppe/go-internal", test: true},
	{module: "go.uber.org/goleak", test: true},
	{module: "pgregory.net/rapid", test: true},
	{module: "testing", test: true},

	// A library never prints, parses flags or starts programs.
	{module: "flag", may: []string{"cmd/..."}, test: true},
	{module: "log", may: []string{"cmd/..."}, test: true},
	{module: "os/exec", may: []string{"core/gitpair", "cmd/..."}, test: true},
}
