package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// withParity protects packs by their own bytes.
func withParity(opt backup.CreateOptions) backup.CreateOptions {
	opt.Scheme = "1+1"
	opt.Parity = func(_ context.Context, _ objects.ID, r io.ReaderAt, size int64, w io.WriteSeeker) (int64, error) {
		data := make([]byte, size)
		if _, err := r.ReadAt(data, 0); err != nil && err != io.EOF {
			return 0, err
		}
		_, err := w.Write(data)
		return size, err
	}
	return opt
}

func checkParity(_ context.Context, parity []byte, r io.ReaderAt, size int64) error {
	data := make([]byte, size)
	if _, err := r.ReadAt(data, 0); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(data, parity) {
		return objects.ErrCorrupt
	}
	return nil
}

// A damaged pack is read from a file that is supplied for it.
func TestSupply(t *testing.T) {
	r, b := newRepo(t, 5), buckettest.Memory()
	id := r.commit("main", map[string]file{"large": {objects.ModeFile, r.bytes(600 << 10)}})
	label := r.mustCreate(b, r.wanted(id, objects.Full)).Label
	good := make(map[string][]byte)
	for _, key := range keys(t, b, ".pack") {
		good[key] = read(t, b, key)
		bad := bytes.Clone(good[key])
		for i := range bad[100:] {
			bad[100+i] ^= 1
		}
		replace(t, b, key, bad)
	}
	opt := r.options()
	opt.Cache = t.TempDir()
	d, err := backup.Open(t.Context(), b, opt)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Chain(t.Context(), label)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Get(t.Context(), id); !errors.Is(err, objects.ErrCorrupt) {
		t.Fatalf("got %v, want ErrCorrupt", err)
	}
	for _, p := range c.Packs() {
		key, err := c.Key(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(r.temp(), "healed")
		for _, data := range [][]byte{read(t, b, key), good[key]} {
			if err := os.WriteFile(name, data, 0o666); err != nil {
				t.Fatal(err)
			}
			err = c.Supply(t.Context(), p.ID, name)
			if sound := bytes.Equal(data, good[key]); sound != (err == nil) || !sound && !errors.Is(err, objects.ErrCorrupt) {
				t.Fatalf("sound %v: %v", sound, err)
			}
		}
	}
	r.sameTree(c, id)
}

// Flips, truncations and losses of any object are all found, and what they
// belong to is named.
func TestRot(t *testing.T) {
	r, b := newRepo(t, 7), buckettest.Memory()
	for _, kind := range []objects.CommitKind{objects.Full, objects.Incremental} {
		r.random()
		r.mustCreate(b, withParity(r.wanted(r.random(), kind)))
	}
	opt := r.options()
	opt.CheckParity = checkParity
	d, err := backup.Open(t.Context(), b, opt)
	if err != nil {
		t.Fatal(err)
	}
	all := keys(t, b, "")
	if len(keys(t, b, ".parity")) == 0 {
		t.Fatal("no parity")
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range sampled(1000, 150, 40) {
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
		if s, _ := d.List().Find(v.Damage[0].Label); s.Damaged() != strings.HasSuffix(key, ".pack") {
			t.Fatalf("%s: %+v", key, s.Verified) // all else is there twice, or can be made again
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

// What was verified as a base is not read for each set that is made on it, but
// its loss is noticed.
func TestTrustBases(t *testing.T) {
	r, b := newRepo(t, 51), buckettest.Memory()
	full := r.mustCreate(b, r.wanted(r.random(), objects.Full))
	d := r.mustOpen(b)
	first, err := d.Verify(t.Context(), backup.VerifyOptions{})
	if err != nil || len(first.Damage) > 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	incremental := r.mustCreate(b, r.wanted(r.random(), objects.Incremental))
	opt := backup.VerifyOptions{Labels: []backup.Label{incremental.Label}, TrustBases: true}
	got, err := d.Verify(t.Context(), opt)
	if err != nil || len(got.Damage) > 0 || !slices.Equal(got.Sets, opt.Labels) {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := incremental.Manifest.Tip.Packs + incremental.Manifest.Rest.Packs; int64(got.Packs) != want {
		t.Errorf("%d packs were read, of %d in the set and %d in its base", got.Packs, want, first.Packs)
	}
	for _, key := range keys(t, b, ".pack") {
		if strings.HasPrefix(key, "sets/"+strings.ToLower(string(full.Label))+"/") {
			replace(t, b, key, nil)
		}
	}
	got, err = d.Verify(t.Context(), opt)
	if err != nil || len(got.Damage) == 0 || !slices.Equal(got.Sets, []backup.Label{full.Label, incremental.Label}) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, s := range d.List().Sets {
		if !s.Damaged() {
			t.Errorf("%s: %+v", s.Label, s.Verified)
		}
	}
}
