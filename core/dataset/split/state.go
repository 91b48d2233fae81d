package split

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// The state is a derived record that only the version that wrote it reads:
// when it is lost, damaged or of another version, everything is looked at. So
// it has no format page; it is sealed, and the context is its version.
const stateContext = "mlvc 2026-11-26 split state v2"

// save returns the state beside a split.
func (a *assigner) save(s objects.Split, sums []*Sum) []byte {
	w := writer{b: make([]byte, 0, 4096+len(a.groups)+len(sums)*sumBytes)}
	w.id(s.Table)
	w.text(s.Rule)
	w.number(a.samples)
	w.number(a.tableBytes)
	w.texts(a.tallies.labels.texts)
	w.texts(a.tallies.splits.texts)
	for n, of := range a.tallies.of {
		w.number(of.files)
		w.number(of.rows)
		w.number(of.bytes)
		w.number(int64(len(of.classes)))
		for _, count := range of.classes {
			w.number(count)
		}
		sum := &Sum{}
		if n < len(sums) && sums[n] != nil {
			sum = sums[n]
		}
		w.b = sum.appendTo(w.b)
	}
	for _, g := range []*gaps{&a.overlap, &a.uncovered, &a.missing} {
		w.gaps(g)
	}
	w.number(a.unread.total)
	w.number(int64(len(a.unread.list)))
	for _, u := range a.unread.list {
		w.texts([]string{u.Path, u.Place, u.Why})
	}
	w.number(int64(len(a.groups)))
	w.b = append(w.b, a.groups...)
	return objects.Seal(stateContext, w.b)
}

// load takes over a state; it must be the one beside in.Before.
func (a *assigner) load(state []byte) error {
	data, err := objects.Unseal(stateContext, state)
	if err != nil {
		return err
	}
	r := reader{b: data}
	if r.id() != a.in.Before.Table || r.text() != a.in.Before.Rule {
		return fmt.Errorf("the state of another split table")
	}
	a.samples, a.tableBytes = r.number(), r.number()
	a.tallies.labels, a.tallies.splits = interned(r.texts()), interner{}
	for _, name := range r.texts() {
		a.loadSplit(&r, a.tallies.number(name))
	}
	for _, g := range []*gaps{&a.overlap, &a.uncovered, &a.missing} {
		r.gaps(g)
	}
	a.unread.total = r.number()
	for range r.length() {
		t := r.texts()
		if len(t) != 3 {
			r.bad = true
			break
		}
		a.unread.list = append(a.unread.list, dataset.Unread{Path: t[0], Place: t[1], Why: t[2]})
	}
	a.groups = records(r.take(r.length()))
	if r.bad || len(r.b) > 0 || !a.groups.valid(len(a.tallies.of), len(a.tallies.labels.texts)) {
		return fmt.Errorf("%w: state of a split table", objects.ErrCorrupt)
	}
	return a.sameFingerprints()
}

func (a *assigner) loadSplit(r *reader, n int) {
	of := a.tallies.of[n]
	of.files, of.rows, of.bytes = r.number(), r.number(), r.number()
	of.classes = nil
	for range r.length() {
		of.classes = append(of.classes, r.number())
	}
	sum, err := decodeSum(r.take(sumBytes))
	if err != nil {
		r.bad = true
		return
	}
	a.sums.start(n, sum)
}

// sameFingerprints checks the sums against the commit: what is derived must
// not make a wrong fingerprint.
func (a *assigner) sameFingerprints() error {
	for name, want := range a.in.Before.Fingerprints {
		n, ok := a.tallies.splits.of[name]
		if !ok || int(n) >= len(a.sums.totals) || a.sums.totals[n].Fingerprint() != want {
			return fmt.Errorf("%w: the sum of %s does not have its fingerprint", objects.ErrCorrupt, name)
		}
	}
	return nil
}

func interned(texts []string) interner {
	in := interner{texts: texts, of: make(map[string]uint32)}
	for n, text := range texts {
		in.of[text] = uint32(n)
	}
	return in
}

// writer appends numbers (varints, zigzag) and texts with their lengths.
type writer struct{ b []byte }

func (w *writer) id(id objects.ID) { w.b = append(w.b, id[:]...) }
func (w *writer) number(n int64)   { w.b = binary.AppendVarint(w.b, n) }

func (w *writer) text(s string) {
	w.number(int64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) texts(list []string) {
	w.number(int64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *writer) gaps(g *gaps) {
	w.number(g.total)
	w.number(int64(len(g.list)))
	for _, e := range g.list {
		w.text(e.path)
		w.number(e.row)
		w.id(e.content)
		w.text(e.text)
	}
}

// reader reads what writer wrote; what is not there makes it bad, and gives
// nothing.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) id() (id objects.ID) {
	copy(id[:], r.take(len(id)))
	return id
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

// length reads the length of something of which each part has a byte at least.
func (r *reader) length() int {
	n := r.number()
	if n < 0 || n > math.MaxInt32 || int(n) > len(r.b) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) text() string { return string(r.take(r.length())) }

func (r *reader) texts() []string {
	var list []string
	for range r.length() {
		list = append(list, r.text())
	}
	return list
}

func (r *reader) gaps(g *gaps) {
	g.total = r.number()
	for range r.length() {
		g.list = append(g.list, gap{path: r.text(), row: r.number(), content: r.id(), text: r.text()})
	}
	g.tidy = true
}
