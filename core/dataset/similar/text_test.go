package similar

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
)

func textOf(t testing.TB, text string) Text {
	t.Helper()
	x, err := HashText(context.Background(), content([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// similarityOf is the estimated Jaccard similarity of two texts, of whichever
// shingles both have.
func similarityOf(a, b Text) float64 {
	switch {
	case a.HasWords && b.HasWords:
		return similarity(equal(a.Words, b.Words))
	case a.HasChars && b.HasChars:
		return similarity(equal(a.Chars, b.Chars))
	}
	return 0
}

func equal(a, b Signature) (n int) {
	for i, v := range a {
		if v == b[i] {
			n++
		}
	}
	return n
}

// paragraphs returns real text: what this repository's pages say, in pieces of
// so many words.
func paragraphs(t testing.TB, size int) []string {
	t.Helper()
	var words []string
	for _, pattern := range []string{"objects/*.md", "objects/*/*.md", "refs/*.md", "remote/*.md", "remote/*/*.md", "core/*.md"} {
		names, err := filepath.Glob("../../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			words = append(words, strings.Fields(string(data))...)
		}
	}
	var all []string
	for ; len(words) >= size; words = words[size:] {
		all = append(all, strings.Join(words[:size], " "))
	}
	if len(all) < 8 {
		t.Fatalf("%d paragraphs of %d words", len(all), size)
	}
	return all
}

// jaccard is the similarity that signatures estimate, of sets of words.
func jaccard(a, b []string) float64 {
	set := func(words []string) map[string]bool {
		out := make(map[string]bool)
		for i := 0; i+shingle <= len(words); i++ {
			out[strings.Join(words[i:i+shingle], " ")] = true
		}
		return out
	}
	x, y, both := set(a), set(b), 0
	for s := range x {
		if y[s] {
			both++
		}
	}
	return float64(both) / float64(len(x)+len(y)-both)
}

// The estimate is right on average, and is never far off.
func TestSimilarity(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, share := range []float64{0, 0.3, 0.6, 0.8, 0.95, 1} {
		sum, squares, want := 0.0, 0.0, 0.0
		const rounds = 60
		for range rounds {
			a, b := make([]string, 300), make([]string, 300)
			for i := range a {
				a[i] = fmt.Sprint("w", rng.Uint32())
				b[i] = a[i]
				if i >= int(300*share) {
					b[i] = fmt.Sprint("v", rng.Uint32())
				}
			}
			exact := jaccard(a, b)
			off := similarityOf(textOf(t, strings.Join(a, " ")), textOf(t, strings.Join(b, " "))) - exact
			sum, squares, want = sum+off, squares+off*off, exact
		}
		bias, deviation := sum/rounds, math.Sqrt(squares/rounds)
		t.Logf("similarity %.2f: bias %+.4f, deviation %.4f", want, bias, deviation)
		limit := math.Sqrt(want*(1-want)/permutations) + 0.006
		if math.Abs(bias) > limit/2 || deviation > 1.35*limit {
			t.Errorf("similarity %.2f: bias %+.4f, deviation %.4f", want, bias, deviation)
		}
	}
}

// What is said counts, not how it is written.
func TestTextIsNormal(t *testing.T) {
	long := paragraphs(t, 200)[0]
	for _, text := range []string{long, long[:200]} {
		x := textOf(t, text)
		if y := textOf(t, strings.ToUpper(strings.Join(strings.Fields(text), "\r\n\t"))+"!!"); x != y {
			t.Errorf("%.40q: another case and other spaces make it another text", text)
		}
	}
	for text, want := range map[string]Text{
		"too few words":                 {Count: 3},
		"":                              {},
		"five words are just enough":    {Count: 5, HasChars: true},
		"春眠不覚暁":                         {Count: 5, HasChars: true},
		strings.Repeat("word ", 60):     {Count: 60, HasChars: true, HasWords: true},
		strings.Repeat("Wörter ", 1000): {Count: longWords, HasWords: true},
	} {
		if got := textOf(t, text); got.Count != want.Count || got.HasChars != want.HasChars || got.HasWords != want.HasWords {
			t.Errorf("%.20q: %d words, characters %v, words %v", text, got.Count, got.HasChars, got.HasWords)
		}
	}
	for _, data := range []string{"a\x00b", "caf\xe9 au lait"} {
		if _, err := HashText(context.Background(), content([]byte(data))); !errors.Is(err, ErrNotText) {
			t.Errorf("%q: %v", data, err)
		}
	}
}

// edits are the ways in which a copy of a text may have changed.
var edits = []struct {
	name string
	edit func(rng *rand.Rand, words []string) []string
}{
	{"one word in a hundred", func(rng *rand.Rand, w []string) []string {
		for range max(1, len(w)/100) {
			w[rng.IntN(len(w))] = "otherwise"
		}
		return w
	}},
	{"a word put in", func(rng *rand.Rand, w []string) []string {
		at := rng.IntN(len(w))
		return append(w[:at:at], append([]string{"indeed"}, w[at:]...)...)
	}},
	{"the end cut", func(_ *rand.Rand, w []string) []string { return w[:len(w)*93/100] }},
	{"a heading", func(_ *rand.Rand, w []string) []string { return append([]string{"Copied:"}, w...) }},
}

// Edited copies of real texts, long and short, are planted in another split;
// they are found, and nothing else is.
func TestPlantedTexts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{30, 70, 150, 400} {
		var items []Item
		add := func(path, split, text string) {
			x := textOf(t, text)
			items = append(items, Item{Sample: dataset.Sample{Path: path, Split: split, Content: contentID(len(items))}, Text: &x})
		}
		want := 0
		for i, text := range paragraphs(t, size) {
			if i%3 == 0 {
				add(fmt.Sprint(i), "test", text)
				continue
			}
			add(fmt.Sprint(i), "train", text)
			if e := edits[i/3%len(edits)]; i%3 == 1 {
				add(fmt.Sprintf("%d %s", i, e.name), "test", strings.Join(e.edit(rng, strings.Fields(text)), " "))
				want++
			}
		}
		found, others := 0, 0
		for p, err := range Pairs(context.Background(), items, DefaultLimits) {
			if err != nil {
				t.Fatal(err)
			}
			a, _, _ := strings.Cut(p.A.Path, " ")
			if b, _, _ := strings.Cut(p.B.Path, " "); a == b {
				found++
			} else {
				others++
				t.Logf("%s and %s: %.2f", p.A.Path, p.B.Path, p.Similarity)
			}
		}
		recall, precision := float64(found)/float64(want), float64(found)/float64(found+others)
		t.Logf("%d words: recall %.3f of %d, precision %.3f", size, recall, want, precision)
		if recall < 0.9 || precision < 0.98 {
			t.Errorf("%d words: recall %.3f, precision %.3f", size, recall, precision)
		}
	}
}

func BenchmarkHashText(b *testing.B) {
	text := []byte(strings.Join(paragraphs(b, 400), "\n"))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := HashText(context.Background(), content(text)); err != nil {
			b.Fatal(err)
		}
	}
}
