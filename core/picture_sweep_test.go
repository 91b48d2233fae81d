package core_test

import (
	"context"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
)

// picture is what a dataset looks like: for each path its mode and, of a file,
// the BLAKE3 of its bytes, of a link its target. Disk, commit and model are
// compared by their pictures.
type picture map[string]string

// fileLook is how a file appears in a picture.
func fileLook(exec bool, sum [32]byte) string {
	if exec {
		return "executable " + hex.EncodeToString(sum[:])
	}
	return "file " + hex.EncodeToString(sum[:])
}

func linkLook(target string) string { return "link " + target }

const emptyFolder = "folder"

// takeDisk pictures a working tree.
func takeDisk(t testing.TB, root string) picture {
	t.Helper()
	p := make(picture)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		if d.Name() == core.Dir || strings.HasPrefix(d.Name(), vfs.TempPrefix) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		look, err := lookOf(name, d)
		if err == nil && look != "" {
			p[filepath.ToSlash(rel)] = look
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lookOf is how a path of the disk appears; empty for a folder with something
// in it.
func lookOf(name string, d fs.DirEntry) (string, error) {
	switch {
	case d.IsDir():
		inside, err := os.ReadDir(name)
		if err != nil || len(inside) > 0 {
			return "", err
		}
		return emptyFolder, nil
	case d.Type() == fs.ModeSymlink:
		target, err := os.Readlink(name)
		return linkLook(target), err
	}
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(name)
	return fileLook(info.Mode()&0o100 != 0, blake3.Sum256(data)), err
}

// takeTree pictures a tree, reading every byte of it through the store.
func takeTree(t testing.TB, g objects.Getter, tree objects.ID) picture {
	t.Helper()
	p := make(picture)
	if tree.IsZero() {
		return p
	}
	ctx := context.WithoutCancel(t.Context())
	for item, err := range prolly.Open(tree).All(ctx, g) {
		if err != nil {
			t.Fatalf("tree %s: %v", tree.Short(), err)
		}
		e, err := objects.DecodeEntry(item.Value)
		if err != nil {
			t.Fatalf("tree %s: %q: %v", tree.Short(), item.Key, err)
		}
		p[string(item.Key)] = lookOfEntry(t, g, string(item.Key), e)
	}
	return p
}

func lookOfEntry(t testing.TB, g objects.Getter, path string, e objects.Entry) string {
	t.Helper()
	if e.Mode == objects.ModeDir {
		return emptyFolder
	}
	h := blake3.New()
	var text strings.Builder
	var err error
	if e.Mode == objects.ModeSymlink {
		err = content.Read(t.Context(), g, e, &text, 1)
	} else {
		err = content.Read(t.Context(), g, e, h, 2)
	}
	if err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	if e.Mode == objects.ModeSymlink {
		return linkLook(text.String())
	}
	return fileLook(e.Mode == objects.ModeExec, [32]byte(h.Sum(nil)))
}

// takeCommit pictures a commit.
func takeCommit(t testing.TB, r *core.Repo, id objects.ID) picture {
	t.Helper()
	c, err := history.Read(t.Context(), r.Store(), id)
	if err != nil {
		t.Fatal(err)
	}
	return takeTree(t, r.Store(), c.Tree)
}

// headOf returns the commit at the head; zero before the first.
func headOf(t testing.TB, r *core.Repo) objects.ID {
	t.Helper()
	st, err := r.Status(t.Context(), []string{core.RulesFile}, func(core.StatusEntry) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return st.Head
}
