package badgerkv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/mlvc/mlvc/objects/kv"
)

// folder is what a look at the files says before Badger opens them.
type folder struct {
	empty   bool // no database yet
	crashed bool // the last writer did not close
	tables  map[uint64]tableFile
}

type tableFile struct {
	level int
	size  int64
}

// compaction says which compaction an Update ends with: level0 merges level 0
// into the base level when it has compactAt tables; deep also runs Badger's
// compactors until no level is over its target.
type compaction struct{ level0, deep bool }

const (
	lockName  = "LOCK" // there while a writer has the database open
	memSuffix = ".mem"
)

// look reads the folder's names and the manifest. It needs the lock that
// keeps writers out. Tables that d has not seen before are checked.
func (d *DB) look() (folder, error) {
	entries, err := os.ReadDir(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return folder{empty: true}, nil
	}
	if err != nil {
		return folder{}, err
	}
	var f folder
	onDisk := make(map[uint64]bool)
	hasManifest := false
	for _, e := range entries {
		switch name := e.Name(); {
		case name == badger.ManifestFilename:
			hasManifest = true
		case name == lockName || strings.HasSuffix(name, memSuffix):
			f.crashed = true
		default:
			if id, ok := table.ParseFileID(name); ok {
				onDisk[id] = true
			}
		}
	}
	if !hasManifest {
		if len(onDisk) > 0 {
			return f, d.damaged(errors.New("the manifest is missing"))
		}
		f.empty = true
		return f, nil
	}
	whole, err := d.readManifest(&f)
	if err != nil {
		return f, err
	}
	if !f.crashed && (!whole || len(onDisk) != len(f.tables)) && canReadOnly {
		// After a clean close they always agree; Badger would delete the
		// tables that a damaged manifest lost.
		return f, d.damaged(errors.New("the manifest does not name the tables there are"))
	}
	return f, d.checkTables(&f)
}

// readManifest fills f.tables and reports whether the manifest ends cleanly.
func (d *DB) readManifest(f *folder) (whole bool, err error) {
	fp, err := os.Open(filepath.Join(d.dir, badger.ManifestFilename))
	if err != nil {
		return false, err
	}
	defer fp.Close()
	var head [8]byte
	if _, err := fp.ReadAt(head[:], 0); err != nil || string(head[:4]) != "Bdgr" {
		return false, d.damaged(errors.New("the manifest is not one"))
	}
	if magic := binary.BigEndian.Uint16(head[4:]); magic != Magic {
		return false, fmt.Errorf("database %s: magic %04x, want %04x: %w", d.dir, magic, Magic, ErrFormat)
	}
	opt := badgerOptions(d.dir, true, compaction{})
	manifest, end, err := badger.ReplayManifestFile(fp, Magic, opt)
	if err != nil {
		return false, d.damaged(err)
	}
	info, err := fp.Stat()
	if err != nil {
		return false, err
	}
	f.tables = make(map[uint64]tableFile, len(manifest.Tables))
	for id, t := range manifest.Tables {
		if int(t.Level) >= maxLevels {
			return false, d.damaged(fmt.Errorf("the manifest names level %d", t.Level))
		}
		f.tables[id] = tableFile{level: int(t.Level)}
	}
	return end == info.Size(), nil
}

// checkTables fills in the sizes and checks the tables that are new to d; a
// table's file never changes.
func (d *DB) checkTables(f *folder) error {
	known := make(map[uint64]int64, len(f.tables))
	for id, t := range f.tables {
		name := table.NewFilename(id, d.dir)
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return d.damaged(err)
		}
		if err != nil {
			return err
		}
		t.size = info.Size()
		f.tables[id] = t
		if d.sound[id] != t.size {
			if err := d.check(name, false); err != nil {
				return err
			}
		}
		known[id] = t.size
	}
	d.sound = known
	return nil
}

func (d *DB) check(name string, everyBlock bool) error {
	err := guard(func() error { return checkTable(name, everyBlock) })
	if errors.Is(err, errTable) || errors.Is(err, errPanic) || errors.Is(err, fs.ErrNotExist) {
		return d.damaged(err)
	}
	return err
}

// compaction decides by the sizes of the levels what an Update that begins
// now ends with, and checks every block that the compaction will read.
func (d *DB) compaction(f folder) (compaction, error) {
	var count [maxLevels]int
	var size [maxLevels]int64
	for _, t := range f.tables {
		count[t.level]++
		size[t.level] += t.size
	}
	c := compaction{level0: count[0] >= compactAt, deep: count[0] >= 4*compactAt}
	target := size[maxLevels-1]
	for level := maxLevels - 2; level > 0; level-- {
		target /= levelFactor
		if size[level] > max(target, baseLevel) {
			c.deep = true
		}
	}
	if !c.level0 && !c.deep {
		return c, nil
	}
	base := 1
	for base < maxLevels-1 && count[base] == 0 {
		base++
	}
	for id, t := range f.tables {
		if t.level <= base || c.deep {
			if err := d.check(table.NewFilename(id, d.dir), true); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// damaged names the folder and wraps kv.ErrDamaged.
func (d *DB) damaged(err error) error {
	return fmt.Errorf("database %s: %w: %v", d.dir, kv.ErrDamaged, err)
}
