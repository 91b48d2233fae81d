package core_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/revision"
)

// parted makes a repository on main with ours, and a branch with theirs, that
// parted at base.
func parted(t *testing.T, base, ours, theirs files) *data {
	d := newData(t)
	d.save(base)
	if _, err := with(d, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(t.Context(), core.SwitchOptions{Branch: "theirs", Create: true})
	}); err != nil {
		t.Fatal(err)
	}
	d.save(theirs)
	d.checkout("main")
	d.save(ours)
	return d
}

func (d *data) merge(opt core.MergeOptions) (core.MergeResult, error) {
	d.t.Helper()
	opt.Rev = "theirs"
	return with(d, func(r *core.Repo) (core.MergeResult, error) { return r.Merge(d.t.Context(), opt) })
}

func TestMerge(t *testing.T) {
	base := files{"a": "1", "b": "1", "c": "1", "d/x": "1", "d/y": "1", "same": "1"}
	for _, c := range []struct {
		name         string
		ours, theirs files
		opt          core.MergeOptions
		want         files
		conflicts    []string
	}{
		{
			name:   "each side its own",
			ours:   files{"a": "ours", "b": "1", "c": "1", "d/x": "1", "d/y": "1", "same": "2", "new": "o"},
			theirs: files{"a": "1", "b": "theirs", "d/x": "1", "d/y": "1", "same": "2", "e/f": "t"},
			want:   files{"a": "ours", "b": "theirs", "d/x": "1", "d/y": "1", "same": "2", "new": "o", "e/f": "t"},
		},
		{
			name:      "both changed",
			ours:      files{"a": "ours", "b": "1"},
			theirs:    files{"a": "theirs", "b": "1"},
			conflicts: []string{"a"},
		},
		{
			name:   "both changed, both kept",
			ours:   files{"a": "ours", "d/img.png": "ours", "d/img.theirs.png": "there"},
			theirs: files{"a": "theirs", "d/img.png": "theirs"},
			opt:    core.MergeOptions{KeepBoth: true},
			want:   files{"a": "ours", "a.theirs": "theirs", "d/img.png": "ours", "d/img.theirs.png": "there", "d/img.theirs-2.png": "theirs"},
		},
		{
			name:   "settled by path",
			ours:   files{"a": "ours", "d/x": "ours", "d/y": "ours"},
			theirs: files{"a": "theirs", "d/x": "theirs", "d/y": "theirs"},
			opt:    core.MergeOptions{Ours: []string{"a"}, Theirs: []string{"d"}},
			want:   files{"a": "ours", "d/x": "theirs", "d/y": "theirs"},
		},
		{
			name:      "removed and changed",
			ours:      files{"b": "ours"},
			theirs:    files{"a": "theirs"},
			conflicts: []string{"a", "b"},
		},
		{
			name:   "removed and changed, what is left is kept",
			ours:   files{"b": "ours", "c": "1"},
			theirs: files{"a": "theirs", "c": "1"},
			opt:    core.MergeOptions{KeepBoth: true},
			want:   files{"a": "theirs", "b": "ours", "c": "1"},
		},
		{
			name:   "renamed by one, kept by the other",
			ours:   files{"a2": "1", "b": "1", "c": "1"},
			theirs: files{"a": "1", "b": "2", "c": "1"},
			want:   files{"a2": "1", "b": "2", "c": "1"},
		},
		{
			name:      "renamed by one, changed by the other",
			ours:      files{"a2": "1"},
			theirs:    files{"a": "theirs"},
			conflicts: []string{"a"},
		},
		{
			name:      "file against folder",
			ours:      files{"a": "1", "n": "ours is a file"},
			theirs:    files{"a": "1", "n/x": "theirs", "n-": "between"},
			conflicts: []string{"n"},
		},
		{
			name:   "file against folder, both kept",
			ours:   files{"a": "1", "n": "ours is a file"},
			theirs: files{"a": "1", "n/x": "theirs", "n-": "between"},
			opt:    core.MergeOptions{KeepBoth: true},
			want:   files{"a": "1", "n": "ours is a file", "n-": "between", "n.theirs/x": "theirs"},
		},
		{
			name:   "folder against file, both kept",
			ours:   files{"a": "1", "n.csv/x": "ours"},
			theirs: files{"a": "1", "n.csv": "theirs is a file"},
			opt:    core.MergeOptions{KeepBoth: true},
			want:   files{"a": "1", "n.csv/x": "ours", "n.theirs.csv": "theirs is a file"},
		},
		{
			name:   "folder against file, theirs",
			ours:   files{"a": "1", "n/x": "ours", "n/y/z": "ours"},
			theirs: files{"a": "1", "n": "theirs is a file"},
			opt:    core.MergeOptions{Theirs: []string{"n"}},
			want:   files{"a": "1", "n": "theirs is a file"},
		},
		{
			name:   "an empty folder gets a file",
			ours:   files{"a": "1", "e": "/"},
			theirs: files{"a": "1", "e/x": "theirs"},
			want:   files{"a": "1", "e/x": "theirs"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parted(t, base, c.ours, c.theirs)
			res, err := d.merge(c.opt)
			if c.conflicts != nil {
				var conflict *core.ConflictError
				if !errors.As(err, &conflict) {
					t.Fatalf("got %v", err)
				}
				var paths []string
				for _, c := range conflict.Conflicts {
					paths = append(paths, c.Path)
				}
				if diff := cmp.Diff(c.conflicts, paths); diff != "" {
					t.Error(diff)
				}
				d.want(c.ours)
				if st, _ := d.status(); !st.Clean || st.Unfinished != nil {
					t.Errorf("%+v", st)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d.want(c.want)
			if st, _ := d.status(); !st.Clean || st.Head != res.Merge {
				t.Errorf("%+v", st)
			}
			if again, err := d.merge(core.MergeOptions{}); err != nil || !again.UpToDate {
				t.Errorf("%+v %v", again, err)
			}
			if _, err := d.undo(""); err != nil {
				t.Fatal(err)
			}
			d.want(c.ours)
			d.clean()
		})
	}
}

func TestMergeForward(t *testing.T) {
	d := newData(t)
	d.save(files{"a": "1"})
	if _, err := with(d, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(t.Context(), core.SwitchOptions{Branch: "theirs", Create: true})
	}); err != nil {
		t.Fatal(err)
	}
	tip := d.save(files{"a": "2", "b": "2"})
	d.checkout("main")
	d.write("mine", "untracked")
	res, err := d.merge(core.MergeOptions{FFOnly: true})
	if err != nil || !res.FastForward || res.Commit != tip.ID || res.Branch != "main" {
		t.Fatalf("%+v %v", res, err)
	}
	d.want(files{"a": "2", "b": "2", "mine": "untracked"})
}

func TestMergeInterrupted(t *testing.T) {
	base := parted(t, sweepA, files{"a": "ours", "d/b": "b"}, sweepB)
	prepare := func(t *testing.T) *data { return copyData(t, base) }
	opt := core.MergeOptions{Rev: "theirs", KeepBoth: true}
	merge := func(d *data) error {
		r, err := core.Open(d.t.Context(), d.env, d.root)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.Merge(d.t.Context(), opt)
		return err
	}
	d := prepare(t)
	if err := merge(d); err != nil {
		t.Fatal(err)
	}
	want := read(t, d.root)
	sweep(t, prepare, merge, func(t *testing.T, d *data, i int, _ string) {
		if err := merge(d); err != nil {
			t.Fatalf("again: %v", err)
		}
		d.want(want)
		if st, got := d.status(); st.Unfinished != nil || len(got) != 0 {
			t.Errorf("%+v %v", st, got)
		}
	})
}

func TestBranchesAndTags(t *testing.T) {
	d := newData(t)
	first := d.save(files{"a": "1"})
	second := d.save(files{"a": "2"})
	r := d.open()
	ctx := t.Context()
	if _, err := r.CreateBranch(ctx, "old", "HEAD~1", false); err != nil {
		t.Fatal(err)
	}
	var exists *core.NameExistsError
	if _, err := r.CreateBranch(ctx, "old", "HEAD", false); !errors.As(err, &exists) {
		t.Errorf("got %v", err)
	}
	if _, err := r.RenameBranch(ctx, "main", "trunk"); err != nil {
		t.Fatal(err)
	}
	list, err := r.Branches(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []core.NameInfo{{Name: "old", Commit: first.ID}, {Name: "trunk", Commit: second.ID, Current: true}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	var current *core.CurrentBranchError
	if _, err := r.DeleteBranch(ctx, "trunk", true); !errors.As(err, &current) {
		t.Errorf("got %v", err)
	}
	var missing *core.NoNameError
	if _, err := r.DeleteBranch(ctx, "trunc", false); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if _, err := r.DeleteBranch(ctx, "old", false); err != nil {
		t.Error(err)
	}
	if _, err := r.CreateTag(ctx, "v1", "trunk", false); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Resolve(ctx, "v1"); err != nil || got.ID != second.ID || got.Name != "tag/v1" {
		t.Errorf("%+v %v", got, err)
	}
	for _, rev := range []string{first.ID.String()[:5], "v1~1", "@{1}", "HEAD~1:a/b"} {
		if got, err := r.Resolve(ctx, rev); err != nil || got.ID != first.ID {
			t.Errorf("%s: %+v %v", rev, got, err)
		}
	}
	var unknown *revision.UnknownError
	if _, err := r.Resolve(ctx, "v2"); !errors.As(err, &unknown) || len(unknown.Near) == 0 {
		t.Errorf("got %v", err)
	}
	if _, err := r.DeleteTags(ctx, []string{"v1"}); err != nil {
		t.Error(err)
	}
	if tags, err := r.Tags(ctx); err != nil || len(tags) != 0 {
		t.Errorf("%v %v", tags, err)
	}
	r.Close()

	// A branch that nothing else reaches.
	if _, err := with(d, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(ctx, core.SwitchOptions{Branch: "side", Create: true})
	}); err != nil {
		t.Fatal(err)
	}
	d.save(files{"a": "side"})
	d.checkout("trunk")
	var unmerged *core.UnmergedError
	_, err = with(d, func(r *core.Repo) (core.NameInfo, error) { return r.DeleteBranch(ctx, "side", false) })
	if !errors.As(err, &unmerged) {
		t.Errorf("got %v", err)
	}
}
