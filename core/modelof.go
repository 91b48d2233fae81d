package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/store"
)

// Sought is a sample that models are asked for.
type Sought struct {
	// Contents are the IDs of its bytes: any of them.
	Contents []objects.ID `json:"contents"`
	// Path, if not empty, is where it is: what models saw there counts too,
	// whatever its bytes were then.
	Path string `json:"path,omitempty"`
	// row: not the file is sought, but this row of it, wherever it is.
	row *soughtRow
}

// ModelSaw is a file that a model saw, or a row.
type ModelSaw struct {
	Model  string     `json:"model"`
	Commit objects.ID `json:"commit"` // of the model's data
	Path   string     `json:"path"`
	// Row counts from 1, a header not counted; 0: it is the file.
	Row     int64      `json:"row,omitempty"`
	Content objects.ID `json:"content"` // of the file
	// Splits are those of the model's link that it is in; none: the link says
	// that the model saw all of the data.
	Splits []ModelSplit `json:"splits,omitempty"`
	// By is what it was found by: SawContent, SawPath for other bytes at the
	// same path, SawRow, or SawUnread for a table in which the row may be.
	By string `json:"by"`
	// Rows: it is a table, and only some of its rows may be in the splits.
	Rows bool `json:"rows,omitempty"`
	// Unread says what of the table cannot be read: the row was not found in
	// what can.
	Unread string `json:"unread,omitempty"`
}

// What a sample was found by.
const (
	SawContent = "content"
	SawPath    = "path"
	SawRow     = "row"
	SawUnread  = "unread"
)

// SoughtAt is what a path stands for: the bytes that HEAD has there and those
// that are on the disk, as far as there are any.
func (r *Repo) SoughtAt(ctx context.Context, path string) (Sought, error) {
	sought := Sought{Path: path}
	_, _, h, err := r.current(ctx)
	if err != nil {
		return sought, err
	}
	f, err := r.samplesOf(h.Tree).Lookup(ctx, path)
	if err != nil {
		return sought, err
	}
	if f != nil {
		sought.Contents = append(sought.Contents, f.Content)
	}
	name, _, err := followLinks(r.env.FS, filepath.Join(r.root, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return sought, nil
	}
	if err != nil {
		return sought, err
	}
	hash, err := Hash(ctx, r.env.FS, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sought, nil
	case err != nil:
		return sought, err
	case !slices.Contains(sought.Contents, hash.Content):
		sought.Contents = append(sought.Contents, hash.Content)
	}
	return sought, nil
}

// SoughtIn is the file that REV:PATH names, by its bytes, or where there is no
// such file the row that REV:TABLE:ROW names.
func (r *Repo) SoughtIn(ctx context.Context, spec string) (Sought, error) {
	e, _, err := r.entryAt(ctx, spec)
	if err == nil {
		return Sought{Contents: []objects.ID{e.Entry.Content}}, nil
	}
	if _, none := errors.AsType[*NotInTreeError](err); !none {
		return Sought{}, err
	}
	table, number, ok := CutRow(spec)
	if !ok {
		return Sought{}, err
	}
	e, commit, there := r.entryAt(ctx, table)
	if there != nil {
		return Sought{}, err
	}
	return r.soughtRowIn(ctx, commit, dataset.File{Path: e.Path, Entry: e.Entry}, number)
}

// NoSampleError is for a path that nothing is at: not in HEAD, not on the disk
// and not in the data of any model. That no model saw it would be true, and
// would hide a slip of the pen. A row has to be read to be sought, so that its
// table must be in HEAD or on the disk.
type NoSampleError struct {
	Path string
	Row  int64 // 0: the file is sought
}

func (e *NoSampleError) Error() string {
	if e.Row > 0 {
		return fmt.Sprintf("%q is not in HEAD and not on the disk, so that its row %d cannot be read", e.Path, e.Row)
	}
	return fmt.Sprintf("%q is not in HEAD, not on the disk, and not in the data of any model", e.Path)
}

// ModelsOf yields what models saw of a sample, model by model. Each node that
// the trees of models share is read once. It fails with a *NoSampleError for a
// path that stands for nothing.
//
// A row is sought by what is in it, in all tables that models saw, whatever
// their paths and formats. The columns that do not count in rows are those of
// the commit where it is sought, and those of the model's.
func (r *Repo) ModelsOf(ctx context.Context, sought Sought) iter.Seq2[ModelSaw, error] {
	return func(yield func(ModelSaw, error) bool) {
		if err := r.modelsOf(ctx, sought, func(s ModelSaw) bool { return yield(s, nil) }); err != nil {
			yield(ModelSaw{}, err)
		}
	}
}

func (r *Repo) modelsOf(ctx context.Context, sought Sought, yield func(ModelSaw) bool) error {
	if sought.row != nil {
		return r.modelsOfRow(ctx, sought.row, yield)
	}
	var models []ModelInfo
	files := r.samplesOf(objects.ID{})
	seen, paths := store.NewLive(), make(map[string]bool)
	if sought.Path != "" {
		paths[sought.Path] = true
	}
	for m, err := range r.Models(ctx) {
		if err != nil {
			return err
		}
		models = append(models, m)
		if err := pathsWith(ctx, files.of(m.data.Tree), sought.Contents, seen, paths); err != nil {
			return err
		}
	}
	if len(sought.Contents) == 0 {
		if err := stands(ctx, files, models, sought.Path); err != nil {
			return err
		}
	}
	at := slices.Sorted(maps.Keys(paths))
	for _, m := range models {
		for _, path := range at {
			saw, ok, err := r.sawAt(ctx, files, m, path, sought)
			if err != nil {
				return err
			}
			if ok && !yield(saw) {
				return nil
			}
		}
	}
	return nil
}

// stands fails for a path that is not in the data of any model.
func stands(ctx context.Context, files samples, models []ModelInfo, path string) error {
	for _, m := range models {
		if f, err := files.of(m.data.Tree).Lookup(ctx, path); f != nil || err != nil {
			return err
		}
	}
	return &NoSampleError{Path: path}
}

// pathsWith adds the paths at which a tree has one of the contents. Nodes that
// were seen before are passed over: a node's keys are whole paths, so that it
// has the same to say in every tree.
func pathsWith(ctx context.Context, files samples, contents []objects.ID, seen *store.Live, paths map[string]bool) error {
	if len(contents) == 0 {
		return nil
	}
	tree, err := files.seen(ctx)
	if err != nil {
		return err
	}
	return tree.Walk(ctx, files.links, prolly.Visitor{
		Enter: func(id objects.ID) bool { return id != prolly.Map{}.Root() && seen.Add(id) },
		Node: func(_ objects.ID, n *prolly.Node, err error) error {
			if err != nil || n.Level() > 0 {
				return err
			}
			for i := range n.Len() {
				e, err := decodeEntry(n.Key(i), n.Value(i))
				if err != nil {
					return err
				}
				if e.Mode.IsRegular() && slices.Contains(contents, e.Content) {
					paths[string(n.Key(i))] = true
				}
			}
			return nil
		},
	})
}

// sawAt tells what a model saw at a path, if that is what is sought.
func (r *Repo) sawAt(ctx context.Context, files samples, m ModelInfo, path string, sought Sought) (ModelSaw, bool, error) {
	e, err := files.of(m.data.Tree).Lookup(ctx, path)
	if err != nil || e == nil {
		return ModelSaw{}, false, err
	}
	saw := ModelSaw{Model: m.Model, Commit: m.Commit, Path: path, Content: e.Content, By: SawContent}
	if !slices.Contains(sought.Contents, e.Content) {
		if path != sought.Path {
			return ModelSaw{}, false, nil
		}
		saw.By = SawPath
	}
	for _, s := range m.Splits {
		names, err := r.splitsAt(ctx, m.data, s.Scheme, path)
		if err != nil {
			return ModelSaw{}, false, err
		}
		if inSplit(names, s.Split) {
			saw.Splits, saw.Rows = append(saw.Splits, s), saw.Rows || names == split.AllRows
		}
	}
	return saw, len(m.Splits) == 0 || len(saw.Splits) > 0, nil
}

// splitsAt returns what a scheme's table of a commit has for a path.
func (r *Repo) splitsAt(ctx context.Context, c objects.Commit, scheme, path string) (string, error) {
	s := splitOf(c.Splits, scheme)
	if s == nil {
		return "", nil
	}
	value, _, err := treeMap(s.Table).Get(ctx, r.store, []byte(path))
	return string(value), err
}
