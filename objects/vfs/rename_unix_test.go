//go:build linux || darwin

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Where a file system has no rename that replaces nothing.
func TestLinkNewReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	for _, name := range []string{a, b} {
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := linkNew(a, b); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a file: %v, want ErrExist", err)
	}
	if err := linkNew(a, c); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(c); err != nil || string(got) != a {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := os.Lstat(a); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name is still there: %v", err)
	}
	// A request that was repeated after it had been done.
	if err := os.Link(c, a); err != nil {
		t.Fatal(err)
	}
	if err := linkNew(a, c); err != nil {
		t.Errorf("of the file itself: %v", err)
	}
}
