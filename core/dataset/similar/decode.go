package similar

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"
)

// Errors of images; each says why one cannot be compared.
var (
	ErrNotImage = errors.New("not an image that mlvc can read (JPEG, PNG, GIF, WebP, BMP, TIFF)")
	ErrTooLarge = errors.New("too large to compare")
)

// badFile is an error that the bytes of a file are the reason of: it will be
// the same next time.
type badFile struct{ error }

func (b badFile) Unwrap() error { return b.error }

// MaxPixels is how many pixels an image may have. A file may claim any size,
// and its decoder believes it.
const MaxPixels = 100_000_000

// decodedMemory bounds what all decoders of the process hold at once: many
// small images side by side, and of large ones one after the other.
const decodedMemory = 256 << 20

var decoding = semaphore.NewWeighted(decodedMemory)

// wholeSize is up to which size a file is read whole before it is decoded, so
// that what is decoded twice, its head, is read once.
const wholeSize = 4 << 20

// format is one format of image files.
type format struct {
	name   string
	magic  string // '?' is any byte
	size   func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var formats = []format{
	{"jpeg", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
	{"png", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"gif", "GIF8?a", gif.DecodeConfig, gif.Decode}, // the first frame
	{"webp", "RIFF????WEBP", webp.DecodeConfig, webp.Decode},
	{"bmp", "BM????\x00\x00\x00\x00", bmp.DecodeConfig, bmp.Decode},
	{"tiff", "II\x2a\x00", tiff.DecodeConfig, tiff.Decode}, // the first page
	{"tiff", "MM\x00\x2a", tiff.DecodeConfig, tiff.Decode},
}

func formatOf(head []byte) *format {
	for i := range formats {
		if hasMagic(head, formats[i].magic) {
			return &formats[i]
		}
	}
	return nil
}

func hasMagic(head []byte, magic string) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != head[i] {
			return false
		}
	}
	return true
}

// picture is a decoded image.
type picture struct {
	image.Image
	turn Turn // what EXIF says must be done to see it upright
}

// decode decodes an image of at most maxPixels and hands it to use; the memory
// that it needs is counted until use returns. Whatever is wrong with the file
// is an error, never a panic.
func decode(ctx context.Context, c dataset.Content, maxPixels int64, use func(picture) error) (err error) {
	src, err := newSource(ctx, c)
	if err != nil {
		return err
	}
	f := formatOf(src.head)
	if f == nil {
		return badFile{ErrNotImage}
	}
	cost, err := f.cost(src, maxPixels)
	if err != nil {
		return err
	}
	if err := decoding.Acquire(ctx, cost); err != nil {
		return err
	}
	defer decoding.Release(cost)
	img, err := f.image(src)
	if err != nil {
		return err
	}
	if b := img.Bounds(); b.Empty() || int64(b.Dx())*int64(b.Dy()) > maxPixels {
		return badFile{fmt.Errorf("%s: %d × %d pixels: %w", f.name, b.Dx(), b.Dy(), ErrTooLarge)}
	}
	return use(picture{img, orientation(src.head)})
}

// Size returns how large an image is as it is stored, by its head alone. It
// fails with an error of which IsBadFile is true for what is no image, and else
// as reading the content does.
func Size(ctx context.Context, c dataset.Content) (width, height int, err error) {
	src, err := newSource(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	f := formatOf(src.head)
	if f == nil {
		return 0, 0, badFile{ErrNotImage}
	}
	config, err := f.config(src)
	return config.Width, config.Height, err
}

// IsBadFile reports whether the bytes of a file are the reason of an error, so
// that it will be the same next time.
func IsBadFile(err error) bool {
	_, bad := errors.AsType[badFile](err)
	return bad
}

// config is what the head of an image says.
func (f *format) config(src *source) (config image.Config, err error) {
	err = f.guard(src, func(r io.Reader) (err error) {
		config, err = f.size(r)
		return err
	})
	return config, err
}

// cost is the memory that decoding takes, as a part of decodedMemory. It fails
// for an image that has too many pixels.
func (f *format) cost(src *source, maxPixels int64) (int64, error) {
	config, err := f.config(src)
	if err != nil {
		return 0, err
	}
	w, h := int64(config.Width), int64(config.Height)
	if w <= 0 || h <= 0 {
		return 0, badFile{fmt.Errorf("%s: it has no pixels", f.name)}
	}
	if w > maxPixels/h {
		return 0, badFile{fmt.Errorf("%s: %d × %d pixels: %w", f.name, w, h, ErrTooLarge)}
	}
	return min(w*h*f.pixelBytes(config.ColorModel), decodedMemory), nil
}

// pixelBytes is about what a pixel takes while it is decoded.
func (f *format) pixelBytes(model color.Model) int64 {
	switch model {
	case color.GrayModel:
		return 2
	case color.Gray16Model:
		return 3
	case color.NRGBA64Model, color.RGBA64Model:
		return 9
	case color.YCbCrModel:
		return 6 // a progressive JPEG keeps its coefficients until the end
	}
	return 5
}

func (f *format) image(src *source) (img image.Image, err error) {
	err = f.guard(src, func(r io.Reader) (err error) {
		img, err = f.decode(r)
		return err
	})
	return img, err
}

// guard reads from the beginning, turns a decoder's panic into an error, and
// names the format; an error of the content itself, such as damage, comes
// first.
func (f *format) guard(src *source, read func(io.Reader) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = badFile{fmt.Errorf("%s: the decoder gave up: %v", f.name, p)}
		}
		if src.err != nil {
			err = src.err
		}
	}()
	if err := read(src.reader()); err != nil {
		return badFile{f.named(err)}
	}
	return nil
}

// named names the format, unless the decoder did, and says for people when a
// file ends too early.
func (f *format) named(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the file is cut short", f.name)
	case strings.HasPrefix(err.Error(), f.name+": "):
		return err
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

// source reads a content several times from the beginning.
type source struct {
	ctx   context.Context
	c     dataset.Content
	head  []byte // the first bytes, all of them if the content is small
	whole bool
	err   error // what reading the content failed with
}

const headSize = 64 << 10 // where EXIF lies

func newSource(ctx context.Context, c dataset.Content) (*source, error) {
	s := &source{ctx: ctx, c: c, whole: c.Size() <= wholeSize}
	size := int64(headSize)
	if s.whole || c.Size() < size {
		size = c.Size()
	}
	s.head = make([]byte, size)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n, err := c.ReadAt(s.head, 0); err != nil && int64(n) != size {
		return nil, err
	}
	return s, nil
}

// readerAt is what TIFF seeks in: it would read others into memory whole.
type readerAt interface {
	io.Reader
	io.ReaderAt
}

func (s *source) reader() io.Reader {
	if s.whole {
		return bytes.NewReader(s.head)
	}
	section := io.NewSectionReader(s, 0, s.c.Size())
	return struct {
		*bufio.Reader
		io.ReaderAt
	}{bufio.NewReaderSize(section, 256<<10), section}
}

var (
	_ readerAt = (*bytes.Reader)(nil)
	_ readerAt = struct {
		*bufio.Reader
		io.ReaderAt
	}{}
)

// ReadAt notes what the content fails with: a decoder may hide it.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.c.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
