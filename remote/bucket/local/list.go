package local

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// List implements bucket.Bucket. Names that are no keys, and links, are left
// out: objects they are not. It holds the names of one folder at each depth.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		err := ctx.Err()
		if err == nil {
			err = bucket.CheckPrefix(prefix)
		}
		if err == nil {
			folder := prefix[:strings.LastIndexByte(prefix, '/')+1]
			err = b.list(ctx, folder, prefix, yield)
		}
		if err != nil && err != errStop {
			yield(bucket.Info{}, b.wrap("list", prefix+"*", err))
		}
	}
}

// errStop says that the caller wants no more.
var errStop = errors.New("stop")

// list yields what is below a folder, given as the beginning of its keys.
func (b *Bucket) list(ctx context.Context, folder, prefix string, yield func(bucket.Info, error) bool) error {
	dir, err := b.fs.OpenDir(filepath.Join(b.root, filepath.FromSlash(folder)))
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := b.entries(dir, folder, prefix)
	if cerr := dir.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.stat.Type == vfs.TypeDir {
			if err := b.list(ctx, e.key, prefix, yield); err != nil {
				return err
			}
			continue
		}
		if !yield(bucket.Info{Key: e.key, Size: e.stat.Size, Modified: time.Unix(0, e.stat.Mtime)}, nil) {
			return errStop
		}
	}
	return nil
}

// entry is an object, or a folder with a slash at the end of its key, which
// puts it where the keys below it are sorted.
type entry struct {
	key  string
	stat vfs.Stat
}

func (b *Bucket) entries(dir vfs.Dir, folder, prefix string) ([]entry, error) {
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, n := range names {
		key := folder + n.Name
		if isHidden(n.Name) || bucket.CheckKey(key) != nil || !mayBegin(key, prefix) {
			continue
		}
		stat, err := dir.Lstat(n.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		switch stat.Type {
		case vfs.TypeDir:
			entries = append(entries, entry{key + "/", stat})
		case vfs.TypeRegular:
			if strings.HasPrefix(key, prefix) {
				entries = append(entries, entry{key, stat})
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	return entries, nil
}

// mayBegin reports whether the key, or one below it, may begin with prefix.
func mayBegin(key, prefix string) bool {
	return strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key+"/")
}

// isAbsent reports whether there is no folder of that name: none, or a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
