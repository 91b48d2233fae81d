package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// The steps with backups, beside restic, whose repository is a folder on the
// same disk. Both end with a sync. mlvc writes no parity here, as restic has
// none; restic encrypts, mlvc does not.

// backups are where the backups of a set are.
type backups struct {
	mlvc   string // the destination; "" if none
	restic string // the repository; "" if none
}

const needsRestic = errLeft("restic is not there to compare with (apt-get install restic)")

// createFirst backs up a commit to a new destination.
func createFirst(ctx context.Context, b *bench, s *set) (sample, error) {
	if _, err := exec.LookPath("restic"); err != nil {
		return sample{}, needsRestic // before minutes are spent
	}
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	if err := os.RemoveAll(s.backups.mlvc); err != nil {
		return sample{}, err
	}
	s.backups.mlvc = b.fresh("backup")
	if err := warm(s.packs()); err != nil { // a commit writes them past the cache
		return sample{}, err
	}
	return b.create(ctx, s)
}

// create backs up the newest commit, and counts what the destination grew by.
func (b *bench) create(ctx context.Context, s *set) (sample, error) {
	return grown(s.backups.mlvc, func() (sample, error) {
		return b.run(ctx, s, "backup", "create", s.backups.mlvc, "--parity", "off")
	})
}

// grown adds to a sample what a folder grew by, and the time of a sync.
func grown(dir string, work func() (sample, error)) (sample, error) {
	before, err := allocated(dir)
	if err != nil {
		return sample{}, err
	}
	got, err := work()
	if err != nil {
		return got, err
	}
	got = got.plus(timed(settle))
	after, err := allocated(dir)
	got.Bytes = float64(after - before)
	return got, err
}

// ensureBackedUp makes a backup of what is there, committed or not.
func (b *bench) ensureBackedUp(ctx context.Context, s *set) error {
	if s.backups.mlvc == "" {
		if _, err := createFirst(ctx, b, s); err != nil {
			return err
		}
	}
	if _, err := b.commit(ctx, s, "what is there"); err != nil {
		return err
	}
	_, err := b.create(ctx, s)
	return err
}

// createChanged changes one part in a hundred and commits, and measures the
// backup.
func createChanged(ctx context.Context, b *bench, s *set) (sample, error) {
	_, backup, err := commitAndCreate(ctx, b, s)
	return backup, err
}

// commitChanged changes one part in a hundred and measures how long it takes
// until that is backed up: the commit and the backup.
func commitChanged(ctx context.Context, b *bench, s *set) (sample, error) {
	commit, backup, err := commitAndCreate(ctx, b, s)
	stored := backup.Bytes
	backup = backup.plus(commit)
	backup.Bytes = stored // as restic: what is at the destination
	return backup, err
}

func commitAndCreate(ctx context.Context, b *bench, s *set) (commit, backup sample, err error) {
	if err := b.ensureBackedUp(ctx, s); err != nil {
		return commit, backup, err
	}
	if err := editHundredth(s); err != nil {
		return commit, backup, err
	}
	if commit, err = b.commit(ctx, s, "one in a hundred"); err != nil {
		return commit, backup, err
	}
	backup, err = b.create(ctx, s)
	return commit, backup, err
}

// restoreBackup restores the newest backup into a new folder.
func restoreBackup(ctx context.Context, b *bench, s *set) (sample, error) {
	if s.backups.mlvc == "" {
		if _, err := createFirst(ctx, b, s); err != nil {
			return sample{}, err
		}
	}
	if err := warm(s.backups.mlvc); err != nil {
		return sample{}, err
	}
	to := b.fresh("restored")
	got, err := b.in(ctx, b.dir, "backup", "restore", s.backups.mlvc, "--to", to)
	if err != nil {
		return got, err
	}
	got = got.plus(timed(settle))
	return got, b.discard(to, s.numerous())
}

// restic runs it on the set's repository after the system has settled. Its
// cache and its password are the bench's own.
func (b *bench) restic(ctx context.Context, s *set, args ...string) (sample, error) {
	if _, err := exec.LookPath("restic"); err != nil {
		return sample{}, needsRestic
	}
	password := filepath.Join(b.dir, "password")
	if err := os.WriteFile(password, []byte("bench\n"), 0o600); err != nil {
		return sample{}, err
	}
	own := []string{"--quiet", "--repo", s.backups.restic, "--password-file", password, "--cache-dir", filepath.Join(b.dir, "restic-cache")}
	return b.tool(ctx, "restic", append(own, args...)...)
}

// resticFirst backs up the data to a new repository.
func resticFirst(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := os.RemoveAll(s.backups.restic); err != nil {
		return sample{}, err
	}
	s.backups.restic = b.fresh("restic")
	if _, err := b.restic(ctx, s, "init"); err != nil {
		s.backups.restic = ""
		return sample{}, err
	}
	if err := warm(s.data()); err != nil {
		return sample{}, err
	}
	return b.resticBackup(ctx, s)
}

func (b *bench) resticBackup(ctx context.Context, s *set) (sample, error) {
	return grown(s.backups.restic, func() (sample, error) { return b.restic(ctx, s, "backup", s.data()) })
}

// ensureRestic makes a backup with restic, of what is there.
func (b *bench) ensureRestic(ctx context.Context, s *set) error {
	if s.backups.restic == "" {
		_, err := resticFirst(ctx, b, s)
		return err
	}
	_, err := b.resticBackup(ctx, s)
	return err
}

// resticChanged changes one part in a hundred and measures the backup.
func resticChanged(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureRestic(ctx, s); err != nil {
		return sample{}, err
	}
	if err := editHundredth(s); err != nil {
		return sample{}, err
	}
	return b.resticBackup(ctx, s)
}

// resticRestore restores the newest backup into a new folder.
func resticRestore(ctx context.Context, b *bench, s *set) (sample, error) {
	if s.backups.restic == "" {
		if err := b.ensureRestic(ctx, s); err != nil {
			return sample{}, err
		}
	}
	if err := warm(s.backups.restic); err != nil {
		return sample{}, err
	}
	to := b.fresh("restored")
	got, err := b.restic(ctx, s, "restore", "latest", "--target", to)
	if err != nil {
		return got, err
	}
	got = got.plus(timed(settle))
	return got, b.discard(to, s.numerous())
}

// editHundredth gives one in a hundred files other bytes; of a set of fewer,
// each file other bytes in a hundredth of it, all in one place.
func editHundredth(s *set) error {
	if s.files >= 100 {
		for range s.files / 100 {
			if err := editFile(s, 7919*(s.edits+1)); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range s.files {
		if err := editRun(s, i); err != nil {
			return err
		}
	}
	return nil
}

// editRun overwrites a hundredth of file i, elsewhere each time.
func editRun(s *set, i int) error {
	f, err := os.OpenFile(s.file(i), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		s.edits++
		run := info.Size() / 100
		at := io.NewOffsetWriter(f, run*int64(s.edits*37%99))
		_, err = io.CopyN(at, newNoise(uint64(1000+s.edits)), run)
	}
	return errors.Join(err, f.Close())
}
