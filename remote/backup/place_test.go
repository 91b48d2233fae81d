package backup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
	"github.com/mlvc/mlvc/remote/bucket/local"
)

func folder(t *testing.T, dir string) bucket.Bucket {
	t.Helper()
	b, err := local.Open(t.Context(), fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A copy of the folder, made by any tool, is a destination; one that may only be
// read can be restored from, and what cannot be written is an error that harms
// nothing.
func TestFolder(t *testing.T) {
	r, dir := newRepo(t, 11), filepath.Join(t.TempDir(), "backups")
	b := folder(t, dir)
	r.mustCreate(b, r.wanted(r.random(), objects.Full))
	second := r.mustCreate(b, r.wanted(r.random(), objects.Incremental))
	other := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	b = folder(t, other)
	r.check(b)
	r.checkHistory(b, second.Label)
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		return // who may write anywhere
	}
	if err := os.Chmod(other, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(other, 0o755)
	r.check(b)
	if _, err := r.create(b, r.wanted(r.random(), objects.Full)); err == nil {
		t.Error("no error")
	}
}

// Several machines back up to one place in the same second: each set gets its own
// label, and all are there.
func TestManyAtOnce(t *testing.T) {
	r, b := newRepo(t, 12), buckettest.Memory()
	var ids []objects.ID
	for range 4 {
		ids = append(ids, r.random())
	}
	var wg sync.WaitGroup
	errs := make([]error, len(ids))
	for i, id := range ids {
		opt := r.wanted(id, objects.Full)
		wg.Go(func() {
			d, err := backup.Open(context.Background(), b, r.options())
			if err == nil {
				_, err = backup.Create(context.Background(), d, r.local, opt)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := len(r.mustOpen(b).List().Sets); n != len(ids) {
		t.Errorf("%d sets, want %d", n, len(ids))
	}
	r.check(b)
}

// Of two who begin a destination at once, each encrypted in its own way or not at
// all, one is refused, and leaves beside the list what the other has written.
func TestBegunAtOnce(t *testing.T) {
	for _, c := range []struct{ winner, loser string }{{"one", "two"}, {"", "two"}, {"one", ""}} {
		r, b := newRepo(t, 14), buckettest.Memory()
		open := func(crypt string) *backup.Destination {
			opt := r.options()
			opt.Wrap = func(_ []byte, b bucket.Bucket) (bucket.Bucket, error) { return shift{b}, nil }
			opt.Crypt = []byte(crypt)
			d, err := backup.Open(t.Context(), b, opt)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		winner, loser, id := open(c.winner), open(c.loser), r.random()
		refused := errors.New("begun by somebody else")
		err := loser.Update(t.Context(), func(l *backup.List) error {
			if l.Repository != "" {
				return refused
			}
			if _, err := backup.Create(t.Context(), winner, r.local, r.wanted(id, objects.Full)); err != nil {
				t.Fatal(err)
			}
			l.Version, l.Repository, l.Crypt = 1, winner.List().Repository, []byte(c.loser)
			return nil
		})
		if !errors.Is(err, refused) {
			t.Errorf("%+v: %v", c, err)
		}
		for _, key := range []string{"backup", "backup.copy", "keys/backup"} {
			data, _, err := b.Get(t.Context(), key)
			if key == "keys/backup" && c.winner == "" {
				if !errors.Is(err, bucket.ErrNotExist) {
					t.Errorf("%+v: a note says %q, %v", c, data, err)
				}
				continue
			}
			list, derr := backup.DecodeList(data)
			if err = errors.Join(err, derr); err != nil || string(list.Crypt) != c.winner {
				t.Errorf("%+v: %s says %q, %v", c, key, list.Crypt, err)
			}
		}
		if v, err := open("").Verify(t.Context(), backup.VerifyOptions{}); err != nil || len(v.Damage) > 0 || len(v.Sets) != 1 {
			t.Errorf("%+v: %v, %+v", c, err, v.Damage)
		}
	}
}

// shift is a bucket around another.
type shift struct{ bucket.Bucket }

// An encrypted destination is not read without a key.
func TestCryptSeam(t *testing.T) {
	r, b := newRepo(t, 13), buckettest.Memory()
	opt := r.options()
	opt.Crypt = []byte("keys")
	var encrypted *backup.EncryptedError
	if _, err := backup.Open(t.Context(), b, opt); !errors.As(err, &encrypted) {
		t.Errorf("got %v, want *EncryptedError", err)
	}
	wrapped := 0
	opt.Wrap = func(crypt []byte, b bucket.Bucket) (bucket.Bucket, error) {
		if string(crypt) != "keys" {
			t.Errorf("crypt %q", crypt)
		}
		wrapped++
		return shift{b}, nil
	}
	d, err := backup.Open(t.Context(), b, opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Create(t.Context(), d, r.local, r.wanted(r.random(), objects.Full)); err != nil {
		t.Fatal(err)
	}
	opt.Crypt = nil // the list says it from now on
	if _, err := backup.Open(t.Context(), b, opt); err != nil || wrapped != 2 {
		t.Errorf("%v, wrapped %d times", err, wrapped)
	}
	opt.Wrap = nil
	if _, err := backup.Open(t.Context(), b, opt); !errors.As(err, &encrypted) {
		t.Errorf("got %v, want *EncryptedError", err)
	}
}
