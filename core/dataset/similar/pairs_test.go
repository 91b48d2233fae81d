package similar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"pgregory.net/rapid"
)

func contentID(n int) (id objects.ID) {
	binary.LittleEndian.PutUint64(id[:], uint64(n))
	return id
}

func collect(t fatal, items []Item, limits Limits) []Pair {
	t.Helper()
	var all []Pair
	for p, err := range Pairs(context.Background(), items, limits) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

type fatal interface {
	Helper()
	Fatal(...any)
}

// compareItems says whether two items are near-duplicates, as the package's
// comment has it, and how far apart.
func compareItems(a, b *Item, l Limits) (best Pair, far float64, ok bool) {
	if a.Split == b.Split || a.Split == "" || b.Split == "" || a.Content == b.Content {
		return Pair{}, 0, false
	}
	if a.Text != nil && b.Text != nil {
		s := similarityOf(*a.Text, *b.Text)
		return Pair{Similarity: s}, 1 - s, s >= l.Text
	}
	if a.Image == nil || b.Image == nil || a.Image.Flat || b.Image.Flat {
		return Pair{}, 0, false
	}
	for i, x := range append([]Turned{{Bits: a.Image.Bits}}, a.Image.Turned...) {
		for j, y := range append([]Turned{{Bits: b.Image.Bits}}, b.Image.Turned...) {
			d, p := x.Distance(y.Bits)
			angle := a.Image.Look.turned(x.Turn).Angle(b.Image.Look.turned(y.Turn))
			f := float64(d+p) + angle/180
			if i*j == 0 && d <= l.Images && p <= l.Images+4 && angle <= l.degrees() && (!ok || f < far) {
				best, far, ok = Pair{D: d, P: p, Angle: angle, Turn: x.Turn | y.Turn}, f, true
			}
		}
	}
	return best, far, ok
}

// bruteForce compares all with all: for each item how far its nearest
// counterpart is, and how many it has.
func bruteForce(items []Item, l Limits) (far []float64, counts []int) {
	far, counts = make([]float64, len(items)), make([]int, len(items))
	for i := range items {
		for j := range items {
			if _, f, ok := compareItems(&items[i], &items[j], l); ok {
				if counts[i] == 0 || f < far[i] {
					far[i] = f
				}
				counts[i]++
			}
		}
	}
	return far, counts
}

// checkPairs holds what Pairs found against what comparing all with all finds.
func checkPairs(t fatal, items []Item, l Limits) {
	t.Helper()
	far, counts := bruteForce(items, l)
	at := make(map[string]int)
	for i := range items {
		at[items[i].Path] = i
	}
	named := make([]bool, len(items))
	check := func(i, j int) {
		_, f, ok := compareItems(&items[i], &items[j], l)
		if !ok || f != far[i] {
			t.Fatal(fmt.Sprintf("item %d: its counterpart %d is at %v (%v), the nearest at %v", i, j, f, ok, far[i]))
		}
		named[i] = true
	}
	for _, p := range collect(t, items, l) {
		i, j := at[p.A.Path], at[p.B.Path]
		check(i, j)
		if p.Count != counts[i] {
			t.Fatal(fmt.Sprintf("item %d has %d counterparts, want %d", i, p.Count, counts[i]))
		}
		if _, f, ok := compareItems(&items[j], &items[i], l); ok && f == far[j] {
			named[j] = true // the pair stands for both
		}
	}
	for i, c := range counts {
		if named[i] != (c > 0) {
			t.Fatal(fmt.Sprintf("item %d with %d counterparts: named %v", i, c, named[i]))
		}
	}
}

// Pairs finds what comparing all with all finds: on images around a few
// centres, turned ones among them.
func TestPairsOfImages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		l := Limits{Images: rapid.IntRange(0, MaxImages).Draw(t, "limit"), Text: 0.8}
		n := rapid.SampledFrom([]int{0, 1, 5, 40, 120}).Draw(t, "items")
		centres := make([]Image, 1+rng.IntN(5))
		for i := range centres {
			centres[i] = Image{Bits: randomBits(rng), Look: randomLook(rng)}
		}
		items := make([]Item, n)
		for i := range items {
			m := wobble(rng, centres[rng.IntN(len(centres))])
			for turn := Turn(1); turn < turns && rng.IntN(3) == 0; turn++ {
				c := centres[rng.IntN(len(centres))]
				m.Turned = append(m.Turned, Turned{flipBits(rng, c.Bits), turn})
			}
			m.Flat = rng.IntN(20) == 0
			items[i] = newItem(rng, i)
			items[i].Image = &m
		}
		oneFact(items)
		checkPairs(t, items, l)
	})
}

// newItem is the ith item, in one of four splits or in none, with a content
// that another may have.
func newItem(rng *rand.Rand, i int) Item {
	split := []string{"train", "train", "test", "val", "test,train", ""}[rng.IntN(6)]
	content := i
	if rng.IntN(4) == 0 {
		content = rng.IntN(i + 1)
	}
	return Item{Sample: dataset.Sample{Path: fmt.Sprint(i), Split: split, Content: contentID(content)}}
}

// oneFact gives items of one content one image or text.
func oneFact(items []Item) {
	for i := range items {
		for j := range i {
			if items[j].Content == items[i].Content {
				items[i].Image, items[i].Text = items[j].Image, items[j].Text
			}
		}
	}
}

func randomBits(rng *rand.Rand) Bits { return Bits{rng.Uint64(), rng.Uint64()} }

func randomLook(rng *rand.Rand) (l Look) {
	for i := range l {
		l[i] = int8(rng.IntN(60) - 30)
	}
	return l
}

func flipBits(rng *rand.Rand, b Bits) Bits {
	for range rng.IntN(6) {
		b.D ^= 1 << rng.IntN(64)
	}
	for range rng.IntN(6) {
		b.P ^= 1 << rng.IntN(64)
	}
	return b
}

func wobble(rng *rand.Rand, m Image) Image {
	if rng.IntN(3) == 0 {
		return m
	}
	m.Bits = flipBits(rng, m.Bits)
	for range rng.IntN(20) {
		m.Look[rng.IntN(lookSize)] += int8(rng.IntN(9) - 4)
	}
	return m
}

// The same of texts.
func TestPairsOfTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		l := Limits{Text: rapid.SampledFrom([]float64{MinText, 0.7, 0.8, 0.9, 0.99, 1}).Draw(t, "limit")}
		centre := Text{Words: randomSignature(rng), Chars: randomSignature(rng)}
		items := make([]Item, rapid.SampledFrom([]int{1, 5, 40, 100}).Draw(t, "items"))
		for i := range items {
			x := centre
			most := rng.IntN(40)
			for range rng.IntN(most + 1) {
				x.Words[rng.IntN(permutations)], x.Chars[rng.IntN(permutations)] = uint8(rng.Uint32()), uint8(rng.Uint32())
			}
			which := rng.IntN(4)
			x.HasWords, x.HasChars = which&1 != 0, which&2 != 0
			items[i] = newItem(rng, i)
			items[i].Text = &x
		}
		oneFact(items)
		checkPairs(t, items, l)
	})
}

func randomSignature(rng *rand.Rand) (s Signature) {
	for i := range s {
		s[i] = uint8(rng.Uint32())
	}
	return s
}

// A hundred thousand images that are all the same, or nearly, are no trouble:
// each is named once.
func TestPairsOfOneImage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	look := randomLook(rng)
	const n = 100_000
	images := []Image{{Look: look}, {Look: look, Bits: Bits{D: 1}}}
	items := make([]Item, n)
	for i := range items {
		items[i] = Item{Sample: dataset.Sample{Path: fmt.Sprint(i), Split: []string{"train", "test"}[i%10/9], Content: contentID(i)}, Image: &images[i%2]}
	}
	pairs := collect(t, items, DefaultLimits)
	named := make(map[string]bool)
	for _, p := range pairs {
		named[p.A.Path], named[p.B.Path] = true, true
		want := n / 10
		if p.A.Split == "test" {
			want = n - n/10
		}
		if p.Count != want {
			t.Fatalf("%s in %s has %d counterparts, want %d", p.A.Path, p.A.Split, p.Count, want)
		}
	}
	if len(named) != n || len(pairs) > n {
		t.Errorf("%d pairs name %d items", len(pairs), len(named))
	}
}

func TestPairsEnd(t *testing.T) {
	items := make([]Item, 200)
	rng := rand.New(rand.NewPCG(1, 2))
	m := Image{Look: randomLook(rng)}
	for i := range items {
		items[i] = Item{Sample: dataset.Sample{Split: fmt.Sprint(i % 2), Content: contentID(i)}, Image: &m}
	}
	for range Pairs(context.Background(), items, DefaultLimits) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range Pairs(ctx, items, DefaultLimits) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled: %v", err)
		}
	}
	for _, l := range []Limits{{Images: -1, Text: 0.8}, {Images: MaxImages + 1, Text: 0.8}, {Text: 0.5}, {Text: 1.1}} {
		for _, err := range Pairs(context.Background(), items, l) {
			if !errors.Is(err, ErrLimits) {
				t.Fatalf("%v: %v", l, err)
			}
		}
	}
}

// BenchmarkPairs searches as many images as Fashion-MNIST has, ten times over
// and wobbled: 100,000.
func BenchmarkPairs(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	var items []Item
	for _, g := range fashion(b) {
		m := hashPicture(picture{Image: g}, false)
		for range 10 {
			x := wobble(rng, m)
			i := len(items)
			items = append(items, Item{Sample: dataset.Sample{Path: fmt.Sprint(i), Split: []string{"train", "test"}[i%7/6], Content: contentID(i)}, Image: &x})
		}
	}
	rng.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	for b.Loop() {
		if n := len(collect(b, slices.Clone(items), DefaultLimits)); n == 0 {
			b.Fatal("nothing found")
		}
	}
}
