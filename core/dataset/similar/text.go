package similar

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"unicode/utf8"

	"github.com/mlvc/mlvc/core/dataset"
)

// ErrNotText is for a file that is read as a text and is none.
var ErrNotText = errors.New("not a text in UTF-8")

// MaxText is how large a text may be. What is larger is a collection of
// texts, of which it makes no sense to ask if the whole is alike.
const MaxText = 64 << 20

// permutations is how many smallest hashes a signature keeps.
const permutations = 128

// Signature is a MinHash, as a sketch makes it: the share of places at which
// two are equal is about the Jaccard similarity of the sets that they stand
// for. Of each smallest hash it keeps 8 bits; what is equal by chance is taken
// off.
type Signature [permutations]uint8

// Text is what a text says: the sets of its shingles. One has the words or the
// characters or, if it is neither short nor long, both, so that a pair of
// similar texts always has one of them in common.
type Text struct {
	Count              int // how many words, longWords at most
	Words              Signature
	Chars              Signature
	HasWords, HasChars bool
}

// The lengths of texts, in words.
const (
	shingle    = 5   // words in a shingle
	charGram   = 5   // characters in a shingle of a short text
	leastWords = 5   // a text with fewer says too little to be compared
	longWords  = 100 // from here on it has no shingles of characters
	shortWords = 50  // below, none of words
)

// textReaders are used again: most texts are much smaller than a buffer.
var textReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 256<<10) }}

// HashText reads a text and hashes its shingles: every five words after each
// other, in lower case and without punctuation; of a short text every five
// characters. It fails for what is not UTF-8 or is larger than MaxText.
func HashText(ctx context.Context, c dataset.Content) (Text, error) {
	if c.Size() > MaxText {
		return Text{}, badFile{fmt.Errorf("a text of more than %d MiB: %w", MaxText>>20, ErrTooLarge)}
	}
	src := &source{ctx: ctx, c: c}
	r := textReaders.Get().(*bufio.Reader)
	defer textReaders.Put(r)
	r.Reset(io.NewSectionReader(src, 0, c.Size()))
	defer r.Reset(nil) // it is not to hold the content
	w := newWords()
	for {
		c, size, err := r.ReadRune()
		switch {
		case err == io.EOF:
			return w.text(), nil
		case err != nil:
			return Text{}, err
		case c == 0 || c == utf8.RuneError && size == 1:
			return Text{}, badFile{ErrNotText}
		}
		w.add(c)
	}
}

// chance is how often two 8-bit hashes are equal by chance.
const chance = 1.0 / 256

// similarity is what a number of equal places says.
func similarity(equal int) float64 {
	return max(0, (float64(equal)/permutations-chance)/(1-chance))
}

// mix is the finalizer of SplitMix64: every bit of x changes half of the bits
// that it returns.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// join hashes a sequence one after the other.
func join(hash, next uint64) uint64 { return mix(bits.RotateLeft64(hash, 5) ^ next) }

// The flags of a text.
const (
	textWords = 1
	textChars = 2
	textBoth  = textWords | textChars
)

// MarshalBinary implements encoding.BinaryMarshaler: flags, the number of
// words, and the signatures.
func (t Text) MarshalBinary() ([]byte, error) {
	out := []byte{0, byte(t.Count)}
	if t.HasWords {
		out[0] |= textWords
		out = append(out, t.Words[:]...)
	}
	if t.HasChars {
		out[0] |= textChars
		out = append(out, t.Chars[:]...)
	}
	return out, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler; it takes only what
// MarshalBinary makes.
func (t *Text) UnmarshalBinary(data []byte) error {
	if len(data) < 2 || data[0] > textBoth || data[1] > longWords {
		return ErrBadFact
	}
	flags, rest := data[0], data[2:]
	if len(rest) != permutations*bits.OnesCount8(flags) {
		return ErrBadFact
	}
	*t = Text{Count: int(data[1]), HasWords: flags&textWords != 0, HasChars: flags&textChars != 0}
	if t.HasWords {
		rest = rest[copy(t.Words[:], rest):]
	}
	if t.HasChars {
		copy(t.Chars[:], rest)
	}
	return nil
}
