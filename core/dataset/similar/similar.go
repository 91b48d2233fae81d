// Package similar finds near-duplicates: images that look alike and texts that
// say nearly the same.
//
// # Images
//
// An image is averaged to 72 × 72 cells of grey, whatever its size and shape,
// and hashed in three ways: the dHash (64 bits: is each of 9 × 8 cells brighter
// than the one on its left, by more than a twentieth of the contrast), the pHash
// (63 bits: is each of the lowest frequencies of the DCT above their median) and
// the look (those frequencies themselves, as a direction, so that brightness
// and contrast do not count). Two are near-duplicates when all three agree: for
// a limit of n, at most n bits of the dHash, n + 4 bits of the pHash, and an
// angle of 0.7° n between the looks.
//
// The two hashes alone do not do for sets whose images are all alike: of the
// 50 million pairs of the 10,000 test images of Fashion-MNIST 6,060 are
// within 6 and 6 bits, and hardly any is a near-duplicate. The limits were
// chosen on these: with n = 6, the default, about one pair in a million is
// within all three, and of planted near-duplicates of 28 × 28 pixels more than
// 95 in 100 are found when re-encoded as JPEG of quality 60, made larger,
// brighter or noisy (8 of 255 levels). Of those cropped by a pixel, a thirtieth
// of the picture, few are; n = 10 finds more of them, and more that are none.
// The tests print the numbers. Photographs differ more from each other and
// change less, so that larger limits are safe.
//
// An image is hashed as its pixels are stored, and also as its EXIF data say
// that it is seen: a copy may have lost either. Transparent parts are white.
// Other turns and reflections are looked for only when asked. A flat image is
// not compared.
//
// # Texts
//
// A text is the set of its shingles of five words, or of five characters if it
// is short; the similarity is the Jaccard index, estimated from a MinHash of 128
// permutations (standard error 0.035 at 0.8).
//
// # Search
//
// The search is exact: all pairs within the limits are found. Images are looked
// for in a grid over the looks, as wide as their angle may be; texts in bands of
// their signatures, of which there are more than places that may differ, so
// that one at least is equal. What has the same hashes is searched for once.
package similar

import (
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/core/dataset"
)

// Item is a sample that may be compared. One that has neither an image nor a
// text, and one that is in no split, is compared with nothing.
type Item struct {
	dataset.Sample
	Image *Image
	Text  *Text
}

// Limits say how near is near.
type Limits struct {
	// Images is how many bits of the dHash may differ, 0 to MaxImages; the
	// other limits follow from it.
	Images int
	// Text is the similarity from which on texts are near-duplicates, MinText
	// to 1.
	Text float64
}

// DefaultLimits are the limits that the package's comment explains.
var DefaultLimits = Limits{Images: 6, Text: 0.8}

// The bounds of limits; beyond them everything is like everything.
const (
	MaxImages = 15
	MinText   = 0.6
)

// ErrLimits is for limits that are out of bounds.
var ErrLimits = errors.New("limits of near-duplicates")

// Check returns an error that wraps ErrLimits if a limit is out of bounds.
func (l Limits) Check() error {
	if l.Images < 0 || l.Images > MaxImages {
		return fmt.Errorf("%w: images = %d; it must be 0 to %d", ErrLimits, l.Images, MaxImages)
	}
	if !(l.Text >= MinText && l.Text <= 1) {
		return fmt.Errorf("%w: text = %g; it must be %g to 1", ErrLimits, l.Text, MinText)
	}
	return nil
}

// pBits is how many bits of the pHash may differ.
func (l Limits) pBits() int { return l.Images + 4 }

// degreesPerBit is what a bit of the dHash is worth as an angle between looks.
const degreesPerBit = 0.7

func (l Limits) degrees() float64 { return degreesPerBit * float64(max(1, l.Images)) }

// Pair is a sample and its nearest counterpart in another split.
type Pair struct {
	A, B dataset.Sample
	Kind Kind
	// Of images: the bits of each hash that differ, the degrees between the
	// looks, and how one is turned.
	D, P  int
	Angle float64
	Turn  Turn
	// Similarity is that of texts.
	Similarity float64
	// Count is how many counterparts A has in other splits. Beyond MaxMatches
	// different ones there may be more, and nearer ones.
	Count int
}

// Distance returns how far apart the two are, and in which unit.
func (p Pair) Distance() (float64, string) {
	if p.Kind == KindText {
		return 1 - p.Similarity, "1 - Jaccard"
	}
	return float64(p.D), "bits of dHash"
}

// MaxMatches is how many different counterparts of one sample are looked at,
// so that a film of a standing scene does not cost the square of its length.
const MaxMatches = 1000
