package worktree

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Sweep removes what interrupted runs of these changes left under reserved
// names: it looks into the folders that the changes lie in, so that its cost
// follows the changes and needs no record of its own. What a folder under a
// reserved name holds is removed with it. Call it when unfinished work is
// given up, and after it was finished.
func Sweep(ctx context.Context, opt Options, changes Changes) error {
	r := newRun(opt, Job{}, changes)
	tree := newFolders(opt.FS, opt.Root)
	tree.entered = func(_, p *place) error {
		if p.standing != standsReal {
			return nil
		}
		return r.sweepFolder(ctx, p.disk)
	}
	err := r.sweepFolder(ctx, tree.top().disk)
	for c, changeErr := range r.changes {
		if err == nil {
			err = changeErr
		}
		if err != nil {
			break
		}
		_, err = tree.above(c.Path)
	}
	if err != nil {
		return fmt.Errorf("sweep %s: %w", opt.Root, err)
	}
	return nil
}

func (r *run) sweepFolder(ctx context.Context, dir string) error {
	return eachName(ctx, r.FS, dir, func(name string, t vfs.Type) error {
		if !strings.HasPrefix(name, vfs.TempPrefix) {
			return nil
		}
		disk := filepath.Join(dir, name)
		if t == vfs.TypeDir {
			return r.removeTree(ctx, disk, true)
		}
		return r.remove(dir, disk)
	})
}
