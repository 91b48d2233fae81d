package buckettest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/remote/bucket"
)

func testKeys(t *testing.T, b bucket.Bucket) {
	bad := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", "./a", "...", "a.", "a./b", ".a", "a/.b",
		".lock", ".mlvc-tmp-a", "packs/.mlvc-tmp-a", `a\b`, `..\a`, `c:\a`, "c:", "c:/a", "a:b", `\\host\a`, "//host/a",
		"a\x00", "a\nb", "a b", "A", "packs/A", "\u00e9", "a\xff", "~", "~/a", "*", "a?b", "a%2e", "$a", "con", "nul.pack", "packs/com1", "a/aux/b",
		strings.Repeat("a", 201), "a/" + strings.Repeat("b", 1<<20),
	}
	for _, key := range bad {
		for name, err := range everyCall(t.Context(), b, key) {
			var as *bucket.KeyError
			if !errors.As(err, &as) {
				t.Errorf("%s of %.40q: %v, want a KeyError", name, key, err)
			}
		}
	}
	if keys := list(t, b, ""); len(keys) > 0 {
		t.Errorf("left %q", keys)
	}
	good := []string{"a", "0", "a.b..c", "a-b_c", "-", "_", "config", "com10", "nulls", "packs/" + strings.Repeat("0", 64) + ".pack", strings.Repeat("a", 200), "a1/b/c/d/e"}
	for _, key := range good {
		put(t, b, key, []byte(key))
		has(t, b, key, []byte(key))
	}
	if keys := list(t, b, ""); len(keys) != len(good) {
		t.Errorf("left %q", keys)
	}
}

// everyCall returns the errors of all methods that take the key.
func everyCall(ctx context.Context, b bucket.Bucket, key string) map[string]error {
	_, _, get := b.Get(ctx, key)
	_, getRange := b.GetRange(ctx, key, 0, 1)
	_, swap := b.Swap(ctx, key, "", []byte("x"))
	return map[string]error{
		"Get": get, "GetRange": getRange, "Swap": swap,
		"PutIfAbsent": b.PutIfAbsent(ctx, key, strings.NewReader("x"), 1),
		"Delete":      b.Delete(ctx, key),
	}
}

// A key that is a folder of another is no object, and cannot become one.
func testFolders(t *testing.T, b bucket.Bucket) {
	put(t, b, "a/b", []byte("ab"))
	if _, _, err := b.Get(t.Context(), "a"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("get of a folder: %v, want ErrNotExist", err)
	}
	if _, _, err := b.Get(t.Context(), "a/b/c"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("get below an object: %v, want ErrNotExist", err)
	}
	if _, err := b.GetRange(t.Context(), "a", 0, -1); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("range of a folder: %v, want ErrNotExist", err)
	}
	for _, key := range []string{"a", "a/b/c"} {
		if err := b.PutIfAbsent(t.Context(), key, strings.NewReader("x"), 1); err == nil || errors.Is(err, bucket.ErrExist) {
			t.Errorf("put of %s beside a/b: %v, want an error that is not ErrExist", key, err)
		}
		if _, err := b.Swap(t.Context(), key, "", []byte("x")); err == nil || errors.Is(err, bucket.ErrMoved) {
			t.Errorf("swap of %s beside a/b: %v, want an error that is not ErrMoved", key, err)
		}
	}
	if err := b.Delete(t.Context(), "a"); err != nil {
		t.Errorf("delete of a folder: %v", err)
	}
	has(t, b, "a/b", []byte("ab"))
	if err := b.Delete(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
	if err := b.Delete(t.Context(), "a"); err != nil {
		t.Errorf("delete of an empty folder: %v", err)
	}
	put(t, b, "a/c", []byte("ac"))
	has(t, b, "a/c", []byte("ac"))
}

func testContexts(t *testing.T, b bucket.Bucket) {
	put(t, b, "packs/a", []byte("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, key := range []string{"packs/a", "packs/b"} {
		for name, err := range everyCall(ctx, b, key) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s of %s: %v, want context.Canceled", name, key, err)
			}
		}
	}
	for info, err := range b.List(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("list: %v, %v; want context.Canceled", info, err)
		}
	}
	if keys := list(t, b, ""); len(keys) != 1 {
		t.Errorf("left %q", keys)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	put(t, b, "packs/b", []byte("b"))
	var last error
	for _, err := range b.List(ctx, "") {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("list whose context ends: %v, want context.Canceled", last)
	}
}

func testContextWhileReading(t *testing.T, b bucket.Bucket) {
	put(t, b, "packs/a", random(8<<20))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := b.GetRange(ctx, "packs/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on: %v, want context.Canceled", err)
	}
}

func random(size int) []byte {
	source := rand.NewChaCha8([32]byte{byte(size)})
	data := make([]byte, size)
	_, _ = source.Read(data)
	return data
}

func put(t *testing.T, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	if err := b.PutIfAbsent(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatalf("put %.80s: %v", key, err)
	}
}

func has(t *testing.T, b bucket.Bucket, key string, want []byte) {
	t.Helper()
	got, err := readRange(t.Context(), b, key, 0, -1)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%.80s holds %d bytes, %.20q, %v; want %d, %.20q", key, len(got), got, err, len(want), want)
	}
}

func readRange(ctx context.Context, b bucket.Bucket, key string, offset, length int64) ([]byte, error) {
	r, err := b.GetRange(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func list(t *testing.T, b bucket.Bucket, prefix string) []string {
	t.Helper()
	var keys []string
	for info, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}
