package core

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
)

// Transferred counts what was sent or received.
type Transferred struct {
	Objects int64 `json:"objects"`
	Packs   int64 `json:"packs"`
	Bytes   int64 `json:"bytes"` // of packs
}

func (t *Transferred) add(c remote.Copied) {
	t.Objects, t.Packs, t.Bytes = t.Objects+c.Objects, t.Packs+c.Packs, t.Bytes+c.Bytes
}

// local is the local store as one end of a transfer. Packs on their way are
// written to temp.
func (r *Repo) local(temp string) *remote.Local {
	return remote.NewLocal(r.store, r.env.FS, temp)
}

// copyOptions are those of a transfer, which shows as a phase.
func (r *Repo) copyOptions(phase Phase, temp string) remote.CopyOptions {
	return remote.CopyOptions{
		FS: r.env.FS, Temp: temp,
		Progress: func(p remote.Progress) {
			if p.TotalBytes == 0 {
				r.env.Events.Progress(Progress{Phase: PhaseScan, Files: int64(p.Looked)})
				return
			}
			r.env.Events.Progress(Progress{Phase: phase, Bytes: p.Bytes, TotalBytes: p.TotalBytes})
		},
	}
}

// lookFolder makes a folder for the temporary files of a verb that does not
// hold the lock. An interruption leaves it to be swept when it is old.
func (r *Repo) lookFolder() (string, error) {
	dir := filepath.Join(r.tempPath(), lookPrefix+filepath.Base(vfs.TempName("")))
	return dir, r.env.FS.Mkdir(dir, 0o777)
}

// Change of a name at a place.
const (
	NameNew     = "new"
	NameForward = "forward" // the new one contains the old one
	NameForced  = "forced"  // it does not
	NameDeleted = "deleted"
)

// NameMove is how a name moved.
type NameMove struct {
	Name   string     `json:"name"` // as one writes it, as remote/origin/main is origin/main
	Kind   string     `json:"kind"` // branch, tag, model, git or remote
	Change string     `json:"change"`
	Old    objects.ID `json:"old,omitzero"`
	New    objects.ID `json:"new,omitzero"`
}

// holds reports whether a commit is in the local store. What a name that is
// here reaches is here whole.
func (r *Repo) holds(ctx context.Context, id objects.ID) (bool, error) {
	if id.IsZero() {
		return false, nil
	}
	missing, err := r.store.Missing(ctx, []objects.ID{id})
	return err == nil && len(missing) == 0, err
}

// held lists the commits that names at a place stand for and that are here.
func (r *Repo) held(ctx context.Context, view refs.View) ([]objects.ID, error) {
	tips, err := commitsOf(ctx, view, "")
	if err != nil {
		return nil, err
	}
	return r.heldOf(ctx, tips)
}

// heldOf returns those of a list that are here.
func (r *Repo) heldOf(ctx context.Context, list []objects.ID) ([]objects.ID, error) {
	missing, err := r.store.Missing(ctx, list)
	if err != nil {
		return nil, err
	}
	lacked := make(map[objects.ID]bool, len(missing))
	for _, id := range missing {
		lacked[id] = true
	}
	return slices.DeleteFunc(list, func(id objects.ID) bool { return lacked[id] }), nil
}

// commitsOf lists the commits that names stand for, each once, sorted.
func commitsOf(ctx context.Context, view refs.View, prefix string) ([]objects.ID, error) {
	var list []objects.ID
	for ref, err := range view.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if !ref.Value.Commit.IsZero() {
			list = append(list, ref.Value.Commit)
		}
	}
	return sortedIDs(list), nil
}

func sortedIDs(list []objects.ID) []objects.ID {
	slices.SortFunc(list, func(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(list)
}

func sortedNames[V any](m map[refs.Name]V) []refs.Name {
	names := make([]refs.Name, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func nameMove(name refs.Name, change string, old, new objects.ID) NameMove {
	return NameMove{Name: name.Short(), Kind: kindOf(name), Change: change, Old: old, New: new}
}

// otherModel says what can be done about a model that is linked otherwise at a
// remote; empty: it is no model.
func otherModel(name refs.Name) string {
	if !strings.HasPrefix(string(name), refs.Models) {
		return ""
	}
	id := modelID(name)
	return ` (theirs instead: "mlvc model unlink ` + id + `", then "mlvc fetch"; both: link this one under another ID)`
}

func kindOf(name refs.Name) string {
	kind, _, _ := strings.Cut(string(name), "/")
	return kind
}
