package vfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mlvc/mlvc/objects/vfs"
)

func TestRenameNewReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	write(t, a, "a")
	write(t, b, "b")
	if err := vfs.OS.RenameNew(a, b); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a file: %v, want ErrExist", err)
	}
	must(t, vfs.OS.RenameNew(a, c))
	for name, want := range map[string]string{b: "b", c: "a"} {
		got, err := vfs.ReadFile(vfs.OS, name)
		if err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	var link *os.LinkError
	if err := vfs.OS.RenameNew(a, b+"2"); !errors.As(err, &link) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v, want a LinkError that is ErrNotExist", err)
	}
}

func TestRenameNewHasOneWinner(t *testing.T) {
	dir := t.TempDir()
	for round := range 50 {
		name := filepath.Join(dir, fmt.Sprint(round))
		var won atomic.Int32
		var group sync.WaitGroup
		for i := range 4 {
			temp := fmt.Sprintf("%s.%d", name, i)
			write(t, temp, "x")
			group.Go(func() {
				err := vfs.OS.RenameNew(temp, name)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, fs.ErrExist) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d won", won.Load())
		}
	}
}
