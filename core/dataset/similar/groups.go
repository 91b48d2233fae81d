package similar

import (
	"bytes"
	"cmp"
	"slices"
)

// group is the items of equal hashes.
type group struct {
	runs   [][]int32 // the items of each content, in their order; by the first of each
	splits []inSplit
	total  int
}

// inSplit is what a group has in one split.
type inSplit struct {
	split string
	n     int
	// The first items of two different contents, in order; -1 if there is none.
	first, second int32
}

// outside returns the first item that is not in a split, and how many there
// are.
func (g *group) outside(split string) (first int32, n int) {
	first = -1
	for _, s := range g.splits {
		if s.split == split {
			continue
		}
		n += s.n
		if first < 0 || s.first < first {
			first = s.first
		}
	}
	return first, n
}

// counterpart returns the first item that is not in a split and has not the
// content of item i of the group; -1 if there is none.
func (g *group) counterpart(items []Item, i int32, split string) int32 {
	best := int32(-1)
	for _, s := range g.splits {
		if s.split == split {
			continue
		}
		c := s.first
		if items[c].Content == items[i].Content {
			c = s.second
		}
		if c >= 0 && (best < 0 || c < best) {
			best = c
		}
	}
	return best
}

// inOne reports whether two groups have one split, the same, so that nothing
// is to be found between them.
func (g *group) inOne(o *group) bool {
	return len(g.splits) == 1 && len(o.splits) == 1 && g.splits[0].split == o.splits[0].split
}

// imageKey is what images of one group have in common.
type imageKey struct {
	Bits
	look   Look
	turned uint64
}

func groupImages(items []Item) ([]group, []*Image) {
	return groupBy(items, func(i *Item) (imageKey, *Image, bool) {
		m := i.Image
		if m == nil || m.Flat {
			return imageKey{}, nil, false
		}
		key := imageKey{Bits: m.Bits, look: m.Look}
		for _, t := range m.Turned {
			key.turned = join(join(join(key.turned, uint64(t.Turn)), t.D), t.P)
		}
		return key, m, true
	})
}

func groupTexts(items []Item) ([]group, []*Text) {
	return groupBy(items, func(i *Item) (Text, *Text, bool) {
		t := i.Text
		if t == nil || !t.HasWords && !t.HasChars {
			return Text{}, nil, false
		}
		return Text{HasWords: t.HasWords, HasChars: t.HasChars, Words: t.Words, Chars: t.Chars}, t, true
	})
}

// groupBy makes groups in the order of their first items, and returns what
// each is about.
func groupBy[K comparable, V any](items []Item, key func(*Item) (K, V, bool)) (groups []group, about []V) {
	numbers := make(map[K]int)
	var members [][]int32
	for i := range items {
		k, v, ok := key(&items[i])
		if !ok || items[i].Split == "" {
			continue
		}
		n, had := numbers[k]
		if !had {
			n = len(members)
			numbers[k] = n
			members, about = append(members, nil), append(about, v)
		}
		members[n] = append(members[n], int32(i))
	}
	for _, m := range members {
		groups = append(groups, newGroup(items, m))
	}
	return groups, about
}

func newGroup(items []Item, members []int32) group {
	slices.SortFunc(members, func(a, b int32) int {
		return cmp.Or(bytes.Compare(items[a].Content[:], items[b].Content[:]), int(a)-int(b))
	})
	g := group{total: len(members)}
	for from := 0; from < len(members); {
		to := from + 1
		for to < len(members) && items[members[to]].Content == items[members[from]].Content {
			to++
		}
		g.runs = append(g.runs, members[from:to])
		from = to
	}
	slices.SortFunc(g.runs, func(a, b []int32) int { return int(a[0]) - int(b[0]) })
	for _, run := range g.runs {
		g.count(items, run)
	}
	return g
}

// count adds the items of one content to their splits.
func (g *group) count(items []Item, run []int32) {
	for _, i := range run {
		k := slices.IndexFunc(g.splits, func(s inSplit) bool { return s.split == items[i].Split })
		if k < 0 {
			k = len(g.splits)
			g.splits = append(g.splits, inSplit{split: items[i].Split, first: -1, second: -1})
		}
		s := &g.splits[k]
		s.n++
		s.note(items, i)
	}
}

// note keeps the first item of each of the two contents that come first.
func (s *inSplit) note(items []Item, i int32) {
	switch {
	case s.first < 0:
		s.first = i
	case items[i].Content == items[s.first].Content:
		s.first = min(s.first, i)
	case s.second < 0 || items[i].Content == items[s.second].Content:
		s.second = i
	}
}
