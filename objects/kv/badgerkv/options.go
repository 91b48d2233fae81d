package badgerkv

import (
	"math"
	"path/filepath"
	"runtime"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Magic stands in the manifest as the application's own version of what the
// records mean. A database with another one is refused with ErrFormat.
const Magic uint16 = 0x6d01

// Options say how a database is shared and when it is refused. The zero value
// of each field means its default.
type Options struct {
	// Wait is the longest that a window waits to be opened. Default 10 s.
	Wait time.Duration
	// Idle is how long a read-only handle stays open after its last window
	// when nobody asks for it. Default 50 ms.
	Idle time.Duration
	// LockDir is the folder of the two lock files, db.turn and db.held. They
	// hold no data. Default: the folder that holds the database's folder.
	LockDir string
	// MinFree is the free bytes below which the database is not opened for
	// writing: a full disk is a fault inside Badger's memory maps, which ends
	// the process. Default 64 MiB.
	MinFree int64
	// Free returns the free bytes of the file system that holds a folder.
	// Default vfs.OS.Free.
	Free func(dir string) (int64, error)
}

func (o Options) withDefaults(dir string) Options {
	if o.Wait == 0 {
		o.Wait = 10 * time.Second
	}
	if o.Idle == 0 {
		o.Idle = 50 * time.Millisecond
	}
	if o.LockDir == "" {
		o.LockDir = filepath.Dir(dir)
	}
	if o.MinFree == 0 {
		o.MinFree = 64 << 20
	}
	if o.Free == nil {
		o.Free = vfs.OS.Free
	}
	return o
}

const (
	memTableSize = 8 << 20 // 15 % of it is the largest transaction: above 1 MiB
	baseLevel    = 10 << 20
	levelFactor  = 10
	maxLevels    = 7
	// compactAt is the number of tables in level 0 at which an Update ends
	// with a compaction. Each costs a Get a Bloom filter and an open a map.
	compactAt = 16
)

// canReadOnly says whether Badger opens read-only on this system.
const canReadOnly = runtime.GOOS != "windows"

// badgerOptions keeps every value in the LSM tree, small memtables, no caches
// (blocks are uncompressed and mapped), and no compaction of Badger's own:
// it would drop what follows a damaged block without an error. Compaction
// runs only after the tables it reads were checked; see compaction.
func badgerOptions(dir string, readOnly bool, c compaction) badger.Options {
	opt := badger.DefaultOptions(dir).
		WithExternalMagic(Magic).
		WithReadOnly(readOnly).
		WithSyncWrites(true).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithNumVersionsToKeep(1).
		WithDetectConflicts(false).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithBaseLevelSize(baseLevel).
		WithLevelSizeMultiplier(levelFactor).
		WithMaxLevels(maxLevels).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(1 << 20).
		WithNumLevelZeroTables(compactAt).
		WithNumLevelZeroTablesStall(math.MaxInt32).
		WithNumCompactors(0).
		WithCompactL0OnClose(c.level0)
	if c.deep {
		opt = opt.WithNumCompactors(2)
	}
	return opt
}
