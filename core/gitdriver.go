package core

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
)

// NoDatasetError is for a pointer of a dataset that is not here.
type NoDatasetError struct{ File string }

func (e *NoDatasetError) Error() string {
	return e.File + ": the dataset that it stands for is not here"
}

// MergeDriver merges the pointer texts.File, named from git's root, in the
// dataset that it belongs to, of those paired in the git work tree that dir is
// in. See MergePointers.
func MergeDriver(ctx context.Context, env Env, dir string, texts PointerMerge) (text []byte, err error) {
	git, err := openGit(ctx, env, dir)
	if err != nil {
		return nil, err
	}
	defer git.close()
	ours, err := gitpair.ParsePointer(texts.File, texts.Ours)
	if err != nil {
		return nil, err
	}
	rel, ok := datasetOf(gitpair.PointerFile{Name: texts.File, Pointer: ours})
	if !ok {
		return nil, &ForgedPointerError{File: texts.File, Commit: ours.Commit, What: "path"}
	}
	root := filepath.Join(git.Root(), filepath.FromSlash(rel))
	r, err := Open(ctx, env, root)
	if errors.Is(err, ErrNoRepository) || err == nil && r.root != root {
		if err == nil {
			r.Close() //nolint:errcheck // it was not used
		}
		return nil, &NoDatasetError{File: texts.File}
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, r.Close()) }()
	return r.MergePointers(ctx, texts)
}

// Textconv writes what a pointer names in words, as known by the dataset that
// has its commit, of those paired in the git work tree that dir is in. Where
// none has it, it says so.
func Textconv(ctx context.Context, env Env, dir string, p gitpair.Pointer, w io.Writer) error {
	git, err := openGit(ctx, env, dir)
	if err != nil {
		return err
	}
	defer git.close()
	roots, err := git.datasets()
	if err != nil {
		return err
	}
	var last *Repo
	defer func() {
		if last != nil {
			last.Close() //nolint:errcheck // it was only read
		}
	}()
	for _, root := range roots {
		r, err := Open(ctx, env, root)
		if err != nil || r.root != root {
			continue
		}
		if last != nil {
			last.Close() //nolint:errcheck // it was only read
		}
		last = r
		if _, err := r.commit(ctx, p.Commit); !errors.Is(err, objects.ErrNotFound) {
			break
		}
	}
	if last == nil {
		return describeAbsent(p, w)
	}
	return last.DescribePointer(ctx, p, w)
}
