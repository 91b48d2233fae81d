package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/zlib"
)

// greyPNG encodes 8-bit grey pixels as PNG files. It is written here, over a
// compressor that go.mod pins, because the bytes of image/png may change with
// the Go version and the data set's must not. Not safe for concurrent use.
type greyPNG struct {
	data bytes.Buffer
	z    *zlib.Writer // kept: making one costs more than an image
}

func newGreyPNG() *greyPNG {
	z, err := zlib.NewWriterLevel(nil, zlib.DefaultCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	return &greyPNG{z: z}
}

// encode returns the file of an image whose pixels are given row by row.
func (g *greyPNG) encode(width, height int, pixels []byte) []byte {
	var out bytes.Buffer
	out.WriteString("\x89PNG\r\n\x1a\n")
	head := make([]byte, 13)
	binary.BigEndian.PutUint32(head, uint32(width))
	binary.BigEndian.PutUint32(head[4:], uint32(height))
	head[8] = 8 // bits a sample; the rest zero: grey, deflate, not interlaced
	pngChunk(&out, "IHDR", head)

	g.data.Reset()
	g.z.Reset(&g.data)
	for y := range height {
		// A row begins with its filter, here none. A buffer does not fail.
		_, _ = g.z.Write([]byte{0})
		_, _ = g.z.Write(pixels[y*width : (y+1)*width])
	}
	_ = g.z.Close()
	pngChunk(&out, "IDAT", g.data.Bytes())
	pngChunk(&out, "IEND", nil)
	return out.Bytes()
}

// pngChunk appends length, type, data and the CRC of type and data.
func pngChunk(out *bytes.Buffer, typ string, data []byte) {
	var word [4]byte
	binary.BigEndian.PutUint32(word[:], uint32(len(data)))
	out.Write(word[:])
	start := out.Len()
	out.WriteString(typ)
	out.Write(data)
	binary.BigEndian.PutUint32(word[:], crc32.ChecksumIEEE(out.Bytes()[start:]))
	out.Write(word[:])
}
