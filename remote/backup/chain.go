package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/bucket"
)

// Chain is a set with those that it is based on: an endpoint that has all that
// a restore needs. Safe for concurrent use.
type Chain struct {
	*remote.Shelf
	// Manifests are those of the sets, the full first, that of the set last.
	Manifests []Manifest
	// Rebuilt are keys of damaged index segments that were made again, here
	// alone, of what the packs say.
	Rebuilt []string
}

var _ remote.Endpoint = (*Chain)(nil)

// readAhead is the memory for what is read ahead of packs.
const readAhead = 12 << 20

// Manifest returns that of the set itself.
func (c *Chain) Manifest() Manifest { return c.Manifests[len(c.Manifests)-1] }

// Chain opens a set. Manifests and index segments are verified, and what of them is
// damaged is read from a copy, or made again of the packs. It fails with a
// *NoSetError, and with a *remote.DepotError that names what is damaged or
// missing. The caller closes the chain.
func (d *Destination) Chain(ctx context.Context, label Label) (*Chain, error) {
	sets := d.List().Chain(label)
	if sets == nil {
		return nil, &NoSetError{d.String(), label}
	}
	manifests, err := d.manifests(ctx, sets)
	if err != nil {
		return nil, fmt.Errorf("backup set %s: %w", label, err)
	}
	shelf, rebuilt, err := d.openRebuilt(ctx, manifests)
	if err != nil {
		return nil, fmt.Errorf("backup set %s: %w", label, err)
	}
	return &Chain{Shelf: shelf, Manifests: manifests, Rebuilt: rebuilt}, nil
}

// openRebuilt opens the packs of sets, and makes index segments that are damaged
// again, in the cache. It returns the keys of these.
func (d *Destination) openRebuilt(ctx context.Context, manifests []Manifest) (shelf *remote.Shelf, rebuilt []string, err error) {
	for {
		opt := d.shelf("")
		opt.ReadAhead = readAhead
		shelf, err = remote.OpenShelf(ctx, d.bucket, opt, indexes(manifests))
		if err == nil || !isDamage(err) {
			return shelf, rebuilt, err
		}
		at, ok := errors.AsType[*remote.DepotError](err)
		i := slices.IndexFunc(manifests, func(m Manifest) bool {
			x, has := m.index()
			return ok && has && x.Key() == at.Key
		})
		if i < 0 || slices.Contains(rebuilt, at.Key) {
			return nil, rebuilt, err
		}
		if _, rerr := d.rebuildIndex(ctx, manifests[i]); rerr != nil {
			return nil, rebuilt, errors.Join(err, rerr)
		}
		rebuilt = append(rebuilt, at.Key)
	}
}

// rebuildIndex makes the index of a set again, in the cache, of what its packs
// say, and returns that file.
func (d *Destination) rebuildIndex(ctx context.Context, m Manifest) (string, error) {
	x, ok := m.index()
	if !ok {
		return "", corrupt("set %s has no index", m.Label)
	}
	return remote.RebuildIndex(ctx, d.bucket, d.shelf(""), x, m.Commit)
}

// Manifest reads the manifest of a set.
func (d *Destination) Manifest(ctx context.Context, label Label) (Manifest, error) {
	s, ok := d.List().Find(label)
	if !ok {
		return Manifest{}, &NoSetError{d.String(), label}
	}
	return d.manifest(ctx, s.Label, s.Manifest)
}

// CheckRecord verifies what lies in b under the key of the manifest, of its copy
// or of the index of a set, as if b were the destination's bucket.
func (d *Destination) CheckRecord(ctx context.Context, b bucket.Bucket, label Label, key string) error {
	s, ok := d.List().Find(label)
	if !ok {
		return &NoSetError{d.String(), label}
	}
	if key == label.manifestKey(s.Manifest) || key == label.copyKey(s.Manifest) {
		at := &Destination{raw: d.raw, bucket: b, opt: d.opt}
		_, _, err := at.readManifestAt(ctx, key, label, s.Manifest)
		return err
	}
	m, err := d.manifest(ctx, label, s.Manifest)
	if err != nil {
		return err
	}
	if x, ok := m.index(); ok && x.Key() == key {
		return remote.CheckIndex(ctx, b, d.shelf(""), x)
	}
	return corrupt("set %s has no %s", label, key)
}

// manifests reads those of a chain, and checks that they are one.
func (d *Destination) manifests(ctx context.Context, sets []Set) ([]Manifest, error) {
	list := make([]Manifest, 0, len(sets))
	var links []Link
	for _, s := range sets {
		m, err := d.manifest(ctx, s.Label, s.Manifest)
		if err != nil {
			return nil, err
		}
		if err := m.fits(s, links, d.List().Repository); err != nil {
			return nil, d.failed(s.Label.manifestKey(s.Manifest), err)
		}
		list, links = append(list, m), append(links, Link{s.Label, s.Manifest})
	}
	return list, nil
}

// fits refuses a manifest that does not say what the list does.
func (m Manifest) fits(s Set, chain []Link, repository string) error {
	ok := m.Commit == s.Commit && m.Repository == repository && len(m.Chain) == len(chain)
	for i, l := range m.Chain {
		ok = ok && l == chain[i]
	}
	if !ok {
		return corrupt("it is not what the list of sets says of %s", s.Label)
	}
	return nil
}

// openShelf opens the packs of sets; new packs go to the set of a label.
func (d *Destination) openShelf(ctx context.Context, manifests []Manifest, label Label) (*remote.Shelf, error) {
	return remote.OpenShelf(ctx, d.bucket, d.shelf(label), indexes(manifests))
}

func indexes(manifests []Manifest) []remote.Index {
	var list []remote.Index
	for _, m := range manifests {
		if x, ok := m.index(); ok {
			list = append(list, x)
		}
	}
	return list
}
