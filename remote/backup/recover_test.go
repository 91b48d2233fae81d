package backup_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// threeSets is a full, an incremental and a differential set.
func threeSets(t *testing.T) (*repo, bucket.Bucket) {
	r, b := newRepo(t, 61), buckettest.Memory()
	for _, kind := range []objects.CommitKind{objects.Full, objects.Incremental, objects.Differential} {
		r.random()
		opt := withParity(r.wanted(r.random(), kind))
		opt.Asked = true
		r.mustCreate(b, opt)
	}
	return r, b
}

// swapTo puts other bytes in the place of the list or of its copy; nil: it is lost.
func swapTo(t *testing.T, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	if err := b.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	switch {
	case data == nil:
	case len(data) > bucket.MaxSmall:
		replace(t, b, key, data)
	default:
		if _, err := b.Swap(t.Context(), key, "", data); err != nil {
			t.Fatal(err)
		}
	}
}

// A list that is damaged or lost is made again of what is left, as it was; the next
// change writes it.
func TestRecoverList(t *testing.T) {
	for name, c := range map[string]struct {
		list func([]byte) []byte
		kept func([]byte) []byte // the copy
	}{
		"flipped":                 {flipped, whole},
		"cut":                     {func(b []byte) []byte { return b[:len(b)/2] }, whole},
		"empty":                   {func([]byte) []byte { return []byte{} }, whole},
		"lost":                    {lost, whole},
		"of many bytes":           {oversized, whole},
		"flipped, and no copy":    {flipped, lost},
		"flipped, and the copy":   {flipped, flipped},
		"of many bytes, and both": {oversized, oversized},
	} {
		r, b := threeSets(t)
		before := r.mustOpen(b).List()
		swapTo(t, b, "backup", c.list(read(t, b, "backup")))
		swapTo(t, b, "backup.copy", c.kept(read(t, b, "backup.copy")))
		d := r.mustOpen(b)
		if d.Recovered() == nil || !slices.Equal(d.List().Sets, before.Sets) {
			t.Errorf("%s: %v, %+v, want %+v", name, d.Recovered(), d.List().Sets, before.Sets)
		}
		r.check(b)
		r.mustCreate(b, r.wanted(r.random(), objects.Incremental))
		d = r.mustOpen(b)
		if v, err := d.Verify(t.Context(), backup.VerifyOptions{}); d.Recovered() != nil || len(d.List().Sets) != 4 || err != nil || len(v.Damage) > 0 {
			t.Errorf("%s: afterwards: %v, %+v, %v", name, d.Recovered(), v, err)
		}
		r.check(b)
	}
}

func whole(b []byte) []byte     { return b }
func lost([]byte) []byte        { return nil }
func oversized(b []byte) []byte { return append(bytes.Clone(b), make([]byte, bucket.MaxSmall)...) }
func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/3] ^= 4
	return b
}

// An old copy does not hide the sets that were made since, nor bring back those
// that were removed since.
func TestRecoverWithOldCopy(t *testing.T) {
	r, b := threeSets(t)
	old := read(t, b, "backup.copy")
	opt := withParity(r.wanted(r.random(), objects.Full))
	opt.Asked = true
	r.mustCreate(b, opt)
	d := r.mustOpen(b)
	if _, err := d.Verify(t.Context(), backup.VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := d.Expire(t.Context(), backup.ExpireOptions{Policy: backup.Policy{KeepFull: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	want := d.List().Sets
	swapTo(t, b, "backup.copy", old)
	swapTo(t, b, "backup", nil)
	got := r.mustOpen(b).List().Sets
	if len(want) != 1 || len(got) != 1 || got[0].Label != want[0].Label || got[0].Manifest != want[0].Manifest || got[0].Bytes != want[0].Bytes {
		t.Errorf("%+v, want %+v", got, want)
	}
	r.check(b)
}

// What an interrupted run has left is no set: one whose base is not there, and the
// manifest of another try.
func TestRecoverLeavesOut(t *testing.T) {
	r, b := threeSets(t)
	sets := r.mustOpen(b).List().Sets
	swapTo(t, b, "backup", flipped(read(t, b, "backup")))
	swapTo(t, b, "backup.copy", nil)
	for _, key := range keys(t, b, "") {
		if strings.Contains(key, strings.ToLower(string(sets[1].Label))) {
			replace(t, b, key, nil)
		}
	}
	for _, suffix := range []string{".manifest", ".copy"} { // of a try that had other packs
		m, err := r.mustOpen(b).Manifest(t.Context(), sets[0].Label)
		if err != nil {
			t.Fatal(err)
		}
		m.Operation = objects.ID{9}
		data, id, err := backup.EncodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, b, "sets/"+strings.ToLower(string(sets[0].Label))+"/"+id.String()+suffix, data)
	}
	if got := r.mustOpen(b).List().Sets; !slices.Equal(got, []backup.Set{sets[0], sets[2]}) {
		t.Errorf("%+v", got)
	}
	r.check(b)
}

// A place from before there were copies is read as ever; they are missing, and
// made.
func TestWithoutCopies(t *testing.T) {
	r, b := threeSets(t)
	for _, key := range keys(t, b, ".copy") {
		replace(t, b, key, nil)
	}
	swapTo(t, b, "backup.copy", nil)
	r.check(b)
	d := r.mustOpen(b)
	v, err := d.Verify(t.Context(), backup.VerifyOptions{ReadOnly: true})
	if err != nil || len(v.Damage) != 4 {
		t.Fatalf("%v, %+v", err, v.Damage)
	}
	for _, damage := range v.Damage {
		if len(damage.Sets) > 0 {
			t.Errorf("%s costs %v", damage.Key, damage.Sets)
		}
		if _, ok, err := d.Heal(t.Context(), damage); !ok || err != nil {
			t.Errorf("%s: %v, %v", damage.Key, ok, err)
		}
	}
	if v, err := d.Verify(t.Context(), backup.VerifyOptions{}); err != nil || len(v.Damage) > 0 {
		t.Errorf("%v, %+v", err, v.Damage)
	}
}

// An index is made again of the packs, though others lie beside them; without one of
// them it is not.
func TestRebuildIndex(t *testing.T) {
	r, b := threeSets(t)
	d := r.mustOpen(b)
	first := "sets/" + strings.ToLower(string(d.List().Sets[0].Label)) + "/"
	var other string
	for _, key := range keys(t, b, ".pack") {
		if !strings.HasPrefix(key, first) {
			other = key
		}
	}
	for _, key := range keys(t, b, ".idx") {
		replace(t, b, key, nil)
	}
	replace(t, b, first+other[strings.LastIndexByte(other, '/')+1:], read(t, b, other))
	r.check(b)
	for _, key := range keys(t, b, ".pack") {
		if strings.HasPrefix(key, first) && !strings.HasSuffix(key, other[strings.LastIndexByte(other, '/'):]) {
			replace(t, b, key, nil)
			break
		}
	}
	opt := r.options()
	opt.Cache = t.TempDir()
	d, err := backup.Open(t.Context(), b, opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Chain(t.Context(), d.List().Sets[0].Label); !errors.Is(err, bucket.ErrNotExist) && !errors.Is(err, objects.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if v, err := d.Verify(t.Context(), backup.VerifyOptions{}); err != nil || len(v.Damage) == 0 || len(v.Damage[0].Sets) != 3 {
		t.Errorf("%v, %+v", err, v.Damage)
	}
}
