package backup_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// replace puts other bytes in the place of an object; nil: it is lost.
func replace(t *testing.T, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	err := b.Delete(t.Context(), key)
	if err == nil && data != nil {
		err = b.PutIfAbsent(t.Context(), key, bytes.NewReader(data), int64(len(data)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	r, err := b.GetRange(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func keys(t *testing.T, b bucket.Bucket, suffix string) []string {
	t.Helper()
	var list []string
	for info, err := range b.List(t.Context(), "sets/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(info.Key, suffix) {
			list = append(list, info.Key)
		}
	}
	return list
}

// Flips, truncations and losses of any object are all found, and what they
// belong to is named.
func TestRot(t *testing.T) {
	tries := 300
	if testing.Short() {
		tries = 60
	}
	r, b := twoSets(t)
	d := r.mustOpen(b)
	all := keys(t, b, "")
	rnd := rand.New(rand.NewPCG(1, 1))
	for range tries {
		key := all[rnd.IntN(len(all))]
		good := read(t, b, key)
		bad := bytes.Clone(good)
		switch rnd.IntN(8) {
		case 0:
			bad = nil
		case 1:
			bad = bad[:rnd.IntN(len(bad))]
		default:
			bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(8)
		}
		replace(t, b, key, bad)
		v, err := d.Verify(t.Context(), backup.VerifyOptions{})
		if err != nil || len(v.Damage) != 1 || v.Damage[0].Key != key || v.Damage[0].Err == nil {
			t.Fatalf("%s: %v, %+v", key, err, v.Damage)
		}
		if s, _ := d.List().Find(v.Damage[0].Label); !s.Damaged() {
			t.Fatalf("%s: %+v", key, s)
		}
		replace(t, b, key, good)
	}
	if v, err := d.Verify(t.Context(), backup.VerifyOptions{}); err != nil || len(v.Damage) > 0 {
		t.Fatalf("%v, %+v", err, v.Damage)
	}
	for _, s := range d.List().Sets {
		if s.Damaged() || s.Verified.Percent != 100 {
			t.Errorf("%+v", s.Verified)
		}
	}
}

// The files that a damaged pack costs are named, and the others can be read.
func TestDamageIsNamed(t *testing.T) {
	r, b := newRepo(t, 4), buckettest.Memory()
	files := map[string]file{"a": {objects.ModeFile, r.bytes(5000)}, "b": {objects.ModeFile, r.bytes(5000)}, "large": {objects.ModeFile, r.bytes(600 << 10)}}
	id := r.commit("main", files)
	label := r.mustCreate(b, r.wanted(id, objects.Full)).Label
	packs := keys(t, b, ".pack")
	for _, name := range []string{"a", "large"} {
		for _, key := range packs {
			good := read(t, b, key)
			at := bytes.Index(good, []byte(files[name].data[1000:1100]))
			if at < 0 {
				continue
			}
			bad := bytes.Clone(good)
			bad[at] ^= 1
			replace(t, b, key, bad)
			v, err := r.mustOpen(b).Verify(t.Context(), backup.VerifyOptions{Labels: []backup.Label{label}})
			if err != nil || len(v.Damage) != 1 {
				t.Fatalf("%v, %+v", err, v.Damage)
			}
			got := v.Damage[0]
			if !slices.Equal(got.Paths, []string{name}) || len(got.Lost) != 1 || !slices.Equal(got.Sets, []backup.Label{label}) {
				t.Errorf("%s: %+v", name, got)
			}
			replace(t, b, key, good)
		}
	}
	for _, key := range packs { // a damaged node: what lies below it is not known, the pack is
		good := read(t, b, key)
		if bytes.Contains(good, []byte(files["a"].data[1000:1100])) {
			continue
		}
		replace(t, b, key, append(bytes.Clone(good[:40]), append([]byte{good[40] ^ 1}, good[41:]...)...))
		v, err := r.mustOpen(b).Verify(t.Context(), backup.VerifyOptions{})
		if err != nil || len(v.Damage) != 1 || len(v.Damage[0].Lost) == 0 {
			t.Errorf("%v, %+v", err, v.Damage)
		}
		replace(t, b, key, good)
	}
}

// A sample reads some packs of each set, and notes how much.
func TestSample(t *testing.T) {
	r, b := twoSets(t)
	d := r.mustOpen(b)
	v, err := d.Verify(t.Context(), backup.VerifyOptions{Percent: 5})
	if err != nil || v.Packs != 2 {
		t.Errorf("%v, %d packs", err, v.Packs)
	}
	for _, s := range d.List().Sets {
		if s.Verified == nil || !s.Verified.OK || s.Verified.Percent != 5 {
			t.Errorf("%+v", s.Verified)
		}
	}
}
