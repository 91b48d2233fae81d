package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/remote/bucket"
)

// Conform tests every clause of the contract of bucket.Bucket. Each call of
// open returns a new, empty bucket.
func Conform(t *testing.T, open func(t *testing.T) bucket.Bucket) {
	ConformSmall(t, bucket.MaxSmall, open)
}

// ConformSmall is Conform for a bucket that adds to what it is given, and so
// takes only small bytes for Get and Swap.
func ConformSmall(t *testing.T, small int, open func(t *testing.T) bucket.Bucket) {
	clauses := []struct {
		name string
		test func(t *testing.T, b bucket.Bucket)
	}{
		{"Get", func(t *testing.T, b bucket.Bucket) { testGet(t, b, small) }},
		{"GetRange", testGetRange},
		{"PutIfAbsent", testPut},
		{"PutBody", testPutBody},
		{"Swap", func(t *testing.T, b bucket.Bucket) { testSwap(t, b, small) }},
		{"List", testList},
		{"ListChanges", testListChanges},
		{"Delete", testDelete},
		{"Keys", testKeys},
		{"Folders", testFolders},
		{"Contexts", testContexts},
		{"ContextWhileReading", testContextWhileReading},
		{"Race", func(t *testing.T, b bucket.Bucket) { Race(t, b, b, b, b) }},
	}
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			if b.String() == "" {
				t.Error("has no name")
			}
			c.test(t, b)
			if err := b.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func testGet(t *testing.T, b bucket.Bucket, small int) {
	if data, version, err := b.Get(t.Context(), "current"); !errors.Is(err, bucket.ErrNotExist) || data != nil || version != "" {
		t.Errorf("of nothing: %q, %q, %v", data, version, err)
	} else if !strings.Contains(err.Error(), "current") {
		t.Errorf("the error does not name the key: %v", err)
	}
	for _, size := range []int{0, 1, 1000, small} {
		key, data := fmt.Sprintf("packs/%d", size), random(size)
		put(t, b, key, data)
		got, version, err := b.Get(t.Context(), key)
		if err != nil || !bytes.Equal(got, data) || version == "" {
			t.Errorf("of %d bytes: %d bytes, version %q, %v", size, len(got), version, err)
		}
	}
	put(t, b, "large", random(small+1))
	if _, _, err := b.Get(t.Context(), "large"); !errors.Is(err, bucket.ErrTooLarge) {
		t.Errorf("of more than MaxSmall: %v, want ErrTooLarge", err)
	}
}

func testGetRange(t *testing.T, b bucket.Bucket) {
	if _, err := b.GetRange(t.Context(), "packs/none", 0, -1); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("of nothing: %v, want ErrNotExist", err)
	}
	const size = 5<<20 + 17
	data := random(size)
	put(t, b, "packs/a", data)
	put(t, b, "packs/empty", nil)
	ranges := []struct {
		offset, length int64
		short          bool
	}{
		{0, -1, false},
		{0, size, false},
		{0, 1, false},
		{0, 0, false},
		{7, 4 << 20, false},
		{size - 1, 1, false},
		{size - 1, -1, false},
		{size, 0, false},
		{size, -1, false},
		{3, size - 3, false},
		{3, size, true},
		{0, size + 1, true},
		{size - 1, 2, true},
		{size, 1, true},
		{size + 1, -1, true},
		{size + 1, 1, true},
		{1 << 40, -1, true},
		{1 << 40, 1 << 40, true},
	}
	for _, r := range ranges {
		got, err := readRange(t.Context(), b, "packs/a", r.offset, r.length)
		want := data[min(r.offset, size):]
		if r.length >= 0 {
			want = want[:min(r.length, int64(len(want)))]
		}
		if !bytes.Equal(got, want) || (r.short && !errors.Is(err, io.ErrUnexpectedEOF)) || (!r.short && err != nil) {
			t.Errorf("%d+%d: %d bytes, %v; want %d, short %t", r.offset, r.length, len(got), err, len(want), r.short)
		}
	}
	if got, err := readRange(t.Context(), b, "packs/empty", 0, -1); err != nil || len(got) != 0 {
		t.Errorf("of an empty object: %q, %v", got, err)
	}
	if _, err := b.GetRange(t.Context(), "packs/a", -1, 1); err == nil {
		t.Error("a negative offset is taken")
	}
}

func testPut(t *testing.T, b bucket.Bucket) {
	put(t, b, "packs/a", []byte("first"))
	for _, second := range []string{"second", "first", ""} {
		err := b.PutIfAbsent(t.Context(), "packs/a", strings.NewReader(second), int64(len(second)))
		if !errors.Is(err, bucket.ErrExist) {
			t.Errorf("again, %q: %v, want ErrExist", second, err)
		}
	}
	has(t, b, "packs/a", []byte("first"))
	large := random(9<<20 + 1)
	put(t, b, "packs/large", large)
	has(t, b, "packs/large", large)
	if err := b.PutIfAbsent(t.Context(), "packs/part", bytes.NewReader(large), 10); err != nil {
		t.Errorf("the beginning of a body: %v", err)
	}
	has(t, b, "packs/part", large[:10])
	if keys := list(t, b, ""); !slices.Equal(keys, []string{"packs/a", "packs/large", "packs/part"}) {
		t.Errorf("left %q", keys)
	}
}

// A body that cannot be read makes nothing.
func testPutBody(t *testing.T, b bucket.Bucket) {
	err := b.PutIfAbsent(t.Context(), "packs/a", strings.NewReader("short"), 6)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short body: %v, want io.ErrUnexpectedEOF", err)
	}
	err = b.PutIfAbsent(t.Context(), "packs/a", badBody{after: 3 << 20}, 4<<20)
	if !errors.Is(err, errBody) {
		t.Errorf("a body that fails: %v, want its error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = b.PutIfAbsent(ctx, "packs/a", badBody{after: 3 << 20, call: cancel}, 8<<20)
	if err == nil {
		t.Error("a body whose context ends is written")
	}
	if keys := list(t, b, ""); len(keys) > 0 {
		t.Errorf("left %q", keys)
	}
	put(t, b, "packs/a", []byte("whole"))
	has(t, b, "packs/a", []byte("whole"))
}

var errBody = errors.New("the body cannot be read")

// badBody is zeros, and from after on fails, or calls call and goes on.
type badBody struct {
	after int64
	call  func()
}

func (b badBody) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.after {
		if b.call == nil {
			return 0, errBody
		}
		b.call()
	}
	clear(p)
	return len(p), nil
}

func testSwap(t *testing.T, b bucket.Bucket, small int) {
	swap := func(old bucket.Version, data string) bucket.Version {
		t.Helper()
		version, err := b.Swap(t.Context(), "current", old, []byte(data))
		if err != nil || version == "" || version == old {
			t.Fatalf("swap to %.20q: %q, %v", data, version, err)
		}
		got, now, err := b.Get(t.Context(), "current")
		if err != nil || string(got) != data || now != version {
			t.Fatalf("then it is %.20q, %q (swapped to %q), %v", got, now, version, err)
		}
		return version
	}
	moved := func(old bucket.Version) {
		t.Helper()
		before, _, _ := b.Get(t.Context(), "current")
		if version, err := b.Swap(t.Context(), "current", old, []byte("lost")); !errors.Is(err, bucket.ErrMoved) || version != "" {
			t.Errorf("from %q: %q, %v; want ErrMoved", old, version, err)
		}
		if after, _, _ := b.Get(t.Context(), "current"); !bytes.Equal(before, after) {
			t.Errorf("it was changed all the same, to %q", after)
		}
	}
	moved("never")
	one := swap("", "one")
	moved("")
	two := swap(one, "two")
	moved(one)
	moved("")
	moved("never")
	empty := swap(two, "")
	moved(two)
	full := swap(empty, strings.Repeat("x", small))
	if _, err := b.Swap(t.Context(), "current", full, make([]byte, small+1)); !errors.Is(err, bucket.ErrTooLarge) {
		t.Errorf("more than MaxSmall: %v, want ErrTooLarge", err)
	}
	swap(full, "short again")
	if err := b.Delete(t.Context(), "current"); err != nil {
		t.Error(err)
	}
	moved(one)
	swap("", "anew")
	if keys := list(t, b, ""); !slices.Equal(keys, []string{"current"}) {
		t.Errorf("left %q", keys)
	}
}

func testList(t *testing.T, b bucket.Bucket) {
	if keys := list(t, b, ""); len(keys) > 0 {
		t.Errorf("a new bucket holds %q", keys)
	}
	if keys := list(t, b, "packs/"); len(keys) > 0 {
		t.Errorf("a new bucket holds %q", keys)
	}
	// "-" and "." come before "/", digits and letters after it.
	keys := []string{
		"a-b", "a.b", "a/b", "a/c/d", "a/c/e", "a0", "ab",
		"packs/0.pack", "packs/00/1.pack", "packs/1.pack", "packs/a.pack", "packs2/a", "z_z",
	}
	for _, i := range rand.Perm(len(keys)) {
		put(t, b, keys[i], []byte(keys[i]))
	}
	for _, prefix := range []string{"", "a", "a/", "a/c", "a/c/", "a.", "a-", "packs", "packs/", "packs/0", "packs/0.pack", "packs/00/", "b", "packs/x", "zz", "a/b/c", "z"} {
		var want []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		if got := list(t, b, prefix); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Size != int64(len(info.Key)) || time.Since(info.Modified).Abs() > time.Hour {
			t.Errorf("%+v", info)
		}
	}
	for info := range b.List(t.Context(), "a/") {
		if info.Key != "a/b" {
			t.Errorf("goes on after break, to %q", info.Key)
		}
		break
	}
	for _, prefix := range []string{"/", "../", "a//", ".", "packs/.", `a\`, "A"} {
		for info, err := range b.List(t.Context(), prefix) {
			var key *bucket.KeyError
			if !errors.As(err, &key) {
				t.Errorf("%q: %v, %v; want a KeyError", prefix, info, err)
			}
		}
	}
}

// What is listed can be deleted meanwhile.
func testListChanges(t *testing.T, b bucket.Bucket) {
	var want []string
	for i := range 30 {
		key := fmt.Sprintf("packs/%02d", i)
		put(t, b, key, []byte(key))
		want = append(want, key)
	}
	var got []string
	for info, err := range b.List(t.Context(), "packs/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Key)
		if err := b.Delete(t.Context(), info.Key); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	if keys := list(t, b, ""); len(keys) > 0 {
		t.Errorf("left %q", keys)
	}
}

func testDelete(t *testing.T, b bucket.Bucket) {
	for _, key := range []string{"none", "packs/none"} {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("of nothing: %v", err)
		}
	}
	put(t, b, "packs/a", []byte("a"))
	put(t, b, "packs/b", []byte("b"))
	if err := b.Delete(t.Context(), "packs/a"); err != nil {
		t.Error(err)
	}
	if _, _, err := b.Get(t.Context(), "packs/a"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("after delete: %v", err)
	}
	has(t, b, "packs/b", []byte("b"))
	put(t, b, "packs/a", []byte("again"))
	has(t, b, "packs/a", []byte("again"))
}
