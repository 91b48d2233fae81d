package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The steps with a remote, which is a folder on the disk that is measured.

// pushFirst makes a new remote and pushes everything to it. The one before
// goes, and what was cloned of it is not used any more.
func pushFirst(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	if s.remote != "" {
		if _, err := b.run(ctx, s, "remote", "remove", "origin"); err != nil {
			return sample{}, err
		}
		if err := os.RemoveAll(s.remote); err != nil {
			return sample{}, err
		}
	}
	s.remote, s.clone = b.fresh("remote"), ""
	if _, err := b.run(ctx, s, "remote", "add", "origin", s.remote); err != nil {
		return sample{}, err
	}
	if err := warm(s.packs()); err != nil { // a commit writes them past the cache
		return sample{}, err
	}
	return b.push(ctx, s)
}

// push pushes, and counts the writes at the remote.
func (b *bench) push(ctx context.Context, s *set) (sample, error) {
	before, err := objectsAt(s.remote)
	if err != nil {
		return sample{}, err
	}
	got, err := b.run(ctx, s, "push")
	if err != nil {
		return got, err
	}
	s.pushed = true
	after, err := objectsAt(s.remote)
	got.Writes = float64(writes(before, after))
	return got, err
}

// currentObject is the one object of a remote that is replaced in place.
const currentObject = "current"

// objectsAt returns what each object of a remote is told from another one of
// its name by: what its name is the hash of is one and the same. A remote that
// is not there has none.
func objectsAt(remote string) (map[string]string, error) {
	objects := make(map[string]string)
	current, err := os.ReadFile(filepath.Join(remote, currentObject))
	if errors.Is(err, fs.ErrNotExist) {
		return objects, nil
	}
	if err != nil {
		return nil, err
	}
	objects[currentObject] = string(current)
	for _, dir := range []string{"packs", "indexes"} {
		entries, err := os.ReadDir(filepath.Join(remote, dir))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") { // what is being written, or was
				objects[dir+"/"+e.Name()] = ""
			}
		}
	}
	return objects, nil
}

// writes counts the objects that are new or other than before.
func writes(before, after map[string]string) int {
	n := 0
	for name, is := range after {
		if was, ok := before[name]; !ok || was != is {
			n++
		}
	}
	return n
}

// copyPacks is `cp -a .mlvc/packs COPY && sync`: a push writes those bytes.
func copyPacks(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	if err := warm(s.packs()); err != nil {
		return sample{}, err
	}
	to := b.fresh("packs")
	got, err := b.tool(ctx, "cp", "-a", s.packs(), to)
	if err != nil {
		return got, err
	}
	got = got.plus(timed(settle))
	return got, os.RemoveAll(to)
}

// copyBoth copies the packs and the data, as one: a clone writes both.
func copyBoth(ctx context.Context, b *bench, s *set) (sample, error) {
	packs, err := copyPacks(ctx, b, s)
	if err != nil {
		return packs, err
	}
	data, err := copyData(ctx, b, s)
	return packs.plus(data), err
}

// ensurePushed pushes what is committed, if it is not pushed.
func (b *bench) ensurePushed(ctx context.Context, s *set) error {
	if s.remote == "" {
		_, err := pushFirst(ctx, b, s)
		return err
	}
	if s.pushed {
		return nil
	}
	_, err := b.push(ctx, s)
	return err
}

// cloneRemote clones the remote; an older clone gets out of the way.
func cloneRemote(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensurePushed(ctx, s); err != nil {
		return sample{}, err
	}
	if s.clone != "" {
		if err := os.RemoveAll(filepath.Join(s.clone, ".mlvc")); err != nil {
			return sample{}, err
		}
		if err := b.discard(s.clone, s.numerous()); err != nil {
			return sample{}, err
		}
	}
	s.clone = b.fresh("clone")
	return b.in(ctx, b.dir, "clone", s.remote, s.clone)
}

// pushOne changes one file and commits it, and measures the push.
func pushOne(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensurePushed(ctx, s); err != nil {
		return sample{}, err
	}
	if _, err := oneOfMany(ctx, b, s); err != nil {
		return sample{}, err
	}
	return b.push(ctx, s)
}

// ensureCloned makes a clone that has all that was pushed.
func (b *bench) ensureCloned(ctx context.Context, s *set) error {
	if err := b.ensurePushed(ctx, s); err != nil {
		return err
	}
	if s.clone == "" {
		_, err := cloneRemote(ctx, b, s)
		return err
	}
	_, err := b.in(ctx, s.clone, "pull")
	return err
}

// pullOne pushes one changed file, and measures the pull of a clone.
func pullOne(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCloned(ctx, s); err != nil {
		return sample{}, err
	}
	if _, err := pushOne(ctx, b, s); err != nil {
		return sample{}, err
	}
	return b.in(ctx, s.clone, "pull")
}

// statusClone is `mlvc status` of the clone: its pull walks as far.
func statusClone(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCloned(ctx, s); err != nil {
		return sample{}, err
	}
	return b.in(ctx, s.clone, "status")
}

func pushNothing(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensurePushed(ctx, s); err != nil {
		return sample{}, err
	}
	return b.push(ctx, s)
}

func pullNothing(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCloned(ctx, s); err != nil {
		return sample{}, err
	}
	return b.in(ctx, s.clone, "pull")
}
