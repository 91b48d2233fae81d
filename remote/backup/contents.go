package backup

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/remote"
)

// contents finds out what damaged packs cost, and that the commit's files are
// all there.
func (v *verifier) contents(ctx context.Context, s Set, damaged map[objects.ID]error) error {
	var chain []Manifest
	for _, c := range v.list.Chain(s.Label) {
		m, ok := v.manifests[c.Label]
		if !ok {
			return v.unknown(s, damaged) // its base cannot be opened
		}
		chain = append(chain, m)
	}
	shelf, err := v.d.openShelf(ctx, chain, "")
	if err != nil {
		return err
	}
	defer shelf.Close() //nolint:errcheck // it was only read
	lost, err := v.lost(ctx, chain, damaged)
	if err != nil {
		return err
	}
	w := walker{shelf: shelf, lost: lost, paths: make(map[objects.ID][]string)}
	base := prolly.Map{}
	if s.Base != "" && !v.bad[s.Base] && len(damaged) == 0 {
		base = prolly.Open(chain[len(chain)-2].Tree)
	}
	m := chain[len(chain)-1]
	if err := w.tree(ctx, base, m.Tree); err != nil {
		return err
	}
	if err := w.named(ctx, m); err != nil {
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(damaged), compareIDs) {
		damage := Damage{Label: s.Label, Key: remote.PackKey(s.Label.folder(), id), Pack: id, Err: damaged[id]}
		for _, o := range slices.SortedFunc(maps.Keys(lost), compareIDs) {
			if l := lost[o]; l.pack == id {
				damage.Lost = append(damage.Lost, LostObject{o, l.kind})
				damage.Paths = append(damage.Paths, w.paths[o]...)
			}
		}
		slices.Sort(damage.Paths)
		damage.Paths = slices.Compact(damage.Paths)
		v.add(damage)
	}
	if w.damage != nil && len(damaged) == 0 && !v.bad[s.Label] {
		v.add(Damage{Label: s.Label, Err: w.damage, Lost: w.missing, Paths: w.missingPaths})
	}
	return nil
}

// unknown reports damaged packs of a set whose chain cannot be opened.
func (v *verifier) unknown(s Set, damaged map[objects.ID]error) error {
	for _, id := range slices.SortedFunc(maps.Keys(damaged), compareIDs) {
		v.add(Damage{Label: s.Label, Key: remote.PackKey(s.Label.folder(), id), Pack: id, Err: damaged[id]})
	}
	return nil
}

func compareIDs(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) }

// lostIn says because of which pack an object cannot be read.
type lostIn struct {
	pack objects.ID
	kind objects.Kind
}

// lost reads every object of damaged packs, and of packs that are built on
// them, and returns those that cannot be read.
func (v *verifier) lost(ctx context.Context, chain []Manifest, damaged map[objects.ID]error) (map[objects.ID]lostIn, error) {
	lost := make(map[objects.ID]lostIn)
	if len(damaged) == 0 {
		return lost, nil
	}
	opt := v.d.shelf("")
	opt.Direct = true
	direct, err := remote.OpenShelf(ctx, v.d.bucket, opt, indexes(chain))
	if err != nil {
		return nil, err
	}
	defer direct.Close()                       //nolint:errcheck // it was only read
	because := make(map[objects.ID]objects.ID) // pack → the damaged pack that it needs
	for id := range damaged {
		because[id] = id
	}
	for more := true; more; {
		more = false
		for _, p := range direct.Packs() {
			for _, base := range p.Bases {
				if _, known := because[p.ID]; !known && because[base] != (objects.ID{}) {
					because[p.ID], more = because[base], true
				}
			}
		}
	}
	type found struct {
		id, pack objects.ID
		kind     objects.Kind
	}
	var all []found
	in := func(id objects.ID) bool { return because[id] != (objects.ID{}) }
	err = direct.Contents(ctx, in, func(pack, id objects.ID, kind objects.Kind) error {
		all = append(all, found{id, pack, kind})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if _, err := direct.Get(ctx, f.id); err != nil {
			if !isDamage(err) {
				return nil, err
			}
			lost[f.id] = lostIn{because[f.pack], f.kind}
		}
	}
	return lost, nil
}

// walker looks at every file of a tree.
type walker struct {
	shelf *remote.Shelf
	lost  map[objects.ID]lostIn
	paths map[objects.ID][]string // of lost objects

	damage       error // what is not there, and in no damaged pack
	missing      []LostObject
	missingPaths []string

	ask []asked
}

type asked struct {
	id   objects.ID
	path string
}

const askBatch = 4096

// tree walks the entries that a tree has beyond another. Metadata that cannot
// be read ends it there; that is damage and no error.
func (w *walker) tree(ctx context.Context, base prolly.Map, root objects.ID) error {
	if base == (prolly.Map{}) {
		return w.whole(ctx, prolly.Open(root))
	}
	for change, err := range prolly.Diff(ctx, w.shelf, base, prolly.Open(root)) {
		if err == nil && change.New == nil {
			continue
		}
		if err == nil {
			err = w.value(ctx, change.Key, change.New)
		} else if isDamage(err) {
			w.unread("", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// named looks whether the commit and the operation are there.
func (w *walker) named(ctx context.Context, m Manifest) error {
	for _, id := range []objects.ID{m.Commit, m.Operation} {
		if id.IsZero() {
			continue
		}
		if _, err := w.shelf.Get(ctx, id); err != nil {
			if !isDamage(err) {
				return err
			}
			w.unread("", err)
		}
	}
	return nil
}

// whole walks all of a tree, and passes by what cannot be read of it.
func (w *walker) whole(ctx context.Context, m prolly.Map) error {
	err := m.Walk(ctx, w.shelf, prolly.Visitor{Node: func(_ objects.ID, n *prolly.Node, err error) error {
		if err != nil && isDamage(err) {
			w.unread("", err)
			return nil
		}
		if err != nil || n.Level() > 0 {
			return err
		}
		for i := range n.Len() {
			if err := w.value(ctx, n.Key(i), n.Value(i)); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	return w.flush(ctx)
}

// value looks at one entry of a tree.
func (w *walker) value(ctx context.Context, key, value []byte) error {
	e, err := objects.DecodeEntry(value)
	if err == nil {
		err = w.entry(ctx, string(key), e)
	} else {
		err = corrupt("%v", err)
	}
	if err != nil && isDamage(err) {
		w.unread(string(key), fmt.Errorf("%q: %w", key, err))
		return nil
	}
	return err
}

// unread notes metadata that cannot be read.
func (w *walker) unread(path string, err error) {
	if w.damage == nil {
		w.damage = err
	}
	if path != "" {
		w.missingPaths = append(w.missingPaths, path)
	}
}

func (w *walker) entry(ctx context.Context, path string, e objects.Entry) error {
	switch {
	case e.Mode == objects.ModeDir:
		return nil
	case e.Size <= objects.SingleChunk:
		return w.chunk(ctx, e.Content, path)
	}
	return chunk.WalkList(ctx, w.shelf, e.List, func(id objects.ID) (bool, error) {
		if _, lost := w.lost[id]; lost {
			w.paths[id] = append(w.paths[id], path)
			return false, nil
		}
		return true, nil
	}, func(r chunk.Run) error { return w.chunk(ctx, r.ID, path) })
}

func (w *walker) chunk(ctx context.Context, id objects.ID, path string) error {
	if _, lost := w.lost[id]; lost {
		w.paths[id] = append(w.paths[id], path)
		return nil
	}
	if w.ask = append(w.ask, asked{id, path}); len(w.ask) < askBatch {
		return nil
	}
	return w.flush(ctx)
}

// flush looks whether chunks are in the index.
func (w *walker) flush(ctx context.Context) error {
	ids := make([]objects.ID, len(w.ask))
	for i, a := range w.ask {
		ids[i] = a.id
	}
	places, err := w.shelf.Locate(ctx, ids)
	if err != nil {
		return err
	}
	for i, at := range places {
		if at == (pack.Place{}) {
			w.missing = append(w.missing, LostObject{w.ask[i].id, objects.KindChunk})
			w.unread(w.ask[i].path, &objects.ObjectError{ID: w.ask[i].id, Where: "the index of the set", Err: objects.ErrNotFound})
		}
	}
	w.ask = w.ask[:0]
	return nil
}
