package similar

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"image/png"

	"github.com/mlvc/mlvc/core/dataset"
	"golang.org/x/image/draw"
)

// smallImage is up to which number of pixels a thumbnail is a PNG, which keeps
// every pixel of icons and digits.
const smallImage = 64 * 64

// Thumbnail returns an image whose longer side is at most most pixels, upright
// as EXIF data say, and its media type. It fails as HashImage does.
func Thumbnail(ctx context.Context, c dataset.Content, most int) (data []byte, mime string, err error) {
	err = decode(ctx, c, MaxPixels, func(p picture) error {
		img := upright(reduce(p.Image, max(1, most)), p.turn)
		data, mime, err = encode(img)
		return err
	})
	return data, mime, err
}

// reduce scales an image down, never up.
func reduce(img image.Image, most int) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if longer := max(w, h); longer > most {
		w, h = max(1, w*most/longer), max(1, h*most/longer)
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if w == b.Dx() && h == b.Dy() {
		draw.Copy(out, image.Point{}, img, b, draw.Src, nil)
	} else {
		draw.BiLinear.Scale(out, out.Bounds(), img, b, draw.Src, nil)
	}
	return out
}

func upright(img image.Image, t Turn) image.Image {
	if t == 0 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if t&diagonal != 0 {
		w, h = h, w
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			r, c := y, x
			if t&mirror != 0 {
				c = w - 1 - x
			}
			if t&flip != 0 {
				r = h - 1 - y
			}
			if t&diagonal != 0 {
				r, c = c, r
			}
			out.Set(x, y, img.At(c, r))
		}
	}
	return out
}

func encode(img image.Image) ([]byte, string, error) {
	var buf bytes.Buffer
	b := img.Bounds()
	opaque, ok := img.(interface{ Opaque() bool })
	if b.Dx()*b.Dy() <= smallImage || ok && !opaque.Opaque() {
		err := png.Encode(&buf, img)
		return buf.Bytes(), "image/png", err
	}
	err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 80})
	return buf.Bytes(), "image/jpeg", err
}
