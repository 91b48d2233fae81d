package core_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup/crypt"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// Another key pair than that of the place.
const (
	otherRecipient = "age106wg5j2an4ag4jpn60zgr44v8pg0ggxzt6frmwa5aq4q383t8c8qyv8hz5"
	otherIdentity  = "AGE-SECRET-KEY-1WKTM4SESQW5RNLP8MPXMXDS20KAM3V4SCYZ0ZCQTYQXHAP0YSD8QUX5FSD"
)

func identityFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(fastDir(t), "identity")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// with is the same place, read with other keys.
func (r *rotting) with(keys core.BackupKeys) *rotting {
	other := *r
	other.keys = keys
	return &other
}

// refused restores a set (empty: the newest), fails the test for a byte that is wrong, and
// returns the error.
func (r *rotting) refused(b bucket.Bucket, label string) error {
	r.t.Helper()
	to := filepath.Join(fastDir(r.t.(*testing.T)), "to")
	_, err := rotAt(r, b, func(b *core.Backups) (core.BackupRestoreResult, error) {
		res, err := b.Restore(r.t.Context(), core.BackupRestoreOptions{What: label, To: to})
		label = res.Label
		return res, err
	})
	if _, serr := os.Stat(to); serr == nil {
		for path, look := range takeDisk(r.t, to) {
			if look != emptyFolder && look != r.want[label][path] {
				r.t.Errorf("%s: %s is %s, want %s", label, path, look, r.want[label][path])
			}
		}
	}
	return err
}

// full is the label of the full set, which every other stands on.
func (r *rotting) full() string { return slices.Sorted(maps.Keys(r.want))[0] }

// fullPacks are its packs.
func (r *rotting) fullPacks(t *testing.T) []string {
	t.Helper()
	label := strings.ToLower(r.full())
	packs := keysEnding(r.keyed, ".pack")
	var own []string
	for _, key := range packs {
		if strings.HasPrefix(key, "sets/"+label+"/") {
			own = append(own, key)
		}
	}
	if len(own) < 2 {
		t.Fatalf("%d packs of %s", len(own), label)
	}
	return own
}

// A place that hands out other packs than it was given, or less of them, is an
// error that names the pack; verify names it too, and no byte that is wrong is
// written.
func TestBackupHostilePacks(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		r := newRotting(t, encrypted)
		packs := r.fullPacks(t)
		first, second := bucketRead(t, r.place, packs[0]), bucketRead(t, r.place, packs[1])
		for name, bad := range map[string]map[string][]byte{
			"swapped":   {packs[0]: second, packs[1]: first},
			"truncated": {packs[0]: first[:len(first)/4]},
			"emptied":   {packs[1]: {}},
			"prolonged": {packs[0]: append(first[:len(first):len(first)], second...)},
		} {
			b := bucketCopy(t, r.place)
			for key, text := range bad {
				bucketReplace(t, b, key, text)
				bucketReplace(t, b, strings.TrimSuffix(key, ".pack")+".parity", nil) // which heals most of it
			}
			err := r.refused(b, r.full())
			named := false
			for key := range bad {
				id := strings.TrimSuffix(filepath.Base(key), ".pack")
				named = named || err != nil && strings.Contains(err.Error(), id)
			}
			if _, damage := errors.AsType[*core.BackupDamageError](err); name != "prolonged" && (!damage || !named) {
				t.Errorf("encrypted %v, %s: %v", encrypted, name, err)
			}
			found := make(map[string]bool)
			for _, d := range r.verify(b) {
				found[d.Key] = true
			}
			for key := range bad {
				if !found[key] {
					t.Errorf("encrypted %v, %s: verify does not name %s: %v", encrypted, name, key, found)
				}
			}
		}
	}
}

// A list of before hides the newer sets and harms none: what it names comes back, a
// machine that remembers says so, and a second backup gets a label of its own.
func TestBackupHostileList(t *testing.T) {
	place := buckettest.Memory()
	d := backupStart(t, place)
	old := bucketRead(t, place, "backup")
	events := heard{codes: make(map[string]bool)}
	d.env.Events = events
	shareOpen(d, place)
	memory, cache := fastDir(t), fastDir(t)
	create := func() core.BackupCreateResult {
		t.Helper()
		b, err := core.OpenBackups(t.Context(), d.env, core.BackupPlace{URL: "/place", Cache: cache, Memory: memory})
		d.must(err)
		res, err := within(d, func(r *core.Repo) (core.BackupCreateResult, error) {
			return r.CreateBackup(t.Context(), b, core.BackupCreateOptions{Kind: objects.Incremental})
		})
		d.must(errors.Join(err, b.Close()))
		return res
	}
	lost := create()
	d.must(place.Delete(t.Context(), "backup"))
	_, err := place.Swap(t.Context(), "backup", "", old)
	d.must(err)
	sameSets(t, d, place, "rolled back", 1)
	events.codes["older_list"] = false
	if again := create(); again.Label == lost.Label || again.Existed || !events.codes["older_list"] {
		t.Errorf("%+v after %+v, %v", again.BackupSet, lost.BackupSet, events.codes)
	}
	sameSets(t, d, place, "afterwards", 2)
}

// Whoever has another key, or none, is told which key is needed, and gets nothing.
func TestBackupHostileIdentity(t *testing.T) {
	r := newRotting(t, true)
	for name, keys := range map[string]core.BackupKeys{
		"none":    {},
		"another": {Identities: []string{identityFile(t, otherIdentity)}},
	} {
		err := r.with(keys).refused(r.place, "")
		if e, ok := errors.AsType[*crypt.NoKeyError](err); !ok || e.Tried != len(keys.Identities) || !strings.Contains(err.Error(), "sets/") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// blindSet makes a set as a machine that cannot read: of a key of its own.
func (r *rotting) blindSet() string {
	r.t.Helper()
	reader := r.keys
	r.keys.Identities = nil
	r.write("more.txt", "more")
	r.commit(core.CommitOptions{})
	res, err := rotAt(r, r.place, func(b *core.Backups) (core.BackupCreateResult, error) {
		return within(r.data, func(repo *core.Repo) (core.BackupCreateResult, error) {
			return repo.CreateBackup(r.t.Context(), b, core.BackupCreateOptions{Kind: objects.Full})
		})
	})
	r.must(err)
	r.keys, r.want[res.Label] = reader, takeDisk(r.t, r.root)
	return res.Label
}

// keyFiles are the names of the key files of a place, each behind its copy.
func (r *rotting) keyFiles(b bucket.Bucket) (files []string) {
	r.t.Helper()
	for info, err := range b.List(r.t.Context(), "keys/") {
		if r.must(err); strings.HasSuffix(info.Key, ".age") {
			files = append(files, info.Key)
		}
	}
	return files
}

// twoKeys is a place whose sets are encrypted with two keys, as two machines make
// them that cannot read; and the files of the keys.
func twoKeys(t *testing.T) (*rotting, []string) {
	t.Helper()
	r := newRotting(t, true)
	r.blindSet()
	files := r.keyFiles(r.place)
	if len(files) != 4 {
		t.Fatalf("%v", files)
	}
	return r, files
}

// Key files that are damaged, truncated, swapped or removed are named by verify, and
// counted; a copy of each is enough for everything, and repair makes the other anew.
// Where both are gone the error names the file, and a copy of the place brings it
// back.
func TestBackupHostileKeys(t *testing.T) {
	r, files := twoKeys(t)
	text := func(i int) []byte { return bucketRead(t, r.place, files[i]) }
	flip := text(1)
	flip[len(flip)/2] ^= 1
	for name, bad := range map[string]map[int][]byte{
		"removed":             {1: nil},
		"copy removed":        {2: nil},
		"truncated":           {1: text(1)[:100]},
		"flipped":             {1: flip},
		"emptied":             {0: {}},
		"swapped":             {1: text(3), 3: text(1)},
		"both removed":        {0: nil, 1: nil},
		"both truncated":      {0: text(0)[:50], 1: text(1)[:150]},
		"both of another key": {0: text(2), 1: text(3)},
	} {
		b := bucketCopy(t, r.place)
		for i, data := range bad {
			r.swapAway(b, rotted{key: files[i], text: data})
		}
		_, copied := bad[0]
		lost := copied && len(bad) == 2
		found := make(map[string]bool)
		for _, d := range r.verify(b) {
			found[d.Key] = true
		}
		for i := range bad {
			if gone := name == "both removed"; !found[files[i]] != gone {
				t.Errorf("%s: verify names %v, not %s", name, found, files[i])
			}
		}
		broken := ""
		for label := range r.want {
			to := filepath.Join(fastDir(t), "to")
			_, err := rotAt(r, b, func(b *core.Backups) (core.BackupRestoreResult, error) {
				return b.Restore(t.Context(), core.BackupRestoreOptions{What: label, To: to})
			})
			switch e, ok := errors.AsType[*crypt.DamagedError](err); {
			case err == nil:
				r.restores(b, label, true)
			case !lost || !ok || e.KeyFile != files[1]:
				t.Errorf("%s: restore of %s: %v", name, label, err)
			default:
				broken = label
			}
		}
		if (broken != "") != lost {
			t.Errorf("%s: a restore that fails: %q", name, broken)
		}
		if lost {
			if res, err := r.repair(b, nil); err != nil || res.Left == 0 {
				t.Errorf("%s: repair alone: %+v, %v", name, res, err)
			}
		}
		if res, err := r.repair(b, r.place); err != nil || res.Left > 0 || res.Healed < len(bad) {
			t.Errorf("%s: repair: %+v, %v", name, res, err)
		}
		if found := r.verify(b); len(found) > 0 {
			t.Errorf("%s: after repair: %+v", name, found)
		}
		for label := range r.want {
			r.restores(b, label, true)
		}
	}
}

// A copy of a place brings back the key of a set of which nothing is left here, but
// none of sets that there are not.
func TestBackupHostileKeysOfOther(t *testing.T) {
	r := newRotting(t, true)
	early := bucketCopy(t, r.place)
	label := r.blindSet()
	files := r.keyFiles(early)
	r.must(early.Delete(t.Context(), r.keyed[0]))
	if res, err := r.repair(early, r.place); err != nil || res.Left > 0 || res.Healed == 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if got := r.keyFiles(early); !slices.Equal(got, files) {
		t.Errorf("the keys are %q, were %q", got, files)
	}
	b := bucketCopy(t, r.place)
	for info, err := range r.place.List(t.Context(), "") {
		r.must(err)
		if strings.EqualFold(labelIn(info.Key), label) || strings.HasSuffix(info.Key, ".age") && !slices.Contains(files, info.Key) {
			r.must(b.Delete(t.Context(), info.Key))
		}
	}
	if res, err := r.repair(b, nil); err != nil || res.Left == 0 {
		t.Errorf("alone: %+v, %v", res, err)
	}
	if res, err := r.repair(b, r.place); err != nil || res.Left > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if got := r.keyFiles(b); !slices.Equal(got, r.keyFiles(r.place)) {
		t.Errorf("the keys are %q", got)
	}
	r.restores(b, label, true)
	if found := r.verify(b); len(found) > 0 {
		t.Errorf("after repair: %+v", found)
	}
}

// An encrypted place whose list and copy are lost says by its note how it is
// encrypted: whoever has a key has the sets again, and who has none cannot make a
// list without them.
func TestBackupListOfSealedLost(t *testing.T) {
	r := newRotting(t, true)
	b := bucketCopy(t, r.place)
	r.must(b.Delete(t.Context(), "backup"))
	r.must(b.Delete(t.Context(), "backup.copy"))
	blind := r.with(core.BackupKeys{Recipients: r.keys.Recipients})
	_, err := rotAt(blind, b, func(b *core.Backups) (core.BackupCreateResult, error) {
		return within(r.data, func(repo *core.Repo) (core.BackupCreateResult, error) {
			return repo.CreateBackup(t.Context(), b, core.BackupCreateOptions{Kind: objects.Full})
		})
	})
	if _, ok := errors.AsType[*crypt.NoKeyError](err); !ok {
		t.Errorf("without a key: %v", err)
	}
	for label := range r.want {
		r.restores(b, label, true)
	}
	if res, err := r.repair(b, nil); err != nil || res.Healed != 2 || res.Left != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if found := r.verify(b); len(found) > 0 {
		t.Errorf("after repair: %+v", found)
	}
	for label := range r.want {
		r.restores(b, label, true)
	}
	blind.keys.Recipients = nil
	res, err := rotAt(blind, b, func(b *core.Backups) (core.BackupCreateResult, error) {
		return within(r.data, func(repo *core.Repo) (core.BackupCreateResult, error) {
			return repo.CreateBackup(t.Context(), b, core.BackupCreateOptions{Kind: objects.Full})
		})
	})
	if err != nil || res.Existed {
		t.Errorf("a backup to what came back: %+v, %v", res, err)
	}
}

// A set whose manifests could not be read when the list was made again is not swept,
// and repair brings it back when they can be.
func TestBackupListLacksSets(t *testing.T) {
	r := newRotting(t, false)
	b := bucketCopy(t, r.place)
	label := ""
	for l := range r.want {
		if strings.HasSuffix(l, "I") {
			label = l
		}
	}
	moved := make(map[string][]byte)
	for _, key := range r.keyed {
		if strings.HasPrefix(key, "sets/"+strings.ToLower(label)+"/") && (strings.HasSuffix(key, ".manifest") || strings.HasSuffix(key, ".copy")) {
			moved[key] = bucketRead(t, b, key)
			bucketReplace(t, b, key, []byte("damaged"))
		}
	}
	r.must(b.Delete(t.Context(), "backup"))
	r.must(b.Delete(t.Context(), "backup.copy"))
	list := func() (labels []string) {
		sets, err := rotAt(r, b, func(b *core.Backups) ([]core.BackupSet, error) { return b.List(), nil })
		r.must(err)
		for _, s := range sets {
			labels = append(labels, s.Label)
		}
		return labels
	}
	if res, err := r.repair(b, nil); err != nil || res.Left != 0 || len(list()) != 2 {
		t.Fatalf("%+v, %v, %v", res, err, list())
	}
	later := *r.data
	now := r.env.Now
	later.env.Now = func() time.Time { return now().Add(100 * time.Hour) }
	of := *r
	of.data = &later
	res, err := rotAt(&of, b, func(at *core.Backups) (core.BackupExpired, error) {
		return at.Expire(t.Context(), core.BackupExpireOptions{}, core.BackupConfig{}, func(core.BackupDecision) error { return nil })
	})
	if err != nil || res.Swept > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	for key, text := range moved {
		bucketReplace(t, b, key, text)
	}
	if res, err := r.repair(b, nil); err != nil || res.Healed != 1 || res.Left != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if got := list(); len(got) != 3 {
		t.Errorf("%v", got)
	}
	for label := range r.want {
		r.restores(b, label, true)
	}
}
