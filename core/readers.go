package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Readers take no lock that anybody waits for. Each holds a shared lock on the
// newest file of `.mlvc/readers`, its generation, from before it looks at the
// current operation until it is closed. gc begins a generation when it has
// decided what is garbage, and removes it only when it could lock every older
// generation exclusively: then nobody is left who may have begun to read it.

func (r *Repo) readersPath() string { return filepath.Join(r.dir, "readers") }

func (r *Repo) generationPath(n uint64) string {
	return filepath.Join(r.readersPath(), strconv.FormatUint(n, 10))
}

// generations lists the generations that have a file, oldest first.
func (r *Repo) generations() ([]uint64, error) {
	d, err := r.env.FS.OpenDir(r.readersPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close() //nolint:errcheck // it was only read
	names, err := d.Names()
	var list []uint64
	for _, name := range names {
		if n, err := strconv.ParseUint(name.Name, 10, 62); err == nil {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, err
}

func (r *Repo) newestGeneration() (uint64, error) {
	list, err := r.generations()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[len(list)-1], nil
}

// startReading takes the reader's lock unless it is held. Where nothing can be
// written, nobody runs gc either, and reading goes without.
func (r *Repo) startReading(ctx context.Context) error {
	for r.generation == nil {
		newest, err := r.newestGeneration()
		if err != nil {
			return err
		}
		l := flock.New(r.generationPath(newest), flock.SetFlag(os.O_CREATE|os.O_RDONLY))
		ok, err := l.TryRLock()
		switch {
		case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EROFS):
			return nil
		case err != nil:
			return fmt.Errorf("lock generation %d of readers: %w", newest, err)
		}
		if again, err := r.newestGeneration(); ok && err == nil && again == newest {
			r.generation = l
			return nil
		}
		// gc began a new generation meanwhile, or is looking at this one.
		l.Close() //nolint:errcheck // a lock file holds no data
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func (r *Repo) stopReading() {
	if r.generation != nil {
		r.generation.Close() //nolint:errcheck // a lock file holds no data
		r.generation = nil
	}
}

// beginGeneration begins a generation of readers and returns the one before.
// The caller holds the writer lock.
func (s *session) beginGeneration() (uint64, error) {
	newest, err := s.newestGeneration()
	if err != nil {
		return 0, err
	}
	if err := vfs.MkdirAll(s.env.FS, s.readersPath(), 0o777); err != nil {
		return 0, err
	}
	return newest, vfs.WriteFile(s.env.FS, s.generationPath(newest+1), nil, 0o666)
}

// unread reports whether nobody reads any more who began in that generation or
// an earlier one, which must not be the newest. It gives up this repository's
// own place among the readers.
func (s *session) unread(generation uint64) (bool, error) {
	s.stopReading()
	list, err := s.generations()
	if err != nil {
		return false, err
	}
	free := true
	for _, n := range list {
		if n > generation || n == list[len(list)-1] {
			continue
		}
		path := s.generationPath(n)
		l := flock.New(path, flock.SetFlag(os.O_RDWR))
		ok, err := l.TryLock()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("lock generation %d of readers: %w", n, err)
		}
		if ok {
			// Who opened it just now sees that it is not the newest.
			err = s.env.FS.Remove(path)
		}
		l.Close() //nolint:errcheck // a lock file holds no data
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return false, err
		}
		free = free && ok
	}
	return free, nil
}

// unused reports whether nobody reads any more who began before now.
func (s *session) unused() (bool, error) {
	before, err := s.beginGeneration()
	if err != nil {
		return false, err
	}
	return s.unread(before)
}
