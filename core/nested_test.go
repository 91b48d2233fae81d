package core_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

// A commit of paths takes out what they lie below: a file that is a folder
// now, or a folder that is no empty one any more.
func TestCommitPathsBelowWhatWas(t *testing.T) {
	d := newData(t)
	d.write("x", "a file")
	d.must(os.Mkdir(filepath.Join(d.root, "empty"), 0o777))
	d.commit(core.CommitOptions{})
	d.remove("x")
	d.write("x/a", "a")
	d.write("x/b", "b")
	d.write("empty/deep/c", "c")
	d.commit(core.CommitOptions{Paths: []string{"x/a", "empty/deep/c"}})
	want := takeDisk(t, d.root)
	delete(want, "x/b")
	if diff := cmp.Diff(want, d.tree()); diff != "" {
		t.Error(diff)
	}
	st, differs := d.status()
	if diff := cmp.Diff(map[string]core.StatusKind{"x/b": core.StatusNew}, differs); diff != "" || st.Changes.Files != int64(len(want)+1) {
		t.Errorf("%+v: %s", st.Changes, diff)
	}
}

// An empty folder of the part that gave way to a file outside of it has gone:
// it does not stay below a folder that is an empty one now.
func TestPartFolderGivesWay(t *testing.T) {
	d := newData(t)
	d.must(os.MkdirAll(filepath.Join(d.root, "d", "d"), 0o777))
	d.write("a", "in the part")
	d.commit(core.CommitOptions{})
	d.checkout(core.CheckoutOptions{Part: []string{"**/a"}})
	d.remove("d/d")
	d.write("d/d", "outside")
	want := d.tree()
	delete(want, "d/d")
	want["d"] = emptyFolder
	d.commit(core.CommitOptions{})
	if diff := cmp.Diff(want, d.tree()); diff != "" {
		t.Error(diff)
	}
	if st, differs := d.status(); !st.Clean || differs["d/d"] != core.StatusOutside {
		t.Errorf("%+v, %v", st, differs)
	}
}

// What the index knows of a file is not what the tree has at its path: there
// the commit that was taken back had another thing.
func TestPartOfWhatWasTakenBack(t *testing.T) {
	for _, again := range []string{"file", "folder", "nothing"} {
		d := newData(t)
		d.must(os.MkdirAll(filepath.Join(d.root, "d", "d"), 0o777))
		d.write("a", "in the part")
		d.commit(core.CommitOptions{})
		d.remove("d/d")
		d.write("d/d", "a file")
		d.commit(core.CommitOptions{})
		_, err := d.undo("") // leaves the files
		d.must(err)
		d.checkout(core.CheckoutOptions{Part: []string{"**/a"}})
		if again != "file" {
			d.remove("d/d")
		}
		if again == "folder" {
			d.must(os.Mkdir(filepath.Join(d.root, "d", "d"), 0o777))
		}
		want := d.tree()
		if again != "folder" {
			delete(want, "d/d")
			want["d"] = emptyFolder
		}
		d.commit(core.CommitOptions{})
		if diff := cmp.Diff(want, d.tree()); diff != "" {
			t.Errorf("%s: %s", again, diff)
		}
		if st, _ := d.status(); !st.Clean {
			t.Errorf("%s: %+v", again, st)
		}
	}
}

// A tree with something below a file or an empty folder is not recorded,
// whichever came first.
func TestCheckNested(t *testing.T) {
	d := newData(t)
	r := d.open()
	leaf, folder := objects.Entry{Mode: objects.ModeFile}, objects.Entry{Mode: objects.ModeDir}
	type tree = map[string]objects.Entry
	sound := tree{"a": leaf, "b/c/d": leaf, "e": folder, "e.txt": leaf}
	for _, c := range []struct {
		add         tree
		path, below string
	}{
		{add: tree{"a.txt": leaf, "a0": folder, "b/c/e": leaf, "b/f": folder, "e-/x": leaf}},
		{tree{"a/x": leaf}, "a", "a/x"},
		{tree{"e/x/y": leaf}, "e", "e/x/y"},
		{tree{"b": folder}, "b", "b/c/d"},
		{tree{"b/c": leaf}, "b/c", "b/c/d"},
		{tree{"n": leaf, "n.txt": leaf, "n/x": leaf}, "n", "n/x"},
	} {
		for _, from := range []tree{sound, nil} {
			if from == nil {
				maps.Copy(c.add, sound)
			}
			err := r.CheckNested(t.Context(), from, c.add)
			var nested *core.NestedError
			switch {
			case c.path == "" && err != nil, c.path != "" && !errors.As(err, &nested):
				t.Errorf("%v: %v", slices.Sorted(maps.Keys(c.add)), err)
			case c.path != "" && (nested.Path != c.path || nested.Below != c.below):
				t.Errorf("%v: %v", slices.Sorted(maps.Keys(c.add)), err)
			}
		}
	}
}
