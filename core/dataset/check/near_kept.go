package check

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// compared is what the rule near keeps of a tree and its split table.
type compared struct {
	samples int64     // of any kind
	whole   bool      // list is all of them
	list    []nearOne // the files that are compared, in path order
	told    bool      // pairs is all that was found
	pairs   []NearPair
}

// nearOne is a file that is compared.
type nearOne struct {
	dataset.File
	value string // of the split table
}

const (
	nearContext = "mlvc 2026-11-26 near v1"
	nearKind    = "near-v1"
)

// add lists a file and one of its splits, unless there are too many.
func (n *compared) add(f NearFile) {
	switch last := len(n.list) - 1; {
	case !n.whole:
	case last >= 0 && n.list[last].Path == f.Path:
		n.list[last].value += "," + f.Split
	case len(n.list) == maxListed:
		n.whole, n.list = false, nil
	default:
		n.list = append(n.list, nearOne{f.File, f.Split})
	}
}

// keep keeps a pair, unless there are too many.
func (n *compared) keep(p NearPair) {
	switch {
	case !n.told:
	case len(n.pairs) == maxListed:
		n.told, n.pairs = false, nil
	default:
		n.pairs = append(n.pairs, p)
	}
}

// files yields those listed, once for each split.
func (n *compared) files() iter.Seq2[NearFile, error] {
	list := n.list
	return func(yield func(NearFile, error) bool) {
		for _, f := range list {
			for _, name := range dataset.SplitNames(f.value) {
				if !yield(NearFile{f.File, name}, nil) {
					return
				}
			}
		}
	}
}

// nearName is the name under which a result is kept: of all that decides it.
func (w *walk) nearName(tree, table objects.ID) objects.ID {
	limits := w.Config.Near
	labels := "none"
	if w.Labels != nil {
		labels = "some " + w.Labels.Key
	}
	text := appendTexts(nil, []string{
		w.NearVersion, labels, fmt.Sprint(limits.Images, limits.Text, limits.Rotations),
	})
	return objects.Derive(nearContext, text, tree[:], table[:])
}

// recallNear returns a kept result; nil: there is none.
func (w *walk) recallNear(name objects.ID) *compared {
	if w.Facts == nil || w.Tree.IsZero() {
		return nil
	}
	b, ok := w.Facts.Get(nearKind, name)
	if !ok {
		return nil
	}
	n, err := decodeCompared(b)
	if err != nil || !n.told && !n.whole {
		return nil
	}
	return n
}

func (w *walk) rememberNear(name objects.ID, n *compared) {
	if w.Facts != nil && !w.Tree.IsZero() && (n.told || n.whole) {
		w.Facts.Put(nearKind, name, n.encode())
	}
}

// updatedNear returns the parent's result with what changed; nil where that is
// not to be had. Where labels are told in another way, a file may have become
// one, or be none now, without a change of its own.
func (w *walk) updatedNear(ctx context.Context) (*compared, error) {
	b := w.scheme.Before
	if b == nil || w.Labels != nil && w.Labels.Key == "" {
		return nil, nil
	}
	n := w.recallNear(w.nearName(b.Tree, b.Table.Root()))
	if n == nil || !n.whole {
		return nil, nil
	}
	if err := w.list(ctx); err != nil || w.tooMany {
		return nil, err
	}
	come, err := w.comparable(ctx)
	if err != nil {
		return nil, err
	}
	n.edit(w.listed, come)
	for _, c := range w.listed {
		if w.isNear(c.path, c.old, c.was) {
			n.samples--
		}
		if w.isNear(c.path, c.new, c.value) {
			n.samples++
		}
	}
	return n, nil
}

// comparable returns the files that changed and are now compared.
func (w *walk) comparable(ctx context.Context) ([]nearOne, error) {
	values := map[string]string{}
	files := func(yield func(NearFile, error) bool) {
		for _, c := range w.listed {
			if !w.isNear(c.path, c.new, c.value) {
				continue
			}
			values[c.path] = c.value
			if !yield(NearFile{File: dataset.File{Path: c.path, Entry: *c.new}}, nil) {
				return
			}
		}
	}
	var list []nearOne
	saw := func(f NearSeen) { list = append(list, nearOne{f.File, values[f.Path]}) }
	for _, err := range w.Near(ctx, files, w.Config.Near, saw) {
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// edit takes the changed files out of the list and puts in those that are
// compared now. If there are none of either, what was found stays.
func (n *compared) edit(changes []change, come []nearOne) {
	changed := make(map[string]bool, len(changes))
	for _, c := range changes {
		changed[c.path] = true
	}
	before := len(n.list)
	n.list = slices.DeleteFunc(n.list, func(f nearOne) bool { return changed[f.Path] })
	if len(n.list) == before && len(come) == 0 {
		return
	}
	n.told, n.pairs = false, nil
	n.list = append(n.list, come...)
	slices.SortFunc(n.list, func(a, b nearOne) int { return strings.Compare(a.Path, b.Path) })
}

// The flags of an encoded result.
const (
	nearWhole = 1 << iota
	nearTold
)

// encode writes a result: flags, the number of samples, the files and the
// pairs, each as texts, and a checksum.
func (n *compared) encode() []byte {
	flags := uint64(0)
	var files, pairs []string
	if n.whole {
		flags |= nearWhole
		for _, f := range n.list {
			files = append(files, f.Path, string(f.Append(nil)), f.value)
		}
	}
	if n.told {
		flags |= nearTold
		for _, p := range n.pairs {
			distance := binary.BigEndian.AppendUint64(nil, math.Float64bits(p.Distance))
			pairs = append(pairs, p.A.Path, p.A.Split, string(p.A.Content[:]), p.B.Path, p.B.Split, string(p.B.Content[:]), string(distance), p.Measure)
		}
	}
	b := binary.AppendUvarint(binary.AppendUvarint(nil, flags), uint64(n.samples))
	return objects.Seal(nearContext, appendTexts(appendTexts(b, files), pairs))
}

var errBadCompared = fmt.Errorf("not what the rule %s keeps", dataset.RuleNear)

// decodeCompared reads what encode writes.
func decodeCompared(b []byte) (*compared, error) {
	b, err := objects.Unseal(nearContext, b)
	if err != nil {
		return nil, err
	}
	d := &decoder{b: b}
	flags := d.number()
	n := &compared{samples: int64(d.number()), whole: flags&nearWhole != 0, told: flags&nearTold != 0}
	files, pairs := d.texts(), d.texts()
	if !d.ok() || len(d.b) > 0 || len(files)%3 != 0 || len(pairs)%8 != 0 {
		return nil, errBadCompared
	}
	for f := range slices.Chunk(files, 3) {
		e, err := objects.DecodeEntry([]byte(f[1]))
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, nearOne{dataset.File{Path: f[0], Entry: e}, f[2]})
	}
	for p := range slices.Chunk(pairs, 8) {
		a, okA := keptSample(p[0], p[1], p[2])
		b, okB := keptSample(p[3], p[4], p[5])
		if !okA || !okB || len(p[6]) != 8 {
			return nil, errBadCompared
		}
		distance := math.Float64frombits(binary.BigEndian.Uint64([]byte(p[6])))
		n.pairs = append(n.pairs, NearPair{A: a, B: b, Distance: distance, Measure: p[7]})
	}
	return n, nil
}

func keptSample(path, split, content string) (dataset.Sample, bool) {
	s := dataset.Sample{Path: path, Split: split}
	copy(s.Content[:], content)
	return s, len(content) == len(s.Content)
}
