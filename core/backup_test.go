package core_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// backups opens what is in a bucket, as a machine that has nothing else.
func backups[T any](t testing.TB, env core.Env, b bucket.Bucket, fn func(*core.Backups) (T, error)) (T, error) {
	t.Helper()
	d := &data{t: t, env: env}
	shareOpen(d, b)
	opened, err := core.OpenBackups(t.Context(), d.env, core.BackupPlace{URL: "/place", Cache: fastDir(t)})
	if err != nil {
		var zero T
		return zero, err
	}
	res, err := fn(opened)
	return res, errors.Join(err, opened.Close())
}

func backupCreate(d *data, b bucket.Bucket, opt core.BackupCreateOptions) (core.BackupCreateResult, error) {
	d.t.Helper()
	return backups(d.t, d.env, b, func(at *core.Backups) (core.BackupCreateResult, error) {
		return within(d, func(r *core.Repo) (core.BackupCreateResult, error) { return r.CreateBackup(d.t.Context(), at, opt) })
	})
}

func backupRepo(d *data, b bucket.Bucket) (core.BackupRepoResult, error) {
	return backups(d.t, d.env, b, func(at *core.Backups) (core.BackupRepoResult, error) {
		return at.RestoreRepo(d.t.Context(), core.BackupRepoOptions{Dir: d.root})
	})
}

// backupDamage verifies everything at a place.
func backupDamage(t testing.TB, env core.Env, b bucket.Bucket) (found []core.BackupDamage) {
	t.Helper()
	_, err := backups(t, env, b, func(at *core.Backups) (core.BackupVerified, error) {
		return at.Verify(t.Context(), core.BackupVerifyOptions{}, func(d core.BackupDamage) error {
			found = append(found, d)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Two sets of ten commits bring every one of them back, from the place alone.
func TestBackupHistory(t *testing.T) {
	place := buckettest.Memory()
	d := newDataIn(t, fastDir(t))
	var commits []objects.ID
	for i := range 10 {
		d.edit(i)
		commits = append(commits, d.commit(core.CommitOptions{}).ID)
		if i == 3 || i == 9 {
			res, err := backupCreate(d, place, core.BackupCreateOptions{Kind: objects.Incremental})
			d.must(err)
			if i == 9 && res.Base == "" {
				t.Errorf("the second set: %+v", res)
			}
		}
	}
	want := d.tree()
	again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
	res, err := backupRepo(again, place)
	d.must(err)
	if res.Operations < 10 || len(res.Sets) != 2 {
		t.Errorf("%+v", res)
	}
	if got := again.tree(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the files: %v, want %v", got, want)
	}
	if v := again.verify(true); v.Damaged != 0 {
		t.Errorf("%+v", v)
	}
	for _, id := range commits {
		for _, from := range []*data{d, again} {
			opt := core.CheckoutOptions{Rev: id.String(), Into: filepath.Join(fastDir(t), "into")}
			if _, err := from.try(opt); err != nil {
				t.Errorf("commit %v: %v", id, err)
			}
		}
	}
	if res, err := backupCreate(again, place, core.BackupCreateOptions{Kind: core.KindAuto}); err != nil || !res.Existed {
		t.Errorf("a backup of what came back: %+v, %v", res, err)
	}
}

// A set without the contents of earlier commits says what is missing.
func TestBackupTipOnly(t *testing.T) {
	place := buckettest.Memory()
	d := newDataIn(t, fastDir(t))
	first := d.save(treeA)
	d.save(treeB)
	_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: objects.Full, TipOnly: true})
	d.must(err)
	again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
	res, err := backupRepo(again, place)
	d.must(err)
	again.want(treeB)
	if !res.TipOnly || len(res.Lacking) != 1 || res.Lacking[0] != first.ID {
		t.Errorf("%+v", res)
	}
}

// A set of an older commit without the contents of others brings back the files of
// that commit: HEAD goes to its branch, or to none, and it is said where it was. A
// run that dies on the way is ended by the same call.
func TestBackupTipOnlyOfOlder(t *testing.T) {
	for _, branches := range []int{0, 1, 2} {
		place := buckettest.Memory()
		d := newDataIn(t, fastDir(t))
		old := d.save(treeA)
		for i := range branches {
			_, err := within(d, func(r *core.Repo) (core.NameInfo, error) {
				return r.CreateBranch(t.Context(), fmt.Sprintf("old%d", i), "", false)
			})
			d.must(err)
		}
		young := d.save(treeB)
		_, err := backupCreate(d, place, core.BackupCreateOptions{Rev: old.ID.String(), Kind: objects.Full, TipOnly: true})
		d.must(err)
		check := func(again *data, res core.BackupRepoResult) {
			t.Helper()
			again.want(treeA)
			if !res.TipOnly || res.HeadWas != young.ID || res.Commit != old.ID || fmt.Sprint(res.Lacking) != fmt.Sprint([]objects.ID{young.ID}) {
				t.Errorf("%+v", res)
			}
			if want := branches == 1; (res.Branch == "old0") != want || res.Detached == want {
				t.Errorf("with %d branches at it: %+v", branches, res.CheckoutResult)
			}
		}
		first, step := stride(211)
		if branches != 1 {
			first = 1 << 20
		}
		for at := first; ; at += step {
			again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
			fsys := faultfs.New(vfs.OS, faultfs.Plan{At: at, Sticky: true})
			again.env.FS = fsys
			res, err := backupRepo(again, place)
			if err == nil && fsys.Failed() == "" {
				check(again, res)
				break
			}
			again.env.FS = vfs.OS
			if _, statErr := os.Stat(filepath.Join(again.root, ".mlvc", "restoring")); err != nil && statErr == nil {
				res, err = backupRepo(again, place)
				d.must(err)
				check(again, res)
			}
		}
	}
}

// backupStart is a repository with a backup, and a commit that has none.
func backupStart(t *testing.T, place bucket.Bucket) *data {
	t.Helper()
	d := newDataIn(t, fastDir(t))
	d.save(treeA)
	_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
	d.must(err)
	d.save(treeB)
	return d
}

// A backup of which any one operation at the place fails harms no earlier set,
// and the next one ends it.
func TestBackupCreateFaults(t *testing.T) {
	faultsEvery(t, 11, func(t *testing.T, plan buckettest.Plan) bool {
		place := buckettest.Memory()
		d := backupStart(t, place)
		faulty := buckettest.NewFaulty(place, plan)
		opt := core.BackupCreateOptions{Kind: core.KindAuto}
		if _, err := backupCreate(d, faulty, opt); err != nil {
			if !errors.Is(err, buckettest.ErrFault) {
				t.Fatalf("%s: %v", faulty.Failed(), err)
			}
			if found := backupDamage(t, d.env, place); len(found) > 0 {
				t.Errorf("%s: %+v", faulty.Failed(), found)
			}
			_, err = backupCreate(d, place, opt)
			d.must(err)
		}
		again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
		_, err := backupRepo(again, place)
		d.must(err)
		again.want(treeB)
		return faulty.Failed() != ""
	})
}

// Bringing a repository back, of which any one operation at the place fails, is
// ended by the same call.
func TestBackupRepoFaults(t *testing.T) {
	faultsEvery(t, 11, func(t *testing.T, plan buckettest.Plan) bool {
		place := buckettest.Memory()
		d := backupStart(t, place)
		_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
		d.must(err)
		faulty := buckettest.NewFaulty(place, plan)
		again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
		if _, err := backupRepo(again, faulty); err != nil {
			if !errors.Is(err, buckettest.ErrFault) {
				t.Fatalf("%s: %v", faulty.Failed(), err)
			}
			_, err = backupRepo(again, place)
			d.must(err)
		}
		again.want(treeB)
		return faulty.Failed() != ""
	})
}

// The same with the disk that it comes back to.
func TestBackupRepoDies(t *testing.T) {
	place := buckettest.Memory()
	d := backupStart(t, place)
	_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
	d.must(err)
	first, step := stride(79)
	for i := first; !t.Failed(); i += step {
		again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
		fsys := faultfs.New(vfs.OS, faultfs.Plan{At: i, Sticky: true})
		again.env.FS = fsys
		_, err := backupRepo(again, place)
		if err == nil && fsys.Failed() == "" {
			t.Logf("%d operations", i-1)
			break
		}
		again.env.FS = vfs.OS
		if _, statErr := os.Stat(filepath.Join(again.root, ".mlvc", "restoring")); err != nil || statErr == nil {
			if _, err := backupRepo(again, place); err != nil {
				if _, ok := errors.AsType[*core.NotEmptyError](err); !ok || statErr == nil {
					t.Fatalf("operation %d (%s): %v", i, fsys.Failed(), err)
				}
			}
		}
		again.want(treeB)
		if v := again.verify(true); v.Damaged != 0 {
			t.Errorf("operation %d (%s): %+v", i, fsys.Failed(), v)
		}
	}
}

// rot overwrites the middle of the largest pack at a place, and returns its key.
func rot(t *testing.T, b bucket.Bucket, n int) string {
	t.Helper()
	var largest bucket.Info
	for info, err := range b.List(t.Context(), "sets/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(info.Key, ".pack") && info.Size > largest.Size {
			largest = info
		}
	}
	r, err := b.GetRange(t.Context(), largest.Key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		text[len(text)/2+i] ^= 0x55
	}
	bucketReplace(t, b, largest.Key, text)
	return largest.Key
}

// A repair that dies anywhere leaves what the next one ends.
func TestBackupRepairFaults(t *testing.T) {
	faultsEvery(t, 11, func(t *testing.T, plan buckettest.Plan) bool {
		place := buckettest.Memory()
		d := backupStart(t, place)
		key := rot(t, place, 100)
		if found := backupDamage(t, d.env, place); len(found) != 1 || found[0].Key != key {
			t.Fatalf("of %s: %+v", key, found)
		}
		faulty := buckettest.NewFaulty(place, plan)
		repair := func(b bucket.Bucket) (core.BackupRepaired, error) {
			return backups(t, d.env, b, func(at *core.Backups) (core.BackupRepaired, error) {
				return at.Repair(t.Context(), nil, core.BackupRepairEach{
					Healed: func(core.BackupHealed) error { return nil },
					Left:   func(core.BackupDamage) error { return nil },
				})
			})
		}
		if _, err := repair(faulty); err != nil && !errors.Is(err, buckettest.ErrFault) {
			t.Fatalf("%s: %v", faulty.Failed(), err)
		}
		res, err := repair(place)
		d.must(err)
		if res.Left != 0 {
			t.Errorf("%s: %+v", faulty.Failed(), res)
		}
		if found := backupDamage(t, d.env, place); len(found) > 0 {
			t.Errorf("%s: %+v", faulty.Failed(), found)
		}
		for info, err := range place.List(t.Context(), "sets/") {
			d.must(err)
			if strings.HasSuffix(info.Key, ".healed") {
				t.Errorf("%s: %s is left", faulty.Failed(), info.Key)
			}
		}
		return faulty.Failed() != ""
	})
}

// repair reads everything at a place, and takes what it cannot heal from another.
func repair(d *data, b, other bucket.Bucket) (core.BackupRepaired, error) {
	each := core.BackupRepairEach{
		Healed: func(core.BackupHealed) error { return nil },
		Left:   func(core.BackupDamage) error { return nil },
	}
	return backups(d.t, d.env, b, func(at *core.Backups) (core.BackupRepaired, error) {
		return backups(d.t, d.env, other, func(second *core.Backups) (core.BackupRepaired, error) {
			return at.Repair(d.t.Context(), second, each)
		})
	})
}

// What another destination has takes the place of what is damaged only if it is
// sound itself.
func TestBackupRepairFromAnother(t *testing.T) {
	for _, suffixes := range [][]string{{".manifest", ".copy"}, {".idx"}, {".parity"}} {
		of := func(key string) bool {
			return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(key, s) })
		}
		place, copied, broken := buckettest.Memory(), buckettest.Memory(), buckettest.Memory()
		d := backupStart(t, place)
		damaged := 0
		for info, err := range place.List(t.Context(), "sets/") {
			d.must(err)
			text := bucketRead(t, place, info.Key)
			d.must(copied.PutIfAbsent(t.Context(), info.Key, bytes.NewReader(text), int64(len(text))))
			if of(info.Key) {
				damaged++
				clear(text)
				bucketReplace(t, place, info.Key, text)
			}
			d.must(broken.PutIfAbsent(t.Context(), info.Key, bytes.NewReader(text), int64(len(text))))
		}
		if damaged == 0 {
			t.Fatalf("no %s", suffixes)
		}
		if suffixes[0] == ".manifest" { // else it is made anew of the packs
			if res, err := repair(d, place, broken); err != nil || res.Healed > 0 || res.Left == 0 {
				t.Errorf("%s, from what is damaged too: %+v, %v", suffixes, res, err)
			}
		}
		if res, err := repair(d, place, copied); err != nil || res.Healed == 0 || res.Left > 0 {
			t.Errorf("%s: %+v, %v", suffixes, res, err)
		}
		if found := backupDamage(t, d.env, place); len(found) > 0 {
			t.Errorf("%s: %+v", suffixes, found)
		}
	}
}

// bucketReplace puts other bytes in the place of an object; nil: it is lost.
func bucketReplace(t *testing.T, b bucket.Bucket, key string, text []byte) {
	t.Helper()
	err := b.Delete(t.Context(), key)
	if err == nil && text != nil {
		err = b.PutIfAbsent(t.Context(), key, bytes.NewReader(text), int64(len(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func bucketRead(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	r, err := b.GetRange(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return text
}

// sameSets fails unless every set of a place is whole, as a machine that has
// nothing else sees it, and there are so many.
func sameSets(t *testing.T, d *data, b bucket.Bucket, about string, atLeast int) {
	t.Helper()
	if found := backupDamage(t, d.env, b); len(found) > 0 {
		t.Errorf("%s: %+v", about, found)
	}
	sets, err := backups(t, d.env, b, func(at *core.Backups) ([]core.BackupSet, error) { return at.List(), nil })
	if err != nil || len(sets) < atLeast {
		t.Errorf("%s: %d sets, want %d: %v", about, len(sets), atLeast, err)
	}
	for _, s := range sets {
		to := filepath.Join(fastDir(t), "to")
		_, err := backups(t, d.env, b, func(at *core.Backups) (core.BackupRestoreResult, error) {
			return at.Restore(t.Context(), core.BackupRestoreOptions{What: s.Label, To: to})
		})
		if err != nil {
			t.Errorf("%s: %s: %v", about, s.Label, err)
		}
	}
}

// An expiry of which any one operation at the place fails leaves whole sets, and
// the next one ends it.
func TestBackupExpireFaults(t *testing.T) {
	faultsEvery(t, 11, func(t *testing.T, plan buckettest.Plan) bool {
		place := buckettest.Memory()
		d := backupStart(t, place)
		grace := time.Duration(0)
		_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: objects.Full})
		d.must(err)
		if found := backupDamage(t, d.env, place); len(found) > 0 {
			t.Fatalf("%+v", found)
		}
		expire := func(b bucket.Bucket) (core.BackupExpired, error) {
			return backups(t, d.env, b, func(at *core.Backups) (core.BackupExpired, error) {
				opt := core.BackupExpireOptions{Policy: backup.Policy{KeepFull: 1}, Grace: &grace}
				return at.Expire(t.Context(), opt, core.BackupConfig{}, func(core.BackupDecision) error { return nil })
			})
		}
		if res, err := expire(place); err != nil || res.Marked != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
		faulty := buckettest.NewFaulty(place, plan)
		if _, err := expire(faulty); err != nil && !errors.Is(err, buckettest.ErrFault) {
			t.Fatalf("%s: %v", faulty.Failed(), err)
		}
		sameSets(t, d, place, faulty.Failed(), 1)
		if res, err := expire(place); err != nil || res.Kept != 1 || res.Marked+res.Waiting != 0 {
			t.Errorf("%s: %+v, %v", faulty.Failed(), res, err)
		}
		return faulty.Failed() != ""
	})
}

// A drill or a restore of which any one operation at the place fails says so,
// harms nothing there and here, and the same call then ends well.
func TestBackupRestoreFaults(t *testing.T) {
	place := buckettest.Memory()
	d := backupStart(t, place)
	_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
	d.must(err)
	env := d.env // its clock is not for several at once
	faultsEvery(t, 11, func(t *testing.T, plan buckettest.Plan) bool {
		env := env
		env.Now = func() time.Time { return time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC) }
		to, scratch := filepath.Join(fastDir(t), "to"), fastDir(t)
		restore := func(at *core.Backups) (core.BackupRestoreResult, error) {
			return at.Restore(t.Context(), core.BackupRestoreOptions{To: to})
		}
		drill := func(at *core.Backups) (core.BackupDrill, error) {
			return at.Drill(t.Context(), core.BackupDrillOptions{Percent: 100, Scratch: scratch})
		}
		place := bucketCopy(t, place)
		faulty := buckettest.NewFaulty(place, plan)
		if _, err := backups(t, env, faulty, restore); err != nil {
			if !errors.Is(err, buckettest.ErrFault) {
				t.Fatalf("%s: %v", faulty.Failed(), err)
			}
			_, err = backups(t, env, place, restore)
			if err != nil {
				t.Fatalf("%s: %v", faulty.Failed(), err)
			}
		}
		if got := read(t, to); fmt.Sprint(got) != fmt.Sprint(treeB) {
			t.Errorf("%s: %v", faulty.Failed(), got)
		}
		shaky := buckettest.NewFaulty(place, plan)
		res, err := backups(t, env, shaky, drill)
		if err != nil && !errors.Is(err, buckettest.ErrFault) || err == nil && !res.OK {
			t.Fatalf("%s: %+v, %v", shaky.Failed(), res, err)
		}
		if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
			t.Errorf("%s: the drill has left %v, %v", shaky.Failed(), left, err)
		}
		if res, err := backups(t, env, place, drill); err != nil || !res.OK {
			t.Errorf("%s: %+v, %v", shaky.Failed(), res, err)
		}
		return faulty.Failed() != "" || shaky.Failed() != ""
	})
}

// The list, a manifest or an index that is damaged is put right by a repair that
// may die anywhere, and by the next.
func TestBackupRepairRecordsFaults(t *testing.T) {
	for _, suffix := range []string{"backup", "backup.copy", ".manifest", ".copy", ".idx"} {
		place := buckettest.Memory()
		d := backupStart(t, place)
		for info, err := range place.List(t.Context(), "") {
			if d.must(err); !strings.HasSuffix(info.Key, suffix) || suffix == ".copy" && info.Key == "backup.copy" {
				continue
			}
			text := bucketRead(t, place, info.Key)
			text[len(text)/2] ^= 1
			d.must(place.Delete(t.Context(), info.Key))
			if strings.Contains(info.Key, "/") {
				d.must(place.PutIfAbsent(t.Context(), info.Key, bytes.NewReader(text), info.Size))
			} else {
				_, err := place.Swap(t.Context(), info.Key, "", text)
				d.must(err)
			}
		}
		env := d.env
		first, step := stride(23)
		for at := first; ; at += step {
			d := &data{t: t, root: d.root, env: env}
			b := bucketCopy(t, place)
			faulty := buckettest.NewFaulty(b, buckettest.Plan{At: at, Kind: buckettest.Kind(at % 3), Bytes: 20, Sticky: at%2 == 0})
			if _, err := repair(d, faulty, b); err != nil && !errors.Is(err, buckettest.ErrFault) {
				t.Fatalf("%s, %s: %v", suffix, faulty.Failed(), err)
			}
			if res, err := repair(d, b, b); err != nil || res.Left != 0 {
				t.Errorf("%s, %s: %+v, %v", suffix, faulty.Failed(), res, err)
			}
			sameSets(t, d, b, suffix+", "+faulty.Failed(), 1)
			if faulty.Failed() == "" || t.Failed() {
				break
			}
		}
	}
}

// Where the list and its copy are lost, a repair makes it of the sets; a place with
// nothing at all has no sets.
func TestBackupListLost(t *testing.T) {
	place := buckettest.Memory()
	d := backupStart(t, place)
	_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
	d.must(err)
	d.must(place.Delete(t.Context(), "backup"))
	half := bucketCopy(t, place)
	if found := backupDamage(t, d.env, half); len(found) != 1 || found[0].Key != "backup" {
		t.Errorf("without the list: %+v", found)
	}
	sameSets(t, d, half, "without the list", 2) // verify has noted what it found, in a new one
	d.must(place.Delete(t.Context(), "backup.copy"))
	none := func(err error) bool { _, ok := errors.AsType[*core.NoSetsError](err); return ok }
	restore := func(at *core.Backups) (core.BackupRestoreResult, error) {
		return at.Restore(t.Context(), core.BackupRestoreOptions{To: filepath.Join(fastDir(t), "to")})
	}
	if _, err := backups(t, d.env, place, restore); !none(err) {
		t.Errorf("without list and copy: %v", err)
	}
	if res, err := repair(d, place, place); err != nil || res.Healed != 1 || res.Left != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	sameSets(t, d, place, "after repair", 2)
	again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
	_, err = backupRepo(again, place)
	d.must(err)
	again.want(treeB)
	if _, err := repair(d, buckettest.Memory(), place); !none(err) {
		t.Errorf("an empty place: %v", err)
	}
}
