package remote_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/kv/memkv"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote"
)

// copyFS is the real file system without the waiting for the disk.
var copyFS vfs.FS = copyHasty{vfs.OS}

type copyHasty struct{ vfs.FS }

func (f copyHasty) OpenFile(name string, flag int, perm os.FileMode) (vfs.File, error) {
	file, err := f.FS.OpenFile(name, flag&^vfs.Direct, perm)
	if err != nil {
		return nil, err
	}
	return copyHastyFile{file}, nil
}

func (f copyHasty) SyncDir(string) error { return nil }

type copyHastyFile struct{ vfs.File }

func (f copyHastyFile) Sync() error { return nil }

// copyPlace is a local store in a folder of its own.
type copyPlace struct {
	*remote.Local
	store *store.Store
	dir   string
}

func newCopyPlace(t testing.TB) *copyPlace {
	t.Helper()
	p := &copyPlace{dir: t.TempDir()}
	for _, sub := range []string{"packs", "tmp"} {
		if err := os.Mkdir(filepath.Join(p.dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	db := memkv.New()
	p.store = store.Open(store.Options{FS: copyFS, DB: db, Packs: filepath.Join(p.dir, "packs"), Temp: p.temp()})
	p.Local = remote.NewLocal(p.store, copyFS, p.temp())
	t.Cleanup(func() { p.store.Close(); db.Close() })
	return p
}

func (p *copyPlace) temp() string { return filepath.Join(p.dir, "tmp") }

func (p *copyPlace) options() remote.CopyOptions {
	return remote.CopyOptions{FS: copyFS, Temp: p.temp()}
}

// copyFar is a store that Copy does not know to be local.
type copyFar struct{ remote.Endpoint }

// copyHistory is commits of a dataset in a place.
type copyHistory struct {
	t       testing.TB
	place   *copyPlace
	rnd     *rand.Rand
	commits []objects.ID
}

func newCopyHistory(t testing.TB, seed uint64) *copyHistory {
	return &copyHistory{t: t, place: newCopyPlace(t), rnd: rand.New(rand.NewPCG(seed, 7))}
}

func (h *copyHistory) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(h.rnd.Uint32())
	}
	return b
}

func copyCommit(t testing.TB, g objects.Getter, id objects.ID) objects.Commit {
	t.Helper()
	o, err := g.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := objects.DecodeCommit(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// commit writes files (nil: removed) onto the first parent's tree.
func (h *copyHistory) commit(files map[string][]byte, parents ...objects.ID) objects.ID {
	h.t.Helper()
	ctx, s := h.t.Context(), h.place.store
	c := objects.Commit{Kind: objects.Full, Author: objects.Signature{Name: "t"}, Time: time.Unix(1e9, 0).UTC(), Message: fmt.Sprint(len(h.commits)), Generation: 1}
	tree := prolly.Map{}
	if len(parents) > 0 {
		parent := copyCommit(h.t, s, parents[0])
		tree = prolly.Open(parent.Tree)
		c.Kind, c.Base, c.Parents = objects.Incremental, parents[0], parents
		for _, id := range parents {
			c.Generation = max(c.Generation, 1+copyCommit(h.t, s, id).Generation)
		}
	}
	var edits []prolly.Edit
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := files[name]
		if data == nil {
			edits = append(edits, prolly.Edit{Key: []byte(name), Delete: true})
			continue
		}
		var prev objects.Entry
		if old, ok, err := tree.Get(ctx, s, []byte(name)); err != nil {
			h.t.Fatal(err)
		} else if ok {
			prev, _ = objects.DecodeEntry(old)
		}
		e, _, err := content.Write(ctx, s, content.Bytes(data), prev, 1)
		if err != nil {
			h.t.Fatal(err)
		}
		e.Mode = objects.ModeFile
		edits = append(edits, prolly.Edit{Key: []byte(name), Value: e.Append(nil)})
	}
	m, err := prolly.Apply(ctx, s, tree, func(yield func(prolly.Edit, error) bool) {
		for _, e := range edits {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	c.Tree = m.Root()
	table, err := prolly.Apply(ctx, s, prolly.Map{}, func(yield func(prolly.Edit, error) bool) {
		for _, e := range edits {
			if !e.Delete && !yield(prolly.Edit{Key: e.Key, Value: []byte("train")}, nil) {
				return
			}
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(files) > 0 {
		c.Splits = []objects.Split{{Scheme: "default", Table: table.Root()}}
	}
	o, err := objects.EncodeCommit(c)
	if err != nil {
		h.t.Fatal(err)
	}
	id, err := s.Put(ctx, o)
	if err == nil {
		err = s.Sync(ctx)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.commits = append(h.commits, id)
	return id
}

// random adds a commit on random earlier ones.
func (h *copyHistory) random() {
	files := make(map[string][]byte)
	for range 1 + h.rnd.IntN(6) {
		name := fmt.Sprintf("f%02d", h.rnd.IntN(40))
		switch h.rnd.IntN(8) {
		case 0:
			files[name] = nil
		case 1:
			files[name] = h.bytes(300<<10 + h.rnd.IntN(200<<10))
		case 2:
			files[name] = []byte{}
		default:
			data := bytes.Repeat([]byte(fmt.Sprintf("row of %s;", name)), 700)
			copy(data[h.rnd.IntN(4000):], h.bytes(40))
			files[name] = data
		}
	}
	var parents []objects.ID
	if n := len(h.commits); n > 0 && h.rnd.IntN(10) > 0 {
		parents = []objects.ID{h.commits[h.rnd.IntN(n)]}
		if h.rnd.IntN(4) == 0 {
			if other := h.commits[h.rnd.IntN(n)]; other != parents[0] {
				parents = append(parents, other)
			}
		}
	}
	h.commit(files, parents...)
}

// copyReach returns every object that commits reach, read from g, and checks
// that it is there.
func copyReach(t testing.TB, g objects.Getter, commits ...objects.ID) map[objects.ID]objects.Kind {
	t.Helper()
	ctx := t.Context()
	reach := make(map[objects.ID]objects.Kind)
	get := func(id objects.ID) objects.Object {
		o, err := g.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		reach[id] = o.Kind
		return o
	}
	seenGetter := copyGetter(func(ctx context.Context, id objects.ID) (objects.Object, error) { return get(id), nil })
	nodes := func(root objects.ID, value func([]byte)) {
		for item, err := range prolly.Open(root).All(ctx, seenGetter) {
			if err != nil {
				t.Fatal(err)
			}
			value(item.Value)
		}
	}
	for stack := slices.Clone(commits); len(stack) > 0; {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, seen := reach[id]; id.IsZero() || seen {
			continue
		}
		get(id)
		c := copyCommit(t, g, id)
		stack = append(append(stack, c.Base), c.Parents...)
		for _, s := range c.Splits {
			nodes(s.Table, func([]byte) {})
		}
		nodes(c.Tree, func(value []byte) {
			e, err := objects.DecodeEntry(value)
			if err != nil {
				t.Fatal(err)
			}
			if e.Size <= objects.SingleChunk {
				get(e.Content)
				return
			}
			err = chunk.WalkList(ctx, seenGetter, e.List, func(objects.ID) (bool, error) { return true, nil }, func(r chunk.Run) error {
				get(r.ID)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	return reach
}

type copyGetter func(context.Context, objects.ID) (objects.Object, error)

func (f copyGetter) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	return f(ctx, id)
}

// scan calls fn with every record of every pack of the place.
func (p *copyPlace) scan(t testing.TB, fn func(in objects.ID, rec pack.Record)) {
	t.Helper()
	ids, err := p.store.Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		r, release, err := p.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for rec := range x.Records() {
			fn(id, rec)
		}
		release()
	}
}

// nothingElse fails if the place has an object that is not in reach.
func (p *copyPlace) nothingElse(t testing.TB, reach map[objects.ID]objects.Kind) {
	t.Helper()
	p.scan(t, func(in objects.ID, rec pack.Record) {
		if _, ok := reach[rec.ID]; !ok {
			t.Errorf("pack %s has %v %s, which cannot be reached", in.Short(), rec.Kind, rec.ID.Short())
		}
	})
}

func (p *copyPlace) empty(t testing.TB) {
	t.Helper()
	left, err := os.ReadDir(p.temp())
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// copyEnd makes the place the local store that it is.
func copyEnd(e remote.Endpoint) remote.Endpoint {
	if p, ok := e.(*copyPlace); ok {
		return p.Local
	}
	return e
}

func copyTo(t testing.TB, dst, src remote.Endpoint, w remote.Want, opt remote.CopyOptions) remote.Copied {
	t.Helper()
	n, err := remote.Copy(t.Context(), copyEnd(dst), copyEnd(src), w, opt)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Histories are brought step by step to a store in both ways and arrive whole;
// exactly, nothing else arrives.
func TestCopyHistories(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newCopyHistory(t, seed)
			exact, fetched := newCopyPlace(t), newCopyPlace(t)
			var sent []objects.ID
			for range 4 {
				for range 1 + h.rnd.IntN(4) {
					h.random()
				}
				tip := h.commits[h.rnd.IntN(len(h.commits))]
				w := remote.Want{Commits: []objects.ID{tip}, Have: sent, Exact: true}
				copyTo(t, copyFar{exact}, h.place, w, h.place.options())
				sent = append(sent, tip)
				exact.nothingElse(t, copyReach(t, exact.store, sent...))
				if again := copyTo(t, copyFar{exact}, h.place, remote.Want{Commits: sent, Exact: true}, h.place.options()); again.Objects != 0 {
					t.Errorf("again: %+v", again)
				}
				w.Exact = false
				copyTo(t, fetched, copyFar{exact}, w, fetched.options())
				copyReach(t, fetched.store, sent...)
				fetched.empty(t)
				h.place.empty(t)
			}
		})
	}
}

// What a delta is built on comes along, or is found again, or the delta is
// stored whole: a branch is sent out of packs that also hold another branch's
// chunks.
func TestCopyDeltasOfABranch(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"birdstrikes.csv", "earthquakes.json", "seattle-weather.csv"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", "tables", table))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(table, func(t *testing.T) {
			h := newCopyHistory(t, 1)
			first := h.commit(map[string][]byte{"table": data, "secret": h.bytes(50 << 10)})
			edit := func(b []byte) []byte {
				b = bytes.Clone(b)
				for range 3 {
					copy(b[h.rnd.IntN(len(b)-10):], "changed")
				}
				return b
			}
			v2 := edit(data)
			v3 := edit(v2)
			second := h.commit(map[string][]byte{"table": v2, "other": h.bytes(10 << 10)}, first)
			h.commit(map[string][]byte{"table": v3}, second)
			// A branch with the table alone, whose chunks lie beside others.
			plain := h.commit(map[string][]byte{"table": data})
			branch := h.commit(map[string][]byte{"table": v2, "more": h.bytes(5 << 10)}, plain)
			tip := h.commit(map[string][]byte{"table": v3}, branch)

			deltas := func(p *copyPlace) (n int) {
				p.scan(t, func(_ objects.ID, rec pack.Record) {
					if rec.Encoding == pack.EncDelta {
						n++
					}
				})
				return n
			}
			want := deltas(h.place)
			if want == 0 {
				t.Fatal("the history has no deltas")
			}
			for name, steps := range map[string][]objects.ID{
				"at once": {tip}, "step by step": {plain, branch, tip}, "the newest first": {tip, branch},
			} {
				dst, again := newCopyPlace(t), newCopyPlace(t)
				var have []objects.ID
				for _, id := range steps {
					w := remote.Want{Commits: []objects.ID{id}, Have: have, Exact: true}
					copyTo(t, copyFar{dst}, h.place, w, h.place.options())
					w.Exact = false
					copyTo(t, again, copyFar{dst}, w, again.options())
					have = append(have, id)
				}
				dst.nothingElse(t, copyReach(t, dst.store, tip))
				copyReach(t, again.store, tip)
				if got := deltas(dst); got != want {
					t.Errorf("%s: %d deltas of %d arrived", name, got, want)
				}
			}
			// The pack of the base goes as it is, that of the delta does not.
			own := newCopyHistory(t, 3)
			base := own.commit(map[string][]byte{"table": data})
			own.commit(map[string][]byte{"table": v2, "other": h.bytes(10 << 10)}, base)
			alone := own.commit(map[string][]byte{"table": v2}, base)
			for _, end := range []func(*copyPlace) remote.Endpoint{
				func(p *copyPlace) remote.Endpoint { return copyFar{p} },
				func(p *copyPlace) remote.Endpoint { return p },
			} {
				dst := newCopyPlace(t)
				copyTo(t, end(dst), own.place, remote.Want{Commits: []objects.ID{alone}, Exact: true}, own.place.options())
				dst.nothingElse(t, copyReach(t, dst.store, alone))
				if got, want := deltas(dst), deltas(own.place); got != want {
					t.Errorf("%d deltas of %d arrived behind a pack that came as it is", got, want)
				}
			}
			// The base is not wanted and not there: the object is stored whole.
			orphan := newCopyHistory(t, 2)
			orphan.place = h.place
			lone := orphan.commit(map[string][]byte{"table": v2})
			dst := newCopyPlace(t)
			copyTo(t, copyFar{dst}, h.place, remote.Want{Commits: []objects.ID{lone}, Exact: true}, h.place.options())
			dst.nothingElse(t, copyReach(t, dst.store, lone))
			if got := deltas(dst); got != 0 {
				t.Errorf("%d deltas without what they are built on", got)
			}
		})
	}
}

// Metadata comes alone, and contents when they are asked for.
func TestCopyContents(t *testing.T) {
	h := newCopyHistory(t, 3)
	for range 8 {
		h.random()
	}
	tip := h.commits[len(h.commits)-1]
	dst := newCopyPlace(t)
	copyTo(t, dst, copyFar{h.place}, remote.Want{Commits: []objects.ID{tip}, MetaOnly: true}, dst.options())
	c := copyCommit(t, dst, tip)
	dst.scan(t, func(_ objects.ID, rec pack.Record) {
		if !rec.Kind.IsMeta() {
			t.Errorf("chunk %s came with the metadata", rec.ID)
		}
	})
	n := 0
	_, err := remote.CopyContents(t.Context(), dst.Local, copyFar{h.place}, func(yield func(objects.Entry, error) bool) {
		for item, err := range prolly.Open(c.Tree).All(t.Context(), dst) {
			if err != nil {
				t.Fatal(err)
			}
			e, _ := objects.DecodeEntry(item.Value)
			if n++; !yield(e, nil) {
				return
			}
		}
	}, dst.options())
	if err != nil {
		t.Fatal(err)
	}
	for item, err := range prolly.Open(c.Tree).All(t.Context(), dst) {
		if err != nil {
			t.Fatal(err)
		}
		e, _ := objects.DecodeEntry(item.Value)
		var out bytes.Buffer
		if err := content.Read(t.Context(), dst, e, &out, 1); err != nil {
			t.Errorf("%s: %v", item.Key, err)
		}
	}
}

// What is at neither end is named, and what dst has need not be here.
func TestCopyNotHeld(t *testing.T) {
	h := newCopyHistory(t, 4)
	first := h.commit(map[string][]byte{"a": h.bytes(1000), "b": h.bytes(2000)})
	partial, dst := newCopyPlace(t), newCopyPlace(t)
	copyTo(t, partial, copyFar{h.place}, remote.Want{Commits: []objects.ID{first}, MetaOnly: true}, partial.options())
	ph := &copyHistory{t: t, place: partial, rnd: h.rnd}
	second := ph.commit(map[string][]byte{"a": h.bytes(1500)}, first)

	_, err := remote.Copy(t.Context(), copyFar{dst}, partial.Local, remote.Want{Commits: []objects.ID{second}, Exact: true}, partial.options())
	var lacking *remote.NotHeldError
	if !errors.As(err, &lacking) || !errors.Is(err, objects.ErrNotFound) {
		t.Fatalf("a content at neither end: %v", err)
	}
	copyTo(t, copyFar{dst}, h.place, remote.Want{Commits: []objects.ID{first}, Exact: true}, h.place.options())
	copyTo(t, copyFar{dst}, partial, remote.Want{Commits: []objects.ID{second}, Exact: true}, partial.options())
	copyReach(t, dst.store, second)
}

// What gc has marked counts as missing, and loses the mark when it comes again.
func TestCopyMarked(t *testing.T) {
	h := newCopyHistory(t, 5)
	first := h.commit(map[string][]byte{"a": h.bytes(1000), "big": h.bytes(700 << 10)})
	dst := newCopyPlace(t)
	w := remote.Want{Commits: []objects.ID{first}}
	copyTo(t, dst, copyFar{h.place}, w, dst.options())
	if _, err := dst.store.Mark(t.Context(), store.NewLive(), store.Marking{Time: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	if n := copyTo(t, dst, copyFar{h.place}, w, dst.options()); n.Objects == 0 {
		t.Error("nothing came again")
	}
	ids := slices.Collect(maps.Keys(copyReach(t, dst.store, first)))
	missing, err := dst.store.Missing(t.Context(), ids)
	if err != nil || len(missing) > 0 {
		t.Errorf("still missing: %v, %v", missing, err)
	}
	live := store.NewLive()
	for id, kind := range copyReach(t, dst.store, first) {
		if kind.IsMeta() {
			live.Add(id)
		} else {
			live.AddChunk(id)
		}
	}
	if _, err := dst.store.Sweep(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	copyReach(t, dst.store, first)
}

// A pack from outside in which a record is not what it is named for is not
// taken up.
func TestCopyForgedPack(t *testing.T) {
	dst := newCopyPlace(t)
	name := filepath.Join(dst.temp(), "forged")
	w, err := pack.NewWriter(copyFS, name, pack.TypeData)
	if err != nil {
		t.Fatal(err)
	}
	o := objects.Object{Kind: objects.KindChunk, Data: bytes.Repeat([]byte("good"), 1000)}
	p := pack.Compress(o.ID(), o)
	binary.LittleEndian.PutUint32(p.ID[:], 1)
	if _, err := w.Append(p, nil); err != nil {
		t.Fatal(err)
	}
	x, err := w.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := dst.AddPack(t.Context(), x.ID, name, true); !errors.Is(err, objects.ErrCorrupt) {
		t.Errorf("forged pack: %v", err)
	}
	if ids, _ := dst.store.Packs(); len(ids) != 0 {
		t.Errorf("packs: %v", ids)
	}
}

// One object changed in many: only what leads to it is read at the far end.
func TestCopyFollowsTheChange(t *testing.T) {
	h := newCopyHistory(t, 6)
	files := make(map[string][]byte)
	for i := range 5000 {
		files[fmt.Sprintf("dir%02d/file%05d", i%50, i)] = []byte(fmt.Sprint(i % 7))
	}
	first := h.commit(files)
	second := h.commit(map[string][]byte{"dir07/file00007": []byte("new")}, first)
	dst := newCopyPlace(t)
	copyTo(t, dst, copyFar{h.place}, remote.Want{Commits: []objects.ID{first}}, dst.options())
	far := &copyCounting{Endpoint: h.place}
	n := copyTo(t, dst, far, remote.Want{Commits: []objects.ID{second}, Have: []objects.ID{first}}, dst.options())
	if far.gets > 20 || n.Objects > 20 {
		t.Errorf("%d gets, %+v", far.gets, n)
	}
	copyReach(t, dst.store, second)
}

type copyCounting struct {
	remote.Endpoint
	gets int
}

func (c *copyCounting) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	c.gets++
	return c.Endpoint.Get(ctx, id)
}
