package crypt

import (
	"errors"
	"maps"
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

// From a copy of the destination come back the keys that an object here names, and
// no others, unless they are asked for.
func TestHealSweptKeys(t *testing.T) {
	to, id := cryptKey(t)
	inner, copied := buckettest.Memory(), buckettest.Memory()
	file := make(map[string]string)
	for _, key := range []string{"a", "b", "c"} {
		before := cryptFiles(t, inner)
		cryptPut(t, cryptNew(t, inner, Options{Recipients: []Recipient{to}}), key, []byte(key))
		for name := range cryptFiles(t, inner) {
			if _, ok := before[name]; !ok {
				file[key] = name
			}
		}
	}
	for info, err := range inner.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := cryptRead(t.Context(), inner, info.Key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		cryptPut(t, copied, info.Key, data)
	}
	b := func() *Bucket { return cryptNew(t, inner, Options{Identities: []Identity{id}}) }
	files := func(want ...string) {
		t.Helper()
		var names []string
		for _, key := range want {
			names = append(names, file[key])
		}
		slices.Sort(names)
		if got := slices.Sorted(maps.Keys(cryptFiles(t, inner))); !slices.Equal(got, names) {
			t.Errorf("there are %q, want %q", got, names)
		}
	}
	lose := func(key string) {
		for _, name := range []string{file[key], strings.TrimSuffix(file[key], ".age") + copySuffix} {
			if err := inner.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	lose("a")
	lose("b")
	cryptReplace(t, inner, "b", nil) // damaged: it names nothing
	cryptPut(t, inner, "plain", []byte("no header"))
	if healed, err := b().HealKeys(t.Context(), copied, cryptSealed); len(healed) != 2 || err != nil {
		t.Errorf("healed %q, %v", healed, err)
	}
	files("a", "c")
	cryptHas(t, b(), "a", "a")
	if _, _, err := b().Get(t.Context(), "b"); !errors.Is(err, objects.ErrCorrupt) {
		t.Errorf("b: %v", err)
	}
	_, other := cryptKey(t)
	for _, c := range []struct {
		id   Identity
		file string
		want int
	}{{other, file["b"], 0}, {id, "keys/none.age", 0}, {id, file["b"], 2}} {
		took, err := cryptNew(t, inner, Options{Identities: []Identity{c.id}}).TakeKey(t.Context(), copied, c.file)
		if len(took) != c.want || err != nil {
			t.Errorf("took %q, %v", took, err)
		}
	}
	files("a", "b", "c")
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
