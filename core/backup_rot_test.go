package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup/parity"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// What an encrypted place of a test is written and read with.
const (
	rotRecipient = "age176cunljj0up6r24fmydp4p4x9hvcxw3jh304tal4v7kwqe23s45skghgqe"
	rotIdentity  = "AGE-SECRET-KEY-170GE7XHLU0WSVLX3J5DQ2QQWA427ML593FCKV2VWJYSMEAW7GC7S9AJ49D"
)

// rotting is a place with a chain of sets, of which each case damages one object of
// a copy.
type rotting struct {
	*data
	place bucket.Bucket
	keys  core.BackupKeys
	want  map[string]picture // by label
	keyed []string           // keys of all objects that may rot
}

func newRotting(t *testing.T, encrypted bool) *rotting {
	t.Helper()
	r := &rotting{data: newDataIn(t, fastDir(t)), place: buckettest.Memory(), want: make(map[string]picture)}
	if encrypted {
		name := filepath.Join(fastDir(t), "identity")
		r.must(os.WriteFile(name, []byte(rotIdentity), 0o600))
		r.keys = core.BackupKeys{Recipients: []string{rotRecipient}, Identities: []string{name}}
	}
	for i, kind := range []objects.CommitKind{objects.Full, objects.Incremental, objects.Differential} {
		r.write("notes.txt", fmt.Sprintf("step %d", i))
		r.write("large.bin", string(largeBytes(i)[:280_000]))
		for n := range 6 {
			r.write(fmt.Sprintf("images/%d.png", n), noise(uint64(i/2*100+n), 3000))
		}
		r.write(fmt.Sprintf("new/%d.png", i), noise(uint64(50+i), 5000))
		r.commit(core.CommitOptions{})
		res, err := rotAt(r, r.place, func(b *core.Backups) (core.BackupCreateResult, error) {
			return within(r.data, func(repo *core.Repo) (core.BackupCreateResult, error) {
				return repo.CreateBackup(t.Context(), b, core.BackupCreateOptions{Kind: kind})
			})
		})
		r.must(err)
		if objects.CommitKind(res.Kind) != kind {
			t.Fatalf("%+v", res.BackupSet)
		}
		r.want[res.Label] = takeDisk(t, r.root)
	}
	for info, err := range r.place.List(t.Context(), "") {
		r.must(err)
		if !strings.HasPrefix(info.Key, "keys/") || info.Key == "keys/backup" { // others are for TestBackupHostileKeys
			r.keyed = append(r.keyed, info.Key)
		}
	}
	return r
}

// rotAt opens a place as a machine that has nothing else.
func rotAt[T any](r *rotting, b bucket.Bucket, fn func(*core.Backups) (T, error)) (T, error) {
	r.t.Helper()
	r.env.OpenBucket = func(context.Context, string) (bucket.Bucket, error) { return b, nil }
	cache, err := os.MkdirTemp(r.scratch(), "cache-")
	r.must(err)
	opened, err := core.OpenBackups(r.t.Context(), r.env, core.BackupPlace{URL: "/place", Cache: cache, Temporary: true, Keys: r.keys})
	if err != nil {
		var zero T
		return zero, err
	}
	res, err := fn(opened)
	return res, errors.Join(err, opened.Close())
}

// scratch is a folder beside the dataset.
func (r *rotting) scratch() string {
	dir := r.root + "-scratch"
	r.must(os.MkdirAll(dir, 0o777))
	r.t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// rotted is one damage.
type rotted struct {
	key     string
	what    string
	text    []byte // nil: lost
	healing bool   // what is left heals it
}

// damage draws one.
func (r *rotting) damage(rnd *rand.Rand) rotted {
	key := r.keyed[rnd.IntN(len(r.keyed))]
	if packs := keysEnding(r.keyed, ".pack"); len(packs) > 0 && rnd.IntN(2) == 0 {
		key = packs[rnd.IntN(len(packs))]
	}
	sound := bucketRead(r.t.(*testing.T), r.place, key)
	d := rotted{key: key, text: bytes.Clone(sound), healing: true}
	at := rnd.IntN(len(sound))
	switch kind := rnd.IntN(9); kind {
	case 0, 1:
		d.what, d.text = "lost", nil
	case 2, 3:
		d.what, d.text = fmt.Sprintf("cut to %d bytes", at), d.text[:at]
	case 4, 5, 6:
		run := 1 + rnd.IntN(len(sound)-at)
		if kind > 4 {
			run = min(run, 3*parity.BlockSize)
		}
		d.what = fmt.Sprintf("%d bytes at %d", run, at)
		for i := range run {
			d.text[at+i] ^= byte(1 + rnd.IntN(255))
		}
	default:
		d.what = fmt.Sprintf("a bit of byte %d", at)
		d.text[at] ^= 1 << rnd.IntN(8)
	}
	if strings.HasSuffix(key, ".pack") {
		d.healing = withinParity(sound, d.text)
	}
	return d
}

func keysEnding(keys []string, suffix string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.HasSuffix(key, suffix) })
}

// withinParity says, by what 10+1 means, whether parity heals a damaged object:
// no stripe has more than one damaged block.
func withinParity(sound, bad []byte) bool {
	blocks := (len(sound) + parity.BlockSize - 1) / parity.BlockSize
	stripes := (blocks + 9) / 10
	hit := make([]int, stripes)
	for i := range blocks {
		from, to := i*parity.BlockSize, min((i+1)*parity.BlockSize, len(sound))
		if to > len(bad) || !bytes.Equal(sound[from:to], bad[from:to]) {
			hit[i%stripes]++
		}
	}
	return slices.Max(hit) <= 1
}

// TestBackupSweepRot damages one object of a place, a thousand times: verify finds
// and names it; what is twice there, can be made again or is within parity is
// healed by a restore on its way and by repair for good, bit for bit; what is
// not is an error of the restore, or costs it nothing, and repair takes it from
// a copy of the place. No byte that is wrong is ever handed out.
func TestBackupSweepRot(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprintf("encrypted %v", encrypted), func(t *testing.T) {
			t.Parallel()
			r := newRotting(t, encrypted)
			first, step := stride(40)
			tried, beyond := 0, 0
			for i := first; i <= 500 && !t.Failed(); i += step {
				rnd := rand.New(rand.NewPCG(uint64(i), 7))
				d := r.damage(rnd)
				tried++
				if !d.healing {
					beyond++
				}
				r.try(i, d, rnd)
				if t.Failed() {
					t.Errorf("case %d: %s: %s", i, d.key, d.what)
				}
			}
			t.Logf("%d cases, %d of them beyond parity; %d objects", tried, beyond, len(r.keyed))
			if step == 1 && (beyond < 25 || beyond > 250) {
				t.Errorf("%d of %d cases are beyond parity", beyond, tried)
			}
		})
	}
}

// try looks at all that is said and done about one damage.
func (r *rotting) try(i int, d rotted, rnd *rand.Rand) {
	t := r.t.(*testing.T)
	b := bucketCopy(t, r.place)
	if swapped(d.key) {
		r.swapAway(b, d)
	} else {
		bucketReplace(t, b, d.key, d.text)
	}
	labels := slices.Sorted(maps.Keys(r.want))
	r.restores(b, labels[rnd.IntN(len(labels))], d.healing)

	found := r.verify(b)
	if len(found) != 1 || found[0].Key != d.key || found[0].Error == "" || !strings.EqualFold(found[0].Label, labelIn(d.key)) {
		t.Errorf("verify: %+v", found)
	}
	res, err := r.repair(b, nil)
	list := strings.HasPrefix(d.key, "backup") // which verify has written when it noted what it found
	if err != nil || !list && (res.Damaged != 1 || (res.Healed == 1) != d.healing || (res.Left == 0) != d.healing) {
		t.Errorf("repair: %+v, %v", res, err)
	}
	if !d.healing {
		if res, err = r.repair(b, r.place); err != nil || res.Healed != 1 || res.Left != 0 {
			t.Errorf("repair from a copy: %+v, %v", res, err)
		}
	}
	sealed := len(r.keys.Identities) > 0 && !strings.HasSuffix(d.key, ".pack") // is encrypted anew
	if !list && !sealed && !bytes.Equal(bucketRead(t, b, d.key), bucketRead(t, r.place, d.key)) {
		t.Error("after repair it is not what it was")
	}
	for info, err := range b.List(t.Context(), "") {
		if r.must(err); strings.HasSuffix(info.Key, ".healed") {
			t.Errorf("%s is left", info.Key)
		}
	}
	if i%10 == 0 {
		if found := r.verify(b); len(found) > 0 {
			t.Errorf("after repair: %+v", found)
		}
		for _, label := range labels {
			r.restores(b, label, true)
		}
	}
}

// swapped reports whether a key is that of the list, its copy or its note.
func swapped(key string) bool { return strings.HasPrefix(key, "backup") || key == "keys/backup" }

// swapAway damages an object that is swapped.
func (r *rotting) swapAway(b bucket.Bucket, d rotted) {
	r.must(b.Delete(r.t.Context(), d.key))
	if d.text != nil {
		_, err := b.Swap(r.t.Context(), d.key, "", d.text)
		r.must(err)
	}
}

// labelIn is the label of the set that a key belongs to, in lower case.
func labelIn(key string) string {
	parts := strings.Split(key, "/")
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// restores restores a set, from the place alone. Unless it is whole there may be an
// error, but none of the files is another than it was.
func (r *rotting) restores(b bucket.Bucket, label string, whole bool) {
	r.t.Helper()
	to, err := os.MkdirTemp(r.scratch(), "to-")
	r.must(err)
	defer os.RemoveAll(to)
	_, err = rotAt(r, b, func(b *core.Backups) (core.BackupRestoreResult, error) {
		return b.Restore(r.t.Context(), core.BackupRestoreOptions{What: label, To: to})
	})
	got := takeDisk(r.t, to)
	if err == nil {
		if diff := cmp.Diff(r.want[label], got); diff != "" {
			r.t.Errorf("%s came back otherwise: %s", label, diff)
		}
		return
	}
	if _, ok := errors.AsType[*core.BackupDamageError](err); whole || !ok {
		r.t.Errorf("restore of %s: %v", label, err)
	}
	for path, look := range got {
		if look != emptyFolder && look != r.want[label][path] {
			r.t.Errorf("%s: %s is %s, want %s", label, path, look, r.want[label][path])
		}
	}
}

func (r *rotting) verify(b bucket.Bucket) (found []core.BackupDamage) {
	r.t.Helper()
	_, err := rotAt(r, b, func(b *core.Backups) (core.BackupVerified, error) {
		return b.Verify(r.t.Context(), core.BackupVerifyOptions{}, func(d core.BackupDamage) error {
			found = append(found, d)
			return nil
		})
	})
	r.must(err)
	return found
}

func (r *rotting) repair(b, other bucket.Bucket) (core.BackupRepaired, error) {
	r.t.Helper()
	each := core.BackupRepairEach{
		Healed: func(core.BackupHealed) error { return nil },
		Left:   func(core.BackupDamage) error { return nil },
	}
	return rotAt(r, b, func(at *core.Backups) (core.BackupRepaired, error) {
		if other == nil {
			return at.Repair(r.t.Context(), nil, each)
		}
		return rotAt(r, other, func(second *core.Backups) (core.BackupRepaired, error) {
			return at.Repair(r.t.Context(), second, each)
		})
	})
}

// bucketCopy copies a place as any tool does: object by object.
func bucketCopy(t *testing.T, from bucket.Bucket) bucket.Bucket {
	t.Helper()
	to := buckettest.Memory()
	for info, err := range from.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		text := bucketRead(t, from, info.Key)
		if err := to.PutIfAbsent(t.Context(), info.Key, bytes.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
