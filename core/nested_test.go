package core_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// A file outside of the part stands where an empty folder of the part belongs.
// It stays, although the commit that is left has it: that is told before
// anything is touched.
func TestPartFolderWhereAFileStays(t *testing.T) {
	d := newData(t)
	d.write("n", "a file")
	d.write("b.txt", "1")
	d.commit(core.CommitOptions{})
	_, err := within(d, func(r *core.Repo) (core.NameInfo, error) { return r.CreateBranch(t.Context(), "other", "", false) })
	d.must(err)
	d.remove("n")
	d.must(os.Mkdir(filepath.Join(d.root, "n"), 0o777))
	d.write("b.txt", "2")
	d.commit(core.CommitOptions{})
	d.checkout(core.CheckoutOptions{Rev: "other"})
	d.checkout(core.CheckoutOptions{Part: []string{"**/*.txt"}})
	d.write("n", "a file")
	before := takeDisk(t, d.root)
	_, err = d.try(core.CheckoutOptions{Rev: "main"})
	var obstacles *core.ObstaclesError
	if !errors.As(err, &obstacles) || obstacles.Begun {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff(before, takeDisk(t, d.root)); diff != "" {
		t.Error(diff)
	}
	d.checkout(core.CheckoutOptions{Rev: "main", Force: true})
	if diff := cmp.Diff(d.tree(), takeDisk(t, d.root)); diff != "" {
		t.Error(diff)
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
		from, err := r.MakeTree(t.Context(), objects.ID{}, sound)
		d.must(err)
		made, err := r.MakeTree(t.Context(), from, c.add)
		d.must(err)
		for _, from := range []objects.ID{from, {}} {
			err := r.CheckNested(t.Context(), from, made)
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

// Whatever two trees are, what they merge to is one that a disk can hold; and
// where both sides are kept, no content of either is lost.
func TestMergedTreesAreSound(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	r := d.open()
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		m := &mergeCase{rnd: rnd}
		base := m.edited(nil)
		ours, theirs := m.edited(base), m.edited(base)
		var roots []objects.ID
		for _, entries := range []map[string]objects.Entry{base, ours, theirs} {
			root, err := r.MakeTree(t.Context(), objects.ID{}, entries)
			d.must(err)
			roots = append(roots, root)
		}
		for _, opt := range []core.MergeOptions{
			{}, {KeepBoth: true}, {Ours: []string{"."}}, {Theirs: []string{"."}}, {KeepBoth: true, Ours: []string{"a"}, Theirs: []string{"b"}},
		} {
			tree, entries, err := r.MergeTrees(t.Context(), roots[0], roots[1], roots[2], opt)
			var conflicts *core.ConflictError
			if errors.As(err, &conflicts) && !opt.KeepBoth && opt.Ours == nil && opt.Theirs == nil {
				continue
			}
			if err == nil {
				err = r.CheckNested(t.Context(), objects.ID{}, tree)
			}
			if err == nil && opt.KeepBoth && opt.Ours == nil {
				err = m.allKept(base, entries, ours, theirs)
			}
			if err != nil {
				t.Fatalf("seed %d, %+v: %v\nbase   %v\nours   %v\ntheirs %v\nmerged %v", seed, opt, err, look(base), look(ours), look(theirs), look(entries))
			}
		}
	}
}

// mergeCase makes trees whose files are all different.
type mergeCase struct {
	rnd *rand.Rand
	n   int64
}

// edited is a sound tree near another.
func (m *mergeCase) edited(of map[string]objects.Entry) map[string]objects.Entry {
	names := []string{"a", "a.txt", "a.theirs", "b", "a.theirs-2"}
	tree := maps.Clone(of)
	if tree == nil {
		tree = make(map[string]objects.Entry)
	}
	for range 1 + m.rnd.IntN(6) {
		path := names[m.rnd.IntN(len(names))]
		for m.rnd.IntN(2) == 0 {
			path += "/" + names[m.rnd.IntN(len(names))]
		}
		maps.DeleteFunc(tree, func(other string, _ objects.Entry) bool {
			return other == path || strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/")
		})
		switch m.n++; m.rnd.IntN(4) {
		case 0:
		case 1:
			tree[path] = objects.Entry{Mode: objects.ModeDir}
		default:
			tree[path] = objects.Entry{Mode: objects.ModeFile, Size: m.n, Content: objects.Sum(objects.KindChunk, []byte(fmt.Sprint(m.n)))}
		}
	}
	return tree
}

// allKept says which file that a side has anew is not in what was merged.
func (m *mergeCase) allKept(base, merged map[string]objects.Entry, sides ...map[string]objects.Entry) error {
	kept := make(map[objects.ID]bool)
	for _, e := range merged {
		kept[e.Content] = true
	}
	for _, side := range sides {
		for path, e := range side {
			if e.Mode == objects.ModeFile && e != base[path] && !kept[e.Content] {
				return fmt.Errorf("%q is lost", path)
			}
		}
	}
	return nil
}

// look is a tree as a line.
func look(tree map[string]objects.Entry) []string {
	var list []string
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		list = append(list, fmt.Sprintf("%s:%s:%d", path, tree[path].Mode, tree[path].Size))
	}
	return list
}
