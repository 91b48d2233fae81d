package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
)

// choice is what a set is made on.
type choice struct {
	existing *Set // the commit has such a set already
	kind     objects.CommitKind
	chain    []Manifest // of the base, the full first; none for a full
	sets     []Set      // of the chain
	why      string     // why it is full though another kind was wanted
	keyless  bool       // that is for want of a key
}

// base returns the label of the base, empty for a full.
func (c choice) base() Label {
	if len(c.sets) == 0 {
		return ""
	}
	return c.sets[len(c.sets)-1].Label
}

// choose decides what a set is made on:
//
//  1. A commit that has a sound set already needs none, unless another kind was
//     asked for.
//  2. The base of an incremental is the newest set whose commit is an ancestor,
//     or the commit itself; that of a differential the newest full of which
//     this is true. Sets that are marked to go do not count, and those that
//     cannot be read here for want of a key only if there are no others.
//  3. Without one, or if its chain is damaged, the set is full.
func (d *Destination) choose(ctx context.Context, opt CreateOptions) (choice, error) {
	list := d.List()
	if s, ok := existing(list, opt); ok {
		return choice{existing: &s, kind: s.Kind()}, nil
	}
	if opt.Kind == objects.Full {
		return choice{kind: objects.Full}, nil
	}
	var unreadable *choice
	for _, s := range slices.Backward(list.Sets) {
		if s.Expiring != 0 || opt.Kind == objects.Differential && s.Kind() != objects.Full {
			continue
		}
		ancestor := s.Commit == opt.Commit
		if !ancestor {
			var err error
			if ancestor, err = opt.IsAncestor(ctx, s.Commit, opt.Commit); err != nil {
				return choice{}, err
			}
		}
		if !ancestor {
			continue
		}
		c, err := d.onBase(ctx, list.Chain(s.Label), opt)
		if err != nil || !c.keyless {
			return c, err
		}
		if unreadable == nil {
			unreadable = &c
		}
	}
	if unreadable != nil {
		return *unreadable, nil
	}
	return full("no set there is of an ancestor of the commit"), nil
}

func full(why string) choice { return choice{kind: objects.Full, why: why} }

// existing returns the newest sound set that the commit has, of the kind asked for.
func existing(list List, opt CreateOptions) (Set, bool) {
	for _, s := range slices.Backward(list.Sets) {
		if s.Commit == opt.Commit && s.Expiring == 0 && (!opt.Asked || s.Kind() == opt.Kind) && !damaged(list.Chain(s.Label)) {
			return s, true
		}
	}
	return Set{}, false
}

// damaged reports whether the last verification of any of sets found damage.
func damaged(sets []Set) bool { return slices.ContainsFunc(sets, Set.Damaged) }

// onBase chooses the base whose chain is given, if it is sound as far as can be
// seen without reading all of it.
func (d *Destination) onBase(ctx context.Context, sets []Set, opt CreateOptions) (choice, error) {
	label := sets[len(sets)-1].Label
	if damaged(sets) {
		return full(fmt.Sprintf("its base %s would be damaged: the last verification says so", label)), nil
	}
	manifests, err := d.manifests(ctx, sets)
	if err == nil {
		err = d.present(ctx, manifests)
	}
	switch {
	case err != nil && d.opt.NoKey != nil && d.opt.NoKey(err):
		c := full(fmt.Sprintf("its base %s cannot be read here: %v", label, err))
		c.keyless = true
		return c, nil
	case err != nil && isDamage(err):
		return full(fmt.Sprintf("its base %s would be damaged: %v", label, err)), nil
	case err != nil:
		return choice{}, err
	}
	return choice{kind: opt.Kind, chain: manifests, sets: sets}, nil
}

// present fails if packs of a chain are missing, or have another size.
func (d *Destination) present(ctx context.Context, manifests []Manifest) error {
	shelf, err := d.openShelf(ctx, manifests, "")
	if err != nil {
		return err
	}
	defer shelf.Close() //nolint:errcheck // it was only read
	sizes, err := d.sizes(ctx, manifests[0].Label)
	if err != nil {
		return err
	}
	for _, p := range shelf.Packs() {
		key, err := shelf.Key(p.ID)
		if err != nil {
			return err
		}
		if err := checkSize(sizes, key, p.Size); err != nil {
			return d.failed(key, err)
		}
	}
	return nil
}

// sizes lists all objects of the sets of one full.
func (d *Destination) sizes(ctx context.Context, full Label) (map[string]int64, error) {
	sizes := make(map[string]int64)
	prefix := full.Full().folder()
	prefix = prefix[:len(prefix)-1] // dependents begin so, too
	for info, err := range d.bucket.List(ctx, prefix) {
		if err != nil {
			return nil, d.failed(prefix, err)
		}
		sizes[info.Key] = info.Size
	}
	return sizes, nil
}

func checkSize(sizes map[string]int64, key string, want int64) error {
	switch have, ok := sizes[key]; {
	case !ok:
		return fmt.Errorf("lost: %w", bucket.ErrNotExist)
	case have != want:
		return corrupt("%d bytes, expected %d", have, want)
	}
	return nil
}

// either gets objects from the source, and what that lacks from the chain.
type either struct{ src, chain objects.Getter }

// Get implements objects.Getter.
func (e either) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	o, err := e.src.Get(ctx, id)
	if errors.Is(err, objects.ErrNotFound) && ctx.Err() == nil {
		if o, cerr := e.chain.Get(ctx, id); cerr == nil {
			return o, nil
		}
	}
	return o, err
}

var _ objects.Getter = either{}
