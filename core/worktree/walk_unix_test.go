//go:build linux || darwin

package worktree

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWalkLinksAndSpecials(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "real/x", "fifos/", "line\nbreak")
	for _, l := range []struct{ name, target string }{{"dirlink", "real"}, {"dangling", "nowhere"}, {IgnoreName, "line\nbreak"}} {
		if err := os.Symlink(l.target, filepath.Join(root, l.name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifos", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []string{IgnoreName, "dangling", "dirlink", "fifos/", "fifos/pipe special", "line\nbreak", "real/x"}
	if diff := cmp.Diff(want, walked(t, WalkOptions{Root: root})); diff != "" {
		t.Error(diff)
	}
	// What a link leads to is not found, and its absence is not silent.
	want = []string{IgnoreName, "dirlink unreadable"}
	if diff := cmp.Diff(want, walked(t, WalkOptions{Root: root, Track: []string{"dirlink/x"}})); diff != "" {
		t.Error(diff)
	}
}
