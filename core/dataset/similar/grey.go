package similar

import (
	"image"
	"image/color"
	"math"
)

// side is the side of the square of cells that every picture is averaged to.
// Eight and nine divide it, for the dHash, and so does 36, for the pHash.
const side = 72

// square is a picture as side × side cells of grey.
type square [side][side]float64

// shrink averages a picture to a square: each cell is the exact mean of the
// area that it covers, parts of pixels included, so that a picture of any
// size, larger or smaller, comes to much the same square.
//
// In units of 1/side of a pixel, pixel row y covers [side·y, side·(y+1)) and
// row of cells k covers [k·h, (k+1)·h); the same holds for columns. So all
// weights are whole numbers, and a cell has w·h of them. Rows are summed first,
// which is one multiplication a pixel.
func shrink(img image.Image) *square {
	b := img.Bounds()
	if deep(img) {
		return shrinkRows(b.Dx(), b.Dy(), rows16(img))
	}
	return shrinkRows(b.Dx(), b.Dy(), rows8(img))
}

func shrinkRows[T uint8 | uint16](w, h int, row func(y int) []T) *square {
	s := new(square)
	sums := make([]uint64, w)
	for k := range side {
		clear(sums)
		from, to := k*h, (k+1)*h
		for y := from / side; y*side < to; y++ {
			weight := uint64(min(to, side*(y+1)) - max(from, side*y))
			for x, v := range row(y)[:w] {
				sums[x] += weight * uint64(v)
			}
		}
		shrinkColumns(&s[k], sums, 1/(float64(w)*float64(h)*float64(^T(0))))
	}
	return s
}

// shrinkColumns averages the columns of one row of cells, and scales.
func shrinkColumns(cells *[side]float64, sums []uint64, scale float64) {
	w := len(sums)
	for k := range cells {
		var sum uint64
		from, to := k*w, (k+1)*w
		for x := from / side; x*side < to; x++ {
			sum += sums[x] * uint64(min(to, side*(x+1))-max(from, side*x))
		}
		cells[k] = float64(sum) * scale
	}
}

// turned returns the square turned.
func (s *square) turned(t Turn) *square {
	if t == 0 {
		return s
	}
	out := new(square)
	for r := range side {
		for c := range side {
			y, x := t.at(r, c, side)
			out[r][c] = s[y][x]
		}
	}
	return out
}

// deviation is the standard deviation of the cells, where black is 0 and white
// is 1.
func (s *square) deviation() float64 {
	var sum, squares float64
	for r := range s {
		for _, v := range s[r] {
			sum += v
			squares += v * v
		}
	}
	mean := sum / (side * side)
	return math.Sqrt(max(0, squares/(side*side)-mean*mean))
}

// deep reports whether a picture has 16 bits a colour. These are kept: a scan
// with 12 bits of range would be black in 8.
func deep(img image.Image) bool {
	switch img.ColorModel() {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		return true
	}
	return false
}

// rows8 returns what gives the rows of a picture in grey, over white where it
// is transparent. A row is good until the next one is asked for.
func rows8(img image.Image) func(y int) []uint8 {
	b := img.Bounds()
	buf := make([]uint8, b.Dx())
	switch img := img.(type) {
	case *image.YCbCr: // its luma is the grey
		return func(y int) []uint8 { return img.Y[img.YOffset(b.Min.X, b.Min.Y+y):] }
	case *image.Gray:
		return func(y int) []uint8 { return img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):] }
	case *image.Paletted:
		return palettedRows(img, buf)
	case *image.RGBA:
		return func(y int) []uint8 { return rgbaRow(buf, img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):]) }
	case *image.NRGBA:
		return func(y int) []uint8 { return nrgbaRow(buf, img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):]) }
	}
	return func(y int) []uint8 {
		for x := range buf {
			buf[x] = uint8(greyOf(img.At(b.Min.X+x, b.Min.Y+y)) >> 8)
		}
		return buf
	}
}

func palettedRows(img *image.Paletted, buf []uint8) func(y int) []uint8 {
	var grey [256]uint8
	for i, c := range img.Palette {
		grey[i] = uint8(greyOf(c) >> 8)
	}
	return func(y int) []uint8 {
		at := img.PixOffset(img.Rect.Min.X, img.Rect.Min.Y+y)
		for x, v := range img.Pix[at : at+len(buf)] {
			buf[x] = grey[v]
		}
		return buf
	}
}

// The weights of red, green and blue, as package color has them.
func luma(r, g, b uint32) uint32 { return (19595*r + 38470*g + 7471*b + 1<<15) >> 16 }

func rgbaRow(buf, pix []uint8) []uint8 {
	for x := range buf {
		p := pix[4*x : 4*x+4 : 4*x+4]
		buf[x] = uint8(min(255, luma(uint32(p[0]), uint32(p[1]), uint32(p[2]))+255-uint32(p[3])))
	}
	return buf
}

func nrgbaRow(buf, pix []uint8) []uint8 {
	for x := range buf {
		p := pix[4*x : 4*x+4 : 4*x+4]
		v := luma(uint32(p[0]), uint32(p[1]), uint32(p[2]))
		if a := uint32(p[3]); a != 255 {
			v = (v*a + 255*(255-a) + 127) / 255
		}
		buf[x] = uint8(v)
	}
	return buf
}

// greyOf is any colour over white as 16 bits of grey.
func greyOf(c color.Color) uint32 {
	r, g, b, a := c.RGBA()
	return min(0xffff, luma(r, g, b)+0xffff-a)
}

func rows16(img image.Image) func(y int) []uint16 {
	b := img.Bounds()
	buf := make([]uint16, b.Dx())
	if grey, ok := img.(*image.Gray16); ok {
		return func(y int) []uint16 {
			pix := grey.Pix[grey.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range buf {
				buf[x] = uint16(pix[2*x])<<8 | uint16(pix[2*x+1])
			}
			return buf
		}
	}
	return func(y int) []uint16 {
		for x := range buf {
			buf[x] = uint16(greyOf(img.At(b.Min.X+x, b.Min.Y+y)))
		}
		return buf
	}
}
