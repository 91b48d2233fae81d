package similar

import "unicode"

// words takes a text character by character and hashes its shingles.
type words struct {
	word     uint64          // the hash of the word so far
	inside   bool            // there is such a word
	count    int             // the words that have ended
	last     [shingle]uint64 // the hashes of the last ones
	shingles *sketch

	// The beginning of the text, as long as it may be a short one: its words,
	// with a space between them.
	start []rune
	full  bool // it was more than is kept
}

func newWords() *words { return &words{shingles: newSketch()} }

// maxStart bounds what is kept of a short text, whose words may be of any
// length.
const maxStart = 16 << 10

// add takes the next character. Letters and digits make words; in scripts that
// have no spaces each character is one.
func (w *words) add(r rune) {
	switch {
	case r < 0x80:
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			w.grow(r)
		} else {
			w.end()
		}
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		w.end()
		w.grow(r)
		w.end()
	case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
		w.grow(unicode.ToLower(r))
	default:
		w.end()
	}
}

func (w *words) grow(r rune) {
	w.inside = true
	w.word = (w.word ^ uint64(r)) * 0x100000001b3 // FNV, mixed at the end
	w.keep(r)
}

func (w *words) keep(r rune) {
	if w.full = w.full || len(w.start) == maxStart || w.count >= longWords; !w.full {
		w.start = append(w.start, r)
	}
}

// end ends a word and adds the shingle that it is the last of.
func (w *words) end() {
	if !w.inside {
		return
	}
	w.last[w.count%shingle] = mix(w.word)
	w.count++
	w.word, w.inside = 0, false
	w.keep(' ')
	if w.count < shingle {
		return
	}
	var hash uint64
	for i := range shingle {
		hash = join(hash, w.last[(w.count+i)%shingle])
	}
	w.shingles.add(hash)
}

// text ends the text.
func (w *words) text() Text {
	w.end()
	t := Text{Count: min(w.count, longWords)}
	if w.count < leastWords {
		return t
	}
	if w.count >= shortWords {
		t.HasWords, t.Words = true, w.shingles.signature()
	}
	if w.count < longWords && !w.full {
		t.HasChars, t.Chars = true, grams(w.start).signature()
	}
	return t
}

// grams are the shingles of characters.
func grams(text []rune) *sketch {
	m := newSketch()
	for i := 0; i+charGram <= len(text); i++ {
		var hash uint64
		for _, r := range text[i : i+charGram] {
			hash = join(hash, uint64(r))
		}
		m.add(hash)
	}
	return m
}
