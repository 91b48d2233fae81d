package core

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// files are what a commit holds, in memory.
type files map[string]objects.Entry

// made is one commit of a world.
type made struct {
	id      objects.ID
	parents []int
	files   files
}

// world is a repository with a random history, and the same in memory.
type world struct {
	t       *rapid.T
	r       *Repo
	commits []made
	names   map[refs.Name]int
}

func must[T any](t interface{ Fatal(...any) }, v T, err error) T {
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var worldPaths = []string{"a", "a.txt", "b/1", "b/2", "b/c/3", "b/c/4", "b0", "d/1", "d/2", "é\xff", "z/y/x"}

// worldTexts are small contents, an empty one, and two large ones that share
// most of their chunks.
var worldTexts = func() [][]byte {
	large := make([]byte, 700<<10)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(large) //nolint:errcheck // it never fails
	other := bytes.Clone(large)
	copy(other[600<<10:], "something else")
	return [][]byte{nil, []byte("one"), []byte("two"), []byte("three"), large[:10], large, other}
}()

func newWorld(outer *testing.T, t *rapid.T) *world {
	dir := outer.TempDir()
	env := Env{FS: vfs.OS, Now: time.Now, Who: objects.Signature{Name: "Ada"}, Command: "test", Events: NoEvents{}, Workers: 2}
	r, err := Init(context.Background(), env, InitOptions{Dir: dir})
	w := &world{t: t, r: must(t, r, err), names: make(map[refs.Name]int)}
	s, err := w.r.begin(context.Background())
	must(t, s, err)
	entries := make([]objects.Entry, len(worldTexts))
	for i, text := range worldTexts {
		e, _, err := content.Write(context.Background(), w.r.store, content.Bytes(text), objects.Entry{}, 1)
		entries[i] = must(t, e, err)
		entries[i].Mode = objects.ModeFile
	}
	for range rapid.IntRange(1, 8).Draw(t, "commits") {
		w.commit(entries)
	}
	var moves []refs.Move
	for i := range rapid.IntRange(1, 3).Draw(t, "branches") {
		name := refs.Branch([]string{"main", "side", "third"}[i])
		at := rapid.IntRange(0, len(w.commits)-1).Draw(t, string(name))
		w.names[name] = at
		moves = append(moves, refs.Move{Name: name, New: refs.Value{Commit: w.commits[at].id}})
	}
	moves = append(moves, refs.Move{Name: refs.HEAD, New: refs.Value{Branch: "branch/main"}})
	must(t, 0, s.move(context.Background(), refs.Op{Moves: moves}))
	must(t, 0, s.end())
	return w
}

func (w *world) commit(entries []objects.Entry) {
	t, ctx := w.t, context.Background()
	m := made{files: make(files)}
	var parents []objects.Commit
	c := objects.Commit{Kind: objects.Full, Message: fmt.Sprint(len(w.commits)), Time: time.Unix(rapid.Int64Range(0, 100).Draw(t, "time"), 0)}
	if n := len(w.commits); n > 0 {
		m.parents = rapid.SliceOfNDistinct(rapid.IntRange(max(0, n-4), n-1), min(1, rapid.IntRange(0, 5).Draw(t, "root")), min(2, n), rapid.ID[int]).Draw(t, "parents")
	}
	for i, p := range m.parents {
		parent, err := w.r.commit(ctx, w.commits[p].id)
		parents = append(parents, must(t, parent, err))
		c.Parents = append(c.Parents, w.commits[p].id)
		if i == 0 || rapid.Bool().Draw(t, "take theirs") {
			maps.Copy(m.files, w.commits[p].files)
		}
	}
	for p, text := range rapid.MapOfN(rapid.SampledFrom(worldPaths), rapid.IntRange(-3, len(entries)-1), 0, 5).Draw(t, "edits") {
		if text < 0 {
			delete(m.files, p)
			continue
		}
		m.files[p] = entries[text]
	}
	tree, err := prolly.Build(ctx, w.r.store, func(yield func(prolly.Item, error) bool) {
		for _, p := range slices.Sorted(maps.Keys(m.files)) {
			if !yield(prolly.Item{Key: []byte(p), Value: m.files[p].Append(nil)}, nil) {
				return
			}
		}
	})
	c.Tree, c.Generation = must(t, tree, err).Root(), history.Generation(parents...)
	o, err := objects.EncodeCommit(c)
	id, err2 := w.r.store.Put(ctx, must(t, o, err))
	m.id = must(t, id, err2)
	w.commits = append(w.commits, m)
}

// reach returns the commits that those reach.
func (w *world) reach(from ...int) map[int]bool {
	seen := make(map[int]bool)
	for len(from) > 0 {
		if c := from[0]; !seen[c] {
			seen[c] = true
			from = append(from, w.commits[c].parents...)
		}
		from = from[1:]
	}
	return seen
}

func (w *world) find(id objects.ID) int {
	return slices.IndexFunc(w.commits, func(m made) bool { return m.id == id })
}

// below keeps the files at and below a path.
func (f files) below(p string) files {
	kept := maps.Clone(f)
	maps.DeleteFunc(kept, func(k string, _ objects.Entry) bool {
		return p != "." && k != p && !strings.HasPrefix(k, p+"/")
	})
	return kept
}

func drawPath(t *rapid.T) string {
	return rapid.SampledFrom(append([]string{".", "b", "b/c", "d", "z", "no"}, worldPaths...)).Draw(t, "path")
}

func TestReadingAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rt)
		defer w.r.Close()
		w.checkDiff()
		w.checkLog()
		w.checkBlame()
		w.checkLs()
		w.checkDu()
	})
}

// Applied to the old files, what a diff says makes the new ones.
func (w *world) checkDiff() {
	t, ctx := w.t, context.Background()
	a, b := rapid.SampledFrom(w.commits).Draw(t, "from"), rapid.SampledFrom(w.commits).Draw(t, "to")
	p, renames := drawPath(t), rapid.Bool().Draw(t, "renames")
	d, err := w.r.Diff(ctx, DiffOptions{From: a.id.String(), To: b.id.String(), Paths: []string{p}, Renames: renames})
	must(t, d, err)
	old, got := a.files.below(p), a.files.below(p)
	last := ""
	var sum DiffSummary
	for c, err := range d.Changes(ctx) {
		must(t, c, err)
		if c.Path <= last {
			t.Fatalf("%q after %q", c.Path, last)
		}
		last = c.Path
		sum.add(c)
		from := c.Path
		if c.From != "" {
			from = c.From
			if a.files[from].Content != c.Content || c.Size == 0 {
				t.Fatalf("%+v has another content", c)
			}
		}
		if was, ok := a.files[from]; ok != (c.OldMode != "") || was.Content != c.OldContent || was.Size != c.OldSize {
			t.Fatalf("%+v: old is %+v", c, was)
		}
		if c.Change == ChangeRenamed {
			if _, there := b.files[c.From]; there {
				t.Fatalf("%+v, and it is still there", c)
			}
			delete(got, c.From)
		}
		if c.Change == ChangeRemoved {
			delete(got, c.Path)
			continue
		}
		if _, there := old[c.Path]; there != (c.Change == ChangeChanged) || !renames && c.From != "" {
			t.Fatalf("%+v", c)
		}
		got[c.Path] = b.files[c.Path]
	}
	if diff := cmp.Diff(b.files.below(p), got); diff != "" || sum != d.Summary() {
		t.Fatalf("%s\n%+v", diff, d.Summary())
	}
}

func (w *world) checkLog() {
	t, p := w.t, drawPath(w.t)
	want := make(map[int]bool)
	for c := range w.reach(slices.Collect(maps.Values(w.names))...) {
		m := w.commits[c]
		want[c] = len(m.parents) > 0 || len(m.files.below(p)) > 0
		for _, parent := range m.parents {
			if maps.Equal(w.commits[parent].files.below(p), m.files.below(p)) {
				want[c] = false
			}
		}
		if p == "." {
			want[c] = true
		}
	}
	maps.DeleteFunc(want, func(_ int, in bool) bool { return !in })
	opt := LogOptions{All: true, Graph: true, Paths: []string{p}}
	if p == "." {
		opt.Paths = nil
	}
	got := make(map[int]bool)
	for e, err := range w.r.Log(context.Background(), opt) {
		c := w.find(must(t, e, err).ID)
		for parent := range w.reach(c) {
			if parent != c && got[parent] {
				t.Fatalf("commit %d after its ancestor %d", c, parent)
			}
		}
		got[c] = true
		if names := e.Names; len(names) > 0 && names[0] == refs.HEAD != (c == w.names["branch/main"]) || strings.Count(e.Graph.Commit, "*") != 1 {
			t.Fatalf("%+v", e)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func (w *world) origin(c int, p string) int {
	for _, parent := range w.commits[c].parents {
		if e, ok := w.commits[parent].files[p]; ok && e == w.commits[c].files[p] {
			return w.origin(parent, p)
		}
	}
	return c
}

func (w *world) checkBlame() {
	t, p := w.t, drawPath(w.t)
	c := rapid.IntRange(0, len(w.commits)-1).Draw(t, "blamed")
	want, got := make(map[string]int), make(map[string]int)
	for k := range w.commits[c].files.below(p) {
		want[k] = w.origin(c, k)
	}
	for e, err := range w.r.Blame(context.Background(), w.commits[c].id.String(), p) {
		if len(want) == 0 && err != nil {
			break
		}
		got[must(t, e, err).Path] = w.find(e.Commit)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func (w *world) checkLs() {
	t, p := w.t, drawPath(w.t)
	m := rapid.SampledFrom(w.commits).Draw(t, "listed")
	recursive := rapid.Bool().Draw(t, "recursive")
	want := make(map[string]ListEntry)
	for k, e := range m.files.below(p) {
		rest := strings.TrimPrefix(k, p+"/")
		if p == "." {
			rest = k
		}
		entry := ListEntry{Path: k, Mode: "file", Size: e.Size, Content: e.Content, List: e.List}
		if name, _, deep := strings.Cut(rest, "/"); deep && k != p && !recursive {
			dir := path.Join(p, name)
			entry = ListEntry{Path: dir, Mode: "folder", Folder: true, Files: want[dir].Files + 1, Size: want[dir].Size + e.Size}
		}
		want[entry.Path] = entry
	}
	got := make(map[string]ListEntry)
	for e, err := range w.r.Ls(context.Background(), LsOptions{Rev: m.id.String(), Paths: []string{p}, Recursive: recursive, Totals: true}) {
		if len(want) == 0 && err != nil {
			break
		}
		got[must(t, e, err).Path] = e
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// held are contents by their ID, and the objects that they are made of.
func (w *world) held(all ...files) (contents map[objects.ID]int64, objs map[objects.ID]bool) {
	contents, objs = make(map[objects.ID]int64), make(map[objects.ID]bool)
	for _, f := range all {
		for _, e := range f {
			contents[e.Content] = e.Size
			if e.Size <= objects.SingleChunk {
				objs[e.Content] = true
				continue
			}
			must(w.t, 0, chunk.WalkList(context.Background(), w.r.store, e.List,
				func(id objects.ID) (bool, error) { objs[id] = true; return true, nil },
				func(r chunk.Run) error { objs[r.ID] = true; return nil }))
		}
	}
	return contents, objs
}

func (w *world) checkDu() {
	t, ctx := w.t, context.Background()
	opt := DuOptions{}
	p := drawPath(t)
	c := rapid.IntRange(0, len(w.commits)-1).Draw(t, "weighed")
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(w.names))).Draw(t, "name")
	own, all := map[int]bool{c: true}, w.reach(append(slices.Collect(maps.Values(w.names)), c)...)
	kind := rapid.SampledFrom([]string{"commit", "name", "path in a commit", "path"}).Draw(t, "subject")
	switch kind {
	case "commit":
		opt.Revs, p = []string{w.commits[c].id.String()}, "."
	case "name":
		opt.Revs, p = []string{string(name)}, "."
		others := maps.Clone(w.names)
		delete(others, name)
		c, own = w.names[name], w.reach(w.names[name])
		rest := w.reach(slices.Collect(maps.Values(others))...)
		all = w.reach(slices.Collect(maps.Values(w.names))...)
		maps.DeleteFunc(own, func(c int, _ bool) bool { return rest[c] })
	case "path in a commit":
		opt.Revs = []string{w.commits[c].id.String() + ":" + p}
	case "path":
		opt.Paths = []string{p}
		own = w.reach(slices.Collect(maps.Values(w.names))...)
		all = own
	}
	var mine, others []files
	for i := range all {
		if !own[i] {
			others = append(others, w.commits[i].files)
			continue
		}
		in := w.commits[i].files.below(p)
		out := maps.Clone(w.commits[i].files)
		maps.DeleteFunc(out, func(k string, _ objects.Entry) bool { _, ok := in[k]; return ok })
		mine, others = append(mine, in), append(others, out)
	}
	unique, uniqueObjects := w.held(mine...)
	held, heldObjects := unique, uniqueObjects
	if kind != "path" {
		held, heldObjects = w.held(w.commits[c].files.below(p))
	} else {
		held, heldObjects = maps.Clone(held), maps.Clone(heldObjects)
	}
	other, otherObjects := w.held(others...)
	maps.DeleteFunc(unique, func(id objects.ID, _ int64) bool { _, ok := other[id]; return ok })
	maps.DeleteFunc(uniqueObjects, func(id objects.ID, _ bool) bool { return otherObjects[id] })
	sum := func(m map[objects.ID]int64) (n int64) {
		for _, size := range m {
			n += size
		}
		return n
	}
	stored := func(m map[objects.ID]bool) (n int64) {
		sizes, err := w.r.store.StoredSizes(ctx, slices.Collect(maps.Keys(m)))
		for _, size := range must(t, sizes, err) {
			n += size
		}
		return n
	}
	for u, err := range w.r.Du(ctx, opt) {
		must(t, u, err)
		want := Usage{
			Name: u.Name, Commits: u.Commits, Files: u.Files, Bytes: u.Bytes,
			Contents: int64(len(held)), ContentBytes: sum(held), Stored: stored(heldObjects),
			UniqueContents: int64(len(unique)), UniqueBytes: sum(unique), Freed: stored(uniqueObjects),
		}
		if diff := cmp.Diff(want, u); diff != "" {
			t.Fatal(kind, diff)
		}
		subjects, err := w.r.subjects(ctx, opt)
		s := must(t, subjects, err)[0]
		inParts, err := w.r.weighIn(ctx, 8, func(g *weighing) error { return s.held(ctx, g.add, new(Usage)) })
		if err != nil || inParts != (weight{u.Contents, u.ContentBytes, u.Stored}) {
			t.Fatalf("in parts: %+v, %v", inParts, err)
		}
	}
}

// While another holds the writer lock, everything can be read.
func TestReadingTakesNoLock(t *testing.T) {
	ctx := t.Context()
	env := Env{FS: vfs.OS, Now: time.Now, Who: objects.Signature{Name: "Ada"}, Command: "test", Events: NoEvents{}}
	writer, err := Init(ctx, env, InitOptions{Dir: t.TempDir()})
	defer must(t, writer, err).Close()
	res, err := writer.Commit(ctx, CommitOptions{Message: "first", Kind: KindAuto})
	must(t, res, err)
	s, err := writer.begin(ctx)
	defer must(t, s, err).end() //nolint:errcheck // a test's
	r, err := Open(ctx, env, writer.Root())
	defer must(t, r, err).Close()

	for _, opt := range []DiffOptions{{}, {From: "HEAD", To: "HEAD"}} {
		d, err := r.Diff(ctx, opt)
		for c, err := range must(t, d, err).Changes(ctx) {
			t.Fatal(c, err)
		}
	}
	all(t, r.Log(ctx, LogOptions{}), 1)
	all(t, r.Ls(ctx, LsOptions{}), 2)
	all(t, r.Blame(ctx, "", RulesFile), 1)
	all(t, r.Du(ctx, DuOptions{}), 1)
	var b bytes.Buffer
	must(t, 0, r.Cat(ctx, "HEAD:"+RulesFile, &b, CatOptions{}))
	shown, err := r.Show(ctx, "HEAD")
	must(t, shown, err)
	if shown, err = r.Show(ctx, s.op.String()[:10]); err != nil || shown.Operation != s.op {
		t.Errorf("%+v, %v", shown, err)
	}
}

func all[T any](t *testing.T, in iter.Seq2[T, error], want int) {
	t.Helper()
	n := 0
	for v, err := range in {
		must(t, v, err)
		n++
	}
	if n != want {
		t.Errorf("%d of %T, want %d", n, *new(T), want)
	}
}
