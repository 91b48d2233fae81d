package gitpair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// goGit reads with go-git. Its storage is not made for several goroutines.
type goGit struct {
	mu      sync.Mutex
	storage *filesystem.Storage
}

var _ reader = (*goGit)(nil)

func openGoGit(gitDir, common string) *goGit {
	files := dotgit.NewRepositoryFilesystem(osfs.New(gitDir), osfs.New(common))
	if gitDir == common {
		files = dotgit.NewRepositoryFilesystem(osfs.New(gitDir), nil)
	}
	opt := filesystem.Options{AlternatesFS: osfs.New(filepath.VolumeName(common) + string(filepath.Separator))}
	return &goGit{storage: filesystem.NewStorageWithOptions(files, cache.NewObjectLRU(16<<20), opt)}
}

func (g *goGit) close() error { return g.storage.Close() }

func (g *goGit) object(_ context.Context, hash string) (object, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o, err := g.storage.EncodedObject(plumbing.AnyObject, plumbing.NewHash(hash))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return object{}, fmt.Errorf("%s: %w", hash, ErrMissing)
	}
	if err != nil {
		return object{}, fmt.Errorf("%s: %w", hash, err)
	}
	if o.Size() > maxObject {
		return object{}, fmt.Errorf("%s: has %d bytes", hash, o.Size())
	}
	rd, err := o.Reader()
	if err != nil {
		return object{}, fmt.Errorf("%s: %w", hash, err)
	}
	defer rd.Close()
	data, err := io.ReadAll(rd)
	return object{o.Type().String(), data}, err
}

func (g *goGit) refs(context.Context) ([]ref, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	iter, err := g.storage.IterReferences()
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	var list []ref
	err = iter.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference && strings.HasPrefix(string(r.Name()), "refs/") {
			list = append(list, ref{string(r.Name()), r.Hash().String()})
		}
		return nil
	})
	return list, err
}

func (g *goGit) head(context.Context) (Head, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h, err := g.storage.Reference(plumbing.HEAD)
	if err != nil {
		return Head{}, err
	}
	if h.Type() == plumbing.HashReference {
		return Head{Commit: h.Hash().String()}, nil
	}
	head := Head{Branch: h.Target().Short()}
	at, err := g.storage.Reference(h.Target())
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return head, nil
	}
	if err == nil {
		head.Commit = at.Hash().String()
	}
	return head, err
}

func (g *goGit) resolve(_ context.Context, rev string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	repo, err := git.Open(g.storage, nil)
	if err != nil {
		return "", err
	}
	hash, err := repo.ResolveRevision(plumbing.Revision(rev))
	if err != nil {
		return "", err
	}
	return hash.String(), nil
}
