package refs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

var someOp = objects.Sum(objects.KindOperation, []byte("some"))

func TestPointerNoticesEveryChange(t *testing.T) {
	text := encodePointer(someOp)
	for i := range text {
		torn := text[:i]
		if _, err := decodePointer(torn); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("%d bytes: %v", i, err)
		}
		for bit := range 8 {
			flipped := []byte(string(text))
			flipped[i] ^= 1 << bit
			_, err := decodePointer(flipped)
			if !errors.Is(err, objects.ErrCorrupt) && !errors.Is(err, objects.ErrNewer) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
	}
	newer := strings.Replace(string(text), "current 1", "current 2", 1)
	if _, err := decodePointer([]byte(newer)); !errors.Is(err, objects.ErrNewer) {
		t.Fatalf("got %v, want ErrNewer", err)
	}
}

func FuzzDecodePointer(f *testing.F) {
	f.Add(encodePointer(someOp))
	f.Add([]byte("mlvc current 1\noperation \nchecksum \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id, err := decodePointer(data); err == nil && string(encodePointer(id)) != string(data) {
			t.Fatal("accepted bytes encode differently")
		}
	})
}

func TestDamagedPointerIsAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "current")
	p := NewFilePointer(vfs.OS, name)
	for _, text := range []string{"", "zeros" + strings.Repeat("\x00", 100), strings.Repeat("x", maxPointer+1)} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Load(t.Context()); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("%.10q: %v", text, err)
		}
		if err := p.Swap(t.Context(), objects.ID{}, someOp); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("%.10q: swapped: %v", text, err)
		}
	}
}

// failingFS fails to rename.
type failingFS struct{ vfs.FS }

var errRename = errors.New("rename fails")

func (failingFS) Rename(string, string) error { return errRename }

func TestFailedSwapLeavesThePointer(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "current")
	if err := NewFilePointer(vfs.OS, name).Swap(t.Context(), objects.ID{}, someOp); err != nil {
		t.Fatal(err)
	}
	p := NewFilePointer(failingFS{vfs.OS}, name)
	if err := p.Swap(t.Context(), someOp, objects.Sum(objects.KindOperation, nil)); !errors.Is(err, errRename) {
		t.Fatalf("got %v", err)
	}
	if id, err := p.Load(t.Context()); err != nil || id != someOp {
		t.Fatalf("pointer is at %s, %v", id, err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("left behind: %v, %v", names, err)
	}
}
