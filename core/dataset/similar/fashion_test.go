package similar

import (
	"bytes"
	"compress/gzip"
	"image"
	"io"
	"os"
	"testing"
)

// fashion returns the 10,000 test images of Fashion-MNIST.
func fashion(tb testing.TB) []*image.Gray {
	tb.Helper()
	f, err := os.Open("../../../testdata/fashion-mnist/t10k-images-idx3-ubyte.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	const header, size = 16, 28
	if len(data) != header+10_000*size*size {
		tb.Fatalf("Fashion-MNIST has %d bytes", len(data))
	}
	var all []*image.Gray
	for data = data[header:]; len(data) > 0; data = data[size*size:] {
		all = append(all, &image.Gray{Pix: data[:size*size], Stride: size, Rect: image.Rect(0, 0, size, size)})
	}
	return all
}

// memory is a content in memory.
type memory struct{ *bytes.Reader }

func (m memory) Size() int64 { return m.Reader.Size() }
func (memory) Close() error  { return nil }

func content(data []byte) memory { return memory{bytes.NewReader(data)} }
