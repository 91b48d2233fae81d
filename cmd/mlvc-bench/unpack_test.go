package main

import (
	"bytes"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeebo/blake3"
	"pgregory.net/rapid"
)

const fashion = "../../testdata/fashion-mnist"

// treeHash hashes the names and bytes of every file below dir, in order.
func treeHash(t *testing.T, dir string) (hash string, files int) {
	t.Helper()
	h := blake3.New()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		sum := blake3.Sum256(data)
		h.Write([]byte(filepath.ToSlash(rel) + "\n"))
		h.Write(sum[:])
		files++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil)), files
}

// TestUnpack: the bytes of the unpacked data set are golden, unpacking again
// writes nothing, and a second version changes one in a hundred.
func TestUnpack(t *testing.T) {
	const images = 600
	dir := t.TempDir()
	steps := []struct {
		negative, written int
		hash              string
	}{
		{0, images, "6ab813afe24569577f033c01569d6576602db9ed861a42bb671ad7ee81c7ecf3"},
		{0, 0, "6ab813afe24569577f033c01569d6576602db9ed861a42bb671ad7ee81c7ecf3"},
		{100, images / 100, "0c7672750c4044e4031951ad444a299e0cd8a92444f93dd5ceff7a596b5ae385"},
	}
	for _, s := range steps {
		written, total, err := unpack(unpackOptions{from: fashion, to: dir, first: images, negative: s.negative})
		if err != nil || written != s.written || total != images {
			t.Fatalf("unpack with negative %d: wrote %d of %d, %v; want %d of %d", s.negative, written, total, err, s.written, images)
		}
		if hash, files := treeHash(t, dir); hash != s.hash || files != images {
			t.Errorf("negative %d: %d files with hash %s, want %d with %s", s.negative, files, hash, images, s.hash)
		}
	}
}

func TestUnpackNothing(t *testing.T) {
	if _, _, err := unpack(unpackOptions{from: t.TempDir(), to: t.TempDir()}); err == nil {
		t.Error("an empty source was unpacked")
	}
}

// TestGreyPNG: what is encoded decodes to the same pixels.
func TestGreyPNG(t *testing.T) {
	g := newGreyPNG()
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 40).Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "height")
		pixels := rapid.SliceOfN(rapid.Byte(), w*h, w*h).Draw(t, "pixels")
		img, err := png.Decode(bytes.NewReader(g.encode(w, h, pixels)))
		if err != nil {
			t.Fatal(err)
		}
		if img.ColorModel() != color.GrayModel || img.Bounds() != image.Rect(0, 0, w, h) {
			t.Fatalf("decoded to %v in %T", img.Bounds(), img)
		}
		if !bytes.Equal(img.(*image.Gray).Pix, pixels) {
			t.Fatal("the pixels differ")
		}
	})
}

// FuzzIdx: whatever the bytes, the reader ends without a panic and hands out
// items of the size that its header says.
func FuzzIdx(f *testing.F) {
	f.Add([]byte("\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02abcd"))
	f.Add([]byte("\x00\x00\x08\x03\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := readIdx(bytes.NewReader(data), 3)
		if err != nil {
			return
		}
		if x.item != x.dims[1]*x.dims[2] {
			t.Fatalf("items of %d bytes in dimensions %v", x.item, x.dims)
		}
		item := make([]byte, x.item)
		left := len(data) - 16
		for range x.dims[0] {
			if x.item == 0 || x.next(item) != nil {
				break
			}
			left -= x.item
		}
		if left < 0 {
			t.Fatal("more was handed out than was there")
		}
	})
}

func TestB3sum(t *testing.T) {
	name := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want := "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262  " + name + "\n"
	for _, way := range []struct {
		list  string
		names []string
	}{{"", []string{name}}, {name + "\n", nil}} {
		var out strings.Builder
		if err := b3sumAll(&out, strings.NewReader(way.list), way.names); err != nil || out.String() != want {
			t.Errorf("b3sum of %v and %q: %q, %v; want %q", way.names, way.list, out.String(), err, want)
		}
	}
}
