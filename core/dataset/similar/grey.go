package similar

import (
	"image"
	"image/color"
	"math"
	"sync"
)

// side is the side of the square of cells that every picture is averaged to.
// Eight and nine divide it, for the dHash, and so does 36, for the pHash.
const side = 72

// square is a picture as side × side cells of grey.
type square [side][side]float64

// squares are those not in use: to clear one takes as long as to transform it.
var squares = sync.Pool{New: func() any { return new(square) }}

// shrink averages a picture to the square: each cell is the exact mean of the
// area that it covers, parts of pixels included, so that a picture of any
// size, larger or smaller, comes to much the same square.
//
// In units of 1/side of a pixel, pixel row y covers [side·y, side·(y+1)) and
// row of cells k covers [k·h, (k+1)·h); the same holds for columns. So all
// weights are whole numbers, and a cell has w·h of them. Rows are summed first,
// which is one multiplication a pixel.
func (s *square) shrink(img image.Image) {
	b := img.Bounds()
	if deep(img) {
		shrinkRows(s, b.Dx(), b.Dy(), rows16(img))
	} else {
		shrinkRows(s, b.Dx(), b.Dy(), rows8(img))
	}
}

func shrinkRows[T uint8 | uint16](s *square, w, h int, row func(y int) []T) {
	sums := make([]uint64, w)
	rows, columns := spans(h), spans(w)
	scale := 1 / (float64(w) * float64(h) * float64(^T(0)))
	for k := range side {
		clear(sums)
		for y := rows[k].first; y <= rows[k].last; y++ {
			weight := rows[k].weight(y)
			for x, v := range row(y)[:w] {
				sums[x] += weight * uint64(v)
			}
		}
		for c := range columns {
			s[k][c] = float64(columns[c].sum(sums)) * scale
		}
	}
}

// span is the pixels that a cell covers along one side. Those between the first
// and the last are covered whole.
type span struct {
	first, last int
	head, tail  uint64 // how much of the first and of the last; tail is 0 if they are one
}

// spans cuts a side of n pixels into cells.
func spans(n int) *[side]span {
	all := new([side]span)
	for k := range all {
		from, to := k*n, (k+1)*n
		c := span{first: from / side, last: (to - 1) / side}
		c.head = uint64(min(to, side*(c.first+1)) - from)
		if c.last > c.first {
			c.tail = uint64(to - side*c.last)
		}
		all[k] = c
	}
	return all
}

func (c *span) weight(at int) uint64 {
	switch at {
	case c.first:
		return c.head
	case c.last:
		return c.tail
	}
	return side
}

// sum adds up what a cell covers of values.
func (c *span) sum(values []uint64) uint64 {
	sum := values[c.first]*c.head + values[c.last]*c.tail
	if c.last-c.first < 2 {
		return sum
	}
	var whole uint64
	for _, v := range values[c.first+1 : c.last] {
		whole += v
	}
	return sum + whole*side
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
