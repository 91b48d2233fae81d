package split

import (
	"bytes"
	"slices"
)

// How groups are drawn
//
// Every split has a quota: its share of the samples, by weight. A group is
// assigned once and stays.
//
//  1. Groups that have no split yet come in the order of their IDs, which are
//     keyed hashes.
//  2. The deficit of a split is its quota, counted with all samples that there
//     will be, less what it holds. A group of n samples goes to a split whose
//     deficit in the group's stratum is above 0 and at most n/(k-1) below the
//     greatest, k being the number of splits; among these, to the one with the
//     greatest deficit over all strata; of equals, to the first.
//  3. So from nothing, no split ends farther from its quota, in any stratum,
//     than the largest group of the stratum: it gets nothing once it is full,
//     and the deficits of those that got something lie within n*k/(k-1) of the
//     greatest, while all add up to 0.
//  4. A frozen split that holds something gets nothing more; what it holds is
//     no part of what the others share.
//
// Whole numbers alone: deficits are multiplied by the sum of the weights.

// quotas are the counts of a draw.
type quotas struct {
	weights []int64
	sum     int64 // of the weights of open splits
	frozen  []bool
	all     stratum
	strata  map[uint32]*stratum
}

// stratum is the samples of one class, or all.
type stratum struct {
	total int64 // in open splits, or to be assigned
	held  []int64
}

func newQuotas(s Scheme) *quotas {
	q := &quotas{strata: make(map[uint32]*stratum), frozen: make([]bool, len(s.Ratios))}
	for _, r := range s.Ratios {
		q.weights = append(q.weights, r.Weight)
	}
	q.all.held = make([]int64, len(s.Ratios))
	return q
}

func (q *quotas) of(label uint32) *stratum {
	st := q.strata[label]
	if st == nil {
		st = &stratum{held: make([]int64, len(q.weights))}
		q.strata[label] = st
	}
	return st
}

// hold counts n samples that are in a split, or with n below 0 no longer are.
func (q *quotas) hold(label uint32, split int, n int64) {
	q.of(label).held[split] += n
	q.all.held[split] += n
}

// open ends the counting of what is held, and begins the assignment: frozen
// splits that hold something are closed (4).
func (q *quotas) open(s Scheme) {
	q.sum = 0
	for i, r := range s.Ratios {
		q.frozen[i] = q.all.held[i] > 0 && slices.Contains(s.Frozen, r.Split)
		if !q.frozen[i] {
			q.sum += r.Weight
		}
	}
	q.all.total = q.openTotal(&q.all)
	for _, st := range q.strata {
		st.total = q.openTotal(st)
	}
}

func (q *quotas) openTotal(st *stratum) int64 {
	var total int64
	for i, n := range st.held {
		if !q.frozen[i] {
			total += n
		}
	}
	return total
}

// expect counts n samples that will be assigned.
func (q *quotas) expect(label uint32, n int64) {
	q.of(label).total += n
	q.all.total += n
}

// deficit returns the deficit of an open split, times q.sum.
func (q *quotas) deficit(st *stratum, split int) int64 {
	return st.total*q.weights[split] - st.held[split]*q.sum
}

// assign puts an expected group of n samples into a split (2), and returns
// it; -1 if all are closed.
func (q *quotas) assign(label uint32, n int64) int {
	st := q.of(label)
	others := int64(max(1, q.opened()-1))
	greatest := int64(0)
	for i := range q.weights {
		if !q.frozen[i] {
			greatest = max(greatest, q.deficit(st, i))
		}
	}
	best, bestDeficit := -1, int64(0)
	for i := range q.weights {
		if q.frozen[i] {
			continue
		}
		d := q.deficit(st, i)
		if d <= 0 || (greatest-d)*others > n*q.sum {
			continue
		}
		if all := q.deficit(&q.all, i); best < 0 || all > bestDeficit {
			best, bestDeficit = i, all
		}
	}
	if best >= 0 {
		q.hold(label, best, n)
	}
	return best
}

func (q *quotas) opened() int {
	n := 0
	for _, frozen := range q.frozen {
		if !frozen {
			n++
		}
	}
	return n
}

// group is the samples that are assigned together.
type group struct {
	id    groupID
	split int16 // -1: none yet
	label uint32
	count uint32
	votes uint32 // members that were in the split
}

// assignNew assigns the groups that have samples and no split (1).
func (q *quotas) assignNew(groups []group) {
	var fresh []int
	for i, g := range groups {
		if g.split < 0 && g.count > 0 {
			q.expect(g.label, int64(g.count))
			fresh = append(fresh, i)
		}
	}
	slices.SortFunc(fresh, func(a, b int) int { return bytes.Compare(groups[a].id[:], groups[b].id[:]) })
	for _, i := range fresh {
		groups[i].split = int16(q.assign(groups[i].label, int64(groups[i].count)))
	}
}

// How a changed ratio moves groups
//
// Only a changed rule moves what was assigned, and as few groups as bring
// every split to within the largest group of its quota.
//
//  1. In each stratum: from the split that is most above its quota to the one
//     that is most below, until none is farther from it than the largest group
//     of the stratum. Of the groups there, the smallest that is enough for
//     this move moves, or else the largest; of equals the first by ID. No move
//     puts a split beyond that bound that was within it.
//  2. Strata that are within their bounds may still add up to more. Groups in
//     the order of their IDs move from splits above their quota of all to the
//     one most below, where both strata stay within their bounds, until no
//     split is farther from its quota of all than the largest group of all.

// rebalance makes these moves.
func (q *quotas) rebalance(groups []group) {
	if q.opened() < 2 {
		return
	}
	byLabel := make(map[uint32][]int)
	largest := make(map[uint32]int64)
	most := int64(0)
	for i, g := range groups {
		if g.count > 0 && g.split >= 0 && !q.frozen[g.split] {
			byLabel[g.label] = append(byLabel[g.label], i)
			largest[g.label] = max(largest[g.label], int64(g.count))
			most = max(most, int64(g.count))
		}
	}
	for label, members := range byLabel {
		if q.beyond(q.of(label), largest[label]) {
			q.level(groups, members, q.of(label), largest[label])
		}
	}
	if len(byLabel) > 1 && q.beyond(&q.all, most) {
		q.levelAll(groups, largest, most)
	}
}

// extremes returns the open splits that are most above and most below their
// quota.
func (q *quotas) extremes(st *stratum) (above, below int) {
	above, below = -1, -1
	for i := range q.weights {
		if q.frozen[i] {
			continue
		}
		if above < 0 || q.deficit(st, i) < q.deficit(st, above) {
			above = i
		}
		if below < 0 || q.deficit(st, i) > q.deficit(st, below) {
			below = i
		}
	}
	return above, below
}

// beyond reports whether an open split is farther from its quota than bound.
func (q *quotas) beyond(st *stratum, bound int64) bool {
	above, below := q.extremes(st)
	return max(-q.deficit(st, above), q.deficit(st, below)) > bound*q.sum
}

func (q *quotas) move(g *group, to int) {
	q.hold(g.label, int(g.split), -int64(g.count))
	q.hold(g.label, to, int64(g.count))
	g.split = int16(to)
}

// level does (1) for a stratum.
func (q *quotas) level(groups []group, members []int, st *stratum, bound int64) {
	shelves := make([]shelf, len(q.weights))
	slices.SortFunc(members, func(a, b int) int { return bytes.Compare(groups[a].id[:], groups[b].id[:]) })
	for _, i := range members {
		shelves[groups[i].split].put(groups, i)
	}
	for {
		above, below := q.extremes(st)
		need := max(-q.deficit(st, above), q.deficit(st, below)) - bound*q.sum
		if need <= 0 {
			return
		}
		i := shelves[above].take((need + q.sum - 1) / q.sum)
		q.move(&groups[i], below)
		shelves[below].put(groups, i)
	}
}

// shelf is the groups of a split by their sizes, each size in order.
type shelf struct {
	sizes []int64 // rising; those whose queue is empty too
	queue map[int64][]int
}

func (s *shelf) put(groups []group, i int) {
	size := int64(groups[i].count)
	if s.queue == nil {
		s.queue = make(map[int64][]int)
	}
	if at, ok := slices.BinarySearch(s.sizes, size); !ok {
		s.sizes = slices.Insert(s.sizes, at, size)
	}
	s.queue[size] = append(s.queue[size], i)
}

// take takes a group of at least need samples, the smallest that is; if there
// is none, the largest. There is a group.
func (s *shelf) take(need int64) int {
	at, _ := slices.BinarySearch(s.sizes, need)
	size := s.sizes[min(at, len(s.sizes)-1)]
	i := s.queue[size][0]
	if s.queue[size] = s.queue[size][1:]; len(s.queue[size]) == 0 {
		delete(s.queue, size)
		s.sizes = slices.DeleteFunc(s.sizes, func(n int64) bool { return n == size })
	}
	return i
}

// levelAll does (2).
func (q *quotas) levelAll(groups []group, largest map[uint32]int64, most int64) {
	order := make([]int, 0, len(groups))
	for i, g := range groups {
		if g.count > 0 && g.split >= 0 && !q.frozen[g.split] {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(groups[a].id[:], groups[b].id[:]) })
	for _, i := range order {
		above, below := q.extremes(&q.all)
		if max(-q.deficit(&q.all, above), q.deficit(&q.all, below)) <= most*q.sum {
			return
		}
		if g := &groups[i]; int(g.split) == above && q.stays(g, below, largest[g.label]) {
			q.move(g, below)
		}
	}
}

// stays reports whether a group's stratum stays within bound when it moves,
// and all samples come no farther from their quotas.
func (q *quotas) stays(g *group, to int, bound int64) bool {
	st, n := q.of(g.label), int64(g.count)*q.sum
	from := int(g.split)
	return q.deficit(st, from)+n <= bound*q.sum && q.deficit(st, to)-n >= -bound*q.sum &&
		-q.deficit(&q.all, from)+q.deficit(&q.all, to) >= n
}
