package check

import (
	"bytes"
	"cmp"
	"iter"

	"github.com/mlvc/mlvc/objects/prolly"
)

// zipped is a key that one of two sorted sequences has, or both.
type zipped struct {
	key         []byte
	left, right *prolly.Change
}

// zip yields the keys of two sequences of changes in order; an error is the
// last thing yielded.
func zip(left, right iter.Seq2[prolly.Change, error]) iter.Seq2[zipped, error] {
	return func(yield func(zipped, error) bool) {
		a, stopA := pull(left)
		defer stopA()
		b, stopB := pull(right)
		defer stopB()
		for {
			if err := cmp.Or(a.err, b.err); err != nil {
				yield(zipped{}, err)
				return
			}
			var z zipped
			switch {
			case a.at == nil && b.at == nil:
				return
			case b.at == nil || (a.at != nil && bytes.Compare(a.at.Key, b.at.Key) < 0):
				z = zipped{key: a.at.Key, left: a.at}
			case a.at == nil || bytes.Compare(a.at.Key, b.at.Key) > 0:
				z = zipped{key: b.at.Key, right: b.at}
			default:
				z = zipped{key: a.at.Key, left: a.at, right: b.at}
			}
			if !yield(z, nil) {
				return
			}
			if z.left != nil {
				a.step()
			}
			if z.right != nil {
				b.step()
			}
		}
	}
}

// zipItems yields the keys of two maps, each with what it has there.
func zipItems(left, right iter.Seq2[prolly.Item, error]) iter.Seq2[prolly.Change, error] {
	return func(yield func(prolly.Change, error) bool) {
		for z, err := range zip(asChanges(left), asChanges(right)) {
			c := prolly.Change{Key: z.key}
			if z.left != nil {
				c.Old = z.left.New
			}
			if z.right != nil {
				c.New = z.right.New
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func asChanges(items iter.Seq2[prolly.Item, error]) iter.Seq2[prolly.Change, error] {
	return func(yield func(prolly.Change, error) bool) {
		for item, err := range items {
			if !yield(prolly.Change{Key: item.Key, New: item.Value}, err) {
				return
			}
		}
	}
}

// head is the next change of a sequence; a nil at: it is over.
type head struct {
	next func() (prolly.Change, error, bool)
	at   *prolly.Change
	err  error
}

func pull(seq iter.Seq2[prolly.Change, error]) (*head, func()) {
	next, stop := iter.Pull2(seq)
	h := &head{next: next}
	h.step()
	return h, stop
}

func (h *head) step() {
	c, err, ok := h.next()
	h.at, h.err = nil, nil
	switch {
	case !ok:
	case err != nil:
		h.err = err
	default:
		h.at = &c
	}
}
