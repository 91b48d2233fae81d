package worktree

import (
	"runtime"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Record is what the index says of one path.
type Record struct {
	Path string
	// Entry is what the path held when it was last read or written.
	Entry objects.Entry
	// InTree says that the base tree has this very entry at this path.
	InTree bool
	// Stamp is the file's stat when it held Entry. The zero Stamp says
	// nothing: the file must be read again.
	Stamp Stamp
}

// Stamp is what of a file's stat tells whether it changed. Times are
// nanoseconds since 1970. Where the system has no ctime or inode they are
// zero. The device is left out: its number may change when the disk is
// mounted again.
type Stamp struct {
	Size, Mtime, Ctime int64
	Ino                uint64
}

// StampOf returns the stamp of a file. Whether it may be kept in a record is
// for Trust to say.
func StampOf(st vfs.Stat) Stamp {
	return Stamp{Size: st.Size, Mtime: st.Mtime, Ctime: st.Ctime, Ino: st.Ino}
}

// IsZero reports whether s says nothing.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Holds reports whether a file with this stat surely still holds the record's
// entry. An empty folder has no content, so being a folder is enough.
func (r *Record) Holds(st vfs.Stat) bool {
	mode := r.modeOf(st)
	if mode == objects.ModeDir {
		return r.Entry.Mode == mode
	}
	return mode == r.Entry.Mode && !r.Stamp.IsZero() && r.Stamp == StampOf(st)
}

// modeOf returns the mode that a file with this stat has in a tree. Where the
// system has no executable bit the record's own stands; r may be nil.
func (r *Record) modeOf(st vfs.Stat) objects.Mode {
	switch st.Type {
	case vfs.TypeDir:
		return objects.ModeDir
	case vfs.TypeSymlink:
		return objects.ModeSymlink
	case vfs.TypeRegular:
	default:
		return 0
	}
	exec := st.Perm&0o100 != 0 // the owner's: umask and group cannot matter
	if runtime.GOOS == "windows" {
		exec = r != nil && r.Entry.Mode == objects.ModeExec
	}
	if exec {
		return objects.ModeExec
	}
	return objects.ModeFile
}

// How much older than the clock a time must be: more than the steps in which
// file systems count. A time of whole seconds may come from one that counts
// in seconds, or, as FAT does, in pairs of them.
const (
	fineStep   = int64(20 * time.Millisecond)
	coarseStep = int64(2 * time.Second)
)

// Trust reports whether a file's stat may be kept in a record. noted is the
// file system's time, from Clock, before the file was opened to be read. Only
// if the file's times are older than that by more than a step of its clock
// does every later write give it other times; else a write during or after
// the read could leave the stat as it is, and hide for ever.
func Trust(st vfs.Stat, noted int64) bool {
	return older(st.Mtime, noted) && (st.Ctime == 0 || older(st.Ctime, noted))
}

func older(t, noted int64) bool {
	step := fineStep
	if t%int64(time.Second) == 0 {
		step = coarseStep
	}
	return t < noted-step
}
