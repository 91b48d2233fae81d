package check

import (
	"context"
	"iter"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// quiet tells the earlier commits from which nothing can have moved, without
// comparing each of them with now: that may be all files, from when a folder was
// renamed on.
//
//  1. What a commit has for evaluation is suspect if its content or group is in
//     training now and not in evaluation, or its path is. Without suspects
//     nothing has moved.
//  2. Two commits have the same suspects but for what differs between them. So
//     the parent is compared with now, and each other commit with the one after
//     it, as long as there are no suspects.
type quiet struct {
	*walk
	scheme   *Scheme
	sides    sides
	contents *membership
	groups   *membership // nil: no groups of paths
	last     *Before     // the commit without suspects; nil: none
}

// newQuiet looks for suspects of the parent.
func (w *walk) newQuiet(ctx context.Context, s *Scheme, sides sides) (*quiet, error) {
	q := &quiet{walk: w, scheme: s, sides: sides}
	if s.Before == nil || len(s.Earlier) == 0 || s.Rows != nil {
		return q, nil
	}
	var err error
	if q.contents, err = w.contents(ctx); err != nil {
		return nil, err
	}
	if s.Groups != nil && s.Groups.Of != nil {
		if q.groups, err = w.member(ctx, byGroup(s.Groups)); err != nil {
			return nil, err
		}
	}
	for c, err := range w.since(ctx) {
		if err != nil {
			return nil, err
		}
		if q.suspect(c.path, c.old, c.was) || c.old != nil && in(c.was, sides.from) != "" && q.trains(c.value) {
			return q, nil
		}
	}
	q.last = s.Before
	return q, nil
}

// is reports whether nothing can have moved since an earlier commit. They are
// asked for in order, the newest first.
func (q *quiet) is(ctx context.Context, b *Before) (bool, error) {
	if q.last == nil || b.Rows != nil {
		q.last = nil
		return false, nil
	}
	for f, err := range q.others(ctx, b) {
		if err != nil {
			return false, err
		}
		now, err := q.value(ctx, f.path)
		if err != nil {
			return false, err
		}
		if q.trains(now) || q.suspect(f.path, f.old, f.was) {
			q.last = nil
			return false, nil
		}
	}
	q.last = b
	return true, nil
}

func (q *quiet) trains(value string) bool {
	return in(value, q.sides.to) != "" && in(value, q.sides.from) == ""
}

// suspect reports whether what a commit has at a path may have moved under
// another.
func (q *quiet) suspect(path string, e *objects.Entry, value string) bool {
	if e == nil || in(value, q.sides.from) == "" || q.Labels.isLabel(path) {
		return false
	}
	moved := func(m *membership, key uint64) bool { return m.has(key, q.sides.to) && !m.has(key, q.sides.from) }
	if e.Size > 0 && moved(q.contents, short(e.Content)) {
		return true
	}
	if q.groups == nil {
		return false
	}
	group := q.scheme.Groups.Of(path)
	return group != "" && moved(q.groups, short(groupID(group)))
}

// others yields what a commit has for evaluation that the one without suspects
// has not.
func (q *quiet) others(ctx context.Context, b *Before) iter.Seq2[change, error] {
	trees := prolly.Diff(ctx, q.Getter, prolly.Open(q.last.Tree), prolly.Open(b.Tree))
	return func(yield func(change, error) bool) {
		for z, err := range zip(trees, prolly.Diff(ctx, q.Getter, q.last.Table, b.Table)) {
			var c change
			if err == nil {
				c, err = q.other(ctx, b, z)
			}
			if err == nil && c.old == nil {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// other completes what two diffs say of one path; no file where b has nothing
// for evaluation.
func (q *quiet) other(ctx context.Context, b *Before, z zipped) (c change, err error) {
	c.path = string(z.key)
	if z.right != nil {
		c.was = string(z.right.New)
	} else if z.left.New != nil {
		c.was, err = textOf(b.Table.Get(ctx, q.Getter, z.key))
	}
	if err != nil || in(c.was, q.sides.from) == "" {
		return c, err
	}
	if z.left != nil {
		c.old, err = regular(z.left.New)
		return c, err
	}
	value, _, err := prolly.Open(b.Tree).Get(ctx, q.Getter, z.key)
	if err != nil {
		return c, err
	}
	c.old, err = regular(value)
	return c, err
}

func textOf(value []byte, _ bool, err error) (string, error) { return string(value), err }
