package facts

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
	"pgregory.net/rapid"
)

func id(n int) objects.ID { return objects.Sum(objects.KindChunk, fmt.Append(nil, n)) }

func closeCache(t testing.TB, c *Cache) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, c *Cache, kind string, id objects.ID, data []byte) {
	t.Helper()
	if got, ok := c.Get(kind, id); !ok || !bytes.Equal(got, data) {
		t.Fatalf("Get(%s, %s) = %q, %v; want %q", kind, id.Short(), got, ok, data)
	}
}

func wantNone(t testing.TB, c *Cache, kind string, id objects.ID) {
	t.Helper()
	if got, ok := c.Get(kind, id); ok {
		t.Fatalf("Get(%s, %s) = %q; want none", kind, id.Short(), got)
	}
}

func TestFactsStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache", "facts")
	c := Open(vfs.OS, dir)
	wantNone(t, c, "hash-v1", id(1))
	closeCache(t, c)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a cache in which nothing is new was written: %v", err)
	}
	c.Put("hash-v1", id(1), []byte("one"))
	c.Put("hash-v1", id(2), nil)
	c.Put("hash-v2", id(1), []byte("another kind"))
	closeCache(t, c)
	c = Open(vfs.OS, dir)
	want(t, c, "hash-v1", id(1), []byte("one"))
	want(t, c, "hash-v1", id(2), nil)
	want(t, c, "hash-v2", id(1), []byte("another kind"))
	wantNone(t, c, "hash-v2", id(2))
	c.Put("hash-v1", id(1), []byte("uno"))
	want(t, c, "hash-v1", id(1), []byte("uno"))
	closeCache(t, c)
	want(t, Open(vfs.OS, dir), "hash-v1", id(1), []byte("uno"))
}

// A cache is a map that survives Close, whatever is put in it.
func TestCacheIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "facts")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		c, model := Open(vfs.OS, dir), map[objects.ID][]byte{}
		sizes := rapid.SampledFrom([]int{16, 16, 16, 16, 0, 1, 500, LargeFact})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				i, size := id(rapid.IntRange(0, 9).Draw(t, "id")), sizes.Draw(t, "size")
				data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, size)
				c.Put("k", i, data)
				model[i] = data
			},
			"close": func(t *rapid.T) {
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				c = Open(vfs.OS, dir)
			},
			"": func(t *rapid.T) {
				for n := range 10 {
					got, ok := c.Get("k", id(n))
					if data, had := model[id(n)]; ok != had || !bytes.Equal(got, data) {
						t.Fatalf("fact %d: %d bytes, %v; want %d bytes, %v", n, len(got), ok, len(data), had)
					}
				}
			},
		})
	})
}

// What is damaged anywhere is lost, and nothing else is handed out for it.
func TestDamageIsLoss(t *testing.T) {
	dir := t.TempDir()
	c := Open(vfs.OS, dir)
	big := bytes.Repeat([]byte("big"), LargeFact)
	for n := range 20 {
		c.Put("k", id(n), fmt.Appendf(nil, "fact %d", n))
	}
	c.Put("k", id(100), big)
	closeCache(t, c)
	for _, name := range []string{youngName, id(100).String()} {
		file := filepath.Join(dir, "k", name)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data); at += 1 + len(data)/60 {
			damaged := slices.Clone(data)
			damaged[at] ^= 0x10
			mayBeOnly(t, file, damaged, big)
			mayBeOnly(t, file, data[:at], big)
		}
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want(t, Open(vfs.OS, dir), "k", id(100), big)
	// A file under the name of another kind is of no use either.
	if err := os.Rename(filepath.Join(dir, "k"), filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	wantNone(t, Open(vfs.OS, dir), "l", id(1))
}

func mayBeOnly(t *testing.T, file string, data, big []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o666); err != nil {
		t.Fatal(err)
	}
	c := Open(vfs.OS, filepath.Dir(filepath.Dir(file)))
	lost := 0
	for n := range 20 {
		if got, ok := c.Get("k", id(n)); !ok {
			lost++
		} else if string(got) != fmt.Sprintf("fact %d", n) {
			t.Fatalf("fact %d is %q", n, got)
		}
	}
	got, ok := c.Get("k", id(100))
	if ok && !bytes.Equal(got, big) {
		t.Fatal("a damaged large fact was handed out")
	}
	if !ok {
		lost++
	}
	if lost == 0 {
		t.Fatal("the damage was not found")
	}
}

// What is asked for outlives the generations, what is not goes.
func TestGenerations(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte{7}, 100)
	open := func() *Cache {
		c := Open(vfs.OS, dir)
		c.kind("k").generation, c.kind("k").large = 5000, 3*LargeFact
		return c
	}
	c := open()
	c.Put("k", id(1), data)
	c.Put("k", id(2), data)
	large := bytes.Repeat([]byte{8}, LargeFact)
	c.Put("k", id(3), large)
	c.Put("k", id(4), large)
	closeCache(t, c)
	for n := range 10 {
		c := open()
		want(t, c, "k", id(1), data)
		want(t, c, "k", id(3), large)
		for k := range 30 {
			c.Put("k", id(1000*n+k+100), data)
		}
		closeCache(t, c)
	}
	c = open()
	wantNone(t, c, "k", id(2))
	wantNone(t, c, "k", id(4))
	if _, err := os.Stat(filepath.Join(dir, "k", id(4).String())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a large fact that is gone is still there: %v", err)
	}
	var size int64
	for _, name := range []string{youngName, oldName} {
		st, err := os.Stat(filepath.Join(dir, "k", name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err == nil {
			size += st.Size()
		}
	}
	if size == 0 || size > 20_000 {
		t.Errorf("the generations take %d bytes", size)
	}
	// Large facts alone make a generation old, too.
	for n := range 12 {
		c := open()
		want(t, c, "k", id(1), data)
		c.Put("k", id(9000+n), large)
		closeCache(t, c)
	}
	files, err := os.ReadDir(filepath.Join(dir, "k"))
	if err != nil || len(files) > 2+9 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// Of a kind of which each run needs the newest fact alone, no more than the
// limit lies there twice, and the fact of the run before is always known.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	for n := range 40 {
		c := Open(vfs.OS, dir)
		c.Limit("tree", 3*LargeFact)
		if n > 0 {
			want(t, c, "tree", id(n-1), bytes.Repeat([]byte{byte(n - 1)}, LargeFact))
		}
		c.Put("tree", id(n), bytes.Repeat([]byte{byte(n)}, LargeFact))
		closeCache(t, c)
		files, err := os.ReadDir(filepath.Join(dir, "tree"))
		if err != nil || len(files) > 2+2*4 {
			t.Fatalf("after %d runs there are %d files, %v", n+1, len(files), err)
		}
	}
}

// What a crash left goes once it is old enough not to be another process's.
func TestLeftoversGo(t *testing.T) {
	dir := t.TempDir()
	c := Open(vfs.OS, dir)
	c.Put("k", id(1), []byte("x"))
	closeCache(t, c)
	old, recent := vfs.TempName(filepath.Join(dir, "k")), vfs.TempName(filepath.Join(dir, "k"))
	for _, name := range []string{old, recent} {
		if err := os.WriteFile(name, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	st, err := os.Stat(recent)
	if err != nil {
		t.Fatal(err)
	}
	before := st.ModTime().Add(-2 * leftover)
	if err := os.Chtimes(old, time.Time{}, before); err != nil {
		t.Fatal(err)
	}
	c.Put("k", id(2), []byte("x"))
	closeCache(t, c)
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a crash left is still there: %v", err)
	}
	if _, err := os.Stat(recent); err != nil {
		t.Errorf("what another process may be writing is gone: %v", err)
	}
}

// Two processes: each write leaves a whole file, and no fact is wrong.
func TestTwoAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			for round := range 10 {
				c := Open(vfs.OS, dir)
				for n := range 50 {
					if got, ok := c.Get("k", id(n)); ok && string(got) != fmt.Sprint(n) {
						t.Errorf("fact %d is %q", n, got)
					}
					c.Put("k", id((n+13*p+7*round)%50), fmt.Append(nil, (n+13*p+7*round)%50))
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want(t, Open(vfs.OS, dir), "k", id(3), []byte("3"))
}

// One cache may be used by many goroutines, across merges.
func TestConcurrentUse(t *testing.T) {
	c := Open(vfs.OS, t.TempDir())
	data := make([]byte, LargeFact-1) // so that there are merges
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 80 {
				c.Put("k", id(n*4+w), data)
				if got, ok := c.Get("k", id(n*4+w)); !ok || len(got) != len(data) {
					t.Errorf("%d bytes, %v", len(got), ok)
				}
			}
		})
	}
	wg.Wait()
	closeCache(t, c)
}

// Whatever operation fails, facts are lost at most.
func TestEveryFaultIsLoss(t *testing.T) {
	big := bytes.Repeat([]byte("big"), LargeFact)
	run := func(fsys vfs.FS, dir string) error {
		c := Open(fsys, dir)
		c.kind("k").generation = 100
		var errs []error
		for round := range 3 {
			for n := range 5 {
				if got, ok := c.Get("k", id(n)); ok && string(got) != fmt.Sprint(n) {
					t.Fatalf("fact %d is %q", n, got)
				}
				c.Put("k", id(n+3*round), fmt.Append(nil, n+3*round))
			}
			if got, ok := c.Get("k", id(100)); ok && !bytes.Equal(got, big) {
				t.Fatal("the large fact is wrong")
			}
			c.Put("k", id(100), big)
			errs = append(errs, c.Close())
		}
		return errors.Join(errs...)
	}
	probe := faultfs.New(vfs.OS, faultfs.Plan{})
	if err := run(probe, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for n := range probe.Count() {
		dir := t.TempDir()
		fsys := faultfs.New(vfs.OS, faultfs.Plan{At: n + 1})
		if err := run(fsys, dir); err != nil && !strings.Contains(err.Error(), "facts k") {
			t.Fatalf("operation %d (%s): %v", n, fsys.Failed(), err)
		}
		if err := run(vfs.OS, dir); err != nil {
			t.Fatalf("after operation %d (%s) failed: %v", n, fsys.Failed(), err)
		}
	}
}

func TestBadKindPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a kind that is no file name was taken")
		}
	}()
	Open(vfs.OS, t.TempDir()).Get("../up", id(1))
}

// many returns a table of n facts of 16 bytes.
func many(n int) []byte {
	rng := rand.NewChaCha8([32]byte{1})
	fresh := make(map[objects.ID]value, n)
	for range n {
		var id objects.ID
		data := make([]byte, 16)
		rng.Read(id[:]) //nolint:errcheck // it never fails
		rng.Read(data)  //nolint:errcheck // it never fails
		fresh[id] = value{data: data}
	}
	return merge("k", nil, fresh)
}

// The search finds every ID and no other, where IDs are even and where they
// are not.
func TestFind(t *testing.T) {
	for _, even := range []bool{true, false} {
		rng := rand.New(rand.NewPCG(1, 2))
		fresh := make(map[objects.ID]value)
		for range 5000 {
			var id objects.ID
			for i := range id {
				id[i] = byte(rng.Uint32())
			}
			if !even {
				id[0], id[1] = id[0]&3*85, 0
			}
			fresh[id] = value{data: id[:8]}
		}
		table := mustParse("k", merge("k", nil, fresh))
		for id := range maps.Keys(fresh) {
			if v, ok := table.find(id); !ok || !bytes.Equal(v.data, id[:8]) {
				t.Fatalf("even %v: %s was not found", even, id)
			}
			id[31]++
			if _, ok := table.find(id); ok {
				t.Fatalf("even %v: %s was found", even, id)
			}
		}
		for _, id := range []objects.ID{{}, objects.ID(bytes.Repeat([]byte{255}, 32))} {
			if _, ok := table.find(id); ok {
				t.Fatalf("even %v: %s was found", even, id)
			}
		}
	}
}

// Any bytes can be taken for a table, checked or not, without a panic.
func FuzzTable(f *testing.F) {
	for _, n := range []int{0, 1, 3} {
		f.Add(many(n))
	}
	f.Add(merge("k", nil, map[objects.ID]value{id(1): {data: []byte("a")}, id(2): {data: []byte("bcd")}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if table, err := parse("k", data); err == nil {
			again := merge("k", table, nil)
			if other, err := parse("k", again); err != nil || other.len() != table.len() {
				t.Fatal("what was read was not written again")
			}
		}
		if len(data) < headerSize {
			return
		}
		if table, err := layout(data); err == nil {
			for i := range table.len() {
				table.value(i)
				table.find(objects.ID(table.id(i)))
			}
			table.find(id(1))
			table.largeBytes()
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "k"), 0o777); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "k", youngName), many(1_000_000), 0o666); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if Open(vfs.OS, dir).kind("k").read(youngName).len() != 1_000_000 {
			b.Fatal("not loaded")
		}
	}
}

func BenchmarkFind(b *testing.B) {
	table := mustParse("k", many(1_000_000))
	n := 0
	for b.Loop() {
		n = (n + 7919*131) % table.len()
		if _, ok := table.find(objects.ID(table.id(n))); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	table := mustParse("k", many(1_000_000))
	for b.Loop() {
		merge("k", table, map[objects.ID]value{id(1): {data: make([]byte, 16)}})
	}
}

// What waits to be merged is a part of what it is merged with, so that the work
// of many facts is not the square of their number.
func TestMergesAreRare(t *testing.T) {
	const large = 5 * freshFacts
	fresh := make(map[objects.ID]value)
	for n := range freshFacts {
		fresh[objects.ID{0: byte(n), 1: byte(n >> 8), 2: byte(n >> 16)}] = value{}
	}
	for _, c := range []struct {
		young  *table
		fresh  map[objects.ID]value
		weight int
		many   bool
	}{
		{nil, fresh, 0, true},
		{&table{ids: make([]byte, large*objects.IDSize)}, fresh, 0, false},
		{nil, nil, freshBytes, true},
		{nil, nil, freshBytes - 1, false},
		{&table{data: make([]byte, 4*freshBytes+4)}, nil, freshBytes, false},
		{&table{data: make([]byte, 4*freshBytes+4)}, nil, freshBytes + 1, true},
	} {
		k := kind{young: c.young, fresh: c.fresh, weight: c.weight}
		if got := k.many(); got != c.many {
			t.Errorf("%d facts of %d bytes beside %d of %d: %v", len(c.fresh), c.weight, c.young.len(), c.young.size(), got)
		}
	}
}
