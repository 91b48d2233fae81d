package crypt

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// cryptSealed leaves out what lies there in plain.
func cryptSealed(key string) bool { return key != "plain" }

// Keys whose objects are gone go too, when they are old; while anything is doubtful
// none does.
func TestSweepKeys(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.Memory()
	for _, key := range []string{"a", "b", "c"} {
		cryptPut(t, cryptNew(t, inner, Options{Recipients: []Recipient{to}}), key, []byte(key))
	}
	if err := inner.PutIfAbsent(t.Context(), "plain", strings.NewReader("plain"), 5); err != nil {
		t.Fatal(err)
	}
	later := func(age time.Duration) *Bucket {
		return cryptNew(t, inner, Options{Identities: []Identity{id}, Now: func() time.Time { return time.Now().Add(age) }})
	}
	sweep := func(age time.Duration, enough, want int) {
		t.Helper()
		if n, err := later(age).SweepKeys(t.Context(), enough, cryptSealed); n != want || err != nil {
			t.Errorf("%d keys went, %v; want %d", n, err, want)
		}
	}
	sweep(2*sweepAfter, 0, 0)
	if err := later(0).Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	sweep(sweepAfter-time.Hour, 0, 0)
	sweep(2*sweepAfter, 3, 0)
	whole, _, err := inner.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 20} { // the magic, the epoch
		damaged := slices.Clone(whole)
		damaged[at] ^= 1
		cryptReplace(t, inner, "a", damaged)
		if n, err := later(2*sweepAfter).SweepKeys(t.Context(), 0, cryptSealed); n != 0 || !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("with a damaged header %d keys went, %v", n, err)
		}
	}
	cryptReplace(t, inner, "a", whole)
	sweep(2*sweepAfter, 2, 1)
	if n := len(cryptFiles(t, inner)); n != 2 {
		t.Errorf("%d keys are left", n)
	}
	for _, key := range []string{"a", "c"} {
		cryptHas(t, later(0), key, key)
	}
}

// A key is not written with when its file is old.
func TestKeysAge(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.Memory()
	for i, age := range []time.Duration{0, writeWithin - time.Hour, writeWithin + time.Hour} {
		b := cryptNew(t, inner, Options{Recipients: []Recipient{to}, Identities: []Identity{id}, Now: func() time.Time { return time.Now().Add(age) }})
		cryptPut(t, b, string(rune('a'+i)), []byte("x"))
		if n := len(cryptFiles(t, inner)); n != 1+i/2 {
			t.Errorf("after %v there are %d keys", age, n)
		}
	}
}
