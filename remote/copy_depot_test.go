package remote_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
	"github.com/mlvc/mlvc/remote/bucket/local"
)

func copyDepot(t testing.TB, b bucket.Bucket, cache string) *remote.Depot {
	t.Helper()
	d, err := remote.OpenDepot(t.Context(), b, remote.DepotOptions{FS: copyFS, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// copyPush sends a commit and moves main to it, as a push does.
func copyPush(t testing.TB, b bucket.Bucket, p *copyPlace, tip objects.ID, tidy bool) (remote.Copied, error) {
	t.Helper()
	ctx := t.Context()
	d, err := remote.OpenDepot(ctx, b, remote.DepotOptions{FS: copyFS, Cache: filepath.Join(p.dir, "cache")})
	if err != nil {
		return remote.Copied{}, err
	}
	defer d.Close()
	view, err := d.View(ctx)
	if err != nil {
		return remote.Copied{}, err
	}
	old, err := view.Get(ctx, refs.Branch("main"))
	if err != nil {
		return remote.Copied{}, err
	}
	if old.Commit == tip {
		return remote.Copied{}, nil
	}
	w := remote.Want{Commits: []objects.ID{tip}, Exact: true}
	if !old.Commit.IsZero() {
		w.Have = []objects.ID{old.Commit}
	}
	n, err := remote.Copy(ctx, d, p.Local, w, p.options())
	if err == nil && tidy {
		_, err = remote.Tidy(ctx, d, p.Local, p.options())
	}
	if err == nil {
		_, err = d.Publish(ctx, refs.Op{
			When: time.Unix(1_000_000_000, 0), Who: objects.Signature{Name: "t"}, Reason: "push",
			Moves: []refs.Move{{Name: refs.Branch("main"), Old: old, New: refs.Value{Commit: tip}}},
		})
	}
	return n, err
}

// copyPull brings main.
func copyPull(t testing.TB, b bucket.Bucket, p *copyPlace, have ...objects.ID) (objects.ID, remote.Copied, error) {
	t.Helper()
	ctx := t.Context()
	d, err := remote.OpenDepot(ctx, b, remote.DepotOptions{FS: copyFS, Cache: filepath.Join(p.dir, "cache")})
	if err != nil {
		return objects.ID{}, remote.Copied{}, err
	}
	defer d.Close()
	view, err := d.View(ctx)
	if err != nil {
		return objects.ID{}, remote.Copied{}, err
	}
	tip, err := view.Get(ctx, refs.Branch("main"))
	if err != nil || tip.Commit.IsZero() {
		return objects.ID{}, remote.Copied{}, err
	}
	n, err := remote.Copy(ctx, p.Local, d, remote.Want{Commits: []objects.ID{tip.Commit}, Have: have}, p.options())
	return tip.Commit, n, err
}

// copyOnlyReached fails if a pack in the bucket has an object, operations and
// views aside, that is not in reach.
func copyOnlyReached(t testing.TB, b bucket.Bucket, dir string, reach map[objects.ID]objects.Kind) {
	t.Helper()
	d := copyDepot(t, b, dir)
	names := make(map[objects.ID]bool)
	for l, err := range refs.Log(t.Context(), d, d.Operation()) {
		if err != nil {
			t.Fatal(err)
		}
		names[l.ID] = true
	}
	for info, err := range b.List(t.Context(), "packs/") {
		if err != nil {
			t.Fatal(err)
		}
		id, err := objects.ParseID(filepath.Base(info.Key)[:64])
		if err != nil {
			t.Fatal(err)
		}
		r, release, err := d.Open(t.Context(), id)
		if errors.Is(err, objects.ErrNotFound) {
			continue // dropped, or of a push that came to nothing
		}
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Index(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		isNames := false
		for rec := range x.Records() {
			isNames = isNames || names[rec.ID]
		}
		for rec := range x.Records() {
			if _, ok := reach[rec.ID]; !ok && !isNames {
				t.Errorf("pack %s has %v %s, which cannot be reached", id.Short(), rec.Kind, rec.ID.Short())
			}
		}
		release()
	}
}

func TestCopyThroughDepots(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"memory", "folder"} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s %d", kind, seed), func(t *testing.T) {
				b := buckettest.Memory()
				if kind == "folder" {
					var err error
					if b, err = local.Open(t.Context(), copyFS, t.TempDir()); err != nil {
						t.Fatal(err)
					}
				}
				h := newCopyHistory(t, 100+seed)
				there := newCopyPlace(t)
				reach := make(map[objects.ID]objects.Kind)
				var have []objects.ID
				for range 4 {
					for range 1 + h.rnd.IntN(3) {
						h.random()
					}
					tip := h.commits[h.rnd.IntN(len(h.commits))]
					if _, err := copyPush(t, b, h.place, tip, true); err != nil {
						t.Fatal(err)
					}
					got, _, err := copyPull(t, b, there, have...)
					if err != nil || got != tip {
						t.Fatalf("pulled %s, %v; want %s", got, err, tip)
					}
					have = append(have, tip)
					for id, k := range copyReach(t, there.store, tip) {
						reach[id] = k
					}
				}
				copyOnlyReached(t, b, t.TempDir(), reach)
				fresh := newCopyPlace(t)
				if _, _, err := copyPull(t, b, fresh); err != nil {
					t.Fatal(err)
				}
				copyReach(t, fresh.store, have[len(have)-1])
			})
		}
	}
}

// Whatever operation fails, before or after it took effect, the next try
// completes.
func TestCopyFaults(t *testing.T) {
	t.Parallel()
	h := newCopyHistory(t, 9)
	for range 3 {
		h.random()
	}
	first := h.commits[2]
	h.commit(map[string][]byte{"big": h.bytes(1 << 20)}, first)
	tip := h.commit(map[string][]byte{"x": []byte("y")}, h.commits[len(h.commits)-1])
	for _, kind := range []buckettest.Kind{buckettest.Before, buckettest.After, buckettest.Midway} {
		for at, more := 1, true; more; at++ {
			b := buckettest.Memory()
			faulty := buckettest.NewFaulty(b, buckettest.Plan{At: at, Kind: kind, Bytes: 1000})
			_, err := copyPush(t, faulty, h.place, first, true)
			if err == nil {
				_, err = copyPush(t, faulty, h.place, tip, true)
			}
			if err != nil {
				if _, err := copyPush(t, faulty, h.place, tip, true); err != nil {
					t.Fatalf("push after fault %d (%s): %v", at, faulty.Failed(), err)
				}
			}
			there := newCopyPlace(t)
			_, _, err = copyPull(t, faulty, there)
			if err != nil {
				if _, _, err = copyPull(t, faulty, there); err != nil {
					t.Fatalf("pull after fault %d (%s): %v", at, faulty.Failed(), err)
				}
			}
			copyReach(t, there.store, tip)
			more = faulty.Failed() != ""
		}
	}
}

// Many pushes of little leave few packs, and everything is still there.
func TestCopyTidy(t *testing.T) {
	t.Parallel()
	b := buckettest.Memory()
	h := newCopyHistory(t, 10)
	data := bytes.Repeat([]byte("a row of the table, and more\n"), 3000)
	tip := h.commit(map[string][]byte{"table": data})
	for i := range 45 {
		if _, err := copyPush(t, b, h.place, tip, true); err != nil {
			t.Fatal(err)
		}
		copy(data[i*1000:], fmt.Sprintf("change %d", i))
		tip = h.commit(map[string][]byte{"table": data, fmt.Sprint("f", i): h.bytes(100)}, tip)
	}
	if _, err := copyPush(t, b, h.place, tip, true); err != nil {
		t.Fatal(err)
	}
	d := copyDepot(t, b, t.TempDir())
	if n := len(d.Small()); n > 0 {
		t.Errorf("%d small packs", n)
	}
	there := newCopyPlace(t)
	if _, _, err := copyPull(t, b, there); err != nil {
		t.Fatal(err)
	}
	copyReach(t, there.store, tip)
	deltas := 0
	there.scan(t, func(_ objects.ID, rec pack.Record) {
		if rec.Encoding == pack.EncDelta {
			deltas++
		}
	})
	if deltas < 20 {
		t.Errorf("%d deltas are left", deltas)
	}
}

// copyMany returns a history of one commit with n files of size bytes, every
// content in use `each` times.
func copyMany(t testing.TB, n, size, each int) (*copyHistory, objects.ID) {
	t.Helper()
	h := newCopyHistory(t, 11)
	ctx, s := t.Context(), h.place.store
	data := h.bytes(size)
	var value []byte
	m, err := prolly.Build(ctx, s, func(yield func(prolly.Item, error) bool) {
		for i := range n {
			if i%each == 0 {
				binary.LittleEndian.PutUint64(data, uint64(i))
				id, err := s.Put(ctx, objects.Object{Kind: objects.KindChunk, Data: data})
				if err != nil {
					t.Fatal(err)
				}
				value = objects.Entry{Mode: objects.ModeFile, Size: int64(size), Content: id}.Append(nil)
			}
			if !yield(prolly.Item{Key: fmt.Appendf(nil, "dir%04d/file%07d", i/1000, i), Value: value}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	o, err := objects.EncodeCommit(objects.Commit{
		Kind: objects.Full, Author: objects.Signature{Name: "t"}, Time: time.Unix(1e9, 0).UTC(),
		Message: "many", Generation: 1, Tree: m.Root(),
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Put(ctx, o)
	if err == nil {
		err = s.Sync(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h, id
}

// Writes follow bytes: 100,000 files of 10 KiB are 16 packs of 64 MiB, and what
// comes with each push. Here the files are smaller.
func TestCopyWrites(t *testing.T) {
	h, tip := copyMany(t, 100_000/copyScale, 1500, 1)
	b := buckettest.NewCounting(buckettest.Memory())
	n, err := copyPush(t, b, h.place, tip, true)
	if err != nil {
		t.Fatal(err)
	}
	if c := b.Counts(); int64(c.Writes()) > n.Bytes/pack.TargetSize+6 || c.Ops() > 12 {
		t.Errorf("%+v, %+v", n, c)
	}
}

// One changed file in 1,000,000 is a few operations each way.
func TestCopyOperations(t *testing.T) {
	h, first := copyMany(t, 1_000_000/copyScale, 64, 1000)
	inner := buckettest.Memory()
	if _, err := copyPush(t, inner, h.place, first, true); err != nil {
		t.Fatal(err)
	}
	there := newCopyPlace(t)
	if _, _, err := copyPull(t, inner, there); err != nil {
		t.Fatal(err)
	}
	tip := h.commit(map[string][]byte{"dir0020/file0020123": h.bytes(1000)}, first)

	b := buckettest.NewCounting(inner)
	if _, err := copyPush(t, b, h.place, tip, true); err != nil {
		t.Fatal(err)
	}
	if c := b.Counts(); c.Ops() >= 12 {
		t.Errorf("push: %+v", c)
	}
	b.Reset()
	got, _, err := copyPull(t, b, there, first)
	if err != nil || got != tip {
		t.Fatalf("%s, %v", got, err)
	}
	if c := b.Counts(); c.Ops() >= 12 {
		t.Errorf("pull: %+v", c)
	}
}

// A pack that a push has added is built on one that another push replaces
// before it is published: the push is told, and completes when it copies again.
func TestCopyOntoDroppedPack(t *testing.T) {
	b := buckettest.Memory()
	h := newCopyHistory(t, 12)
	data := bytes.Repeat([]byte("a row of the table, and more\n"), 3000)
	tip := h.commit(map[string][]byte{"table": data})
	for i := range 17 {
		copy(data[i*1000:], fmt.Sprintf("change %d", i))
		tip = h.commit(map[string][]byte{"table": data, fmt.Sprint("f", i): h.bytes(100)}, tip)
		if _, err := copyPush(t, b, h.place, tip, false); err != nil {
			t.Fatal(err)
		}
	}
	other := newCopyPlace(t)
	if _, _, err := copyPull(t, b, other); err != nil {
		t.Fatal(err)
	}
	oh := &copyHistory{t: t, place: other, rnd: h.rnd}
	copy(data[100:], "another change")
	mine := oh.commit(map[string][]byte{"table": data}, tip)
	w := remote.Want{Commits: []objects.ID{mine}, Have: []objects.ID{tip}, Exact: true}
	d := copyDepot(t, b, filepath.Join(other.dir, "cache"))
	if n, err := remote.Copy(t.Context(), d, other.Local, w, other.options()); err != nil || n.Packs != 2 {
		t.Fatalf("%+v, %v", n, err)
	}
	packs := func() map[objects.ID]bool {
		m := make(map[objects.ID]bool)
		for _, p := range copyDepot(t, b, t.TempDir()).Small() {
			m[p.ID] = true
		}
		return m
	}
	if len(packs()) == 0 {
		t.Fatal("nothing to merge")
	}
	next := h.commit(map[string][]byte{"else": h.bytes(1000)}, tip)
	if _, err := copyPush(t, b, h.place, next, true); err != nil {
		t.Fatal(err)
	}
	if n := len(packs()); n > 0 {
		t.Fatalf("%d packs are still to be merged", n)
	}
	publish := func() error {
		_, err := d.Publish(t.Context(), refs.Op{
			When: time.Unix(1_000_000_000, 0), Who: objects.Signature{Name: "t"}, Reason: "push",
			Moves: []refs.Move{{Name: refs.Branch("side"), New: refs.Value{Commit: mine}}},
		})
		return err
	}
	if err := publish(); !errors.Is(err, refs.ErrMoved) {
		t.Fatalf("first publish: %v", err)
	}
	if err := publish(); !errors.Is(err, remote.ErrDropped) {
		t.Fatalf("second publish: %v", err)
	}
	if n, err := remote.Copy(t.Context(), d, other.Local, w, other.options()); err != nil || n.Packs != 2 {
		t.Fatalf("again: %+v, %v", n, err)
	}
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	copyReach(t, copyDepot(t, b, t.TempDir()), mine, next)
}

// copyUnfit is an endpoint of which one pack cannot be had as it is.
type copyUnfit struct {
	remote.Endpoint
	pack objects.ID
}

func (e copyUnfit) Fetch(ctx context.Context, id objects.ID) (string, bool, error) {
	if id == e.pack {
		return "", false, &objects.ObjectError{ID: id, Err: objects.ErrCorrupt}
	}
	return e.Endpoint.Fetch(ctx, id)
}

// What is built on a pack that could not be sent as it is does not go as it is
// either: nobody could read it.
func TestCopyOntoPackThatDidNotGo(t *testing.T) {
	h := newCopyHistory(t, 13)
	data := h.bytes(200 << 10)
	changed := bytes.Clone(data)
	copy(changed[1000:], "a change")
	first := h.commit(map[string][]byte{"table": data, "not wanted": h.bytes(10 << 10)})
	h.commit(map[string][]byte{"table": changed}, first)
	tip := h.commit(map[string][]byte{"table": changed}, h.commit(map[string][]byte{"table": data}))
	var base objects.ID
	ids, err := h.place.store.Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		info, err := h.place.Info(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(info.Bases) > 0 {
			base = info.Bases[0]
		}
	}
	if base.IsZero() {
		t.Fatal("no pack is built on another")
	}
	b := buckettest.Memory()
	d := copyDepot(t, b, t.TempDir())
	copyTo(t, d, copyUnfit{h.place, base}, remote.Want{Commits: []objects.ID{tip}}, h.place.options())
	_, err = d.Publish(t.Context(), refs.Op{
		When: time.Unix(1_000_000_000, 0), Who: objects.Signature{Name: "t"}, Reason: "push",
		Moves: []refs.Move{{Name: refs.Branch("main"), New: refs.Value{Commit: tip}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	copyReach(t, copyDepot(t, b, t.TempDir()), tip)
}
