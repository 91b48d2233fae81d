package core_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

func (d *data) undo(op string) (core.UndoResult, error) {
	d.t.Helper()
	return within(d, func(r *core.Repo) (core.UndoResult, error) {
		return r.Undo(d.t.Context(), core.UndoOptions{Op: op})
	})
}

func TestUndo(t *testing.T) {
	d := newData(t)
	first := d.save(files{"a": "1"})
	d.save(files{"a": "2"})
	res, err := d.undo("")
	if err != nil || res.Commit != first.ID {
		t.Fatalf("%+v %v", res, err)
	}
	d.want(files{"a": "2"}) // of a commit the files stay
	if _, got := d.status(); got["a"] != core.StatusChanged {
		t.Error(got)
	}
	undo, err := within(d, func(r *core.Repo) (core.OpInfo, error) { return r.OpShow(t.Context(), "@") })
	if err != nil || undo.Undoes != res.Op.ID {
		t.Fatalf("%+v %v", undo, err)
	}
	if _, err := d.undo(undo.ID.String()[:16]); err != nil { // does it again
		t.Fatal(err)
	}
	d.clean()
	d.goTo("HEAD~1")
	d.want(files{"a": "1"})
	if _, err := d.undo(""); err != nil { // of a checkout the files go back
		t.Fatal(err)
	}
	d.want(files{"a": "2"})
	d.clean()
	for range 2 {
		if _, err := d.undo(""); err != nil {
			t.Fatal(err)
		}
	}
	if st, _ := d.status(); !st.Head.IsZero() || st.Branch != "main" {
		t.Errorf("before the first commit: %+v", st)
	}
	if _, err := d.undo(""); !errors.Is(err, core.ErrNothingToUndo) {
		t.Errorf("got %v", err)
	}
	d.save(files{"a": "3"})
}

// Names that cannot move refuse the work before a file changes.
func TestUndoOfWhatMovedSince(t *testing.T) {
	d := newData(t)
	d.save(files{"a": "1"})
	d.save(files{"a": "2"})
	d.goTo("HEAD~1")
	op, err := within(d, func(r *core.Repo) (core.OpInfo, error) { return r.OpShow(t.Context(), "@") })
	if err != nil {
		t.Fatal(err)
	}
	d.save(files{"a": "3"})
	if _, err := d.undo(op.ID.String()); !errors.Is(err, refs.ErrMoved) {
		t.Errorf("got %v", err)
	}
	_, err = within(d, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(t.Context(), core.SwitchOptions{Branch: "main/sub", Create: true, Start: "main"})
	})
	if !errors.Is(err, refs.ErrClash) {
		t.Errorf("got %v", err)
	}
	d.want(files{"a": "3"})
	if st, _ := d.status(); st.Unfinished != nil || !st.Clean {
		t.Errorf("%+v", st)
	}
	// To go back to the names of before takes the files along.
	_, err = within(d, func(r *core.Repo) (core.UndoResult, error) {
		return r.OpRestore(t.Context(), core.UndoOptions{Op: op.Prev.String()})
	})
	if err != nil {
		t.Fatal(err)
	}
	d.want(files{"a": "2"})
	if st, _ := d.status(); st.Branch != "main" || !st.Clean {
		t.Errorf("%+v", st)
	}
}

func TestUndoPastWhatGCKeeps(t *testing.T) {
	d := newData(t)
	d.save(files{"a": "1"})
	now := d.env.Now
	d.env.Now = func() time.Time { return now().AddDate(0, 0, 31) }
	var kept *core.KeptError
	if _, err := d.undo(""); !errors.As(err, &kept) {
		t.Fatalf("got %v", err)
	}
}

// world is what a model knows of a repository: names, and files per commit.
type world struct {
	branches map[string]objects.ID
	branch   string
	detached objects.ID
	files    files
}

func (w world) copy() world {
	w.branches, w.files = maps.Clone(w.branches), maps.Clone(w.files)
	return w
}

// Chains of undo against a model that keeps every state.
func TestUndoModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := newDataIn(t, fastDir(t))
		d.save(files{"keep": "k"})
		trees := map[objects.ID]files{}
		state := world{branches: map[string]objects.ID{}, branch: "main", files: files{"keep": "k"}}
		st, _ := d.status()
		state.branches["main"] = st.Head
		trees[st.Head] = state.files
		past := []world{} // states before each operation that is not undone
		head := func() objects.ID {
			if state.branch != "" {
				return state.branches[state.branch]
			}
			return state.detached
		}
		branchNumber := 0
		for range rapid.IntRange(3, 10).Draw(rt, "steps") {
			before := state.copy()
			switch rapid.SampledFrom([]string{"commit", "checkout", "switch", "undo", "undo"}).Draw(rt, "verb") {
			case "commit":
				next := maps.Clone(trees[head()])
				next[rapid.SampledFrom([]string{"x", "y", "f/z"}).Draw(rt, "path")] = fmt.Sprint(len(trees))
				id := d.save(next).ID
				trees[id], state.files = next, next
				if state.branch != "" {
					state.branches[state.branch] = id
				} else {
					state.detached = id
				}
				past = append(past, before)
			case "checkout":
				id := head()
				for k := range trees {
					if k.String() > id.String() {
						id = k
						break
					}
				}
				if state.branch == "" && id == state.detached {
					continue
				}
				if _, err := d.try(core.CheckoutOptions{Rev: id.String()}); err != nil {
					var obstacles *core.ObstaclesError
					if errors.As(err, &obstacles) {
						continue // after the undo of a commit its files are changes
					}
					rt.Fatal(err)
				}
				if cmp.Equal(state.files, trees[head()]) {
					state.files = trees[id]
				} else {
					state.files = carried(state.files, trees[head()], trees[id])
				}
				state.branch, state.detached = "", id
				past = append(past, before)
			case "switch":
				branchNumber++
				name := fmt.Sprint("b", branchNumber)
				_, err := within(d, func(r *core.Repo) (core.CheckoutResult, error) {
					return r.Switch(t.Context(), core.SwitchOptions{Branch: name, Create: true})
				})
				if err != nil {
					rt.Fatal(err)
				}
				state.branches[name] = head()
				state.branch, state.detached = name, objects.ID{}
				past = append(past, before)
			case "undo":
				if len(past) == 0 {
					continue
				}
				res, err := d.undo("")
				var obstacles *core.ObstaclesError
				if errors.As(err, &obstacles) {
					continue
				}
				if err != nil {
					rt.Fatal(err)
				}
				was := head()
				now := state.files
				state = past[len(past)-1].copy()
				past = past[:len(past)-1]
				if !res.Op.Files {
					state.files = now
				} else {
					state.files = carried(now, trees[was], trees[head()])
				}
			}
			st, _ := d.status()
			if st.Head != head() || st.Branch != state.branch {
				rt.Fatalf("HEAD is %s on %q, want %s on %q", st.Head.Short(), st.Branch, head().Short(), state.branch)
			}
			if diff := cmp.Diff(state.files, read(t, d.root)); diff != "" {
				rt.Fatal(diff)
			}
			if clean := cmp.Equal(state.files, trees[head()]); clean != st.Clean {
				rt.Fatalf("clean is %v", st.Clean)
			}
		}
		os.RemoveAll(d.root)
	})
}

// carried is what files become when what differs between two trees changes.
func carried(now, from, to files) files {
	next := maps.Clone(now)
	for p := range from {
		if _, ok := to[p]; !ok {
			delete(next, p)
		}
	}
	for p, text := range to {
		if from[p] != text {
			next[p] = text
		}
	}
	return next
}

func TestUndoInterrupted(t *testing.T) {
	base := newData(t)
	base.save(sweepA)
	base.save(sweepB)
	base.goTo("HEAD~1")
	prepare := func(t *testing.T) *data { return copyData(t, base) }
	undo := func(d *data) error {
		r, err := core.Open(d.t.Context(), d.env, d.root)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.Undo(d.t.Context(), core.UndoOptions{})
		return err
	}
	everyOperation(t, prepare, undo, func(t *testing.T, d *data, i int, _ string) {
		if st, _ := d.status(); st.Branch == "" { // HEAD has not moved
			if err := undo(d); err != nil {
				t.Fatalf("again: %v", err)
			}
		}
		d.want(sweepB)
		d.goTo("HEAD") // ends what is left of the work
		if st, got := d.status(); st.Branch != "main" || st.Unfinished != nil || len(got) != 0 {
			t.Errorf("%+v %v", st, got)
		}
	})
}
