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
// stay in their split are not told.
//
//  1. Tables that are the same, under the same rule, are passed over.
//  2. The rows before and after are read side by side and cancel each other, so
//     that what is in the same split both times is never told. Tables of much
//     the same order hold little at a time; the worst, of another order, some
//     dozen bytes a row.
//  3. What is left is read once more, for its places, until all is told.
func RowMoves(ctx context.Context, before, after Scheme, beforeIn, afterIn Input) ([]RowMove, error) {
	r := rowMoves{net: make(map[rowKey]int64), moves: make(map[[2]string]*RowMove)}
	same := before.Rule() == after.Rule()
	were := changedRows(ctx, before, beforeIn, afterIn, same)
	are := changedRows(ctx, after, afterIn, beforeIn, same)
	if err := r.cancel(were, are); err != nil {
		return nil, err
	}
	if err := r.pair(are); err != nil {
		return nil, err
	}
	if err := r.rest(were); err != nil {
		return nil, fmt.Errorf("rows before: %w", err)
	}
	return r.sorted(), nil
}

// changedRows yields the rows of tables that, unless the rule is another, are
// not the same in other.
func changedRows(ctx context.Context, s Scheme, in, other Input, sameRule bool) iter.Seq2[Grouped, error] {
	return someRowGroups(ctx, s, in, func(f dataset.File) (bool, error) {
		if !sameRule {
			return true, nil
		}
		there, err := other.Files.Lookup(ctx, f.Path)
		return there == nil || there.Content != f.Content, err
	})
}

type rowKey struct {
	hash  groupID
	split uint32
}

type rowMoves struct {
	splits interner
	net    map[rowKey]int64 // how many more there were; below 0: how many more there are
	moves  map[[2]string]*RowMove
}

func (r *rowMoves) key(row Grouped) rowKey {
	return rowKey{groupID(row.Content[:]), r.splits.number(row.Split)}
}

func (r *rowMoves) count(key rowKey, n int64) {
	if n += r.net[key]; n == 0 {
		delete(r.net, key)
		return
	}
	r.net[key] = n
}

// cancel counts what there is more of before and after (2).
func (r *rowMoves) cancel(were, are iter.Seq2[Grouped, error]) error {
	next, stop := iter.Pull2(were)
	defer stop()
	was, err, more := next()
	for is, isErr := range are {
		if isErr != nil {
			return isErr
		}
		if more && err == nil {
			r.count(r.key(was), 1)
			was, err, more = next()
		}
		r.count(r.key(is), -1)
	}
	for ; more && err == nil; was, err, more = next() {
		r.count(r.key(was), 1)
	}
	if err != nil {
		return fmt.Errorf("rows before: %w", err)
	}
	return nil
}

// left is how many rows are left that came, and that went.
func (r *rowMoves) left() (came, went int64) {
	for _, n := range r.net {
		came, went = came+max(0, -n), went+max(0, n)
	}
	return came, went
}

// pair tells the rows that came to their split: from another one, if an equal
// row is missing there.
func (r *rowMoves) pair(are iter.Seq2[Grouped, error]) error {
	came, _ := r.left()
	if came == 0 {
		return nil
	}
	for row, err := range are {
		if err != nil {
			return err
		}
		key := r.key(row)
		if r.net[key] >= 0 {
			continue
		}
		r.count(key, 1)
		r.tell(r.origin(key.hash), row.Split, row.Sample)
		if came--; came == 0 {
			return nil
		}
	}
	return nil
}

// origin takes an equal row that is missing in some split; empty: none is.
func (r *rowMoves) origin(hash groupID) string {
	for n, name := range r.splits.texts {
		if key := (rowKey{hash, uint32(n)}); r.net[key] > 0 {
			r.count(key, -1)
			return name
		}
	}
	return ""
}

// rest tells the rows that went.
func (r *rowMoves) rest(were iter.Seq2[Grouped, error]) error {
	_, went := r.left()
	if went == 0 {
		return nil
	}
	for row, err := range were {
		if err != nil {
			return err
		}
		key := r.key(row)
		if r.net[key] <= 0 {
			continue
		}
		r.count(key, -1)
		r.tell(row.Split, "", row.Sample)
		if went--; went == 0 {
			return nil
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
