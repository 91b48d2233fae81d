// Package kvtest holds what every kv.DB must satisfy, and a DB that fails.
package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects/kv"
)

// Run checks that what open returns behaves as kv.DB says. open returns a new
// and empty database at each call; Run closes it.
func Run(t *testing.T, open func(t *testing.T) kv.DB) {
	for name, test := range map[string]func(*testing.T, kv.DB){
		"empty":     testEmpty,
		"order":     testOrder,
		"scan":      testScan,
		"snapshot":  testSnapshot,
		"limits":    testLimits,
		"large":     testLarge,
		"errors":    testErrors,
		"copies":    testCopies,
		"cancelled": testCancelled,
		"closed":    testClosed,
		"parallel":  testParallel,
		"model":     testModel,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			test(t, db)
		})
	}
}

// Dump returns every record, as strings.
func Dump(ctx context.Context, db kv.DB) (map[string]string, error) {
	got := make(map[string]string)
	err := db.View(ctx, func(r kv.Reader) error {
		return r.Scan(nil, nil, func(key, value []byte) (bool, error) {
			got[string(key)] = string(value)
			return true, nil
		})
	})
	return got, err
}

func want(t *testing.T, db kv.DB, records map[string]string) {
	t.Helper()
	got, err := Dump(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(records, got); d != "" {
		t.Fatalf("records (-want +got):\n%s", d)
	}
}

func set(t *testing.T, db kv.DB, records map[string]string) {
	t.Helper()
	err := db.Update(t.Context(), func(w kv.Writer) error {
		for key, value := range records {
			if err := w.Set([]byte(key), []byte(value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, db kv.DB, key string) (value []byte, err error) {
	t.Helper()
	verr := db.View(t.Context(), func(r kv.Reader) error {
		value, err = r.Get([]byte(key))
		return nil
	})
	if verr != nil {
		t.Fatal(verr)
	}
	return value, err
}

func testEmpty(t *testing.T, db kv.DB) {
	want(t, db, map[string]string{})
	if _, err := get(t, db, "a"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("get: %v, want ErrNotFound", err)
	}
	if err := db.Update(t.Context(), func(kv.Writer) error { return nil }); err != nil {
		t.Errorf("an update that writes nothing: %v", err)
	}
	want(t, db, map[string]string{})
}

func testOrder(t *testing.T, db kv.DB) {
	err := db.Update(t.Context(), func(w kv.Writer) error {
		return errors.Join(
			w.Set([]byte("a"), []byte("1")), w.Set([]byte("a"), []byte("2")),
			w.Set([]byte("b"), []byte("1")), w.Delete([]byte("b")),
			w.Delete([]byte("c")), w.Set([]byte("c"), nil),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, db, map[string]string{"a": "2", "c": ""})
}

func testScan(t *testing.T, db kv.DB) {
	set(t, db, map[string]string{"a": "0", "b": "1", "ba": "2", "bb": "3", "b\xff": "4", "c": "5", "\xff": "6", "\xff\xff": "7"})
	for _, c := range []struct{ prefix, from, want string }{
		{"", "", "01234567"},
		{"b", "", "1234"},
		{"b", "a", "1234"},
		{"b", "ba", "234"},
		{"b", "baa", "34"},
		{"b", "c", ""},
		{"bc", "", ""},
		{"\xff", "", "67"},
		{"\xff", "\xff\x00", "7"},
		{"", "bb", "34567"},
	} {
		var got strings.Builder
		err := db.View(t.Context(), func(r kv.Reader) error {
			return r.Scan([]byte(c.prefix), []byte(c.from), func(_, value []byte) (bool, error) {
				got.Write(value)
				return true, nil
			})
		})
		if err != nil || got.String() != c.want {
			t.Errorf("scan %q from %q: %q, %v, want %q", c.prefix, c.from, got.String(), err, c.want)
		}
	}
	calls, stop := 0, errors.New("stop")
	err := db.View(t.Context(), func(r kv.Reader) error {
		if err := r.Scan(nil, nil, func(_, _ []byte) (bool, error) { calls++; return calls < 2, nil }); err != nil {
			return err
		}
		return r.Scan(nil, nil, func(_, _ []byte) (bool, error) { calls++; return true, stop })
	})
	if calls != 3 || err != stop { //nolint:errorlint // it must come through as it is
		t.Errorf("%d calls and %v, want 3 and the error of fn", calls, err)
	}
}

// testSnapshot reads one key twice in a View while updates go on elsewhere.
func testSnapshot(t *testing.T, db kv.DB) {
	set(t, db, map[string]string{"a": "1"})
	err := db.View(t.Context(), func(r kv.Reader) error {
		first, err := r.Get([]byte("a"))
		if err != nil {
			return err
		}
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			done <- db.Update(ctx, func(w kv.Writer) error { return w.Set([]byte("a"), []byte("2")) })
		}()
		second, err := r.Get([]byte("a"))
		if err == nil && !bytes.Equal(first, second) {
			err = fmt.Errorf("%q, then %q in one View", first, second)
		}
		cancel()
		<-done // it was cancelled or has finished; both are right
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func testLimits(t *testing.T, db kv.DB) {
	big := map[string]string{
		strings.Repeat("k", kv.MaxKey): "v",
		"v":                            strings.Repeat("v", kv.MaxValue),
		"w":                            strings.Repeat("w", kv.MaxValue),
	}
	set(t, db, big)
	want(t, db, big)
	err := db.Update(t.Context(), func(w kv.Writer) error {
		for _, c := range []struct{ key, value int }{{0, 1}, {kv.MaxKey + 1, 1}, {1, kv.MaxValue + 1}} {
			err := w.Set(make([]byte, c.key), make([]byte, c.value))
			if !errors.Is(err, kv.ErrTooLarge) {
				t.Errorf("set of key %d, value %d: %v, want ErrTooLarge", c.key, c.value, err)
			}
		}
		if err := w.Delete(nil); !errors.Is(err, kv.ErrTooLarge) {
			t.Errorf("delete of the empty key: %v, want ErrTooLarge", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	want(t, db, big)
	if _, err := get(t, db, ""); !errors.Is(err, kv.ErrTooLarge) {
		t.Errorf("get of the empty key: %v, want ErrTooLarge", err)
	}
}

// testLarge writes more in one Update than a transaction may hold.
func testLarge(t *testing.T, db kv.DB) {
	records := make(map[string]string)
	for i := range 20_000 {
		records[fmt.Sprintf("%08d", i*7919%100_003)] = strings.Repeat(string(rune('a'+i%26)), i%300)
	}
	set(t, db, records)
	want(t, db, records)
	for key := range records {
		if key > "00050000" {
			delete(records, key)
		}
	}
	err := db.Update(t.Context(), func(w kv.Writer) error {
		for i := range 100_003 {
			if key := fmt.Sprintf("%08d", i); key > "00050000" {
				if err := w.Delete([]byte(key)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, db, records)
}

func testErrors(t *testing.T, db kv.DB) {
	set(t, db, map[string]string{"a": "1"})
	boom := errors.New("boom")
	if err := db.View(t.Context(), func(kv.Reader) error { return boom }); err != boom { //nolint:errorlint // as it is
		t.Errorf("view: %v, want the error of fn", err)
	}
	if err := db.Update(t.Context(), func(kv.Writer) error { return boom }); err != boom { //nolint:errorlint // as it is
		t.Errorf("update: %v, want the error of fn", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic of fn did not come through")
			}
		}()
		_ = db.Update(t.Context(), func(kv.Writer) error { panic("boom") })
	}()
	set(t, db, map[string]string{"b": "2"})
	want(t, db, map[string]string{"a": "1", "b": "2"})
}

func testCopies(t *testing.T, db kv.DB) {
	set(t, db, map[string]string{"a": "1"})
	value, err := get(t, db, "a")
	if err != nil {
		t.Fatal(err)
	}
	value[0] = 'x'
	want(t, db, map[string]string{"a": "1"})
}

func testCancelled(t *testing.T, db kv.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := func() error { t.Error("fn was called"); return nil }
	if err := db.View(ctx, func(kv.Reader) error { return never() }); !errors.Is(err, context.Canceled) {
		t.Errorf("view: %v, want Canceled", err)
	}
	if err := db.Update(ctx, func(kv.Writer) error { return never() }); !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v, want Canceled", err)
	}
}

func testClosed(t *testing.T, db kv.DB) {
	set(t, db, map[string]string{"a": "1"})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	never := func() error { t.Error("fn was called"); return nil }
	if err := db.View(t.Context(), func(kv.Reader) error { return never() }); err == nil {
		t.Error("view of a closed database did not fail")
	}
	if err := db.Update(t.Context(), func(kv.Writer) error { return never() }); err == nil {
		t.Error("update of a closed database did not fail")
	}
}

func testParallel(t *testing.T, db kv.DB) {
	const workers, rounds = 4, 8
	var wg sync.WaitGroup
	for id := range workers {
		wg.Go(func() {
			for round := range rounds {
				key := fmt.Sprintf("%d-%d", id, round)
				err := db.Update(t.Context(), func(w kv.Writer) error { return w.Set([]byte(key), []byte(key)) })
				if err != nil {
					t.Errorf("update: %v", err)
				}
				if value, err := get(t, db, key); err != nil || string(value) != key {
					t.Errorf("get %s: %q, %v", key, value, err)
				}
			}
		})
	}
	wg.Wait()
	got, err := Dump(t.Context(), db)
	if err != nil || len(got) != workers*rounds {
		t.Errorf("%d records, %v, want %d", len(got), err, workers*rounds)
	}
}

// testModel runs random windows and compares with a map.
func testModel(t *testing.T, db kv.DB) {
	model := make(map[string]string)
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.StringMatching(`[ab\x00]{1,3}`)
		type edit struct {
			key, value string
			gone       bool
		}
		edits := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) edit {
			return edit{key.Draw(rt, "key"), rapid.String().Draw(rt, "value"), rapid.Bool().Draw(rt, "gone")}
		}), 0, 6).Draw(rt, "edits")
		err := db.Update(t.Context(), func(w kv.Writer) error {
			for _, e := range edits {
				var err error
				if e.gone {
					delete(model, e.key)
					err = w.Delete([]byte(e.key))
				} else {
					model[e.key] = e.value
					err = w.Set([]byte(e.key), []byte(e.value))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		prefix, from := key.Draw(rt, "prefix"), key.Draw(rt, "from")
		var got, wanted []string
		for _, k := range slices.Sorted(maps.Keys(model)) {
			if strings.HasPrefix(k, prefix) && k >= from {
				wanted = append(wanted, k+"="+model[k])
			}
		}
		err = db.View(t.Context(), func(r kv.Reader) error {
			return r.Scan([]byte(prefix), []byte(from), func(k, v []byte) (bool, error) {
				got = append(got, string(k)+"="+string(v))
				return true, nil
			})
		})
		if err != nil || !slices.Equal(got, wanted) {
			rt.Fatalf("scan %q from %q: %q, %v, want %q", prefix, from, got, err, wanted)
		}
	})
}
