package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLstatDoesNotAllocate(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := OS.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	n := testing.AllocsPerRun(100, func() {
		if _, err := d.Lstat("f"); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestNoSpaceIsOneError(t *testing.T) {
	for _, errno := range []error{unix.ENOSPC, unix.EDQUOT} {
		path := mapError(&fs.PathError{Op: "write", Path: "f", Err: errno})
		link := mapError(&os.LinkError{Op: "rename", Old: "a", New: "b", Err: errno})
		for _, err := range []error{path, link, mapError(errno)} {
			if !errors.Is(err, ErrNoSpace) || !errors.Is(err, errno) {
				t.Errorf("%v is not both ErrNoSpace and %v", err, errno)
			}
		}
		var as *fs.PathError
		if !errors.As(path, &as) || as.Path != "f" {
			t.Errorf("%v lost its path", path)
		}
	}
	// The device on which every write fails so.
	f, err := OS.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("x")); !errors.Is(err, ErrNoSpace) {
		t.Errorf("write to a full device: %v", err)
	}
}
