package core_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/backup/crypt"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// rotate changes who can read a place, as whoever has these keys.
func (r *rotting) rotate(b bucket.Bucket, keys core.BackupKeys, opt core.BackupRotateOptions) (core.BackupRotated, error) {
	return rotAt(r.with(keys), b, func(at *core.Backups) (core.BackupRotated, error) {
		return at.RotateKeys(r.t.Context(), nil, opt)
	})
}

// A change of keys of which any one operation at the place fails leaves every set
// to whom the list names, and the same with both keys ends it: then the new key
// reads everything, and the old one nothing.
func TestBackupRotateFaults(t *testing.T) {
	r := newRotting(t, true)
	both := core.BackupKeys{Identities: []string{identityFile(t, rotIdentity), identityFile(t, otherIdentity)}}
	readers := map[string]core.BackupKeys{rotRecipient: {Identities: both.Identities[:1]}, otherRecipient: {Identities: both.Identities[1:]}}
	to := core.BackupRotateOptions{Recipients: []string{otherRecipient}}
	first, step := stride(4)
	for _, kind := range []buckettest.Kind{buckettest.Before, buckettest.After, buckettest.Midway} {
		for at := first; !t.Failed(); at += step {
			b := bucketCopy(t, r.place)
			faulty := buckettest.NewFaulty(b, buckettest.Plan{At: at, Kind: kind, Bytes: 9, Sticky: at%2 == 0})
			_, err := r.rotate(faulty, both, to)
			if err != nil {
				if !errors.Is(err, buckettest.ErrFault) {
					t.Fatalf("%s: %v", faulty.Failed(), err)
				}
				named := otherRecipient
				if strings.Contains(string(bucketRead(t, b, "backup")), rotRecipient) {
					named = rotRecipient
				}
				r.with(readers[named]).restores(b, r.full(), true)
				if res, err := r.rotate(b, both, to); err != nil || res.Keys != 1 || res.Sets != len(r.want) {
					t.Errorf("%s, again: %+v, %v", faulty.Failed(), res, err)
				}
			}
			if _, ok := errors.AsType[*crypt.NoKeyError](r.with(readers[rotRecipient]).refused(b, "")); !ok {
				t.Errorf("%s: the old key still reads", faulty.Failed())
			}
			reader := r.with(readers[otherRecipient])
			reader.restores(b, r.full(), true)
			if found := reader.verify(b); len(found) > 0 {
				t.Errorf("%s: %+v", faulty.Failed(), found)
			}
			if faulty.Failed() == "" {
				break
			}
		}
	}
}

// Those who can read are named anew, or added and removed; what cannot be meant is
// refused, with nothing changed.
func TestBackupRotateOptions(t *testing.T) {
	r := newRotting(t, true)
	names := func(list ...string) []string { return slices.Sorted(slices.Values(list)) }
	for _, c := range []struct {
		opt  core.BackupRotateOptions
		want []string // nil: refused
	}{
		{core.BackupRotateOptions{}, nil},
		{core.BackupRotateOptions{Recipients: []string{otherRecipient}, Add: []string{otherRecipient}}, nil},
		{core.BackupRotateOptions{Remove: []string{rotRecipient}}, nil},
		{core.BackupRotateOptions{Remove: []string{otherRecipient}}, names(rotRecipient)}, // nothing here remembers who could read
		{core.BackupRotateOptions{Add: []string{"age1nobody"}}, nil},
		{core.BackupRotateOptions{Add: []string{otherRecipient}}, names(rotRecipient, otherRecipient)},
		{core.BackupRotateOptions{Remove: []string{otherRecipient}}, names(rotRecipient)},
		{core.BackupRotateOptions{Recipients: []string{otherRecipient, rotRecipient}}, names(rotRecipient, otherRecipient)},
		{core.BackupRotateOptions{Add: []string{otherRecipient}, Remove: []string{rotRecipient}}, names(otherRecipient)},
	} {
		b := r.place
		before := bucketRead(t, b, "backup")
		res, err := r.rotate(b, core.BackupKeys{Identities: []string{identityFile(t, rotIdentity), identityFile(t, otherIdentity)}}, c.opt)
		if c.want == nil {
			if _, ok := errors.AsType[*core.UsageError](err); !ok && len(c.opt.Add) == 0 || err == nil || string(before) != string(bucketRead(t, b, "backup")) {
				t.Errorf("%+v: %+v, %v", c.opt, res, err)
			}
			continue
		}
		if err != nil || !slices.Equal(res.Recipients, c.want) || res.Keys != 1 {
			t.Errorf("%+v: %+v, %v", c.opt, res, err)
		}
	}
	plain := newRotting(t, false)
	if _, err := plain.rotate(plain.place, core.BackupKeys{}, core.BackupRotateOptions{Add: []string{otherRecipient}}); err == nil {
		t.Error("what is not encrypted was")
	}
}

// The settings of the repository here follow, and its memory: the next set is made for
// the new recipients without a word.
func TestBackupRotateSettings(t *testing.T) {
	place := buckettest.Memory()
	d := newDataIn(t, fastDir(t))
	d.save(treeA)
	shareOpen(d, place)
	set := func(key, value string) {
		_, err := within(d, func(r *core.Repo) (struct{}, error) { return struct{}{}, r.SetConfig(key, &value) })
		d.must(err)
	}
	set("backup.disk.url", "/place")
	set("backup.disk.encrypt", rotRecipient)
	key := identityFile(t, rotIdentity)
	open := func(do func(r *core.Repo, b *core.Backups) error) {
		t.Helper()
		_, err := within(d, func(r *core.Repo) (struct{}, error) {
			at, err := r.BackupPlace("disk", "")
			d.must(err)
			at.Keys = core.BackupKeys{Recipients: r.BackupSettings("disk").Recipients(), Named: "backup.disk.encrypt", Identities: []string{key}}
			b, err := core.OpenBackups(t.Context(), d.env, at)
			d.must(err)
			return struct{}{}, errors.Join(do(r, b), b.Close())
		})
		d.must(err)
	}
	create := func(r *core.Repo, b *core.Backups) error {
		_, err := r.CreateBackup(t.Context(), b, core.BackupCreateOptions{})
		return err
	}
	open(create)
	open(func(r *core.Repo, b *core.Backups) error {
		res, err := b.RotateKeys(t.Context(), r, core.BackupRotateOptions{Recipients: []string{otherRecipient}})
		if res.Setting != "backup.disk.encrypt" || !slices.Equal(res.Added, []string{otherRecipient}) || !slices.Equal(res.Removed, []string{rotRecipient}) {
			t.Errorf("%+v", res)
		}
		return err
	})
	open(func(r *core.Repo, _ *core.Backups) error {
		if got := r.BackupSettings("disk").Encrypt; got != otherRecipient {
			t.Errorf("the settings say %q", got)
		}
		return nil
	})
	d.save(treeB)
	d.must(vfs.WriteFile(vfs.OS, key, []byte(otherIdentity), 0o600))
	open(create)
}
