package worktree

import (
	"errors"
	"testing"

	"github.com/mlvc/mlvc/objects/vfs"
)

// syncOnce is a file system that tells of a failed write-back once.
type syncOnce struct {
	vfs.FS
	err error
}

func (f *syncOnce) SyncFS(string) error {
	err := f.err
	f.err = nil
	return err
}

// What an early sync met is an error of the whole, though the sync at the end
// knows nothing of it.
func TestEarlySyncFails(t *testing.T) {
	if !hasSyncFS {
		return
	}
	bad := errors.New("write-back failed")
	r := newRun(Options{FS: &syncOnce{vfs.OS, bad}, Root: t.TempDir()}, Job{}, func(func(Change, error) bool) {})
	r.wrote(earlySync)
	r.early.Wait()
	if err := r.sync(); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}
