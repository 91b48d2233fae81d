package core_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// backupReads restores the newest set, or paths of it, and says what that read at
// the place, and how large the files are.
func backupReads(t *testing.T, d *data, place bucket.Bucket, paths ...string) (counts buckettest.Counts, files int64) {
	t.Helper()
	counting := buckettest.NewCounting(place)
	res, err := backups(t, d.env, counting, func(at *core.Backups) (core.BackupRestoreResult, error) {
		return at.Restore(t.Context(), core.BackupRestoreOptions{To: filepath.Join(fastDir(t), "restored"), Paths: paths})
	})
	d.must(err)
	return counting.Counts(), res.Bytes
}

// A restore of files that were changed over many incrementals reads each range
// of a pack once, and many files with one request.
func TestBackupRestoreReadsOnce(t *testing.T) {
	const files, size, rounds = 2000, 4 << 10, 8
	place := buckettest.Memory()
	d := newDataIn(t, fastDir(t))
	for i := range files {
		d.write(fmt.Sprintf("%02d/%04d", i%7, i), planNoise(i, size))
	}
	for round := range rounds {
		for i := round; i < files && round > 0; i += 50 {
			d.write(fmt.Sprintf("%02d/%04d", i%7, i), planNoise(round*files+i, size))
		}
		kind := core.CommitOptions{Kind: objects.Incremental}
		d.commit(kind)
		_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
		d.must(err)
	}
	counts, restored := backupReads(t, d, place)
	// Of each set the manifest, the index, the metadata and the contents, and of
	// the full as many blocks as it has; of the contents a quarter is of files that
	// were changed since.
	if limit := rounds*6 + int(restored>>18); counts.GetRange > limit {
		t.Errorf("%d requests, want at most %d", counts.GetRange, limit)
	}
	if limit := restored * 4 / 3; counts.In > limit || counts.List > 0 {
		t.Errorf("read %d bytes of %d: %+v", counts.In, restored, counts)
	}
}

// The same of a large file that is edited in place, so that deltas are built on
// what other sets have.
func TestBackupRestoreReadsDeltasOnce(t *testing.T) {
	const size, rounds = 12 << 20, 5
	place := buckettest.Memory()
	d := newDataIn(t, fastDir(t))
	text := []byte(planNoise(1, size))
	for round := range rounds {
		for at := round * 1_000_000; at < len(text) && round > 0; at += 7_000_000 {
			copy(text[at:], bytes.Repeat([]byte{byte(round)}, 300))
		}
		d.write("large", string(text))
		d.commit(core.CommitOptions{Kind: objects.Incremental})
		_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
		d.must(err)
	}
	counts, restored := backupReads(t, d, place)
	if limit := rounds*6 + int(restored>>20); counts.GetRange > limit {
		t.Errorf("%d requests, want at most %d", counts.GetRange, limit)
	}
	if limit := restored * 11 / 10; counts.In > limit || counts.List > 0 {
		t.Errorf("read %d bytes of %d: %+v", counts.In, restored, counts)
	}
}

// Of a few files not much more is read than they are.
func TestBackupRestoreReadsFew(t *testing.T) {
	place := buckettest.Memory()
	d := newDataIn(t, fastDir(t))
	for i := range 2000 {
		d.write(fmt.Sprintf("%04d", i), planNoise(i, 4<<10))
	}
	d.commit(core.CommitOptions{})
	_, err := backupCreate(d, place, core.BackupCreateOptions{Kind: core.KindAuto})
	d.must(err)
	counts, _ := backupReads(t, d, place, "0100", "1900")
	if counts.In > 1<<20 {
		t.Errorf("two files took %+v", counts)
	}
}
