package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// errLeft is why a row is left out: not a failure.
type errLeft string

func (e errLeft) Error() string { return string(e) }

// bench is one run: where it works, and with what.
type bench struct {
	mlvc  string // the program that is measured
	self  string // this one
	dir   string // everything is made below it
	pairs int
	sets  map[string]*set
	log   io.Writer // progress
	names int       // names given out by fresh
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, format+"\n", args...)
}

// fresh returns a new name in the bench's folder.
func (b *bench) fresh(kind string) string {
	b.names++
	return filepath.Join(b.dir, fmt.Sprintf("%s-%d", kind, b.names))
}

// discard gets what is at name out of the way. Many files are only renamed,
// and deleted at the very end: after a mass delete ext4 creates files several
// times slower for minutes. Nothing there is no error.
func (b *bench) discard(name string, numerous bool) error {
	if !numerous {
		return os.RemoveAll(name)
	}
	err := os.Rename(name, b.fresh("trash"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// tool runs a reference program after the system has settled.
func (b *bench) tool(ctx context.Context, name string, args ...string) (sample, error) {
	if _, err := exec.LookPath(name); err != nil {
		return sample{}, errLeft(name + " is not there to compare with")
	}
	settle()
	s, _, err := measure(ctx, false, name, args...)
	return s, err
}

// run runs one verb of mlvc on a set after the system has settled.
func (b *bench) run(ctx context.Context, s *set, args ...string) (sample, error) {
	return b.in(ctx, s.dir, args...)
}

// in is run in any folder.
func (b *bench) in(ctx context.Context, dir string, args ...string) (sample, error) {
	settle()
	got, _, err := measure(ctx, false, b.mlvc, append([]string{"-C", dir}, args...)...)
	return got, err
}

// commit commits, and counts what the repository grew by.
func (b *bench) commit(ctx context.Context, s *set, message string) (sample, error) {
	before, err := allocated(s.repo())
	if err != nil {
		return sample{}, err
	}
	got, err := b.run(ctx, s, "commit", "-m", message)
	if err != nil {
		return got, err
	}
	s.committed, s.pushed = true, false
	after, err := allocated(s.repo())
	got.Bytes = float64(after - before)
	return got, err
}

// init makes a new repository beside the set's data; an older one goes.
func (b *bench) init(ctx context.Context, s *set) error {
	if err := b.discard(s.repo(), s.numerous()); err != nil {
		return err
	}
	for _, name := range []string{"mlvc.toml", ".mlvcignore"} {
		if err := b.discard(filepath.Join(s.dir, name), false); err != nil {
			return err
		}
	}
	s.committed, s.between, s.remote, s.clone, s.backups.mlvc = false, [2]string{}, "", "", ""
	_, _, err := measure(ctx, false, b.mlvc, "-C", s.dir, "init", "--track", "data")
	return err
}

// ensureCommitted makes a first commit if a row before did not.
func (b *bench) ensureCommitted(ctx context.Context, s *set) error {
	if s.committed {
		return nil
	}
	if err := b.init(ctx, s); err != nil {
		return err
	}
	_, err := b.commit(ctx, s, "first")
	return err
}

// head returns the ID of the newest commit.
func (b *bench) head(ctx context.Context, s *set) (string, error) {
	_, out, err := measure(ctx, true, b.mlvc, "-C", s.dir, "log", "--json")
	if err != nil {
		return "", err
	}
	var commit struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&commit); err != nil {
		return "", fmt.Errorf("mlvc log --json: %w", err)
	}
	if commit.ID == "" {
		return "", errors.New("mlvc log --json: the first line has no id")
	}
	return commit.ID, nil
}

// prepare makes the set's data, unless there is no room, and reads them once.
func (b *bench) prepare(ctx context.Context, s *set) error {
	if s.left != "" {
		return errLeft(s.left)
	}
	if s.made {
		return nil
	}
	have, err := free(b.dir)
	if err != nil {
		return err
	}
	if need := b.need(s); have < need {
		return errLeft(fmt.Sprintf("needs %s of free space, there are %s", formatBytes(float64(need)), formatBytes(float64(have))))
	}
	b.say("making %s (%s)", s.name, formatBytes(float64(s.bytes)))
	if err := os.MkdirAll(s.data(), 0o755); err != nil {
		return err
	}
	if err := s.make(ctx, s.data()); err != nil {
		return err
	}
	s.made = true
	settle()
	return warm(s.data())
}

// need is the free space that a set's rows may take: the data, a repository,
// a copy, two backups, what comes out of one, and what stays until the end.
func (b *bench) need(s *set) int64 {
	return int64(6+s.kept*b.pairs)*s.bytes + 1<<30
}

// warm reads every file once, so that the first of a pair has no worse cache.
func warm(dir string) error {
	buf := make([]byte, 1<<20)
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buf)
		return err
	})
}

// touchMemory lets a process touch as much memory as the run may need.
func (b *bench) touchMemory(ctx context.Context) error {
	want := int64(1 << 30)
	for _, s := range b.sets {
		want = max(want, 2*s.bytes)
	}
	want = min(want, memInfo("MemAvailable:")*6/10)
	if want <= 0 {
		return nil
	}
	b.say("touching %s of memory", formatBytes(float64(want)))
	_, _, err := measure(ctx, false, b.self, "touch", strconv.FormatInt(want, 10))
	return err
}
