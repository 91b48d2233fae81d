package crypt

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

	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

func cryptKey(t testing.TB) (Recipient, Identity) {
	t.Helper()
	secret, public, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRecipients("# mine\n\n" + public + "\n")
	if err != nil {
		t.Fatal(err)
	}
	id, err := ParseIdentities([]byte(secret+"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r[0], id[0]
}

func cryptNew(t testing.TB, inner bucket.Bucket, opt Options) *Bucket {
	t.Helper()
	if opt.Destination == "" {
		opt.Destination = "d1"
	}
	b, err := New(inner, opt)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func cryptPut(t testing.TB, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	if err := b.PutIfAbsent(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func cryptRead(ctx context.Context, b bucket.Bucket, key string, offset, length int64) ([]byte, error) {
	r, err := b.GetRange(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func cryptRandom(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(data)
	return data
}

// cryptReplace puts other bytes in the place of an object.
func cryptReplace(t testing.TB, inner bucket.Bucket, key string, data []byte) {
	t.Helper()
	if err := inner.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	cryptPut(t, inner, key, data)
}

func TestBucketConforms(t *testing.T) {
	to, id := cryptKey(t)
	for name, opt := range map[string]Options{
		"both":       {Recipients: []Recipient{to}, Identities: []Identity{id}},
		"write only": {Recipients: []Recipient{to}},
	} {
		t.Run(name, func(t *testing.T) {
			buckettest.ConformSmall(t, MaxSmall, func(t *testing.T) bucket.Bucket { return cryptNew(t, buckettest.Memory(), opt) })
		})
	}
	t.Run("plain", func(t *testing.T) {
		plain := Options{Plain: func(string) bool { return true }}
		buckettest.Conform(t, func(t *testing.T) bucket.Bucket { return cryptNew(t, buckettest.Memory(), plain) })
	})
}

// Two processes, of which each makes a key of its own, use one place.
func TestTwoWritersConform(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.Memory()
	opt := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	buckettest.Race(t, cryptNew(t, inner, opt), cryptNew(t, inner, opt), cryptNew(t, inner, opt))
}

// No byte that was given in is to be found in the place, and no two objects are alike.
func TestPlaceLearnsNothing(t *testing.T) {
	to, _ := cryptKey(t)
	inner := buckettest.Memory()
	b := cryptNew(t, inner, Options{Recipients: []Recipient{to}, Plain: func(key string) bool { return key == "backup" }})
	secret := bytes.Repeat([]byte("pictures/secret-name.png "), 10_000)
	cryptPut(t, b, "sets/a/1.pack", secret)
	cryptPut(t, b, "sets/a/2.pack", secret)
	if _, err := b.Swap(t.Context(), "sets/a/manifest", "", secret); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Swap(t.Context(), "backup", "", []byte("the list")); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for info, err := range inner.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := cryptRead(t.Context(), inner, info.Key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if info.Key == "backup" {
			if string(data) != "the list" {
				t.Errorf("what must be plain is %q", data)
			}
			continue
		}
		if bytes.Contains(data, []byte("secret")) {
			t.Errorf("%s shows its contents", info.Key)
		}
		all = append(all, data)
	}
	if len(all) != 5 {
		t.Fatalf("%d objects", len(all))
	}
	if bytes.Equal(all[2][headerSize:], all[3][headerSize:]) {
		t.Error("equal contents are equal objects")
	}
}

// What is read is what was written, range by range, across restarts.
func TestRanges(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.NewCounting(buckettest.Memory())
	opt := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	data := cryptRandom(3*pieceSize + 100)
	cryptPut(t, cryptNew(t, inner, opt), "a", data)
	b := cryptNew(t, inner, opt)
	rapid.Check(t, func(rt *rapid.T) {
		offset := rapid.IntRange(0, len(data)).Draw(rt, "offset")
		length := rapid.IntRange(-1, len(data)-offset).Draw(rt, "length")
		want := data[offset:]
		if length >= 0 {
			want = want[:length]
		}
		got, err := cryptRead(t.Context(), b, "a", int64(offset), int64(length))
		if err != nil || !bytes.Equal(got, want) {
			rt.Fatalf("%d+%d: %d bytes, %v", offset, length, len(got), err)
		}
	})
	inner.Reset()
	if _, err := cryptRead(t.Context(), b, "a", pieceSize+10, 20); err != nil {
		t.Fatal(err)
	}
	if c := inner.Counts(); c.Ops() != 1 || c.In != pieceSize+tagSize {
		t.Errorf("a few bytes cost %+v", c)
	}
}

// Every flipped bit, every truncation and every byte added is an error that
// names the object, and no wrong byte is ever handed out.
func TestDamageIsNoticed(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.Memory()
	opt := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	data := cryptRandom(2*pieceSize + 10)
	cryptPut(t, cryptNew(t, inner, opt), "sets/a/1.pack", data)
	sealed, err := cryptRead(t.Context(), inner, "sets/a/1.pack", 0, -1)
	if err != nil || int64(len(sealed)) != sealedSize(int64(len(data))) {
		t.Fatal(len(sealed), err)
	}
	check := func(what string, broken []byte) {
		t.Helper()
		cryptReplace(t, inner, "sets/a/1.pack", broken)
		b := cryptNew(t, inner, opt)
		_, _, gerr := b.Get(t.Context(), "sets/a/1.pack")
		whole, rerr := cryptRead(t.Context(), b, "sets/a/1.pack", 0, -1)
		tail, terr := cryptRead(t.Context(), b, "sets/a/1.pack", 1, -1)
		for _, err := range []error{gerr, rerr, terr} {
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !errors.Is(err, objects.ErrCorrupt) || !strings.Contains(err.Error(), "/") {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if !bytes.HasPrefix(data, whole) || !bytes.HasPrefix(data[1:], tail) {
			t.Fatalf("%s: wrong bytes were handed out", what)
		}
	}
	for i := range sealed {
		if i < headerSize+20 || i%4001 == 0 || i > len(sealed)-40 {
			if i == 8 { // a later version
				continue
			}
			broken := bytes.Clone(sealed)
			broken[i] ^= 1 << (i % 8)
			check(fmt.Sprintf("bit of byte %d", i), broken)
			check(fmt.Sprintf("%d bytes", i), sealed[:i])
		}
	}
	check("a byte more", append(bytes.Clone(sealed), 0))
	check("its pieces swapped", slices.Concat(sealed[:headerSize], sealed[pieceStart(1):pieceStart(2)], sealed[headerSize:pieceStart(1)], sealed[pieceStart(2):]))
	cryptReplace(t, inner, "sets/a/1.pack", append(append(bytes.Clone(sealed[:8]), 2), sealed[9:]...))
	if _, _, err := cryptNew(t, inner, opt).Get(t.Context(), "sets/a/1.pack"); !errors.Is(err, objects.ErrNewer) {
		t.Errorf("a later version: %v", err)
	}
}

func TestSwappedObjectsAreNoticed(t *testing.T) {
	to, id := cryptKey(t)
	inner, other := buckettest.Memory(), buckettest.Memory()
	opt := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	b := cryptNew(t, inner, opt)
	for _, key := range []string{"sets/a/1.pack", "sets/a/2.pack"} {
		cryptPut(t, b, key, []byte("contents of "+key))
	}
	raw := func(from bucket.Bucket, key string) []byte {
		data, err := cryptRead(t.Context(), from, key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	refused := func(what string) {
		t.Helper()
		for _, b := range []*Bucket{b, cryptNew(t, inner, opt)} {
			_, err := cryptRead(t.Context(), b, "sets/a/1.pack", 3, 4)
			var damaged *DamagedError
			if !errors.As(err, &damaged) || damaged.Key != "sets/a/1.pack" || !strings.Contains(err.Error(), "swapped") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if got, err := cryptRead(t.Context(), b, "sets/a/1.pack", 3, 4); err != nil || string(got) != "tent" {
		t.Fatalf("%q, %v", got, err)
	}
	was := raw(inner, "sets/a/1.pack")
	cryptReplace(t, inner, "sets/a/1.pack", raw(inner, "sets/a/2.pack"))
	refused("another pack")

	// The same keys in another destination: its files are copied along.
	opt2 := opt
	opt2.Destination = "d2"
	cryptPut(t, cryptNew(t, other, opt2), "sets/a/1.pack", []byte("of another destination"))
	cryptReplace(t, inner, "sets/a/1.pack", raw(other, "sets/a/1.pack"))
	for info := range other.List(t.Context(), "keys/") {
		cryptPut(t, inner, info.Key, raw(other, info.Key))
	}
	if _, _, err := b.Get(t.Context(), "sets/a/1.pack"); !errors.Is(err, objects.ErrCorrupt) || !strings.Contains(err.Error(), `"d2"`) {
		t.Errorf("of another destination: %v", err)
	}

	cryptReplace(t, inner, "sets/a/1.pack", was)
	if got, err := cryptRead(t.Context(), b, "sets/a/1.pack", 3, 4); err != nil || string(got) != "tent" {
		t.Errorf("back in its place: %q, %v", got, err)
	}
}

// An object that is replaced while its header is known is read as it is now.
func TestHeaderKnownIsNotTrusted(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.Memory()
	opt := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	b, other := cryptNew(t, inner, opt), cryptNew(t, inner, opt)
	version, err := b.Swap(t.Context(), "current", "", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(want string) {
		t.Helper()
		if got, err := cryptRead(t.Context(), b, "current", 1, -1); err != nil || string(got) != want[1:] {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if got, err := cryptRead(t.Context(), b, "current", int64(len(want)), 0); err != nil || len(got) > 0 {
			t.Errorf("nothing is %q, %v", got, err)
		}
	}
	read("one")
	for _, next := range []string{"another, which is longer", "3"} {
		if version, err = other.Swap(t.Context(), "current", version, []byte(next)); err != nil {
			t.Fatal(err)
		}
		read(next)
	}
	if err := other.Delete(t.Context(), "current"); err != nil {
		t.Fatal(err)
	}
	for _, length := range []int64{0, 1, -1} {
		if _, err := b.GetRange(t.Context(), "current", 0, length); !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("deleted: %v", err)
		}
	}
}

// Each operation of the place fails in turn: what is written then is there whole, or
// not there, and can be written again.
func TestFaultsLeaveNothingHalf(t *testing.T) {
	to, id := cryptKey(t)
	opt := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	data := cryptRandom(pieceSize + 5)
	for _, kind := range []buckettest.Kind{buckettest.Before, buckettest.After, buckettest.Midway} {
		for at := 1; at < 9; at++ {
			inner := buckettest.Memory()
			b := cryptNew(t, buckettest.NewFaulty(inner, buckettest.Plan{At: at, Kind: kind, Bytes: 100}), opt)
			for range 3 {
				if err := b.PutIfAbsent(t.Context(), "a", bytes.NewReader(data), int64(len(data))); err == nil || errors.Is(err, bucket.ErrExist) {
					break
				}
			}
			got, err := cryptRead(t.Context(), cryptNew(t, inner, opt), "a", 0, -1)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("kind %d at %d: %d bytes, %v", kind, at, len(got), err)
			}
		}
	}
}

func TestPadded(t *testing.T) {
	for size, want := range map[int64]int64{0: 0, 1: 4096, 4096: 4096, 4097: 8192, 300_000: 303104, 5 << 20: 5 << 20, 5<<20 + 1: 5<<20 + 64<<10} {
		if got := Padded(size); got != want {
			t.Errorf("%d is filled up to %d, want %d", size, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(1, 1<<40).Draw(rt, "size")
		p := Padded(size)
		if p < size || Padded(p) != p || p-size > max(size/16, 4096) || p-size > 64<<10 {
			rt.Fatalf("%d is filled up to %d", size, p)
		}
	})
}

func TestSizes(t *testing.T) {
	if sealedSize(MaxSmall) != bucket.MaxSmall {
		t.Errorf("MaxSmall bytes become %d", sealedSize(MaxSmall))
	}
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(0, 1<<40).Draw(rt, "size")
		if near := rapid.Int64Range(-2, 2).Draw(rt, "near"); rapid.Bool().Draw(rt, "at a piece") {
			size = max(size/pieceSize*pieceSize+near, 0)
		}
		if got := plainSize(sealedSize(size)); got != size {
			rt.Fatalf("%d became %d", size, got)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	to, _ := cryptKey(b)
	c := cryptNew(b, buckettest.Memory(), Options{Recipients: []Recipient{to}})
	data := cryptRandom(64 << 20)
	buffer := make([]byte, 1<<20)
	b.SetBytes(64 << 20)
	for b.Loop() {
		sealed, n, err := c.Seal(b.Context(), "a", bytes.NewReader(data), 64<<20)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{io.NewSectionReader(sealed, 0, n)}, buffer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	to, _ := cryptKey(b)
	c := cryptNew(b, buckettest.Memory(), Options{Recipients: []Recipient{to}})
	cryptPut(b, c, "a", cryptRandom(64<<20))
	b.SetBytes(64 << 20)
	for b.Loop() {
		r, err := c.GetRange(b.Context(), "a", 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
