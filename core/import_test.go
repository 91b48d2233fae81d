package core_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// importProject unpacks a project that a real tool made, and returns the folder
// that holds it, its remote and what is expected.
func importProject(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open("../testdata/imports/" + name + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(to, 0o777)
		} else {
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, data, fs.FileMode(h.Mode)&0o777|0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func importEnv() core.Env {
	return core.Env{FS: vfs.OS, Now: time.Now, Who: objects.Signature{Name: "Ada"}, Command: "import", Workers: 3, Events: core.NoEvents{}}
}

// importRun imports and returns the repository, open.
func importRun(t *testing.T, opt core.ImportOptions) (core.ImportResult, *core.Repo) {
	t.Helper()
	res, err := core.Import(t.Context(), importEnv(), opt)
	if err != nil {
		t.Fatal(err)
	}
	r, err := core.Open(t.Context(), importEnv(), opt.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return res, r
}

// importGit runs the real git in a project.
func importGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// importCommits returns the commits of all names by their git revision.
func importCommits(t *testing.T, r *core.Repo) map[string]history.Commit {
	t.Helper()
	branches, err := r.Branches(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tags, err := r.Tags(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var tips []objects.ID
	for _, n := range append(branches, tags...) {
		tips = append(tips, n.Commit)
	}
	all := make(map[string]history.Commit)
	for c, err := range history.Walk(t.Context(), r.Store(), tips, history.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		all[c.Git.Revision] = c
	}
	return all
}

// importManifest lists a tree as sha256sum does, read from the store.
func importManifest(ctx context.Context, t *testing.T, r *core.Repo, tree objects.ID) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for item, err := range prolly.Open(tree).All(ctx, r.Store()) {
		if err != nil {
			t.Fatal(err)
		}
		if name := string(item.Key); name != core.RulesFile && name != core.IgnoreFile {
			e, err := objects.DecodeEntry(item.Value)
			if err != nil {
				t.Fatal(err)
			}
			h := sha256.New()
			if err := content.Read(ctx, r.Store(), e, h, 1); err != nil {
				t.Fatal(err)
			}
			files[name] = fmt.Sprintf("%x", h.Sum(nil))
		}
	}
	return files
}

func importExpected(t *testing.T, dir, rev string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "expected", rev))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		files[name] = sum
	}
	return files
}

// Every file of every git revision is what the tool itself brought to the
// disk, and the commits stand to each other as those of git.
func TestImport(t *testing.T) {
	for _, c := range []struct {
		name, tool string
		commits    int
		track      []string
	}{
		{"dvc3", "dvc", 7, []string{"data/raw", "model.bin", "pipeline/out/features.txt", "pipeline/out/tables"}},
		{"dvc2", "dvc", 7, []string{"data/raw", "model.bin", "pipeline/out/features.txt", "pipeline/out/tables"}},
		{"lfs", "lfs", 5, []string{"images", "mixed/model.bin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := importProject(t, c.name)
			project := filepath.Join(dir, "project")
			res, r := importRun(t, core.ImportOptions{Dir: project, From: c.tool, All: true})
			if !res.Made || res.Commits != c.commits || res.Missing != 0 || res.Branch != "main" || res.Verified != res.Files {
				t.Errorf("%+v", res)
			}
			rules, err := r.Rules()
			if err != nil || !slices.Equal(rules.Track, c.track) {
				t.Errorf("tracks %q, %v", rules.Track, err)
			}
			importCompare(t, r, dir, c.tool)
			verified, err := r.Verify(t.Context(), core.VerifyOptions{Full: true}, func(d core.Damage) error { t.Error(d); return nil })
			if err != nil || verified.Damaged > 0 {
				t.Error(verified, err)
			}
			// Again, there is nothing to do.
			r.Close()
			again, _ := importRun(t, core.ImportOptions{Dir: project, From: c.tool, All: true})
			if again.Commits != 0 || again.Known != c.commits || len(again.Names) != 0 || again.Made {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// importCompare compares all revisions of git with the commits made of them.
func importCompare(t *testing.T, r *core.Repo, dir, tool string) {
	t.Helper()
	project := filepath.Join(dir, "project")
	made := importCommits(t, r)
	states := make(map[string]history.Commit)
	for line := range strings.SplitSeq(importGit(t, project, "rev-list", "--reverse", "--topo-order", "--parents", "--all"), "\n") {
		ids := strings.Fields(line)
		c, ok := made[ids[0]]
		if ok {
			states[ids[0]] = c
			want := importGit(t, project, "log", "-1", "--format=%an <%ae>|%at|%s", ids[0])
			if got := fmt.Sprintf("%s|%d|%s", c.Author, c.Time.Unix(), c.Message); got != want {
				t.Errorf("%s: %s, want %s", ids[0], got, want)
			}
			for i, p := range ids[1:] {
				if i < len(c.Parents) && c.Parents[i] != states[p].ID {
					t.Errorf("%s: parent %d is %s, want %s", c.Message, i, c.Parents[i], states[p].ID)
				}
			}
			if c.Meta[core.MetaImported] != tool || (c.Kind == objects.Full) != (len(c.Parents) == 0) {
				t.Errorf("%s: %v, %s", c.Message, c.Meta, c.Kind)
			}
		} else if len(ids) > 1 {
			states[ids[0]] = states[ids[1]]
		}
		got, want := map[string]string{}, importExpected(t, dir, ids[0])
		if tree := states[ids[0]].Tree; !tree.IsZero() {
			got = importManifest(t.Context(), t, r, tree)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v\nwant %v", ids[0], got, want)
		}
	}
}

// A content that is missing or damaged in every place stops the import before
// its first commit; allowed, its path is left out and named.
func TestImportMissing(t *testing.T) {
	dir := importProject(t, "dvc3")
	project := filepath.Join(dir, "project")
	if err := os.RemoveAll(filepath.Join(project, ".dvc", "cache")); err != nil {
		t.Fatal(err)
	}
	missing := importHash(t, filepath.Join(dir, "store"), "more\n")
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	damaged := importHash(t, filepath.Join(dir, "store"), "ü\n")
	if err := os.WriteFile(damaged, []byte("uu\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := core.Import(t.Context(), importEnv(), core.ImportOptions{Dir: project, From: "dvc", All: true})
	e, ok := errors.AsType[*core.ImportMissingError](err)
	if !ok || e.Count != 2 || !slices.Contains(e.Looked, filepath.Join(dir, "store")) {
		t.Fatalf("%v", err)
	}
	r, err := core.Open(t.Context(), importEnv(), project)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := r.Branches(t.Context()); err != nil || slices.ContainsFunc(names, func(n core.NameInfo) bool { return !n.Commit.IsZero() }) {
		t.Fatalf("%v, %v", names, err)
	}
	r.Close()

	var gaps []string
	res, r := importRun(t, core.ImportOptions{
		Dir: project, From: "dvc", All: true, AllowMissing: true,
		Missing: func(g core.ImportGap) error { gaps = append(gaps, g.Path+" "+strings.Fields(g.Why)[0]); return nil },
	})
	if slices.Sort(gaps); res.Missing != 2 || !slices.Equal(gaps, []string{"data/raw/deep/a name, ünï.txt damaged:", "data/raw/deep/new missing"}) {
		t.Errorf("%+v, %q", res, gaps)
	}
	for rev, c := range importCommits(t, r) {
		want := importExpected(t, dir, rev)
		got := importManifest(t.Context(), t, r, c.Tree)
		for path := range want {
			if _, ok := got[path]; !ok && path != "data/raw/deep/new" && path != "data/raw/deep/a name, ünï.txt" {
				t.Errorf("%s lacks %s", c.Message, path)
			}
		}
		if named := c.Meta[core.MetaMissing]; (named == "data/raw/deep/new") != (c.Message == "new rows") {
			t.Errorf("%s: missing %q", c.Message, named)
		}
	}
}

// unreadable is a file system on which files of a suffix can be opened and not
// be read.
type unreadable struct {
	vfs.FS
	suffix string
}

type unreadableFile struct{ vfs.File }

func (unreadableFile) Read([]byte) (int, error) { return 0, faultfs.ErrIO }

func (u unreadable) Open(name string) (vfs.File, error) {
	f, err := u.FS.Open(name)
	if err == nil && strings.HasSuffix(name, u.suffix) {
		return unreadableFile{f}, nil
	}
	return f, err
}

// A listing that cannot be read now is not one that is damaged: the folder is
// not left out for it.
func TestImportUnreadableListing(t *testing.T) {
	dir := importProject(t, "dvc3")
	env := importEnv()
	env.FS = unreadable{env.FS, ".dir"}
	_, err := core.Import(t.Context(), env, core.ImportOptions{Dir: filepath.Join(dir, "project"), From: "dvc", All: true, AllowMissing: true})
	if !errors.Is(err, faultfs.ErrIO) {
		t.Errorf("%v", err)
	}
}

// A listing that is none is damaged.
func TestImportDamagedListing(t *testing.T) {
	for _, text := range []string{"", "{}", "[", `[{"md5": 1}]`, "[] x"} {
		dir, digest := importDVC(t)
		importCommit(t, dir, map[string]string{"data.dvc": "outs:\n- md5: " + digest("x") + ".dir\n  hash: md5\n  path: data\n"})
		at := filepath.Join(dir, ".dvc", "cache", "files", "md5", digest("x")[:2], digest("x")[2:]+".dir")
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := core.Import(t.Context(), importEnv(), core.ImportOptions{Dir: dir, From: "dvc"})
		if e, ok := errors.AsType[*core.ImportMissingError](err); !ok || !strings.Contains(e.Gaps[0].Why, "damaged") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// importHash finds the file of a cache that has that content.
func importHash(t *testing.T, dir, text string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if string(data) == text {
			found = name
		}
		return err
	})
	if err != nil || found == "" {
		t.Fatalf("no file with %q: %v", text, err)
	}
	return found
}

// importCommit writes files, takes away those whose text is "-", and commits
// all that git does not ignore. It returns git's commit.
func importCommit(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if text == "-" {
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	importGit(t, dir, "add", "-A")
	importGit(t, dir, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "more")
	return importGit(t, dir, "rev-parse", "HEAD")
}

// importDVC makes a DVC project whose cache has the contents given, and returns
// what a pointer says of one of them.
func importDVC(t *testing.T, contents ...string) (dir string, digest func(string) string) {
	t.Helper()
	dir = t.TempDir()
	importGit(t, dir, "init", "-q", "-b", "main")
	digest = func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	for _, text := range contents {
		at := filepath.Join(dir, ".dvc", "cache", "files", "md5", digest(text)[:2], digest(text)[2:])
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".git", "info", "exclude"), []byte(".mlvc\n.dvc/cache\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir, digest
}

// importPaths are the paths of the commit made of a git commit, or of its
// nearest first parent that has one.
func importPaths(t *testing.T, r *core.Repo, dir, rev string) []string {
	t.Helper()
	made := importCommits(t, r)
	for id := range strings.FieldsSeq(importGit(t, dir, "rev-list", "--first-parent", rev)) {
		if c, ok := made[id]; ok {
			return slices.Sorted(maps.Keys(importManifest(t.Context(), t, r, c.Tree)))
		}
	}
	return nil
}

// A dvc.lock keeps stages and outs that its dvc.yaml no longer has, and does
// not say which outs DVC does not keep.
func TestImportPipeline(t *testing.T) {
	dir, digest := importDVC(t, "made\n", "by hand\n")
	stage := func(name string, outs ...string) string {
		text := "  " + name + ":\n    cmd: x\n    outs:\n"
		for _, out := range outs {
			path, content, _ := strings.Cut(out, "=")
			text += "    - path: " + path + "\n      hash: md5\n      md5: " + digest(content) + "\n"
		}
		return text
	}
	lock := "schema: '2.0'\nstages:\n" +
		stage("train", "model=made\n", "plots=in git\n", "nowhere=not kept\n", "former=gone\n", "out/a.txt=made\n") +
		stage("each@a", "each-a=made\n") + stage("each@b", "each-b=gone\n") + stage("each@c", "each-c=made\n") + stage("removed", "hand=gone\n")
	pipeline := func(more string) string {
		return "x: &shared\n  cmd: x\n  wdir: .\nstages:\n  train:\n    <<: *shared\n    outs:\n    - model:\n        persist: true\n" +
			"    - nowhere:\n        cache: false\n    - ${dir}/a.txt\n    plots:\n    - plots:\n        cache: false\n" +
			"  each:\n    foreach: ${all.names}\n    do:\n      cmd: x\n      outs: ['each-${item}']\n" + more
	}
	params := func(names string) string { return "dir: out\nall:\n  names: " + names + "\n" }
	first := importCommit(t, dir, map[string]string{
		"dvc.lock": lock, "dvc.yaml": pipeline(""), "params.yaml": params("[a, c]"), "plots/x.csv": "in git\n",
		"hand.dvc": "outs:\n- md5: " + digest("by hand\n") + "\n  hash: md5\n  path: hand\n",
	})
	second := importCommit(t, dir, map[string]string{"params.yaml": params("[a]")})
	_, r := importRun(t, core.ImportOptions{Dir: dir, From: "dvc"})
	if got := importPaths(t, r, dir, first); !slices.Equal(got, []string{"each-a", "each-c", "hand", "model", "out/a.txt"}) {
		t.Errorf("%q", got)
	}
	if got := importPaths(t, r, dir, second); !slices.Equal(got, []string{"each-a", "hand", "model", "out/a.txt"}) {
		t.Errorf("with other parameters: %q", got)
	}
}

// A pointer that cannot be read is a gap of its revision, not the end.
func TestImportBrokenPointer(t *testing.T) {
	dir, digest := importDVC(t, "one\n")
	good := "outs:\n- md5: " + digest("one\n") + "\n  hash: md5\n  path: one\n"
	importCommit(t, dir, map[string]string{"one.dvc": good})
	broken := importCommit(t, dir, map[string]string{"one.dvc": "<<<<<<< HEAD\n" + good + "=======\n"})
	mended := importCommit(t, dir, map[string]string{"one.dvc": good})
	_, err := core.Import(t.Context(), importEnv(), core.ImportOptions{Dir: dir, From: "dvc"})
	e, ok := errors.AsType[*core.ImportMissingError](err)
	if !ok || e.Count != 1 || e.Gaps[0].Path != "one.dvc" || e.Gaps[0].Revision != broken {
		t.Fatalf("%v", err)
	}
	_, r := importRun(t, core.ImportOptions{Dir: dir, From: "dvc", AllowMissing: true})
	if got := importPaths(t, r, dir, broken); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := importPaths(t, r, dir, mended); !slices.Equal(got, []string{"one"}) {
		t.Errorf("%q", got)
	}
}

// A branch that went on from what was imported stays where it is.
func TestImportWentOn(t *testing.T) {
	dir, digest := importDVC(t, "one\n", "two\n")
	pointer := func(text string) map[string]string {
		return map[string]string{"one.dvc": "outs:\n- md5: " + digest(text) + "\n  hash: md5\n  path: one\n"}
	}
	importCommit(t, dir, pointer("one\n"))
	_, r := importRun(t, core.ImportOptions{Dir: dir, From: "dvc"})
	if err := os.WriteFile(filepath.Join(dir, "one"), []byte("own\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Commit(t.Context(), core.CommitOptions{Message: "own", Kind: core.KindAuto}); err != nil {
		t.Fatal(err)
	}
	r.Close()
	importCommit(t, dir, map[string]string{"code.py": "x\n"})
	if res, r := importRun(t, core.ImportOptions{Dir: dir, From: "dvc"}); len(res.Names) != 0 || res.Commits != 0 {
		t.Errorf("%+v", res)
	} else {
		r.Close()
	}
	importCommit(t, dir, pointer("two\n"))
	_, err := core.Import(t.Context(), importEnv(), core.ImportOptions{Dir: dir, From: "dvc"})
	if _, ok := errors.AsType[*core.ImportNamesError](err); !ok {
		t.Fatalf("%v", err)
	}
}

// A text that only looks like a pointer of git-lfs is git's own, as is a file
// that git-lfs kept once; neither is tracked.
func TestImportLFSOwnFiles(t *testing.T) {
	dir := t.TempDir()
	importGit(t, dir, "init", "-q", "-b", "main")
	pointer := func(text string) string {
		return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%x\nsize %d\n", sha256.Sum256([]byte(text)), len(text))
	}
	store := filepath.Join(t.TempDir(), "store")
	for _, text := range []string{"kept\n", "once\n"} {
		oid := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		at := filepath.Join(store, "lfs", "objects", oid[:2], oid[2:4], oid)
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	first := importCommit(t, dir, map[string]string{
		".lfsconfig": "[lfs]\n\turl = file://" + filepath.ToSlash(store) + "\n", "data/loose": pointer("kept\n"),
		"data/once": pointer("once\n"), "data/x/kept": pointer("kept\n"), "doc": pointer("an example"),
	})
	last := importCommit(t, dir, map[string]string{"data/once": "git has it\n"})
	res, r := importRun(t, core.ImportOptions{Dir: dir, From: "lfs"})
	if got := importPaths(t, r, dir, first); res.Missing != 0 || !slices.Equal(got, []string{"data/loose", "data/once", "data/x/kept"}) {
		t.Errorf("%+v, %q", res, got)
	}
	if got := importPaths(t, r, dir, last); !slices.Equal(got, []string{"data/loose", "data/x/kept"}) {
		t.Errorf("%q", got)
	}
	if rules, err := r.Rules(); err != nil || !slices.Equal(rules.Track, []string{"data/loose", "data/x"}) {
		t.Errorf("%q, %v", rules.Track, err)
	}
}

// A line of .gitattributes that git passes over is no reason to fail.
func TestImportLFSBadAttributes(t *testing.T) {
	dir := t.TempDir()
	importGit(t, dir, "init", "-q", "-b", "main")
	rev := importCommit(t, dir, map[string]string{
		".gitattributes":   "\"\"\n\"\" filter=lfs\n*.txt filter=lfs b@d\n*.bin filter=lfs -text\n",
		"x/.gitattributes": "[attr]mine text\n",
		"x/empty.bin":      "", "x/own.txt": "", "own": "",
	})
	_, r := importRun(t, core.ImportOptions{Dir: dir, From: "lfs"})
	if got := importPaths(t, r, dir, rev); !slices.Equal(got, []string{"x/empty.bin"}) {
		t.Errorf("%q", got)
	}
}

// Names with commits of their own are not moved; under a prefix the import
// goes beside them.
func TestImportBesideOthers(t *testing.T) {
	dir := importProject(t, "lfs")
	project := filepath.Join(dir, "project")
	r, err := core.Init(t.Context(), importEnv(), core.InitOptions{Dir: project})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Commit(t.Context(), core.CommitOptions{Message: "own", Kind: core.KindAuto}); err != nil {
		t.Fatal(err)
	}
	r.Close()
	_, err = core.Import(t.Context(), importEnv(), core.ImportOptions{Dir: project, From: "lfs"})
	if e, ok := errors.AsType[*core.ImportNamesError](err); !ok || !slices.Equal(e.Names, []string{"main"}) {
		t.Fatalf("%v", err)
	}
	res, _ := importRun(t, core.ImportOptions{Dir: project, From: "lfs", Prefix: "git"})
	if len(res.Names) != 1 || res.Names[0].Name != "git/main" || res.Branch != "main" {
		t.Errorf("%+v", res)
	}
}

// importCancel cancels at the n-th event.
type importCancel struct {
	core.NoEvents
	left   atomic.Int64
	cancel context.CancelFunc
}

func (c *importCancel) Progress(core.Progress) {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
}

// Interrupted anywhere, an import leaves the names as they were, and the next
// one goes on.
func TestImportInterrupted(t *testing.T) {
	dir := importProject(t, "lfs")
	project := filepath.Join(dir, "project")
	for n := int64(1); ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		events := &importCancel{cancel: cancel}
		events.left.Store(n)
		env := importEnv()
		env.Events = events
		_, err := core.Import(ctx, env, core.ImportOptions{Dir: project, From: "lfs", All: true})
		cancel()
		r, openErr := core.Open(t.Context(), importEnv(), project)
		if openErr != nil {
			t.Fatal(openErr)
		}
		if err == nil {
			importCompare(t, r, dir, "lfs")
			r.Close()
			if n < 10 {
				t.Fatalf("only %d events", n)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d events: %v", n, err)
		}
		if made := importCommits(t, r); len(made) != 0 && len(made) != 5 {
			t.Fatalf("after %d events there are %d commits", n, len(made))
		}
		r.Close()
	}
}

// A listing whose paths lead outside is not followed.
func TestImportUnsafe(t *testing.T) {
	dir := importProject(t, "dvc3")
	project := filepath.Join(dir, "project")
	list := `[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "../../../evil"}, {"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": ".git/hooks/x"}]`
	sum := fmt.Sprintf("%x", md5.Sum([]byte(list)))
	at := filepath.Join(project, ".dvc", "cache", "files", "md5", sum[:2])
	if err := os.MkdirAll(at, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at, sum[2:]+".dir"), []byte(list), 0o666); err != nil {
		t.Fatal(err)
	}
	pointer := "outs:\n- md5: " + sum + ".dir\n  hash: md5\n  path: bad\n- md5: " + sum + ".dir\n  hash: md5\n  path: ../up\n"
	if err := os.WriteFile(filepath.Join(project, "bad.dvc"), []byte(pointer), 0o666); err != nil {
		t.Fatal(err)
	}
	importGit(t, project, "add", "bad.dvc")
	importGit(t, project, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "bad")
	var gaps []string
	res, _ := importRun(t, core.ImportOptions{
		Dir: project, From: "dvc", AllowMissing: true,
		Missing: func(g core.ImportGap) error { gaps = append(gaps, g.Why); return nil },
	})
	if !slices.Equal(gaps, []string{"its path is not safe", "its path is not safe"}) {
		t.Errorf("%+v %q", res, gaps)
	}
}
