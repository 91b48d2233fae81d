package core_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
	folder "github.com/mlvc/mlvc/remote/bucket/local"
)

// troubled is a place of which writing, or everything, fails after so many writes.
type troubled struct {
	bucket.Bucket
	writes int
	err    error
	all    bool // reading fails then as well
}

func (b *troubled) write() error {
	if b.writes--; b.writes < 0 {
		return b.err
	}
	return nil
}

func (b *troubled) read() error {
	if b.all && b.writes < 0 {
		return b.err
	}
	return nil
}

func (b *troubled) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if err := b.write(); err != nil {
		return err
	}
	return b.Bucket.PutIfAbsent(ctx, key, body, size)
}

func (b *troubled) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	if err := b.write(); err != nil {
		return "", err
	}
	return b.Bucket.Swap(ctx, key, old, data)
}

func (b *troubled) Delete(ctx context.Context, key string) error {
	if err := b.write(); err != nil {
		return err
	}
	return b.Bucket.Delete(ctx, key)
}

func (b *troubled) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	if err := b.read(); err != nil {
		return nil, "", err
	}
	return b.Bucket.Get(ctx, key)
}

func (b *troubled) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := b.read(); err != nil {
		return nil, err
	}
	return b.Bucket.GetRange(ctx, key, offset, length)
}

func (b *troubled) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	if b.read() != nil { // a folder that is gone has nothing in it
		return func(func(bucket.Info, error) bool) {}
	}
	return b.Bucket.List(ctx, prefix)
}

// A place that is full, may only be read, or goes away midway, is an error that
// names it; the sets that it had are unharmed, and the same call then makes the
// one that was wanted.
func TestBackupTroubles(t *testing.T) {
	for name, trouble := range map[string]troubled{
		"full":      {err: fmt.Errorf("write: %w", vfs.ErrNoSpace)},
		"read-only": {err: &fs.PathError{Op: "open", Path: "x", Err: syscall.EROFS}},
		"forbidden": {err: &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}},
		"gone":      {err: fmt.Errorf("get: %w", bucket.ErrNotExist), all: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, step := stride(9)
			for writes := first - 1; ; writes += step {
				place := buckettest.Memory()
				d := backupStart(t, place)
				b := trouble
				b.Bucket, b.writes = place, writes
				opt := core.BackupCreateOptions{Kind: objects.Incremental}
				_, err := backupCreate(d, &b, opt)
				if b.writes >= 0 {
					if err != nil || writes < 5 {
						t.Fatalf("%d writes: %v", writes, err)
					}
					return
				}
				// What is only needed under way is removed at the end, or later.
				if _, ok := errors.AsType[*core.PlaceError](err); err != nil && !ok {
					t.Errorf("%d writes: %v", writes, err)
				}
				sets := 2
				if err != nil {
					sets = 1
				}
				sameSets(t, d, place, fmt.Sprintf("%d writes", writes), sets)
				if res, err := backupCreate(d, place, opt); err != nil || res.Existed != (sets == 2) {
					t.Errorf("%d writes: again: %+v, %v", writes, res, err)
				}
				sameSets(t, d, place, fmt.Sprintf("%d writes, again", writes), 2)
			}
		})
	}
}

// heard keeps the codes of warnings.
type heard struct {
	core.NoEvents
	codes map[string]bool
}

func (w heard) Warn(x core.Warning) { w.codes[x.Code] = true }

// What may only be read is restored, drilled and verified; that the results
// cannot be noted there is a warning.
func TestBackupReadOnly(t *testing.T) {
	place := buckettest.Memory()
	d := backupStart(t, place)
	b := &troubled{Bucket: place, err: syscall.EROFS}
	events := heard{codes: make(map[string]bool)}
	d.env.Events = events
	sameSets(t, d, b, "read-only", 1)
	res, err := backups(t, d.env, b, func(at *core.Backups) (core.BackupDrill, error) {
		return at.Drill(t.Context(), core.BackupDrillOptions{Scratch: fastDir(t)})
	})
	if err != nil || !res.OK || !events.codes["not_noted"] {
		t.Errorf("drill: %+v, %v, %v", res, err, events.codes)
	}
	again := &data{t: t, env: d.env, root: fastDir(t) + "/again"}
	_, err = backupRepo(again, b)
	d.must(err)
	again.want(treeA)

	// Even without its list, its manifests and its indexes.
	for info, err := range place.List(t.Context(), "") {
		if d.must(err); info.Key == "backup" || filepath.Ext(info.Key) == ".manifest" || filepath.Ext(info.Key) == ".idx" {
			d.must(place.Delete(t.Context(), info.Key))
		}
	}
	again = &data{t: t, env: d.env, root: fastDir(t) + "/again"}
	_, err = backupRepo(again, b)
	d.must(err)
	again.want(treeA)
	if !events.codes["list_recovered"] || !events.codes["healed"] {
		t.Errorf("%v", events.codes)
	}
}

// A place of another repository is refused, before anything is written.
func TestBackupForeign(t *testing.T) {
	place := buckettest.Memory()
	backupStart(t, place)
	other := newDataIn(t, fastDir(t))
	other.save(treeB)
	counted := buckettest.NewCounting(place)
	_, err := backupCreate(other, counted, core.BackupCreateOptions{Kind: core.KindAuto})
	if _, ok := errors.AsType[*backup.ForeignError](err); !ok {
		t.Errorf("%v", err)
	}
	if c := counted.Counts(); c.Out > 0 {
		t.Errorf("%d bytes were written", c.Out)
	}
}

// A copy of the folder, made by any tool, is as good as the place: it is verified,
// restored from, backed up to and expired.
func TestBackupCopied(t *testing.T) {
	for _, keys := range []bool{false, true} {
		r := newRotting(t, keys)
		dir := filepath.Join(fastDir(t), "place")
		b, err := folder.Open(t.Context(), vfs.OS, dir)
		r.must(err)
		for info, err := range r.place.List(t.Context(), "") {
			r.must(err)
			name := filepath.Join(dir, filepath.FromSlash(info.Key))
			r.must(os.MkdirAll(filepath.Dir(name), 0o777))
			r.must(os.WriteFile(name, bucketRead(t, r.place, info.Key), 0o666))
		}
		create := func(b bucket.Bucket, text string) core.BackupCreateResult {
			r.write("notes.txt", text)
			r.commit(core.CommitOptions{})
			res, err := rotAt(r, b, func(at *core.Backups) (core.BackupCreateResult, error) {
				return within(r.data, func(repo *core.Repo) (core.BackupCreateResult, error) {
					return repo.CreateBackup(t.Context(), at, core.BackupCreateOptions{Kind: objects.Incremental})
				})
			})
			r.must(err)
			r.want[res.Label] = takeDisk(t, r.root)
			return res
		}
		create(b, "at the place itself")
		r.must(b.Close())
		copied := filepath.Join(fastDir(t), "copied")
		r.must(os.CopyFS(copied, os.DirFS(dir)))
		r.must(os.RemoveAll(dir))

		b, err = folder.Open(t.Context(), vfs.OS, copied)
		r.must(err)
		if res := create(b, "at the copy"); res.Base == "" {
			t.Errorf("%+v", res)
		}
		if found := r.verify(b); len(found) > 0 {
			t.Errorf("%+v", found)
		}
		for label := range r.want {
			r.restores(b, label, true)
		}
		_, err = rotAt(r, b, func(at *core.Backups) (core.BackupExpired, error) {
			return at.Expire(t.Context(), core.BackupExpireOptions{Policy: backup.Policy{KeepFull: 1}}, core.BackupConfig{}, func(core.BackupDecision) error { return nil })
		})
		r.must(err)
		r.must(b.Close())
	}
}
