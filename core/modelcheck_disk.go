package core

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// DiskFiles is what the fingerprint of files of the disk is known by.
const DiskFiles = "files"

// diskFiles are files of the disk that need be in no commit, hashed when they
// were listed. What Open hands out is what is there by then, unverified.
type diskFiles struct {
	fsys  vfs.FS
	files []dataset.File // in path order
	names map[string]string
}

var _ dataset.Files = (*diskFiles)(nil)

// openDisk lists and hashes files as the evaluated side.
func (c *modelChecking) openDisk(ctx context.Context, set *ModelSet) (*checkedSide, error) {
	d := &diskFiles{fsys: c.env.FS, names: make(map[string]string)}
	for _, name := range c.opt.Files {
		as := path.Base(filepath.ToSlash(name))
		if len(c.opt.Files) == 1 && c.isFolder(name) {
			as = ""
		}
		if err := d.add(ctx, name, as); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(d.files, func(a, b dataset.File) int { return cmp.Compare(a.Path, b.Path) })
	set.Fingerprints = map[string]objects.ID{DiskFiles: d.fingerprint()}
	return &checkedSide{
		set: set, files: d, facts: readOnlyFacts{c.facts},
		isLabel: func(string) bool { return false },
		all: func(ctx context.Context) iter.Seq2[inSet, error] {
			return func(yield func(inSet, error) bool) {
				for f, err := range d.All(ctx) {
					if !yield(inSet{File: f}, err) || err != nil {
						return
					}
				}
			}
		},
	}, nil
}

func (r *Repo) isFolder(name string) bool {
	st, err := r.env.FS.Lstat(name)
	return err == nil && st.Type == vfs.TypeDir
}

// add lists a file, or all files below a folder, under the path as.
func (d *diskFiles) add(ctx context.Context, name, as string) error {
	name, st, err := followLinks(d.fsys, name)
	switch {
	case err != nil:
		return err
	case st.Type == vfs.TypeDir:
		return d.addFolder(ctx, name, as)
	case st.Type != vfs.TypeRegular || dataset.IsOwn(as):
		return nil // devices, and links to folders, are no samples
	case d.names[as] != "":
		return &UsageError{What: fmt.Sprintf("%s and %s would both be %s", d.names[as], name, as), Hint: "name a folder that has both"}
	}
	hash, err := Hash(ctx, d.fsys, name)
	if err != nil {
		return err
	}
	d.names[as] = name
	d.files = append(d.files, dataset.File{Path: as, Entry: objects.Entry{Mode: objects.ModeFile, Size: hash.Size, Content: hash.Content}})
	return nil
}

func (d *diskFiles) addFolder(ctx context.Context, name, as string) error {
	names, err := d.list(name)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Name == ".mlvc" || n.Name == ".git" {
			continue
		}
		if err := d.add(ctx, filepath.Join(name, n.Name), path.Join(as, n.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (d *diskFiles) list(name string) ([]vfs.Name, error) {
	dir, err := d.fsys.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close() //nolint:errcheck // it was only read
	return dir.Names()
}

// fingerprint is one of all paths and contents.
func (d *diskFiles) fingerprint() objects.ID {
	var parts [][]byte
	for _, f := range d.files {
		parts = append(parts, []byte(f.Path), []byte{0}, f.Content[:])
	}
	return objects.Derive("mlvc 2026-11-26 files of the disk v1", parts...)
}

// All implements dataset.Files.
func (d *diskFiles) All(context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		for _, f := range d.files {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// Lookup implements dataset.Files.
func (d *diskFiles) Lookup(_ context.Context, name string) (*dataset.File, error) {
	i, ok := slices.BinarySearchFunc(d.files, name, func(f dataset.File, name string) int { return cmp.Compare(f.Path, name) })
	if !ok {
		return nil, nil
	}
	return &d.files[i], nil
}

// Open implements dataset.Files.
func (d *diskFiles) Open(_ context.Context, f dataset.File) (dataset.Content, error) {
	name, ok := d.names[f.Path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: f.Path, Err: fs.ErrNotExist}
	}
	file, err := d.fsys.Open(name)
	return diskContent{file, f.Size}, err
}

type diskContent struct {
	vfs.File
	size int64
}

func (c diskContent) Size() int64 { return c.size }

// readOnlyFacts keep nothing: what was derived from bytes that nobody verified
// must not stand for a content.
type readOnlyFacts struct{ dataset.Facts }

func (readOnlyFacts) Put(string, objects.ID, []byte) {}
