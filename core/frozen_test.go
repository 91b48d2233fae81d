package core_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

var updateFrozen = flag.Bool("update-frozen", false, "make testdata/repos/v1 anew; only before the first release of its formats")

const frozenRepo = "../testdata/repos/v1"

// frozen is the manifest of a frozen repository.
type frozen struct {
	Branches map[string]objects.ID `json:"branches"`
	Tags     map[string]objects.ID `json:"tags"`
	Commits  []frozenCommit        `json:"commits"` // newest first
}

type frozenCommit struct {
	ID      objects.ID         `json:"id"`
	Tree    objects.ID         `json:"tree"`
	Parents []objects.ID       `json:"parents,omitempty"`
	Kind    objects.CommitKind `json:"kind"`
	Base    objects.ID         `json:"base,omitzero"`
	Message string             `json:"message"`
	Files   picture            `json:"files"` // by quoted path
}

// TestFrozen opens, verifies and checks out a repository of each version of the
// format, and goes on with it.
func TestFrozen(t *testing.T) {
	if *updateFrozen {
		makeFrozen(t)
	}
	text, err := os.ReadFile(frozenRepo + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var want frozen
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	d := newData(t)
	d.must(os.RemoveAll(filepath.Join(d.root, core.Dir)))
	for _, name := range []string{core.RulesFile, core.IgnoreFile} {
		d.must(os.Remove(filepath.Join(d.root, name)))
	}
	unpack(t, frozenRepo+".tar.gz", d.root)

	t.Run("as it is", func(t *testing.T) { d.isFrozen(t, want) })
	d.must(os.RemoveAll(filepath.Join(d.root, core.Dir, "db")))
	t.Run("without its database", func(t *testing.T) { d.isFrozen(t, want) })

	r := d.open()
	defer r.Close()
	_, err = r.Restore(t.Context(), core.RestoreOptions{Paths: []string{"."}})
	d.must(err)
	d.same("restored")
	d.write("goes on.txt", "a later build goes on")
	d.commit(core.CommitOptions{Message: "goes on"})
	d.same("goes on")
	d.verify(true)
}

// isFrozen compares the repository with the manifest.
func (d *data) isFrozen(t *testing.T, want frozen) {
	d = &data{t: t, root: d.root, env: d.env}
	r := d.open()
	defer r.Close()
	if diff := cmp.Diff(want, d.describe(r)); diff != "" {
		t.Error(diff)
	}
	d.verify(true)
	for _, c := range want.Commits {
		into := filepath.Join(t.TempDir(), "into")
		d.checkout(core.CheckoutOptions{Rev: c.ID.String(), Into: into})
		if diff := cmp.Diff(c.Files, quotedPaths(takeDisk(t, into))); diff != "" {
			t.Errorf("%s: %s", c.Message, diff)
		}
	}
	// The same files are the same tree.
	again := filepath.Join(t.TempDir(), "again")
	d.checkout(core.CheckoutOptions{Rev: want.Commits[0].ID.String(), Into: again})
	fresh := newDataIn(t, again)
	id := fresh.commit(core.CommitOptions{Message: "again"}).ID
	fr := fresh.open()
	defer fr.Close()
	c, err := history.Read(t.Context(), fr.Store(), id)
	d.must(err)
	if c.Tree != want.Commits[0].Tree {
		t.Errorf("its files now have the tree %s, want %s", c.Tree, want.Commits[0].Tree)
	}
}

// describe makes the manifest of a repository.
func (d *data) describe(r *core.Repo) frozen {
	d.t.Helper()
	f := frozen{Branches: make(map[string]objects.ID), Tags: make(map[string]objects.ID)}
	branches, err := r.Branches(d.t.Context())
	d.must(err)
	tags, err := r.Tags(d.t.Context())
	d.must(err)
	var tips []objects.ID
	for _, n := range branches {
		f.Branches[n.Name] = n.Commit
		tips = append(tips, n.Commit)
	}
	for _, n := range tags {
		f.Tags[n.Name] = n.Commit
	}
	for c, err := range history.Walk(d.t.Context(), r.Store(), tips, history.Options{}) {
		d.must(err)
		f.Commits = append(f.Commits, frozenCommit{
			ID: c.ID, Tree: c.Tree, Parents: c.Parents, Kind: c.Kind, Base: c.Base, Message: c.Message,
			Files: quotedPaths(takeTree(d.t, r.Store(), c.Tree)),
		})
	}
	return f
}

func quotedPaths(p picture) picture {
	q := make(picture)
	for path, look := range p {
		q[strconv.QuoteToASCII(path)] = look
	}
	return q
}

// makeFrozen makes a small repository with something of everything.
func makeFrozen(t *testing.T) {
	d := newData(t)
	table := []byte(noise(1, 300_000))
	d.write("table.csv", string(table))
	d.write("images/one.txt", "one")
	d.write("images/two.txt", "two")
	d.write("tool.sh", "#!/bin/sh\n")
	d.must(os.Chmod(filepath.Join(d.root, "tool.sh"), 0o755))
	d.must(os.Symlink("images/one.txt", filepath.Join(d.root, "link")))
	d.must(os.Mkdir(filepath.Join(d.root, "empty"), 0o777))
	d.write("bytes \xff\n.txt", "a name that is no text")
	d.commit(core.CommitOptions{Message: "first", Meta: map[string]string{"source": "test"}})

	copy(table[150_000:], "changed in the middle")
	d.write("table.csv", string(table))
	d.must(os.Rename(filepath.Join(d.root, "images/two.txt"), filepath.Join(d.root, "images/second.txt")))
	d.commit(core.CommitOptions{Message: "incremental", Kind: objects.Incremental})
	r := d.open()
	defer r.Close()
	_, err := r.CreateBranch(t.Context(), "side", "", false)
	d.must(err)

	d.write("images/three.txt", "three")
	d.remove("link")
	d.commit(core.CommitOptions{Message: "differential", Kind: objects.Differential})
	_, err = r.CreateTag(t.Context(), "v1", "", false)
	d.must(err)

	d.checkout(core.CheckoutOptions{Rev: "side"})
	copy(table[290_000:], "changed near the end")
	d.write("table.csv", string(table))
	d.commit(core.CommitOptions{Message: "beside", Kind: objects.Incremental})
	d.checkout(core.CheckoutOptions{Rev: "main"})
	_, err = r.Merge(t.Context(), core.MergeOptions{Rev: "side", Message: "merge"})
	d.must(err)
	d.commit(core.CommitOptions{Message: "full", Kind: objects.Full})
	_, err = r.CreateTag(t.Context(), "mistake", "", false)
	d.must(err)
	_, err = r.Undo(t.Context(), core.UndoOptions{})
	d.must(err)

	text, err := json.MarshalIndent(d.describe(r), "", " ")
	d.must(err)
	d.must(r.Close())
	d.must(os.MkdirAll(filepath.Dir(frozenRepo), 0o777))
	d.must(os.WriteFile(frozenRepo+".json", append(text, '\n'), 0o666))
	d.must(os.WriteFile(frozenRepo+".tar.gz", packed(t, d.root), 0o666))
}

// packed is the `.mlvc` below root as a tar file, without what belongs to a run.
func packed(t *testing.T, root string) []byte {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	err := filepath.WalkDir(filepath.Join(root, core.Dir), func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || strings.HasPrefix(rel, ".mlvc/tmp/") || rel == ".mlvc/lock" {
			return err
		}
		if e.IsDir() {
			return w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel) + "/", Typeflag: tar.TypeDir, Mode: 0o755})
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel), Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = zip.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(t *testing.T, name, root string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(root, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(name, 0o777)
		} else {
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(name, data, 0o666)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
