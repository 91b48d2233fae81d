package split

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
)

// RowMove is the rows that went from one split to another. An empty From: they
// were in none, or came; an empty To: they are in none, or went.
type RowMove struct {
	From, To string
	Rows     int64
	Samples  []dataset.Sample // the first of them, as they are now, or were
}

// maxMoved bounds the samples that a RowMove names.
const maxMoved = 1000

// RowMoves compares rows by what is in them, whatever their table and place:
// a scheme of rows as it was on the tables before, and as it is now. Rows that
// stay in their split are not told. Memory is some dozen bytes a row.
func RowMoves(ctx context.Context, before, after Scheme, beforeIn, afterIn Input) ([]RowMove, error) {
	r := rowMoves{held: make(map[rowKey]int64), moves: make(map[[2]string]*RowMove)}
	for row, err := range rowGroups(ctx, before, beforeIn) {
		if err != nil {
			return nil, fmt.Errorf("rows before: %w", err)
		}
		r.held[r.key(row)]++
	}
	// What is in the same split both times is taken out first, so that equal
	// rows in several splits are not told as moves between them.
	came := make(map[rowKey]int64)
	for row, err := range rowGroups(ctx, after, afterIn) {
		if err != nil {
			return nil, err
		}
		if key := r.key(row); !r.take(key) {
			came[key]++
		}
	}
	if err := r.pair(rowGroups(ctx, after, afterIn), came); err != nil {
		return nil, err
	}
	if err := r.rest(rowGroups(ctx, before, beforeIn)); err != nil {
		return nil, err
	}
	return r.sorted(), nil
}

type rowKey struct {
	hash  groupID
	split uint32
}

type rowMoves struct {
	splits interner
	held   map[rowKey]int64 // rows before that nothing after was found for
	moves  map[[2]string]*RowMove
}

func (r *rowMoves) key(row Grouped) rowKey {
	return rowKey{groupID(row.Content[:]), r.splits.number(row.Split)}
}

func (r *rowMoves) take(key rowKey) bool {
	n := r.held[key]
	switch {
	case n == 0:
		return false
	case n == 1:
		delete(r.held, key)
	default:
		r.held[key]--
	}
	return true
}

// pair tells the rows that came to their split: from another one, if an equal
// row is missing there.
func (r *rowMoves) pair(rows iter.Seq2[Grouped, error], came map[rowKey]int64) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		key := r.key(row)
		if came[key] == 0 {
			continue
		}
		came[key]--
		from := ""
		for n, name := range r.splits.texts {
			if r.take(rowKey{key.hash, uint32(n)}) {
				from = name
				break
			}
		}
		r.tell(from, row.Split, row.Sample)
	}
	return nil
}

// rest tells the rows that went.
func (r *rowMoves) rest(rows iter.Seq2[Grouped, error]) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		if r.take(r.key(row)) {
			r.tell(row.Split, "", row.Sample)
		}
	}
	return nil
}

func (r *rowMoves) tell(from, to string, sample dataset.Sample) {
	if from == "" && to == "" {
		return
	}
	m := r.moves[[2]string{from, to}]
	if m == nil {
		m = &RowMove{From: from, To: to}
		r.moves[[2]string{from, to}] = m
	}
	if m.Rows++; len(m.Samples) < maxMoved {
		m.Samples = append(m.Samples, sample)
	}
}

func (r *rowMoves) sorted() []RowMove {
	var list []RowMove
	for _, m := range r.moves {
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b RowMove) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return list
}
