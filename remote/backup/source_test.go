package backup_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/kv/memkv"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
)

const repository = "00112233445566778899aabbccddeeff"

// hastyFS is the real file system without the waiting for the disk.
type hastyFS struct{ vfs.FS }

func (f hastyFS) OpenFile(name string, flag int, perm os.FileMode) (vfs.File, error) {
	file, err := f.FS.OpenFile(name, flag&^vfs.Direct, perm)
	if err != nil {
		return nil, err
	}
	return hastyFile{file}, nil
}

func (f hastyFS) SyncDir(string) error { return nil }

type hastyFile struct{ vfs.File }

func (f hastyFile) Sync() error { return nil }

var fsys vfs.FS = hastyFS{vfs.OS}

// pointer is a refs.Pointer in memory.
type pointer struct {
	mu sync.Mutex
	id objects.ID
}

func (p *pointer) Load(context.Context) (objects.ID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id, nil
}

func (p *pointer) Swap(_ context.Context, old, id objects.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id != old {
		return refs.ErrMoved
	}
	p.id = id
	return nil
}

// file is what a path of a dataset is.
type file struct {
	mode objects.Mode
	data string
}

// repo is a repository in a folder, and all that it should have.
type repo struct {
	t       testing.TB
	dir     string
	store   *store.Store
	local   *remote.Local
	pointer pointer
	rnd     *rand.Rand
	now     time.Time

	commits []objects.ID
	parents map[objects.ID][]objects.ID
	trees   map[objects.ID]map[string]file
}

func newRepo(t testing.TB, seed uint64) *repo {
	t.Helper()
	r := &repo{
		t: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 5)), now: time.Date(2026, 11, 23, 4, 19, 0, 0, time.UTC),
		parents: make(map[objects.ID][]objects.ID), trees: make(map[objects.ID]map[string]file),
	}
	for _, sub := range []string{"packs", "tmp", "cache"} {
		if err := os.Mkdir(filepath.Join(r.dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	db := memkv.New()
	r.store = store.Open(store.Options{FS: fsys, DB: db, Packs: filepath.Join(r.dir, "packs"), Temp: r.temp()})
	r.local = remote.NewLocal(r.store, fsys, r.temp())
	t.Cleanup(func() { r.store.Close(); db.Close() })
	return r
}

func (r *repo) temp() string { return filepath.Join(r.dir, "tmp") }

func (r *repo) bytes(n int) string {
	b := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.rnd.Uint64())
	}
	return string(b[:n])
}

// commit records a whole dataset and moves a branch to it.
func (r *repo) commit(branch string, files map[string]file, parents ...objects.ID) objects.ID {
	r.t.Helper()
	ctx := r.t.Context()
	c := objects.Commit{
		Kind: objects.Full, Author: objects.Signature{Name: "t"}, Time: r.now, Generation: 1,
		Message: fmt.Sprint(len(r.commits)), Parents: parents,
	}
	tree := prolly.Map{}
	if len(parents) > 0 {
		c.Kind, c.Base, c.Generation = objects.Incremental, parents[0], len(r.commits)+1
		tree = prolly.Open(r.decode(r.store, parents[0]).Tree)
	}
	var items []prolly.Item
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		e := objects.Entry{Mode: f.mode}
		if f.mode != objects.ModeDir {
			var prev objects.Entry
			if old, ok, err := tree.Get(ctx, r.store, []byte(name)); err == nil && ok {
				prev, _ = objects.DecodeEntry(old)
			}
			if prev.Mode == objects.ModeDir {
				prev = objects.Entry{}
			}
			var err error
			if e, _, err = content.Write(ctx, r.store, content.Bytes(f.data), prev, 1); err != nil {
				r.t.Fatal(err)
			}
			e.Mode = f.mode
			c.Delta.Bytes += e.Size
		}
		c.Delta.Files++
		items = append(items, prolly.Item{Key: []byte(name), Value: e.Append(nil)})
	}
	m, err := prolly.Build(ctx, r.store, func(yield func(prolly.Item, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	c.Tree = m.Root()
	o, err := objects.EncodeCommit(c)
	if err != nil {
		r.t.Fatal(err)
	}
	id, err := r.store.Put(ctx, o)
	if err == nil {
		err = r.store.Sync(ctx)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.commits = append(r.commits, id)
	r.parents[id], r.trees[id] = parents, maps.Clone(files)
	r.move(branch, id)
	return id
}

// move logs that a branch stands for a commit.
func (r *repo) move(branch string, id objects.ID) {
	r.t.Helper()
	ctx := r.t.Context()
	view, err := refs.ViewAt(ctx, r.store, r.pointer.id)
	if err != nil {
		r.t.Fatal(err)
	}
	old, err := view.Get(ctx, refs.Branch(branch))
	if err == nil && old.Commit != id {
		_, err = refs.Apply(ctx, r.store, &r.pointer, refs.Op{
			When: r.now, Who: objects.Signature{Name: "t"}, Reason: "commit",
			Moves: []refs.Move{{Name: refs.Branch(branch), Old: old, New: refs.Value{Commit: id}}},
		})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) decode(g objects.Getter, id objects.ID) objects.Commit {
	r.t.Helper()
	o, err := g.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := objects.DecodeCommit(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// change makes random changes of every kind: files new, changed, deleted,
// renamed, with another mode; large ones; empty folders.
func (r *repo) change(files map[string]file) map[string]file {
	files = maps.Clone(files)
	if files == nil {
		files = make(map[string]file)
	}
	for range 1 + r.rnd.IntN(6) {
		name := fmt.Sprintf("d%d/f%02d", r.rnd.IntN(3), r.rnd.IntN(12))
		old, there := files[name]
		switch kind := r.rnd.IntN(9); {
		case kind == 0:
			delete(files, name)
		case kind == 1 && there:
			delete(files, name)
			files[name+"-renamed"] = old
		case kind == 2 && there && old.mode == objects.ModeFile:
			files[name] = file{objects.ModeExec, old.data}
		case kind == 3:
			files[fmt.Sprintf("empty%d", r.rnd.IntN(3))] = file{objects.ModeDir, ""}
		case kind == 4:
			files[name] = file{objects.ModeFile, r.bytes(300<<10 + r.rnd.IntN(200<<10))}
		case kind == 5:
			files[name] = file{objects.ModeSymlink, "f00"}
		case kind == 6 && len(old.data) > 1000: // a little of it
			data := []byte(old.data)
			copy(data[r.rnd.IntN(len(data)-50):], r.bytes(40))
			files[name] = file{objects.ModeFile, string(data)}
		default:
			files[name] = file{objects.ModeFile, r.bytes(r.rnd.IntN(9000))}
		}
	}
	return files
}

// random adds a commit on a random branch.
func (r *repo) random() objects.ID {
	branch := []string{"main", "main", "main", "other"}[r.rnd.IntN(4)]
	view, err := refs.ViewAt(r.t.Context(), r.store, r.pointer.id)
	if err != nil {
		r.t.Fatal(err)
	}
	tip, err := view.Commit(r.t.Context(), refs.Branch(branch))
	if err != nil {
		r.t.Fatal(err)
	}
	var parents []objects.ID
	switch n := len(r.commits); {
	case !tip.IsZero() && r.rnd.IntN(8) > 0:
		parents = []objects.ID{tip}
		if other := r.commits[r.rnd.IntN(n)]; other != tip && r.rnd.IntN(5) == 0 {
			parents = append(parents, other)
		}
	case n > 0: // the branch is moved elsewhere: only the log knows where it was
		parents = []objects.ID{r.commits[r.rnd.IntN(n)]}
	}
	var files map[string]file
	if len(parents) > 0 {
		files = r.trees[parents[0]]
	}
	return r.commit(branch, r.change(files), parents...)
}

func (r *repo) isAncestor(_ context.Context, ancestor, of objects.ID) (bool, error) {
	seen := map[objects.ID]bool{}
	for stack := []objects.ID{of}; len(stack) > 0; {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if id == ancestor {
			return true, nil
		}
		if !seen[id] {
			seen[id] = true
			stack = append(stack, r.parents[id]...)
		}
	}
	return false, nil
}

func (r *repo) options() backup.Options {
	return backup.Options{FS: fsys, Cache: filepath.Join(r.dir, "cache"), Now: func() time.Time { return r.now }}
}

func (r *repo) open(b bucket.Bucket) (*backup.Destination, error) {
	return backup.Open(r.t.Context(), b, r.options())
}

func (r *repo) mustOpen(b bucket.Bucket) *backup.Destination {
	r.t.Helper()
	d, err := r.open(b)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *repo) wanted(commit objects.ID, kind objects.CommitKind) backup.CreateOptions {
	return backup.CreateOptions{
		Repository: repository, Commit: commit, Kind: kind, Operation: r.pointer.id, IsAncestor: r.isAncestor,
		Copy: remote.CopyOptions{FS: fsys, Temp: r.temp()},
	}
}

// create makes a set, a minute later than the last.
func (r *repo) create(b bucket.Bucket, opt backup.CreateOptions) (backup.Created, error) {
	r.now = r.now.Add(time.Minute)
	d, err := r.open(b)
	if err != nil {
		return backup.Created{}, err
	}
	return backup.Create(r.t.Context(), d, r.local, opt)
}

func (r *repo) mustCreate(b bucket.Bucket, opt backup.CreateOptions) backup.Created {
	r.t.Helper()
	done, err := r.create(b, opt)
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

// sameTree fails unless g has the commit's dataset, bit for bit.
func (r *repo) sameTree(g objects.Getter, commit objects.ID) {
	r.t.Helper()
	ctx, want := r.t.Context(), maps.Clone(r.trees[commit])
	for item, err := range prolly.Open(r.decode(g, commit).Tree).All(ctx, g) {
		if err != nil {
			r.t.Fatal(err)
		}
		e, err := objects.DecodeEntry(item.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		var data bytes.Buffer
		if e.Mode != objects.ModeDir {
			if err := content.Read(ctx, g, e, &data, 1); err != nil {
				r.t.Fatalf("%s: %v", item.Key, err)
			}
		}
		if got := (file{e.Mode, data.String()}); got != want[string(item.Key)] {
			r.t.Fatalf("%s: %v of %d bytes, not what was committed", item.Key, got.mode, len(got.data))
		}
		delete(want, string(item.Key))
	}
	if len(want) > 0 {
		r.t.Fatalf("missing: %v", slices.Sorted(maps.Keys(want)))
	}
}

// check restores every set of a destination, from it alone.
func (r *repo) check(b bucket.Bucket) {
	r.t.Helper()
	d, err := backup.Open(r.t.Context(), b, backup.Options{FS: fsys, Cache: r.t.TempDir(), Now: func() time.Time { return r.now }})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range d.List().Sets {
		c, err := d.Chain(r.t.Context(), s.Label)
		if err != nil {
			r.t.Fatal(err)
		}
		r.sameTree(c, s.Commit)
		r.t.Logf("%s of %s: %d bytes", s.Label, s.Commit.Short(), s.Bytes)
		if err := c.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// checkHistory restores the whole repository of a set into a new place: all that
// names and the log reach.
func (r *repo) checkHistory(b bucket.Bucket, label backup.Label) {
	r.t.Helper()
	ctx := r.t.Context()
	d, err := backup.Open(ctx, b, backup.Options{FS: fsys, Cache: r.t.TempDir()})
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := d.Chain(ctx, label)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	operation := c.Manifest().Operation
	want := []objects.ID{c.Manifest().Commit}
	for l, err := range refs.Log(ctx, c, operation) {
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := refs.ViewAt(ctx, c, l.ID); err != nil {
			r.t.Fatal(err)
		}
		for _, m := range l.Op.Moves {
			want = append(want, m.New.Commit)
		}
	}
	to := newRepo(r.t, 0)
	if _, err := remote.Copy(ctx, to.local, c, remote.Want{Commits: want}, remote.CopyOptions{FS: fsys, Temp: to.temp()}); err != nil {
		r.t.Fatal(err)
	}
	for _, id := range want {
		r.sameTree(to.store, id)
	}
}
