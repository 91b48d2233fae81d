package worktree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sort"
	"sync"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Change is one path that differs between two trees. Old is what the working
// tree should hold, New what it shall hold; nil is absent, never both.
type Change struct {
	Path     string
	Old, New *objects.Entry
}

// Changes is a stream of changes in path order (by bytes, each path once).
// It is read more than once and must be the same each time.
type Changes = iter.Seq2[Change, error]

// Source hands out contents.
type Source interface {
	// Batch prepares to hand out what the entries name, all of it near
	// together in a tree: at most 64 entries, and more than 4 MiB only for a
	// single one. The caller closes the batch. Safe for concurrent use.
	Batch(ctx context.Context, entries []objects.Entry) (Batch, error)
}

// Batch hands out the contents of a few entries.
type Batch interface {
	// WriteContent writes the bytes of entry i to w. It returns nil only if
	// they have the entry's content ID. Small contents should arrive in one
	// Write. Where w is a *Sink, runs of zeros may be skipped. Called once an
	// entry, in order, from one goroutine.
	WriteContent(ctx context.Context, i int, w io.Writer) error
	Close() error
}

// Options is where and how changes are applied.
type Options struct {
	FS   vfs.FS
	Root string // the working tree's folder; it must exist
	Disk Disk   // from Probe
	// Index is what is known of paths, in path order; nil is nothing. It is
	// read more than once. InTree says that the entry is in a commit, so that
	// the file may be replaced even if the changes speak of another one.
	Index iter.Seq2[Record, error]
	// Reread reads also files that the index says are unchanged. Other bytes
	// under an unchanged stat are damage, which may be replaced.
	Reread bool
	// Hash returns the content ID of what it reads. Safe for concurrent use.
	Hash func(ctx context.Context, r io.Reader) (objects.ID, error)
	// Ignored says whether a path is ignored, for a better reason; may be nil.
	Ignored func(path string, dir bool) bool
	// Force replaces and deletes also what no commit holds, yet goes through
	// no symbolic link and into no other repository.
	Force bool
	// Workers is how many files are worked on at once; 0 means 2.
	Workers int
}

// Job is the writing side of Options: what Apply needs beyond Check.
type Job struct {
	Source Source
	// Mtime is what written files get. It must lie at least 2 s before now,
	// so that a later change within one clock tick shows.
	Mtime time.Time
	// Token names this very set of changes, in the caller's durable record of
	// unfinished work: an interrupted run that is repeated with its token
	// finds what it had written in new folders. Empty: it begins these anew.
	Token string
	// Done is told of every path that is now as wanted, in path order, from
	// one goroutine. Should Apply fail, what it was told may not be so.
	Done func(Result) error
	// Damaged is told of a content that could not be had (ErrCorrupt,
	// ErrNotFound), in path order; nil from it leaves the path out and goes
	// on. Without it Apply stops there.
	Damaged func(path string, err error) error
}

// Result is a path that is as wanted. Entry is nil for one that is absent.
type Result struct {
	Path  string
	Entry *objects.Entry
	Stat  vfs.Stat
	// Written says that Apply wrote it, so that Stat belongs to verified
	// bytes; else it was found to be so already.
	Written bool
}

// Reason is why a path is in the way.
type Reason string

// The reasons.
const (
	Modified     Reason = "has changes that no commit holds"
	Untracked    Reason = "is in no commit"
	Ignored      Reason = "is ignored and in no commit"
	FolderInWay  Reason = "is a folder with files that no commit holds"
	OtherRepo    Reason = "is a folder with another repository in it"
	FileAbove    Reason = "is no folder, and files belong below it"
	LinkAbove    Reason = "is a symbolic link, and files belong below it"
	NameFolds    Reason = "is one with another name on this disk"
	NameRefused  Reason = "is no possible name on this disk"
	ChangedSince Reason = "was changed meanwhile"
)

// Forced reports whether Options.Force overcomes the reason.
func (r Reason) Forced() bool {
	switch r {
	case OtherRepo, LinkAbove, NameFolds, NameRefused:
		return false
	}
	return true
}

// Obstacle is a path that is in the way and why.
type Obstacle struct {
	Path   string `json:"path"`
	Reason Reason `json:"reason"`
}

// Obstacles are the paths in the way: the first MaxObstacles of them in path
// order, and how many there are.
type Obstacles struct {
	List  []Obstacle
	Count int64
}

// MaxObstacles bounds how many obstacles are listed.
const MaxObstacles = 1000

func (o *Obstacles) add(path string, reason Reason) {
	o.Count++
	if len(o.List) < MaxObstacles {
		o.List = append(o.List, Obstacle{Path: path, Reason: reason})
	}
}

func (o *Obstacles) sort() {
	sort.Slice(o.List, func(i, k int) bool { return o.List[i].Path < o.List[k].Path })
}

// Apply makes the working tree hold the New of every change. Call Check
// first: Apply too replaces and deletes nothing that no commit holds, but what
// it finds in the way it leaves and returns, with all the rest done.
//
// The order, which any moment may interrupt and a second run completes:
//
//  1. What shall be absent is deleted, and folders that became empty by it;
//     so a file can take a folder's place and a folder a file's.
//  2. The others are written: a file under a reserved name beside its own,
//     verified, renamed. A folder that was not there is built under a
//     reserved name as a whole and renamed once.
//  3. Everything is made durable, once per file system.
//
// A rename gives a name new bytes; another hard link of the old file keeps
// the old ones. Permissions other than the executable bit are kept from the
// file that is replaced. A folder that refuses writing is opened to its owner
// for the moment of each step.
func Apply(ctx context.Context, opt Options, job Job, changes Changes) (Obstacles, error) {
	r := newRun(opt, job, changes)
	root, err := opt.FS.Lstat(opt.Root)
	if err != nil {
		return Obstacles{}, err
	}
	r.disks = map[uint64]string{root.Dev: opt.Root}
	if err := r.deleteAll(ctx); err != nil {
		return r.obstacles, fmt.Errorf("delete in %s: %w", opt.Root, err)
	}
	err = r.writeAll(ctx)
	r.early.Wait()
	if err != nil {
		return r.obstacles, fmt.Errorf("write in %s: %w", opt.Root, err)
	}
	r.obstacles.sort()
	return r.obstacles, r.sync()
}

// sync makes everything durable. Where the system cannot do that for a file
// system, each file was made so when it was written.
func (r *run) sync() error {
	if !hasSyncFS {
		return nil
	}
	if r.earlyErr != nil {
		return fmt.Errorf("make %s durable: %w", r.Root, r.earlyErr)
	}
	for _, dir := range r.disks {
		if err := r.FS.SyncFS(dir); err != nil {
			return fmt.Errorf("make %s durable: %w", dir, err)
		}
	}
	return nil
}

// earlySync is after how many bytes the disk is set to work while files are
// still being written; else it would wait, and at the end everybody for it.
const earlySync = 128 << 20

// wrote counts written bytes and begins an early sync when it is time. Its
// error is kept: Linux tells of a failed write-back once, so the sync at the
// end may no longer know of it.
func (r *run) wrote(n int64) {
	if r.unsynced += n; r.unsynced < earlySync || !hasSyncFS || !r.syncing.TryLock() {
		return
	}
	r.unsynced = 0
	r.early.Go(func() {
		defer r.syncing.Unlock()
		if err := r.FS.SyncFS(r.Root); r.earlyErr == nil {
			r.earlyErr = err
		}
	})
}

const hasSyncFS = runtime.GOOS != "windows"

// run is one Apply.
type run struct {
	Options
	Job
	changes   Changes
	obstacles Obstacles
	disks     map[uint64]string // a folder on every file system written to
	opening   sync.Mutex        // held while a folder is opened to writing

	unsynced int64      // bytes written since the last sync began
	syncing  sync.Mutex // held during an early sync
	early    sync.WaitGroup
	earlyErr error // the first one's; guarded by syncing, or by early.Wait
}

func newRun(opt Options, job Job, changes Changes) *run {
	if opt.Workers <= 0 {
		opt.Workers = 2
	}
	return &run{Options: opt, Job: job, changes: guarded(changes)}
}

// unavailable reports whether an error means that a content cannot be had,
// rather than that it cannot be written.
func unavailable(err error) bool {
	return errors.Is(err, objects.ErrCorrupt) || errors.Is(err, objects.ErrNotFound)
}
