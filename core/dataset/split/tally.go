package split

import (
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
)

// Count is what is in one split; classes are counted with stratify alone.
type Count = dataset.Count

// tallies count the samples of splits, which they number: those that the
// scheme names first, others as they come.
type tallies struct {
	splits  interner
	values  map[string][]int // the numbers of a table's value
	labels  interner
	of      []*tally
	classed bool
}

type tally struct {
	files, rows, bytes int64
	classes            []int64 // by label
}

func newTallies(s Scheme) *tallies {
	t := &tallies{values: make(map[string][]int), classed: s.Label != nil}
	t.labels.number("")
	for _, name := range s.Names() {
		t.number(name)
	}
	return t
}

func (t *tallies) number(split string) int {
	n := int(t.splits.number(split))
	for len(t.of) <= n {
		t.of = append(t.of, &tally{})
	}
	return n
}

// numbers returns the numbers of the splits that a value names.
func (t *tallies) numbers(value string) []int {
	if value == "" {
		return nil
	}
	list, ok := t.values[value]
	if !ok {
		for _, name := range dataset.SplitNames(value) {
			list = append(list, t.number(name))
		}
		t.values[value] = list
	}
	return list
}

func (t *tally) class(label uint32) *int64 {
	if int(label) >= len(t.classes) {
		t.classes = append(t.classes, make([]int64, int(label)+1-len(t.classes))...)
	}
	return &t.classes[label]
}

// file counts a file, or with sign -1 takes it out.
func (t *tallies) file(splits []int, label uint32, size, sign int64) {
	for _, n := range splits {
		of := t.of[n]
		of.files += sign
		of.bytes += sign * size
		*of.class(label) += sign
	}
}

func (t *tallies) row(split int, label uint32, sign int64) {
	t.of[split].rows += sign
	*t.of[split].class(label) += sign
}

// counts returns the counts of every split that the scheme names or that has
// samples.
func (t *tallies) counts(s Scheme) map[string]Count {
	names, all := s.Names(), make(map[string]Count)
	for n, of := range t.of {
		name := t.splits.texts[n]
		if of.files == 0 && of.rows == 0 && !slices.Contains(names, name) {
			continue
		}
		c := Count{Files: of.files, Rows: of.rows, Bytes: of.bytes}
		if t.classed {
			c.Classes = t.classes(of)
		}
		all[name] = c
	}
	return all
}

func (t *tallies) classes(of *tally) map[string]int64 {
	classes := make(map[string]int64)
	for label, n := range of.classes {
		if n != 0 {
			classes[t.labels.texts[label]] = n
		}
	}
	return classes
}
