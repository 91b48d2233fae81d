package split

import (
	"context"
	"iter"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects/prolly"
)

// wholeFiles looks at every file. It goes over the files twice if the scheme
// draws: everything must be counted before anything is assigned.
func (a *assigner) wholeFiles(ctx context.Context) (prolly.Map, error) {
	l, err := a.listed(ctx, a.in.Files)
	if err != nil {
		return prolly.Map{}, err
	}
	pl := placer{a.s, l}
	var d *draw
	if a.s.Draws() {
		if d, err = a.drawWhole(ctx, pl); err != nil {
			return prolly.Map{}, err
		}
		a.groups = d.records()
	}
	m, err := prolly.Build(ctx, a.store, a.items(ctx, pl, d))
	if err != nil || l == nil {
		return m, err
	}
	a.unread = l.unread
	return m, a.findMissing(ctx, l)
}

// items yields the table, and counts what is in it.
func (a *assigner) items(ctx context.Context, pl placer, d *draw) iter.Seq2[prolly.Item, error] {
	return func(yield func(prolly.Item, error) bool) {
		for f, err := range a.files(ctx) {
			if err != nil {
				yield(prolly.Item{}, err)
				return
			}
			at := pl.place(f.Path)
			if at.drawn {
				at.value = d.next(a.s, f.Path, at)
			}
			a.file(&f, at.value, at.label, 1)
			a.gap(&f, at.value, at.why)
			if at.value != "" && !yield(prolly.Item{Key: []byte(f.Path), Value: []byte(at.value)}, nil) {
				return
			}
		}
	}
}

// files yields the files that are samples.
func (a *assigner) files(ctx context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		for f, err := range a.in.Files.All(ctx) {
			if (err != nil || a.s.isSample(f.Path)) && !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// findMissing finds what is listed without a file; the names are read again.
func (a *assigner) findMissing(ctx context.Context, l *listed) error {
	none := true
	for _, n := range l.notes {
		none = none && n.seen
	}
	if none {
		return nil
	}
	var again unreads
	told := make(map[groupID]bool)
	for m, err := range a.s.mentions(ctx, a.in.Files, a.in.Rows, &again) {
		if err != nil {
			return err
		}
		if id := pathID(m.path); l.unseen(m.path) && !told[id] && a.s.isSample(m.path) {
			told[id] = true
			a.missing.add(gap{path: m.path, text: m.place()})
		}
	}
	return nil
}
