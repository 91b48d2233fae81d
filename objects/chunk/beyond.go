package chunk

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// WalkBeyond visits what the list at root has beyond the list at old, as
// WalkList does, so that the cost follows the difference: nodes that both have are
// not read. A zero old is no list. What it reads of the two lists:
//
//  1. The nodes of both lists are looked at level by level from the higher root
//     down. A list is cut by its chunks, so an equal run of them has, but for
//     its ends, equal nodes.
//
//  2. On each level what both have is left out, and the rest is opened.
//
//  3. Where much differs there is little to leave out: then the old list is not
//     looked at any more, so that memory stays bounded.
//
// Runs of the old list may be among those that run is called with.
func WalkBeyond(ctx context.Context, g objects.Getter, old, root objects.ID, enter func(objects.ID) (bool, error), run func(Run) error) error {
	if old.IsZero() {
		return WalkList(ctx, g, root, enter, run)
	}
	if old == root {
		return nil
	}
	b := beyond{walker: walker{ctx: ctx, getter: g}, enter: enter, run: run}
	top, err := b.get(old)
	if err != nil {
		return err
	}
	if ok, err := enter(root); err != nil || !ok {
		return err
	}
	n, err := b.get(root)
	if err != nil {
		return err
	}
	return b.descend([]node{top}, []node{n})
}

// maxBeyond is the most nodes of a level and a list that are compared.
const maxBeyond = 128

type beyond struct {
	walker
	enter func(objects.ID) (bool, error)
	run   func(Run) error
}

// descend visits what is below nodes of the new list, all of one level, and
// not below nodes of the old one, all of one level.
func (b *beyond) descend(old, fresh []node) error {
	for len(fresh) > 0 {
		if fresh[0].level == 0 {
			return b.runs(old, fresh)
		}
		if len(fresh) > maxBeyond {
			for i := range fresh {
				if err := b.descend(nil, fresh[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		}
		level := fresh[0].level
		var err error
		if old, err = b.lower(old, level); err != nil {
			return err
		}
		if len(old) > maxBeyond {
			old = nil
		}
		common := make(map[objects.ID]bool)
		if len(old) > 0 && old[0].level == level {
			both := make(map[objects.ID]bool)
			for _, n := range fresh {
				for _, c := range n.children {
					both[c.id] = true
				}
			}
			for _, n := range old {
				for _, c := range n.children {
					common[c.id] = common[c.id] || both[c.id]
				}
			}
		}
		if fresh, err = b.open(fresh, common, b.enter); err != nil {
			return err
		}
		if len(old) > 0 && old[0].level == level {
			if old, err = b.open(old, common, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// lower goes down from nodes of the old list, all of one level, to those of a
// level that is not above it; none if that takes more than are compared.
func (b *beyond) lower(old []node, level int) ([]node, error) {
	for len(old) > 0 && old[0].level > level {
		if len(old) > maxBeyond {
			return nil, nil
		}
		var err error
		if old, err = b.open(old, nil, nil); err != nil {
			return nil, err
		}
	}
	return old, nil
}

// open returns the children of nodes that are not in except and, if enter is
// not nil, that it lets in.
func (b *beyond) open(nodes []node, except map[objects.ID]bool, enter func(objects.ID) (bool, error)) ([]node, error) {
	var list []node
	for _, n := range nodes {
		for _, c := range n.children {
			if except[c.id] {
				continue
			}
			if enter != nil {
				if ok, err := enter(c.id); err != nil {
					return nil, err
				} else if !ok {
					continue
				}
			}
			below, err := b.get(c.id)
			if err != nil {
				return nil, err
			}
			if bytes, count, _ := below.total(); below.level != n.level-1 || bytes != c.bytes || count != c.count {
				return nil, damaged(c.id, "node is not what the node above says")
			}
			list = append(list, below)
		}
	}
	return list, nil
}

// runs hands out the runs of leaves that the old leaves do not have.
func (b *beyond) runs(old, fresh []node) error {
	old, err := b.lower(old, 0)
	if err != nil {
		return err
	}
	held := make(map[objects.ID]bool)
	for _, n := range old {
		for _, r := range n.runs {
			held[r.ID] = true
		}
	}
	for _, n := range fresh {
		for _, r := range n.runs {
			if held[r.ID] {
				continue
			}
			if err := b.run(r); err != nil {
				return fmt.Errorf("chunk list: %w", err)
			}
		}
	}
	return nil
}
