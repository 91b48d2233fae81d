package core

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// How splits are compared
//
//  1. Of files the split tables and the trees are compared, and the cost
//     follows the change. A file that went and one of the same bytes that came
//     are one file with another name: with splits by folders, that is how
//     samples move.
//  2. Of rows all are read, and compared by what is in them.

// MoveKind is what became of a sample.
type MoveKind string

// The kinds.
const (
	MoveNew     MoveKind = "new"     // it was not there, or in no split
	MoveGone    MoveKind = "gone"    // it is no longer there, or in no split
	MoveMoved   MoveKind = "moved"   // it is in another split
	MoveRenamed MoveKind = "renamed" // in the same split under another name
	MoveChanged MoveKind = "changed" // in the same split with other bytes
)

// SplitMove is a sample, or rows of tables, of which a split says something
// else than before.
type SplitMove struct {
	Scheme string   `json:"scheme"`
	Change MoveKind `json:"change"`
	From   string   `json:"from,omitempty"` // the split; empty: none
	To     string   `json:"to,omitempty"`
	Path   string   `json:"path,omitempty"`
	// OldPath is where the file was, if that was elsewhere.
	OldPath string `json:"old_path,omitempty"`
	// Rows is how many rows of tables these are, of which Samples are the first.
	Rows    int64            `json:"rows,omitempty"`
	Samples []dataset.Sample `json:"samples,omitempty"`
}

// MoveCount is how many samples went the same way.
type MoveCount struct {
	From    string   `json:"from,omitempty"`
	To      string   `json:"to,omitempty"`
	Change  MoveKind `json:"change"`
	Samples int64    `json:"samples"`
}

// SchemeDiff is what became of one scheme.
type SchemeDiff struct {
	Scheme string `json:"scheme"`
	Rows   bool   `json:"rows"`
	Rule   string `json:"rule,omitempty"` // new, changed, removed; empty: the same
	// Fingerprints are the splits whose fingerprints differ.
	Fingerprints []string    `json:"fingerprints,omitempty"`
	Counts       []MoveCount `json:"counts"`

	moves func(ctx context.Context) iter.Seq2[SplitMove, error]
}

// Moves yields the samples, files in path order. It can be asked several times.
func (d SchemeDiff) Moves(ctx context.Context) iter.Seq2[SplitMove, error] { return d.moves(ctx) }

// SplitDiff is what differs between the splits of two commits.
type SplitDiff struct {
	From    objects.ID   `json:"from"`
	To      objects.ID   `json:"to"`
	Schemes []SchemeDiff `json:"schemes"`
}

// DiffSplits compares the splits of two commits; an empty to is HEAD. A scheme
// limits it to that one. It takes no lock.
func (r *Repo) DiffSplits(ctx context.Context, from, to, scheme string) (SplitDiff, error) {
	a, err := r.splitsOf(ctx, from)
	if err != nil {
		return SplitDiff{}, err
	}
	b, err := r.splitsOf(ctx, to)
	if err != nil {
		return SplitDiff{}, err
	}
	res := SplitDiff{From: a.id, To: b.id, Schemes: []SchemeDiff{}}
	names := schemeNames(a.Splits, b.Splits)
	if scheme != "" && !slices.Contains(names, scheme) {
		return res, &NoSplitError{Where: b.where(), Scheme: scheme, Have: splitNames(slices.Concat(b.Splits, a.Splits))}
	}
	for _, name := range names {
		if scheme != "" && name != scheme {
			continue
		}
		d, err := diffScheme(ctx, a.side(name), b.side(name))
		if err != nil {
			return res, err
		}
		res.Schemes = append(res.Schemes, d)
	}
	return res, nil
}

// schemeSide is one scheme at one of two states that are compared.
type schemeSide struct {
	files samples
	split *objects.Split // nil: it is not there
}

func (p *splitting) side(scheme string) schemeSide {
	return schemeSide{p.files, splitOf(p.Splits, scheme)}
}

func (s schemeSide) table() objects.ID {
	if s.split == nil {
		return treeMap(objects.ID{}).Root()
	}
	return s.split.Table
}

// ofRows reports whether the rule is one of rows. A rule of a later version
// counts as one of files: their tables can be compared without it.
func (s schemeSide) ofRows() bool {
	if s.split == nil {
		return false
	}
	scheme, err := split.ParseRule(s.split.Scheme, s.split.Rule)
	return err == nil && scheme.OfRows()
}

func diffScheme(ctx context.Context, a, b schemeSide) (SchemeDiff, error) {
	d := SchemeDiff{Rows: a.ofRows() || b.ofRows(), Counts: []MoveCount{}}
	switch {
	case a.split == nil:
		d.Scheme, d.Rule = b.split.Scheme, SchemeNew
	case b.split == nil:
		d.Scheme, d.Rule = a.split.Scheme, SchemeRemoved
	default:
		if d.Scheme = b.split.Scheme; a.split.Rule != b.split.Rule {
			d.Rule = SchemeChanged
		}
	}
	d.Fingerprints = otherPrints(a.split, b.split)
	var err error
	if d.Rows {
		err = d.rows(ctx, a, b)
	} else {
		err = d.files(ctx, a, b)
	}
	return d, err
}

// otherPrints are the splits whose fingerprints differ.
func otherPrints(a, b *objects.Split) []string {
	var before, after map[string]objects.ID
	if a != nil {
		before = a.Fingerprints
	}
	if b != nil {
		after = b.Fingerprints
	}
	var names []string
	for name, id := range after {
		if before[name] != id {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// files compares a scheme of files.
func (d *SchemeDiff) files(ctx context.Context, a, b schemeSide) error {
	before, err := b.files.of(a.files.tree).seen(ctx)
	if err != nil {
		return err
	}
	after, err := b.files.seen(ctx)
	if err != nil {
		return err
	}
	plain := func(ctx context.Context) iter.Seq2[split.Move, error] {
		return split.Moves(ctx, b.files.links, a.table(), b.table(), before, after)
	}
	renames, err := pairRenames(plain(ctx))
	if err != nil {
		return err
	}
	d.moves = func(ctx context.Context) iter.Seq2[SplitMove, error] {
		return func(yield func(SplitMove, error) bool) {
			for m, err := range plain(ctx) {
				move, told := renames.move(d.Scheme, m)
				if (err != nil || told) && !yield(move, err) || err != nil {
					return
				}
			}
		}
	}
	return d.count(ctx)
}

// count adds up the moves.
func (d *SchemeDiff) count(ctx context.Context) error {
	counts := make(map[MoveCount]int64)
	for m, err := range d.moves(ctx) {
		if err != nil {
			return err
		}
		counts[MoveCount{From: m.From, To: m.To, Change: m.Change}] += max(1, m.Rows)
	}
	for c, n := range counts {
		c.Samples = n
		d.Counts = append(d.Counts, c)
	}
	slices.SortFunc(d.Counts, func(x, y MoveCount) int {
		return cmp.Or(cmp.Compare(moveOrder(x.Change), moveOrder(y.Change)), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To))
	})
	return nil
}

// moveOrder is what is told first: what may leak.
func moveOrder(k MoveKind) int {
	return slices.Index([]MoveKind{MoveMoved, MoveNew, MoveGone, MoveRenamed, MoveChanged}, k)
}

// maxPaired bounds how many files that went are looked for among those that
// came.
const maxPaired = 200_000

// splitRenames are files that went and came under another name.
type splitRenames struct {
	from  map[string]split.Move // by the new path: what went
	taken map[string]bool       // the old paths
}

// pairRenames finds them; with very many changes only the first ones.
func pairRenames(moves iter.Seq2[split.Move, error]) (splitRenames, error) {
	r := splitRenames{make(map[string]split.Move), make(map[string]bool)}
	gone, came := make(map[objects.ID][]split.Move), make([]split.Move, 0)
	n := 0
	for m, err := range moves {
		switch {
		case err != nil:
			return r, err
		case n >= maxPaired:
		case m.New == nil:
			gone[m.Old.Content] = append(gone[m.Old.Content], m)
			n++
		case m.Old == nil:
			came = append(came, m)
			n++
		}
	}
	for _, m := range came {
		if list := gone[m.New.Content]; len(list) > 0 && m.New.Size > 0 {
			r.from[m.Path], r.taken[list[0].Path] = list[0], true
			gone[m.New.Content] = list[1:]
		}
	}
	return r, nil
}

// move says what became of a sample; told is false for what is told at its new
// name.
func (r splitRenames) move(scheme string, m split.Move) (move SplitMove, told bool) {
	move = SplitMove{Scheme: scheme, From: m.From, To: m.To, Path: m.Path}
	if old, ok := r.from[m.Path]; ok {
		move.From, move.OldPath = old.From, old.Path
		if move.Change = MoveRenamed; move.From != move.To {
			move.Change = MoveMoved
		}
		return move, true
	}
	switch {
	case m.From == "":
		move.Change = MoveNew
	case m.To == "":
		move.Change = MoveGone
	case m.From != m.To:
		move.Change = MoveMoved
	default:
		move.Change = MoveChanged
	}
	return move, !r.taken[m.Path]
}

// rows compares a scheme of rows; a side that is none has no rows.
func (d *SchemeDiff) rows(ctx context.Context, a, b schemeSide) error {
	moves, err := rowMoves(ctx, a, b)
	if err != nil {
		return err
	}
	d.moves = func(context.Context) iter.Seq2[SplitMove, error] {
		return func(yield func(SplitMove, error) bool) {
			for _, m := range moves {
				move := SplitMove{Scheme: d.Scheme, Change: MoveMoved, From: m.From, To: m.To, Rows: m.Rows, Samples: m.Samples}
				switch {
				case m.From == "":
					move.Change = MoveNew
				case m.To == "":
					move.Change = MoveGone
				}
				if !yield(move, nil) {
					return
				}
			}
		}
	}
	return d.count(ctx)
}

// rowMoves compares rows without the columns that say their split.
func rowMoves(ctx context.Context, a, b schemeSide) ([]split.RowMove, error) {
	before, err := a.rows()
	if err != nil {
		return nil, err
	}
	after, err := b.rows()
	if err != nil {
		return nil, err
	}
	read := rowsWithout(before.Column, after.Column)
	return split.RowMoves(ctx, before, after, split.Input{Files: a.rowFiles(), Rows: read}, split.Input{Files: b.rowFiles(), Rows: read})
}

// rows is the scheme; where it has no rows, one that finds no table.
func (s schemeSide) rows() (split.Scheme, error) {
	if !s.ofRows() {
		return split.ParseRule("none", `{"column":"none","table":["none"]}`)
	}
	return split.ParseRule(s.split.Scheme, s.split.Rule)
}

func (s schemeSide) rowFiles() samples {
	if !s.ofRows() {
		return s.files.of(objects.ID{})
	}
	return s.files
}
