package core_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// remembering is an encrypted place, and a machine that remembers what it wrote there.
type remembering struct {
	*rotting
	memory string
	t      *testing.T
}

func newRemembering(t *testing.T) *remembering {
	t.Helper()
	r := &remembering{newRotting(t, true), filepath.Join(fastDir(t), "dataset", "mlvc", "backups"), t}
	both := []string{identityFile(t, rotIdentity), identityFile(t, otherIdentity)}
	r.keys = core.BackupKeys{Identities: both}
	return r
}

// remembered opens the place as that machine.
func remembered[T any](r *remembering, b bucket.Bucket, fn func(*core.Backups) (T, error)) (T, error) {
	r.t.Helper()
	r.env.OpenBucket = func(context.Context, string) (bucket.Bucket, error) { return b, nil }
	place := core.BackupPlace{URL: "/place", Cache: fastDir(r.t), Memory: r.memory, Keys: r.keys}
	opened, err := core.OpenBackups(r.t.Context(), r.env, place)
	if err != nil {
		var zero T
		return zero, err
	}
	res, err := fn(opened)
	return res, errors.Join(err, opened.Close())
}

func (r *remembering) create(b bucket.Bucket) error {
	r.t.Helper()
	_, err := remembered(r, b, func(at *core.Backups) (core.BackupCreateResult, error) {
		return within(r.data, func(repo *core.Repo) (core.BackupCreateResult, error) {
			return repo.CreateBackup(r.t.Context(), at, core.BackupCreateOptions{Kind: objects.Full})
		})
	})
	return err
}

func (r *remembering) expire(b bucket.Bucket) {
	r.t.Helper()
	_, err := remembered(r, b, func(at *core.Backups) (core.BackupExpired, error) {
		return at.Expire(r.t.Context(), core.BackupExpireOptions{}, core.BackupConfig{}, func(core.BackupDecision) error { return nil })
	})
	r.must(err)
}

func (r *remembering) change(b bucket.Bucket, opt core.BackupRotateOptions) (core.BackupRotated, error) {
	r.t.Helper()
	return remembered(r, b, func(at *core.Backups) (core.BackupRotated, error) {
		return at.RotateKeys(r.t.Context(), nil, opt)
	})
}

// note is the file that says for whom the place is encrypted.
func (r *remembering) note() string {
	r.t.Helper()
	files, err := os.ReadDir(r.memory)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	r.must(err)
	for _, f := range files {
		if f.Type().IsRegular() {
			return filepath.Join(r.memory, f.Name())
		}
	}
	return ""
}

// forged is the place with another text in what its list says of its encryption.
func (r *remembering) forged(old, other string) bucket.Bucket {
	r.t.Helper()
	b := bucketCopy(r.t, r.place)
	r.forge(b, old, other)
	return b
}

func (r *remembering) forge(b bucket.Bucket, old, other string) {
	r.t.Helper()
	list, err := backup.DecodeList(bucketRead(r.t, b, "backup"))
	r.must(err)
	if len(old) != len(other) || !bytes.Contains(list.Crypt, []byte(old)) {
		r.t.Fatalf("%q does not take the place of %q", other, old)
	}
	list.Crypt = bytes.ReplaceAll(list.Crypt, []byte(old), []byte(other))
	data, err := backup.EncodeList(list)
	r.must(err)
	_, version, err := b.Get(r.t.Context(), "backup")
	r.must(err)
	_, err = b.Swap(r.t.Context(), "backup", version, data)
	r.must(err)
}

// destination is the ID of the place.
func (r *remembering) destination() string {
	r.t.Helper()
	list, err := backup.DecodeList(bucketRead(r.t, r.place, "backup"))
	r.must(err)
	var c struct {
		Version     int      `cbor:"version"`
		Destination string   `cbor:"destination"`
		Recipients  []string `cbor:"recipients"`
	}
	_, err = objects.UnmarshalRecord(list.Crypt, &c)
	r.must(err)
	return c.Destination
}

// old makes a file that was written long ago.
func (r *remembering) old(name string) string {
	r.t.Helper()
	r.must(os.MkdirAll(filepath.Dir(name), 0o777))
	r.must(os.WriteFile(name, []byte("old"), 0o666))
	long := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	r.must(os.Chtimes(name, long, long))
	return name
}

// A destination of a forged list names no folder but that of its notes, of which
// only those of sets that are gone are removed.
func TestBackupHostileDestination(t *testing.T) {
	r := newRemembering(t)
	r.must(r.create(r.place))
	root, id := filepath.Dir(filepath.Dir(r.memory)), r.destination()
	notes := filepath.Join(r.memory, id)
	stay := []string{
		r.old(filepath.Join(root, "photo.png")), r.old(filepath.Join(root, "sets", "20010101-000000f", "photo", "1")),
		r.old(filepath.Join(notes, "mine")), r.old(filepath.Join(notes, "sets", "mine", "photo", "1")),
	}
	goes := r.old(filepath.Join(notes, "sets", "20010101-000000f", "0.manifest", "1"))
	for _, other := range []string{
		"../../" + strings.Repeat("./", 13), "../.." + strings.Repeat("/", 27), strings.ToUpper("abcdef" + id[6:]), strings.Repeat("g", 32),
	} {
		if err := r.create(r.forged(id, other)); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%q: %v", other, err)
		}
	}
	r.must(r.create(r.place))
	for _, name := range stay {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(goes); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note of a set that is gone: %v", err)
	}
}

// Recipients that a forged list names are not remembered, so that a backup goes on
// to refuse them.
func TestBackupHostileRecipients(t *testing.T) {
	r := newRemembering(t)
	r.expire(r.place)
	if note := r.note(); note != "" {
		t.Errorf("an expiry remembered %s", note)
	}
	r.must(r.create(r.place))
	b := r.forged(rotRecipient, otherRecipient)
	for range 2 {
		if _, ok := errors.AsType[*core.RecipientsError](r.create(b)); !ok {
			t.Error("a backup was made for others")
		}
		r.expire(b)
	}
	r.expire(r.place)
	r.must(r.create(r.place))
	garbled := []byte("not toml")
	r.must(os.WriteFile(r.note(), garbled, 0o666))
	r.expire(b)
	if text, err := os.ReadFile(r.note()); err != nil || !bytes.Equal(text, garbled) {
		t.Errorf("what could not be read became %q, %v", text, err)
	}
	if _, err := r.change(b, core.BackupRotateOptions{Add: []string{rotRecipient}}); err == nil {
		t.Error("recipients were changed over a memory that cannot be read")
	}
}

// Recipients are not added to those of a forged list, nor taken from them.
func TestBackupRotateForged(t *testing.T) {
	r := newRemembering(t)
	r.must(r.create(r.place))
	b := r.forged(rotRecipient, otherRecipient)
	before := bucketRead(t, b, "backup")
	for _, opt := range []core.BackupRotateOptions{
		{Add: []string{rotRecipient}},
		{Add: []string{rotRecipient}, Remove: []string{rotRecipient}},
	} {
		if _, ok := errors.AsType[*core.RecipientsError](last(r.change(b, opt))); !ok || !bytes.Equal(before, bucketRead(t, b, "backup")) {
			t.Errorf("%+v was done", opt)
		}
	}
	if res, err := r.change(b, core.BackupRotateOptions{Recipients: []string{rotRecipient}}); err != nil || !slices.Equal(res.Removed, []string{otherRecipient}) {
		t.Errorf("%+v, %v", res, err)
	}
	r.must(r.create(b))
}

func last[T any](_ T, err error) error { return err }

// A change of keys that ended when it was the new recipients' turn is ended by the
// same again; whoever never could read is not removed.
func TestBackupRotateAgain(t *testing.T) {
	both := []string{rotRecipient, otherRecipient}
	slices.Sort(both)
	r := newRemembering(t)
	r.must(r.create(r.place))
	if _, ok := errors.AsType[*core.UsageError](last(r.change(r.place, core.BackupRotateOptions{Remove: []string{otherRecipient}}))); !ok {
		t.Error("who could not read was removed")
	}
	for _, c := range []struct {
		opt  core.BackupRotateOptions
		want []string
	}{
		{core.BackupRotateOptions{Add: []string{otherRecipient}}, both},
		{core.BackupRotateOptions{Remove: []string{rotRecipient}}, []string{otherRecipient}},
		{core.BackupRotateOptions{Add: []string{rotRecipient}, Remove: []string{otherRecipient}}, []string{rotRecipient}},
	} {
		note := r.note()
		memory, err := os.ReadFile(note)
		r.must(err)
		for range 2 {
			if res, err := r.change(r.place, c.opt); err != nil || !slices.Equal(res.Recipients, c.want) {
				t.Errorf("%+v: %+v, %v", c.opt, res, err)
			}
			r.must(os.WriteFile(note, memory, 0o666)) // that it was done was not noted
		}
		if _, err := r.change(r.place, c.opt); err != nil {
			t.Errorf("%+v: %v", c.opt, err)
		}
		r.must(r.create(r.place))
	}
}

// Whatever operation at the place ends the removal of somebody, the same command
// goes on with it.
func TestBackupRotateRemoveFaults(t *testing.T) {
	r := newRemembering(t)
	r.must(r.create(r.place))
	r.must(last(r.change(r.place, core.BackupRotateOptions{Add: []string{otherRecipient}})))
	note := r.note()
	memory, err := os.ReadFile(note)
	r.must(err)
	opt := core.BackupRotateOptions{Remove: []string{rotRecipient}}
	counted := buckettest.NewFaulty(bucketCopy(t, r.place), buckettest.Plan{})
	r.must(last(r.change(counted, opt)))
	r.must(os.WriteFile(note, memory, 0o666))
	_, step := stride(4)
	for at := counted.Count(); at > 0 && !t.Failed(); at -= step {
		b := bucketCopy(t, r.place)
		faulty := buckettest.NewFaulty(b, buckettest.Plan{At: at, Kind: buckettest.After, Sticky: true})
		for _, place := range []bucket.Bucket{faulty, b} {
			res, err := r.change(place, opt)
			if done := err == nil && slices.Equal(res.Recipients, []string{otherRecipient}); !done && (place == b || faulty.Failed() == "") {
				t.Errorf("%s: %+v, %v", faulty.Failed(), res, err)
			}
		}
		r.must(os.WriteFile(note, memory, 0o666))
	}
}
