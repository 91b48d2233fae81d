package similar

import "math"

// lookSize is how many frequencies a look has: 8 × 8 but the mean.
const lookSize = 63

// Look is the shape of a picture's brightness: the low frequencies that the
// pHash keeps one bit of, as a direction. Brightness and contrast do not change
// it.
type Look [lookSize]int8

// look scales the frequencies to a vector of length 127.
func (f *spectrum) look() (l Look) {
	var squares float64
	for _, v := range f[1:] {
		squares += v * v
	}
	if squares == 0 {
		return l
	}
	scale := 127 / math.Sqrt(squares)
	for i, v := range f[1:] {
		l[i] = int8(math.Round(v * scale))
	}
	return l
}

// Angle returns the angle between two looks in degrees; 90 if one has none.
func (l Look) Angle(o Look) float64 {
	var dot, a, b int32
	for i, v := range l {
		w := int32(o[i])
		dot += int32(v) * w
		a += int32(v) * int32(v)
		b += w * w
	}
	if a == 0 || b == 0 {
		return 90
	}
	cos := float64(dot) / math.Sqrt(float64(a)*float64(b))
	return math.Acos(min(1, max(-1, cos))) * 180 / math.Pi
}

// turned returns the look of the picture turned: mirrored, a cosine of an odd
// frequency changes its sign; along the diagonal, rows and columns change
// places.
func (l Look) turned(t Turn) (out Look) {
	if t == 0 {
		return l
	}
	for k := range out {
		v, u := (k+1)/8, (k+1)%8
		negative := t&mirror != 0 && u%2 == 1
		if t&flip != 0 && v%2 == 1 {
			negative = !negative
		}
		if t&diagonal != 0 {
			u, v = v, u
		}
		out[k] = l[8*v+u-1]
		if negative {
			out[k] = -out[k]
		}
	}
	return out
}
