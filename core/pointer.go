package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
)

// A repository in which nothing was ever recorded has no file `current`, and
// says so by a file `unborn`, which init makes. Without both, what `current`
// said is lost: taken for nothing, gc would remove everything.

// ErrPointerLost is for a repository that has objects and no current operation.
var ErrPointerLost = errors.New("the current operation is lost")

func (r *Repo) pointerPath() string { return filepath.Join(r.dir, "current") }
func (r *Repo) unbornPath() string  { return filepath.Join(r.dir, unbornFile) }

const unbornFile = "unborn"

// operation returns the current operation, zero if there was none yet. From
// here on this is one of the readers.
func (r *Repo) operation(ctx context.Context) (objects.ID, error) {
	if err := r.startReading(ctx); err != nil {
		return objects.ID{}, err
	}
	op, err := r.pointer.Load(ctx)
	if errors.Is(err, objects.ErrCorrupt) {
		return op, fmt.Errorf("%w: %w", ErrPointerLost, err)
	}
	if err != nil || !op.IsZero() {
		return op, err
	}
	lost, err := r.pointerLost()
	if err == nil && lost {
		err = fmt.Errorf("%w: %s is missing", ErrPointerLost, r.pointerPath())
	}
	return op, err
}

// pointerLost says whether a missing pointer means loss.
func (r *Repo) pointerLost() (bool, error) {
	_, err := r.env.FS.Lstat(r.unbornPath())
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	// Another process may have made the first commit between the two looks.
	_, err = r.env.FS.Lstat(r.pointerPath())
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	packs, err := r.store.Packs()
	return len(packs) > 0, err
}

// born removes the sign that nothing was recorded yet.
func (r *Repo) born() error {
	err := r.env.FS.Remove(r.unbornPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.env.FS.SyncDir(r.dir)
}
