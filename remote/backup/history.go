package backup

import (
	"context"
	"errors"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
)

// history is what a repository has beside one commit: its names, and the log of
// operations.
type history struct {
	named   []objects.ID // commits that the current view names
	earlier []objects.ID // those that only operations name
	objects []objects.ID // operations and nodes of views, the newest first
}

// readHistory walks the log from an operation back to where it ends, or to what
// chain has already. What gc has removed ends it too.
func readHistory(ctx context.Context, src objects.Getter, chain remote.Endpoint, operation objects.ID) (history, error) {
	var h history
	if operation.IsZero() {
		return h, nil
	}
	view, err := refs.ViewAt(ctx, src, operation)
	if err != nil {
		return h, err
	}
	if h.named, err = viewCommits(ctx, view); err != nil {
		return h, err
	}
	seen := make(map[objects.ID]bool)
	for _, id := range h.named {
		seen[id] = true
	}
	for l, err := range refs.Log(ctx, src, operation) {
		if errors.Is(err, objects.ErrNotFound) {
			break
		}
		if err != nil {
			return h, err
		}
		held, err := chain.Locate(ctx, []objects.ID{l.ID})
		if err != nil {
			return h, err
		}
		if held[0].Length > 0 {
			break
		}
		nodes, err := viewNodes(ctx, src, l.Op.View, seen)
		if errors.Is(err, objects.ErrNotFound) && l.ID != operation {
			break
		}
		if err != nil {
			return h, err
		}
		h.objects = append(append(h.objects, l.ID), nodes...)
		for _, m := range l.Op.Moves {
			for _, id := range []objects.ID{m.Old.Commit, m.New.Commit} {
				if !id.IsZero() && !seen[id] {
					seen[id] = true
					h.earlier = append(h.earlier, id)
				}
			}
		}
	}
	return h, nil
}

// viewCommits returns the commits that a view names.
func viewCommits(ctx context.Context, v refs.View) ([]objects.ID, error) {
	var list []objects.ID
	for ref, err := range v.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if id := ref.Value.Commit; !id.IsZero() && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list, nil
}

// viewNodes returns the nodes of a view that were not seen.
func viewNodes(ctx context.Context, g objects.Getter, root objects.ID, seen map[objects.ID]bool) ([]objects.ID, error) {
	var list []objects.ID
	err := prolly.Open(root).Walk(ctx, g, prolly.Visitor{
		Enter: func(id objects.ID) bool { return !seen[id] },
		Node: func(id objects.ID, _ *prolly.Node, err error) error {
			if err == nil {
				seen[id] = true
				list = append(list, id)
			}
			return err
		},
	})
	return list, err
}

// addObjects puts what the chain lacks of objects into a metadata pack of its own.
func addObjects(ctx context.Context, dst *remote.Shelf, src objects.Getter, fsys vfs.FS, temp string, ids []objects.ID) (done remote.Copied, err error) {
	places, err := dst.Locate(ctx, ids)
	if err != nil {
		return done, err
	}
	var w *pack.Writer
	name := vfs.TempName(temp)
	for i, id := range ids {
		if places[i].Length > 0 {
			continue
		}
		if w == nil {
			if w, err = pack.NewWriter(fsys, name, pack.TypeMeta); err != nil {
				return done, err
			}
			defer func() { err = errors.Join(err, w.Abort()) }()
		}
		o, err := src.Get(ctx, id)
		if err != nil {
			return done, err
		}
		if _, err := w.Append(pack.Compress(id, o), nil); err != nil {
			return done, err
		}
	}
	if w == nil {
		return done, nil
	}
	x, err := w.Seal(ctx)
	if err != nil {
		return done, err
	}
	done = remote.Copied{Objects: int64(x.Count), Packs: 1, Bytes: x.Size}
	if err := dst.AddPack(ctx, x.ID, name, true); err != nil {
		return done, errors.Join(err, fsys.Remove(name))
	}
	return done, nil
}
