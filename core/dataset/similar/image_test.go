package similar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// scene is a picture with something everywhere in it, that no turn leaves as
// it is.
func scene(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			fx, fy := (float64(x)+0.5)/float64(w), (float64(y)+0.5)/float64(h)
			v := 0.5 + 0.25*math.Sin(7*fx+2*fy) + 0.2*math.Cos(11*fy*fx+fy)
			img.SetNRGBA(x, y, color.NRGBA{uint8(255 * v), uint8(200 * v), uint8(90 + 120*fx), 255})
		}
	}
	return img
}

func encoded(t testing.TB, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := encode(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func jpegOf(t testing.TB, img image.Image, quality int) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: quality}) })
}

func pngOf(t testing.TB, img image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
}

func bmpOf(t testing.TB, img image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return bmp.Encode(b, img) })
}

func hashOf(t testing.TB, data []byte, all bool) Image {
	t.Helper()
	i, err := HashImage(context.Background(), content(data), all)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// near reports whether two images are within the default limits.
func near(t testing.TB, a, b Image) bool {
	t.Helper()
	items := []Item{{Image: &a}, {Image: &b}}
	items[0].Split, items[1].Split, items[1].Content = "a", "b", [32]byte{1}
	n := 0
	for _, err := range Pairs(context.Background(), items, DefaultLimits) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n > 0
}

// webpOf writes a WebP without compression: every symbol has a code of eight
// bits, after RFC 9649, section 3.
func webpOf(img *image.NRGBA) []byte {
	w := &bitWriter{}
	b := img.Bounds()
	w.write(0x2f, 8)
	w.write(uint32(b.Dx()-1), 14)
	w.write(uint32(b.Dy()-1), 14)
	w.write(0, 1+3)   // no alpha, version 0
	w.write(0, 1+1+1) // no transform, no colour cache, one group of codes
	w.literals(280)   // green, and lengths that are not used
	w.literals(256)   // red
	w.literals(256)   // blue
	w.write(1, 1)     // alpha: a simple code,
	w.write(0, 1)     // of one symbol,
	w.write(1, 1)     // of eight bits:
	w.write(255, 8)   // opaque
	w.write(1, 4)     // distance: a simple code of one symbol, 0
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := img.NRGBAAt(x, y)
			w.code(c.G)
			w.code(c.R)
			w.code(c.B)
		}
	}
	body := append([]byte(nil), w.out...)
	if w.n > 0 {
		body = append(body, byte(w.bits))
	}
	if len(body)%2 == 1 {
		body = append(body, 0)
	}
	size := func(n int) string { return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }
	return []byte("RIFF" + size(12+len(body)) + "WEBPVP8L" + size(len(body)) + string(body))
}

type bitWriter struct {
	out  []byte
	bits uint64
	n    int
}

func (w *bitWriter) write(v uint32, n int) {
	w.bits |= uint64(v) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

// literals gives the first 256 symbols codes of eight bits and the others none.
// The code lengths are written in a code of two symbols, 0 and 8, of one bit.
func (w *bitWriter) literals(symbols int) {
	w.write(0, 1)    // a normal code
	w.write(12-4, 4) // twelve code lengths, in the order 17 18 0 1 2 3 4 5 16 6 7 8
	for i := range 12 {
		length := uint32(0)
		if i == 2 || i == 11 {
			length = 1
		}
		w.write(length, 3)
	}
	w.write(0, 1) // all symbols
	for i := range symbols {
		v := uint32(0)
		if i < 256 {
			v = 1
		}
		w.write(v, 1)
	}
}

// code writes a symbol; codes begin with their highest bit.
func (w *bitWriter) code(v uint8) {
	for i := 7; i >= 0; i-- {
		w.write(uint32(v>>i)&1, 1)
	}
}

// Every format and depth of one picture comes to much the same hash.
func TestFormats(t *testing.T) {
	img := scene(60, 40)
	want := hashOf(t, pngOf(t, img), false)
	grey, deepGrey, deepColour := image.NewGray(img.Rect), image.NewGray16(img.Rect), image.NewNRGBA64(img.Rect)
	for y := range 40 {
		for x := range 60 {
			grey.Set(x, y, img.At(x, y))
			deepGrey.Set(x, y, img.At(x, y))
			deepColour.Set(x, y, img.At(x, y))
		}
	}
	for name, data := range map[string][]byte{
		"jpeg":      jpegOf(t, img, 90),
		"grey jpeg": jpegOf(t, grey, 90),
		"gif":       encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) }),
		"bmp":       encoded(t, func(b *bytes.Buffer) error { return bmp.Encode(b, img) }),
		"tiff":      encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, img, nil) }),
		"webp":      webpOf(img),
		"grey":      pngOf(t, grey),
		"16-bit":    pngOf(t, deepColour),
		"16-bit tiff": encoded(t, func(b *bytes.Buffer) error {
			return tiff.Encode(b, deepGrey, &tiff.Options{Compression: tiff.Deflate})
		}),
	} {
		got := hashOf(t, data, false)
		if !near(t, got, want) || got.Flat || got.Width != 60 || got.Height != 40 {
			d, p := got.Distance(want.Bits)
			t.Errorf("%s: %d × %d, flat %v, %d and %d bits and %.2f° from the PNG", name, got.Width, got.Height, got.Flat, d, p, got.Look.Angle(want.Look))
		}
	}
}

// The same picture at any size hashes the same, up to rounding.
func TestSizes(t *testing.T) {
	want := hashOf(t, pngOf(t, scene(320, 200)), false)
	for _, size := range [][2]int{{64, 40}, {100, 63}, {640, 400}, {300, 300}} {
		if got := hashOf(t, pngOf(t, scene(size[0], size[1])), false); !near(t, got, want) {
			t.Errorf("%v: it is not near", size)
		}
	}
}

// Each turn's hashes, and the look derived from the stored one, are those of
// the turned picture.
func TestTurns(t *testing.T) {
	img := scene(72, 72)
	all := hashOf(t, pngOf(t, img), true)
	if len(all.Turned) != turns-1 {
		t.Fatalf("%d turns", len(all.Turned))
	}
	for _, turned := range all.Turned {
		got := hashOf(t, pngOf(t, upright(img, turned.Turn)), false)
		if got.Bits != turned.Bits {
			t.Errorf("turn %d: %x, want %x", turned.Turn, got.Bits, turned.Bits)
		}
		if angle := all.Look.turned(turned.Turn).Angle(got.Look); angle > 0.5 {
			t.Errorf("turn %d: its look is %.2f° off", turned.Turn, angle)
		}
		if plain := hashOf(t, pngOf(t, img), false); near(t, plain, got) {
			t.Errorf("turn %d is near without being asked for", turned.Turn)
		}
		if !near(t, all, got) || !near(t, got, all) {
			t.Errorf("turn %d is not found", turned.Turn)
		}
	}
}

// withOrientation puts EXIF data into a JPEG file.
func withOrientation(file []byte, orientation byte, bigEndian bool) []byte {
	tiff := "II\x2a\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(orientation) + "\x00\x00\x00"
	if bigEndian {
		tiff = "MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00"
	}
	body := "Exif\x00\x00" + tiff
	size := len(body) + 2
	head := "\xff\xd8\xff\xe1" + string([]byte{byte(size >> 8), byte(size)}) + body
	return append([]byte(head), file[2:]...)
}

// A picture stored on its side is found both beside its upright copy and
// beside a copy that has lost the EXIF data.
func TestOrientation(t *testing.T) {
	stored := scene(90, 60)
	for o := 1; o <= 8; o++ {
		got := hashOf(t, withOrientation(jpegOf(t, stored, 90), byte(o), o%2 == 0), false)
		if lost := hashOf(t, pngOf(t, stored), false); !near(t, got, lost) {
			t.Errorf("orientation %d: the copy without EXIF is not near", o)
		}
		shown := upright(stored, exifTurns[o])
		if !near(t, got, hashOf(t, pngOf(t, shown), false)) {
			t.Errorf("orientation %d: the upright copy is not near", o)
		}
		if want := min(o-1, 1); len(got.Turned) != want {
			t.Errorf("orientation %d: %d turns, want %d", o, len(got.Turned), want)
		}
		data, mime, err := Thumbnail(context.Background(), content(withOrientation(jpegOf(t, stored, 90), byte(o), false)), 60)
		if err != nil || mime != "image/png" {
			t.Fatal(mime, err)
		}
		thumb, _, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if b, s := thumb.Bounds(), shown.Bounds(); b.Dx() != s.Dx()*2/3 || b.Dy() != s.Dy()*2/3 {
			t.Errorf("orientation %d: a thumbnail of %v of %v", o, b, s)
		}
	}
}

// What cannot be decoded is an error that says why; nothing panics.
func TestUndecodable(t *testing.T) {
	whole := pngOf(t, scene(60, 40))
	huge := encoded(t, func(b *bytes.Buffer) error {
		return gif.Encode(b, image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black}), nil)
	})
	for i := 6; i < 10; i++ {
		huge[i] = 0xff // 65,535 × 65,535
	}
	for name, test := range map[string]struct {
		data []byte
		want string
		is   error
	}{
		"text":  {[]byte("not an image"), "not an image", ErrNotImage},
		"cut":   {whole[:len(whole)/2], "png: ", nil},
		"huge":  {huge, "65535 × 65535", ErrTooLarge},
		"empty": {nil, "not an image", ErrNotImage},
	} {
		_, err := HashImage(context.Background(), content(test.data), false)
		if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		var bad badFile
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v is not the file's fault", name, err)
		}
	}
}

// failing is a content that cannot be read beyond some place.
type failing struct {
	memory
	good int64
}

var errContent = errors.New("the chunk is damaged")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.good {
		return 0, errContent
	}
	return f.memory.ReadAt(p, off)
}

// A content that cannot be read is not taken for a damaged image.
func TestContentFails(t *testing.T) {
	data := pngOf(t, scene(60, 40))
	data = append(data, make([]byte, wholeSize)...)
	var bad badFile
	_, err := HashImage(context.Background(), failing{content(data), headSize}, false)
	if !errors.Is(err, errContent) || errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := HashImage(ctx, content(data), false); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Images of one colour are like all others of one, so they are compared with
// none; a faint scan of 16 bits is not one of them.
func TestFlat(t *testing.T) {
	for _, c := range []color.Color{color.White, color.Black, color.NRGBA{10, 200, 30, 255}, color.Transparent} {
		img := image.NewNRGBA(image.Rect(0, 0, 50, 50))
		for i := range 2500 {
			img.Set(i%50, i/50, c)
		}
		if i := hashOf(t, pngOf(t, img), false); !i.Flat || near(t, i, i) {
			t.Errorf("%v: not flat, or near", c)
		}
	}
	faint := image.NewGray16(image.Rect(0, 0, 60, 40))
	for y := range 40 {
		for x := range 60 {
			faint.SetGray16(x, y, color.Gray16{color.Gray16Model.Convert(scene(60, 40).At(x, y)).(color.Gray16).Y / 200})
		}
	}
	i := hashOf(t, pngOf(t, faint), false)
	if i.Flat || !near(t, i, hashOf(t, pngOf(t, scene(60, 40)), false)) {
		t.Error("a faint scan is flat, or not like the bright one")
	}
}

// planted are the ways in which a copy of an image may have changed, and how
// many in 100 of them are found among images of 28 × 28 pixels at the least.
var planted = []struct {
	name   string
	recall int
	change func(t testing.TB, rng *rand.Rand, g *image.Gray) []byte
}{
	{"JPEG of quality 60", 95, func(t testing.TB, _ *rand.Rand, g *image.Gray) []byte { return jpegOf(t, g, 60) }},
	{"twice as large", 100, func(t testing.TB, _ *rand.Rand, g *image.Gray) []byte {
		return bmpOf(t, redrawn(56, 56, func(x, y int) int { return int(g.GrayAt(x/2, y/2).Y) }))
	}},
	{"a fifth brighter", 95, func(t testing.TB, _ *rand.Rand, g *image.Gray) []byte {
		return bmpOf(t, redrawn(28, 28, func(x, y int) int { return int(g.GrayAt(x, y).Y) * 6 / 5 }))
	}},
	{"20 levels brighter", 95, func(t testing.TB, _ *rand.Rand, g *image.Gray) []byte {
		return bmpOf(t, redrawn(28, 28, func(x, y int) int { return int(g.GrayAt(x, y).Y) + 20 }))
	}},
	{"noise of 8 levels", 90, func(t testing.TB, rng *rand.Rand, g *image.Gray) []byte {
		return bmpOf(t, redrawn(28, 28, func(x, y int) int { return int(g.GrayAt(x, y).Y) + int(8*rng.NormFloat64()) }))
	}},
	{"half as large", 50, func(t testing.TB, _ *rand.Rand, g *image.Gray) []byte {
		return bmpOf(t, redrawn(14, 14, func(x, y int) int {
			return (int(g.GrayAt(2*x, 2*y).Y) + int(g.GrayAt(2*x+1, 2*y).Y) + int(g.GrayAt(2*x, 2*y+1).Y) + int(g.GrayAt(2*x+1, 2*y+1).Y)) / 4
		}))
	}},
	{"cropped by a pixel", 0, func(t testing.TB, _ *rand.Rand, g *image.Gray) []byte {
		return bmpOf(t, redrawn(27, 28, func(x, y int) int { return int(g.GrayAt(x, y).Y) }))
	}},
	{"turned by a quarter", 0, func(t testing.TB, _ *rand.Rand, g *image.Gray) []byte {
		return bmpOf(t, redrawn(28, 28, func(x, y int) int { return int(g.GrayAt(y, 27-x).Y) }))
	}},
}

func redrawn(w, h int, at func(x, y int) int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{uint8(max(0, min(255, at(x, y))))})
		}
	}
	return img
}

// Changed copies of training images are planted among the test images of
// Fashion-MNIST, where all is much alike; they are found, and little else is.
func TestPlantedImages(t *testing.T) {
	all := fashion(t)
	const train, test, each = 600, 500, 50
	var items []Item
	add := func(path, split string, i Image) {
		item := Item{Image: &i}
		item.Path, item.Split = path, split
		item.Content[0], item.Content[1] = byte(len(items)), byte(len(items)>>8)
		items = append(items, item)
	}
	for i, g := range all[:train+test] {
		split := "train"
		if i >= train {
			split = "test"
		}
		add(fmt.Sprint(i), split, hashOf(t, bmpOf(t, g), false))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for k, p := range planted {
		for i := k; i < train && i/12 < each; i += 12 {
			add(fmt.Sprintf("%d %s", i, p.name), "test", hashOf(t, p.change(t, rng, all[i]), false))
		}
	}
	found, false_ := map[string]int{}, 0
	for p, err := range Pairs(context.Background(), items, DefaultLimits) {
		if err != nil {
			t.Fatal(err)
		}
		a, name, _ := strings.Cut(p.A.Path, " ")
		b, other, _ := strings.Cut(p.B.Path, " ")
		if a == b {
			found[name+other]++
		} else {
			false_++
		}
	}
	sum := 0
	for _, p := range planted {
		n := found[p.name]
		t.Logf("%-20s recall %d of %d", p.name, n, each)
		if 100*n < p.recall*each {
			t.Errorf("%s: %d of %d are found, want %d in 100", p.name, n, each, p.recall)
		}
		sum += n
	}
	precision := float64(sum) / float64(sum+false_)
	t.Logf("%d found, %d others: precision %.3f", sum, false_, precision)
	if precision < 0.95 {
		t.Errorf("precision is %.3f", precision)
	}
}

// Whatever the bytes are, hashing them ends without a panic, and in memory that
// the limit bounds.
func FuzzHashImage(f *testing.F) {
	img := scene(20, 12)
	f.Add(pngOf(f, img))
	f.Add(withOrientation(jpegOf(f, img, 50), 6, true))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return bmp.Encode(b, img) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return tiff.Encode(b, img, nil) }))
	f.Add(webpOf(img))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := hashImage(context.Background(), content(data), true, 1<<16)
		if err != nil {
			return
		}
		again, err := i.MarshalBinary()
		if err != nil || i.Width*i.Height > 1<<16 {
			t.Fatal(i.Width, i.Height, err)
		}
		var other Image
		if err := other.UnmarshalBinary(again); err != nil {
			t.Fatal(err)
		}
	})
}

// What is taken for a fact is written again as it was.
func FuzzFact(f *testing.F) {
	image, _ := hashOf(f, pngOf(f, scene(20, 12)), true).MarshalBinary() //nolint:errcheck // it never fails
	f.Add(image)
	text, _ := Text{Count: 60, HasWords: true, HasChars: true}.MarshalBinary() //nolint:errcheck // it never fails
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		var i Image
		if i.UnmarshalBinary(data) == nil {
			if again, err := i.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("image: %x became %x, %v", data, again, err)
			}
		}
		var x Text
		if x.UnmarshalBinary(data) == nil {
			if again, err := x.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("text: %x became %x, %v", data, again, err)
			}
		}
	})
}

// BenchmarkDecode and BenchmarkHash: what hashing costs beyond decoding.
func BenchmarkDecode(b *testing.B) {
	for name, data := range benchImages(b) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := decode(context.Background(), content(data), MaxPixels, func(picture) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	for name, data := range benchImages(b) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				hashOf(b, data, false)
			}
		})
	}
}

// BenchmarkHashPicture: a small image that is decoded already.
func BenchmarkHashPicture(b *testing.B) {
	p := picture{Image: fashion(b)[0]}
	for b.Loop() {
		hashPicture(p, false)
	}
}

func benchImages(b *testing.B) map[string][]byte {
	return map[string][]byte{
		"jpeg-512": jpegOf(b, scene(512, 512), 90),
		"png-512":  pngOf(b, scene(512, 512)),
		"png-28":   pngOf(b, fashion(b)[0]),
	}
}
