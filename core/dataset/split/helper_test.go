package split_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
	"github.com/mlvc/mlvc/objects/prolly"
)

// data is a dataset in memory: contents by path.
type data map[string]string

var _ dataset.Files = data(nil)

func (d data) file(path string) dataset.File {
	text := []byte(d[path])
	e := objects.Entry{Mode: objects.ModeFile, Size: int64(len(text)), Content: objects.Sum(objects.KindChunk, text)}
	return dataset.File{Path: path, Entry: e}
}

func (d data) All(context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		for _, path := range slices.Sorted(maps.Keys(d)) {
			if !yield(d.file(path), nil) {
				return
			}
		}
	}
}

func (d data) Lookup(_ context.Context, path string) (*dataset.File, error) {
	if _, ok := d[path]; !ok {
		return nil, nil
	}
	f := d.file(path)
	return &f, nil
}

type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

func (d data) Open(_ context.Context, f dataset.File) (dataset.Content, error) {
	return content{bytes.NewReader([]byte(d[f.Path]))}, nil
}

func (d data) with(changes data, remove ...string) data {
	next := maps.Clone(d)
	maps.Copy(next, changes)
	for _, path := range remove {
		delete(next, path)
	}
	return next
}

// tree stores the tree of the data.
func (d data) tree(t fatal, s objects.Store) prolly.Map {
	m, err := prolly.Build(context.Background(), s, func(yield func(prolly.Item, error) bool) {
		for f := range d.All(context.Background()) {
			if !yield(prolly.Item{Key: []byte(f.Path), Value: f.Append(nil)}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type fatal interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// rows reads a CSV as the package that owns tables would.
func rows(ctx context.Context, files dataset.Files, f dataset.File, columns []string) iter.Seq2[split.Row, error] {
	return func(yield func(split.Row, error) bool) {
		c, err := files.Open(ctx, f)
		if err != nil {
			yield(split.Row{}, err)
			return
		}
		text := make([]byte, c.Size())
		c.ReadAt(text, 0) //nolint:errcheck // it is in memory
		r := csv.NewReader(bytes.NewReader(text))
		r.FieldsPerRecord = -1
		all, _ := r.ReadAll()
		if len(all) == 0 {
			return
		}
		for i, record := range all[1:] {
			row := split.Row{Number: int64(i + 1), Hash: objects.Sum(objects.KindChunk, []byte(strings.Join(record, "\x00")))}
			for _, column := range columns {
				at := slices.Index(all[0], column)
				if at < 0 || at >= len(record) {
					row.Unread = &dataset.Unread{Path: f.Path, Place: fmt.Sprintf("row %d, column %s", i+1, column), Why: "is not there"}
					break
				}
				row.Values = append(row.Values, record[at])
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func scheme(t fatal, tree map[string]any) split.Scheme {
	t.Helper()
	all, err := split.Parse(tree)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d schemes", len(all))
	}
	return all[0]
}

func list(texts ...string) []any {
	var l []any
	for _, text := range texts {
		l = append(l, text)
	}
	return l
}

// repo is what a history of assignments is made with.
type repo struct {
	t     fatal
	store *objecttest.Store
}

func newRepo(t fatal) *repo { return &repo{t, objecttest.NewStore()} }

func (r *repo) assign(s split.Scheme, in split.Input) split.Assigned {
	r.t.Helper()
	in.Rows = rows
	out, err := split.Assign(context.Background(), r.store, s, in)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *repo) from(s split.Scheme, d data) split.Assigned {
	r.t.Helper()
	return r.assign(s, split.Input{Files: d})
}

// next assigns after a change, all of it looked at.
func (r *repo) next(s split.Scheme, before split.Assigned, old, d data) split.Assigned {
	r.t.Helper()
	return r.assign(s, split.Input{Files: d, Before: &before.Split, BeforeFiles: old})
}

// change assigns by the changes alone.
func (r *repo) change(s split.Scheme, before split.Assigned, old, d data) split.Assigned {
	r.t.Helper()
	changes := split.TreeChanges(context.Background(), r.store, old.tree(r.t, r.store), d.tree(r.t, r.store))
	return r.assign(s, split.Input{Files: d, Before: &before.Split, BeforeFiles: old, Changes: changes, State: before.State})
}

// table returns a split table.
func (r *repo) table(s objects.Split) map[string]string {
	r.t.Helper()
	all := make(map[string]string)
	for it, err := range prolly.Open(s.Table).All(context.Background(), r.store) {
		if err != nil {
			r.t.Fatal(err)
		}
		all[string(it.Key)] = string(it.Value)
	}
	return all
}

func (r *repo) verify(out split.Assigned, d data) {
	r.t.Helper()
	if wrong, err := r.wrong(out, d); err != nil || len(wrong) > 0 {
		r.t.Fatal(wrong, err)
	}
}

// wrong returns the splits whose fingerprints are not those of files.
func (r *repo) wrong(out split.Assigned, d data) ([]string, error) {
	made, err := split.Fingerprints(context.Background(), r.store, out.Split, split.Input{Files: d, Rows: rows})
	var wrong []string
	for name, id := range made {
		if out.Split.Fingerprints[name] != id {
			wrong = append(wrong, name)
		}
	}
	if err == nil && len(made) != len(out.Split.Fingerprints) {
		wrong = append(wrong, "others")
	}
	return wrong, err
}

func numbered(form string, n int) data {
	d := make(data)
	for i := range n {
		d[fmt.Sprintf(form, i)] = fmt.Sprint(form, i)
	}
	return d
}

var _ fatal = (*testing.T)(nil)
