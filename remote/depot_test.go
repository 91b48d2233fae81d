package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

var depotDay = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// depotFS does not wait for the disk: the sweeps open and push often.
type depotFS struct{ vfs.FS }

type depotFile struct{ vfs.File }

func (depotFile) Sync() error { return nil }

func (depotFS) SyncDir(string) error { return nil }

func (f depotFS) OpenFile(name string, flag int, perm os.FileMode) (vfs.File, error) {
	file, err := f.FS.OpenFile(name, flag&^vfs.Direct, perm)
	if err != nil {
		return nil, err
	}
	return depotFile{file}, nil
}

func depotOpen(t testing.TB, b bucket.Bucket, cache string) *Depot {
	t.Helper()
	d, err := OpenDepot(context.Background(), b, DepotOptions{FS: depotFS{vfs.OS}, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func depotObject(kind objects.Kind, seed uint64, size int) objects.Object {
	r := rand.NewChaCha8([32]byte{byte(kind), byte(seed), byte(seed >> 8), byte(seed >> 16)})
	data := make([]byte, size)
	r.Read(data)
	return objects.Object{Kind: kind, Data: data}
}

// depotPack writes a pack of objects.
func depotPack(t testing.TB, list ...objects.Object) (objects.ID, string) {
	t.Helper()
	typ := pack.TypeData
	if list[0].Kind.IsMeta() {
		typ = pack.TypeMeta
	}
	name := vfs.TempName(t.TempDir())
	w, err := pack.NewWriter(depotFS{vfs.OS}, name, typ)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		if _, err := w.Append(pack.Compress(o.ID(), o), nil); err != nil {
			t.Fatal(err)
		}
	}
	x, err := w.Seal(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return x.ID, name
}

func depotAdd(t testing.TB, d *Depot, list ...objects.Object) objects.ID {
	t.Helper()
	id, name := depotPack(t, list...)
	if err := d.AddPack(context.Background(), id, name, false); err != nil {
		t.Fatal(err)
	}
	return id
}

func depotOp(when time.Time, name refs.Name, old, new objects.ID) refs.Op {
	return refs.Op{When: when, Reason: "push", Moves: []refs.Move{{Name: name, Old: refs.Value{Commit: old}, New: refs.Value{Commit: new}}}}
}

// depotPush adds a chunk and a commit in packs of their own and publishes a tag
// of that number.
func depotPush(d *Depot, t testing.TB, i int) error {
	chunk, commit := depotObject(objects.KindChunk, uint64(i), 1000), depotObject(objects.KindCommit, uint64(i), 100)
	for _, o := range []objects.Object{chunk, commit} {
		id, name := depotPack(t, o)
		if err := d.AddPack(context.Background(), id, name, false); err != nil {
			return err
		}
	}
	when := depotDay.Add(time.Duration(i) * time.Second)
	_, err := d.Publish(context.Background(), depotOp(when, refs.Tag(fmt.Sprintf("t%d", i)), objects.ID{}, commit.ID()))
	return err
}

// depotCheck fails unless exactly the pushes of those numbers are there.
func depotCheck(t testing.TB, d *Depot, pushes ...int) {
	t.Helper()
	ctx := context.Background()
	want := make(map[refs.Name]int)
	for _, i := range pushes {
		want[refs.Tag(fmt.Sprintf("t%d", i))] = i
	}
	view, err := d.View(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for ref, err := range view.List(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		i, ok := want[ref.Name]
		if !ok {
			t.Fatalf("%s is there", ref.Name)
		}
		delete(want, ref.Name)
		for _, o := range []objects.Object{depotObject(objects.KindChunk, uint64(i), 1000), depotObject(objects.KindCommit, uint64(i), 100)} {
			got, err := d.Get(ctx, o.ID())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Data, o.Data) || got.Kind != o.Kind {
				t.Fatal("other bytes")
			}
		}
	}
	if len(want) > 0 {
		t.Fatalf("missing: %v", want)
	}
	logged := 0
	for _, err := range refs.Log(ctx, d, d.Operation()) {
		if err != nil {
			t.Fatal(err)
		}
		logged++
	}
	if logged != len(pushes) {
		t.Fatalf("%d operations in the log, want %d", logged, len(pushes))
	}
}

func depotNumbers(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i)
	}
	return numbers
}

func TestDepotShowsWhatWasPublished(t *testing.T) {
	b := buckettest.Memory()
	d := depotOpen(t, b, t.TempDir())
	if d.ID() != "" || !d.Operation().IsZero() {
		t.Fatal("an empty bucket has a repository")
	}
	const n = 70
	for i := range n {
		if err := depotPush(d, t, i); err != nil {
			t.Fatal(err)
		}
	}
	depotCheck(t, d, depotNumbers(n)...)
	other := depotOpen(t, b, t.TempDir())
	depotCheck(t, other, depotNumbers(n)...)
	if other.ID() != d.ID() || len(other.ID()) != 32 {
		t.Fatalf("IDs %q, %q", d.ID(), other.ID())
	}
	names := 0
	for _, p := range other.packs {
		if p.role == roleNames {
			names++
		}
	}
	if len(other.listed) > 10 || names > maxNamesPacks {
		t.Fatalf("%d segments, %d packs of names", len(other.listed), names)
	}
	if left := d.current.dropped(); left != 2*maxNamesPacks {
		t.Fatalf("%d dropped packs of names", left)
	}
	missing := objects.Sum(objects.KindChunk, []byte("missing"))
	if _, err := d.Get(t.Context(), missing); !errors.Is(err, objects.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := d.Info(t.Context(), missing); !errors.Is(err, objects.ErrNotFound) {
		t.Fatal(err)
	}
}

func TestDepotOperationsOfAPush(t *testing.T) {
	b := buckettest.NewCounting(buckettest.Memory())
	cache := t.TempDir()
	push := func(i int, want buckettest.Counts) {
		t.Helper()
		b.Reset()
		d := depotOpen(t, b, cache)
		defer d.Close()
		chunk := depotObject(objects.KindChunk, uint64(i), 100)
		depotAdd(t, d, chunk)
		commit := depotObject(objects.KindCommit, 1, 100)
		if i == 0 {
			depotAdd(t, d, commit)
		}
		op := depotOp(depotDay, refs.Tag(fmt.Sprint(i)), objects.ID{}, commit.ID())
		if _, err := d.Publish(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		got := b.Counts()
		got.In, got.Out = 0, 0
		if got != want {
			t.Fatalf("push %d: %+v, want %+v", i, got, want)
		}
	}
	push(0, buckettest.Counts{Get: 1, PutIfAbsent: 4, Swap: 1})
	push(1, buckettest.Counts{Get: 1, PutIfAbsent: 3, Swap: 1})
	push(2, buckettest.Counts{Get: 1, PutIfAbsent: 3, Swap: 1, Delete: 1})

	b.Reset()
	depotOpen(t, b, t.TempDir())
	if got := b.Counts(); got.Get != 1 || got.GetRange > 2 || got.Ops() > 3 {
		t.Fatalf("open: %+v", got)
	}
}

func TestDepotMetaPackIsOneRequest(t *testing.T) {
	b := buckettest.NewCounting(buckettest.Memory())
	d := depotOpen(t, b, t.TempDir())
	var list []objects.Object
	for i := range 50 {
		list = append(list, depotObject(objects.KindCommit, uint64(i), 300))
	}
	id := depotAdd(t, d, list...)
	if _, err := d.Publish(t.Context(), depotOp(depotDay, "tag/a", objects.ID{}, list[0].ID())); err != nil {
		t.Fatal(err)
	}
	var received int64
	other, err := OpenDepot(t.Context(), b, DepotOptions{FS: depotFS{vfs.OS}, Cache: t.TempDir(), Progress: func(in, _ int64) { received += in }})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	b.Reset()
	received = 0
	for _, o := range list {
		if _, err := other.Get(t.Context(), o.ID()); err != nil {
			t.Fatal(err)
		}
	}
	name, temporary, err := other.Fetch(t.Context(), id)
	if err != nil || !temporary {
		t.Fatal(err)
	}
	if c := b.Counts(); c.Ops() != 1 || c.In != received {
		t.Fatalf("%+v, %d received", c, received)
	}
	// Who fetched it may take it away.
	if err := os.Rename(name, filepath.Join(t.TempDir(), "taken")); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Get(t.Context(), list[1].ID()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Fetch(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func TestDepotSaysThatAnotherWasFirst(t *testing.T) {
	b := buckettest.NewCounting(buckettest.Memory())
	one, two := depotOpen(t, b, t.TempDir()), depotOpen(t, b, t.TempDir())
	if err := depotPush(one, t, 0); err != nil {
		t.Fatal(err)
	}
	if err := depotPush(two, t, 1); !errors.Is(err, refs.ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	b.Reset()
	if err := depotPush(two, t, 1); err != nil {
		t.Fatal(err)
	}
	if c := b.Counts(); c.PutIfAbsent != 2 || c.List != 0 {
		t.Fatalf("sent again: %+v", c)
	}
	depotCheck(t, depotOpen(t, b, t.TempDir()), 0, 1)
	if err := one.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := depotPush(one, t, 1)
	var moved *refs.MovedError
	if !errors.As(err, &moved) {
		t.Fatalf("got %v, want a MovedError", err)
	}
}

func TestDepotFaultSweep(t *testing.T) {
	t.Parallel()
	for _, kind := range []buckettest.Kind{buckettest.Before, buckettest.After, buckettest.Midway} {
		for _, sticky := range []bool{false, true} {
			for i := 1; ; i++ {
				if !depotFault(t, buckettest.Plan{At: i, Kind: kind, Sticky: sticky, Bytes: 10}) {
					if i < 10 {
						t.Fatalf("only %d operations", i)
					}
					break
				}
			}
		}
	}
}

// depotFault pushes with one fault, and reports whether there was one.
func depotFault(t *testing.T, plan buckettest.Plan) bool {
	t.Helper()
	inner := buckettest.Memory()
	first := depotOpen(t, inner, t.TempDir())
	for i := range 2 {
		if err := depotPush(first, t, i); err != nil {
			t.Fatal(err)
		}
	}
	cache := t.TempDir()
	f := buckettest.NewFaulty(inner, plan)
	d, err := OpenDepot(t.Context(), f, DepotOptions{FS: depotFS{vfs.OS}, Cache: cache})
	if err == nil {
		err = depotPush(d, t, 2)
	}
	if f.Failed() == "" {
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
		return false
	}
	fresh := depotOpen(t, inner, t.TempDir())
	there := fresh.current.Operation != first.current.Operation
	if there {
		depotCheck(t, fresh, 0, 1, 2)
	} else {
		depotCheck(t, fresh, 0, 1)
	}
	if err == nil && !there {
		t.Fatalf("%s: acknowledged and not there", f.Failed())
	}
	if err == nil {
		d.Close()
		return true
	}
	// The same depot tries again, unless it never opened; then another does.
	if d == nil || plan.Sticky {
		d = depotOpen(t, inner, cache)
	}
	defer d.Close()
	if err := d.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.Operation() == first.Operation() {
		if err := depotPush(d, t, 2); err != nil {
			t.Fatalf("%s: again: %v", f.Failed(), err)
		}
	}
	depotCheck(t, depotOpen(t, inner, t.TempDir()), 0, 1, 2)
	return true
}

func TestDepotRace(t *testing.T) {
	t.Parallel()
	t.Run("caches of their own", func(t *testing.T) { depotRace(t, func() string { return t.TempDir() }) })
	shared := t.TempDir()
	t.Run("one cache", func(t *testing.T) { depotRace(t, func() string { return shared }) })
}

func depotRace(t *testing.T, cache func() string) {
	b := buckettest.Memory()
	const racers, each = 4, 12
	var wg sync.WaitGroup
	errs := make([]error, racers)
	for r := range racers {
		d := depotOpen(t, b, cache())
		wg.Go(func() {
			for i := range each {
				for {
					err := depotPush(d, t, r*each+i)
					if errors.Is(err, refs.ErrMoved) {
						continue
					}
					if err != nil {
						errs[r] = err
						return
					}
					break
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	depotCheck(t, depotOpen(t, b, t.TempDir()), depotNumbers(racers*each)...)
}

func TestDepotMergesAndDeletesSmallPacks(t *testing.T) {
	b := buckettest.Memory()
	d := depotOpen(t, b, t.TempDir())
	const n = 20
	for i := range n {
		if err := depotPush(d, t, i); err != nil {
			t.Fatal(err)
		}
	}
	small := d.Small()
	if len(small) != 2*n {
		t.Fatalf("%d small packs, want %d", len(small), 2*n)
	}
	var chunks, commits []objects.Object
	for i := range n {
		chunks = append(chunks, depotObject(objects.KindChunk, uint64(i), 1000))
		commits = append(commits, depotObject(objects.KindCommit, uint64(i), 100))
	}
	depotAdd(t, d, chunks...)
	depotAdd(t, d, commits[1:]...) // one commit stays alone in its pack
	for _, p := range small {
		d.Drop([]objects.ID{p.ID})
	}
	if err := depotPush(d, t, n); err != nil {
		t.Fatal(err)
	}
	if got := d.current.dropped(); got != 2*n-1 {
		t.Fatalf("%d dropped, want %d", got, 2*n-1)
	}
	numbers := depotNumbers(n + 1)
	depotCheck(t, depotOpen(t, b, t.TempDir()), numbers...)
	id, name := depotPack(t, chunks[3])
	if err := d.AddPack(t.Context(), id, name, false); !errors.Is(err, ErrDropped) || !d.current.isDropped(id) {
		t.Fatalf("got %v, want ErrDropped", err)
	}
	for _, days := range []int{6, 8, 15} {
		op := depotOp(depotDay.AddDate(0, 0, days), refs.Tag(fmt.Sprint("d", days)), objects.ID{}, commits[0].ID())
		if _, err := d.Publish(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		if there := depotHas(t, b, packKey(id)); there != (days < 7) {
			t.Fatalf("after %d days the pack is there: %v", days, there)
		}
		if d.current.isDropped(id) != (days < 14) {
			t.Fatalf("after %d days it is remembered: %v", days, d.current.isDropped(id))
		}
	}
	if _, err := d.Get(t.Context(), chunks[3].ID()); err != nil {
		t.Fatal(err)
	}
}

// depotKeeper is a bucket in which nothing may be deleted.
type depotKeeper struct {
	bucket.Bucket
	refused *int
}

func (k depotKeeper) Delete(context.Context, string) error {
	*k.refused++
	return fs.ErrPermission
}

// Where nothing may be deleted a push does not do more with every push before.
func TestDepotWithoutDeletion(t *testing.T) {
	refused := 0
	d := depotOpen(t, depotKeeper{buckettest.Memory(), &refused}, t.TempDir())
	const n = maxReplaced + 20
	for i := range n {
		refused = 0
		if err := depotPush(d, t, i); err != nil {
			t.Fatal(err)
		}
		if refused > maxReplaced+10 {
			t.Fatalf("push %d tried to delete %d objects", i, refused)
		}
	}
	if refused < maxReplaced {
		t.Fatalf("only %d deletions were tried: the test has lost its point", refused)
	}
	depotCheck(t, d, depotNumbers(n)...)
}

func depotHas(t *testing.T, b bucket.Bucket, key string) bool {
	t.Helper()
	for info, err := range b.List(t.Context(), key) {
		if err != nil {
			t.Fatal(err)
		}
		if info.Key == key {
			return true
		}
	}
	return false
}

func TestDepotRefusesWhatAnotherHasDropped(t *testing.T) {
	b := buckettest.Memory()
	one := depotOpen(t, b, t.TempDir())
	if err := depotPush(one, t, 0); err != nil {
		t.Fatal(err)
	}
	chunk := depotObject(objects.KindChunk, 0, 1000)
	base, _ := depotPack(t, chunk)
	two := depotOpen(t, b, t.TempDir())
	// A delta on the pack that the first drops.
	places, err := two.Locate(t.Context(), []objects.ID{chunk.ID()})
	if err != nil {
		t.Fatal(err)
	}
	dict, err := pack.ReadDict(t.Context(), places, two.Open)
	if err != nil {
		t.Fatal(err)
	}
	changed := objects.Object{Kind: objects.KindChunk, Data: append(bytes.Clone(chunk.Data), "more"...)}
	name := vfs.TempName(t.TempDir())
	w, err := pack.NewWriter(depotFS{vfs.OS}, name, pack.TypeData)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(pack.Delta(changed.ID(), changed, dict), places); err != nil {
		t.Fatal(err)
	}
	x, err := w.Seal(t.Context())
	if err != nil || len(x.Bases) != 1 {
		t.Fatal(err, x)
	}
	if err := two.AddPack(t.Context(), x.ID, name, false); err != nil {
		t.Fatal(err)
	}
	if err := two.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o, err := two.Get(t.Context(), changed.ID()); err != nil || !bytes.Equal(o.Data, changed.Data) {
		t.Fatal(err)
	}
	depotAdd(t, one, chunk, depotObject(objects.KindChunk, 99, 10))
	one.Drop([]objects.ID{base})
	if err := depotPush(one, t, 1); err != nil || !one.current.isDropped(base) {
		t.Fatal(err)
	}
	if err := two.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := depotPush(two, t, 2); !errors.Is(err, ErrDropped) {
		t.Fatalf("got %v, want ErrDropped", err)
	}
	if err := depotPush(two, t, 2); err != nil {
		t.Fatal(err)
	}
	depotCheck(t, depotOpen(t, b, t.TempDir()), 0, 1, 2)
}

func TestDepotRefusesNamesOfWhatItLacks(t *testing.T) {
	d := depotOpen(t, buckettest.Memory(), t.TempDir())
	commit := depotObject(objects.KindCommit, 1, 10).ID()
	if _, err := d.Publish(t.Context(), depotOp(depotDay, "tag/a", objects.ID{}, commit)); !errors.Is(err, objects.ErrNotFound) {
		t.Fatal(err)
	}
	if !d.Operation().IsZero() {
		t.Fatal("it was published")
	}
}

func TestDepotContinuesAnInterruptedPush(t *testing.T) {
	b := buckettest.NewCounting(buckettest.Memory())
	d := depotOpen(t, b, t.TempDir())
	const n = 8
	for i := range n {
		depotAdd(t, d, depotObject(objects.KindChunk, uint64(i), 1000))
	}
	d.Close()
	d = depotOpen(t, b, t.TempDir())
	b.Reset()
	commit := depotObject(objects.KindCommit, 1, 10)
	for i := range n {
		depotAdd(t, d, depotObject(objects.KindChunk, uint64(i), 1000))
	}
	depotAdd(t, d, commit)
	if _, err := d.Publish(t.Context(), depotOp(depotDay, "tag/a", objects.ID{}, commit.ID())); err != nil {
		t.Fatal(err)
	}
	// Three are tried before the list, each found by a list of its own.
	if c := b.Counts(); c.PutIfAbsent != listAfter+3 || c.List != listAfter+1 {
		t.Fatalf("%+v", c)
	}
}

func TestDepotContinuesAnInterruptedDownload(t *testing.T) {
	inner := buckettest.Memory()
	d := depotOpen(t, inner, t.TempDir())
	chunk, commit := depotObject(objects.KindChunk, 1, 200_000), depotObject(objects.KindCommit, 1, 10)
	id := depotAdd(t, d, chunk)
	depotAdd(t, d, commit)
	if _, err := d.Publish(t.Context(), depotOp(depotDay, "tag/a", objects.ID{}, commit.ID())); err != nil {
		t.Fatal(err)
	}
	counting := buckettest.NewCounting(inner)
	f := buckettest.NewFaulty(counting, buckettest.Plan{At: 2, Kind: buckettest.Midway, Bytes: 150_000, Ops: []string{"GetRange"}})
	cache := t.TempDir()
	other := depotOpen(t, f, cache)
	if _, _, err := other.Fetch(t.Context(), id); !errors.Is(err, buckettest.ErrFault) {
		t.Fatalf("got %v", err)
	}
	other.Close()
	other = depotOpen(t, f, cache)
	counting.Reset()
	name, _, err := other.Fetch(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c := counting.Counts(); c.In > 60_000 {
		t.Fatalf("%d bytes were downloaded again", c.In)
	}
	// What another process left is verified before it is used.
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[1000] ^= 1
	if err := os.WriteFile(name, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := depotOpen(t, inner, cache).Fetch(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	// A part that is wrong is not used either.
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+partSuffix, data[:150_000], 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := depotOpen(t, inner, cache).Fetch(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// depotLiar changes what is read of keys that begin so.
type depotLiar struct {
	bucket.Bucket
	prefix string
	change func([]byte) []byte
}

func (l depotLiar) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	data, version, err := l.Bucket.Get(ctx, key)
	if err == nil && strings.HasPrefix(key, l.prefix) {
		data = l.change(data)
	}
	return data, version, err
}

func (l depotLiar) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := l.Bucket.GetRange(ctx, key, offset, length)
	if err != nil || !strings.HasPrefix(key, l.prefix) {
		return r, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(l.change(data))), nil
}

func TestDepotTrustsNothing(t *testing.T) {
	inner := buckettest.Memory()
	d := depotOpen(t, inner, t.TempDir())
	if err := depotPush(d, t, 0); err != nil {
		t.Fatal(err)
	}
	flip := func(data []byte) []byte {
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
		return data
	}
	short := func(data []byte) []byte { return data[:len(data)/2] }
	for _, prefix := range []string{"current", "indexes/", "packs/"} {
		for _, change := range []func([]byte) []byte{flip, short} {
			liar := depotLiar{inner, prefix, change}
			d, err := OpenDepot(t.Context(), liar, DepotOptions{FS: depotFS{vfs.OS}, Cache: t.TempDir()})
			if prefix != "packs/" {
				var named *DepotError
				if !errors.As(err, &named) || !strings.HasPrefix(named.Key, prefix) || named.URL != inner.String() {
					t.Fatalf("%s: got %v", prefix, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []objects.Object{depotObject(objects.KindChunk, 0, 1000), depotObject(objects.KindCommit, 0, 100)} {
				_, err := d.Get(t.Context(), o.ID())
				var damaged *objects.ObjectError
				if !errors.As(err, &damaged) || damaged.ID != o.ID() {
					t.Fatalf("%v: got %v", o.Kind, err)
				}
			}
			for id := range d.packs {
				if _, _, err := d.Fetch(t.Context(), id); err == nil {
					t.Fatal("a damaged pack was handed out")
				}
			}
			d.Close()
		}
	}
}

func TestDepotMendsItsCache(t *testing.T) {
	b := buckettest.Memory()
	cache := t.TempDir()
	d := depotOpen(t, b, cache)
	for i := range 3 {
		if err := depotPush(d, t, i); err != nil {
			t.Fatal(err)
		}
	}
	d.Close()
	flip := func(at int) func([]byte) {
		return func(data []byte) { data[(at+len(data))%len(data)] ^= 1 }
	}
	foreign := func(data []byte) { // a page with the right checksum that names a pack which is none
		n := min(pageRecords, int(binary.LittleEndian.Uint64(data[len(data)-segmentFooter+32:])))
		page := data[segmentHeader:][:n*recordSize]
		binary.LittleEndian.PutUint32(page[packOffset:], 1<<20)
		binary.LittleEndian.PutUint32(data[segmentHeader+len(page):], crc32.Checksum(page, castagnoli))
	}
	for _, damage := range []func([]byte){flip(3), flip(100), flip(-30), flip(-200), foreign} { // header, page, footer, table
		names, err := filepath.Glob(filepath.Join(cache, "segments", "*"))
		if err != nil || len(names) == 0 {
			t.Fatal(err, names)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			damage(data)
			if err := os.WriteFile(name, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		d = depotOpen(t, b, cache)
		depotCheck(t, d, 0, 1, 2)
		d.Close()
	}
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	depotCheck(t, depotOpen(t, b, cache), 0, 1, 2)
}

func TestDepotSweepsItsCache(t *testing.T) {
	b := buckettest.Memory()
	cache := t.TempDir()
	d := depotOpen(t, b, cache)
	if err := depotPush(d, t, 0); err != nil {
		t.Fatal(err)
	}
	d.Close()
	old := time.Now().AddDate(0, 0, -8)
	leftovers := []string{
		vfs.TempName(cache), filepath.Join(cache, "segments", objects.ID{1}.String()+segmentSuffix),
		filepath.Join(cache, "incoming", objects.ID{1}.String()+packSuffix+partSuffix),
	}
	for _, name := range append(leftovers, filepath.Join(cache, "not-ours")) {
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	d, err := OpenDepot(t.Context(), b, DepotOptions{FS: depotFS{vfs.OS}, Cache: cache, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	depotCheck(t, d, 0)
	for _, name := range leftovers {
		if _, err := os.Lstat(name); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(cache, "not-ours")); err != nil {
		t.Error(err)
	}
}
