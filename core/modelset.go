package core

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// ModelSet is the part of a commit's data that a model saw, or is measured on.
type ModelSet struct {
	// Commit and Tree are zero for files of the disk.
	Commit objects.ID `json:"commit,omitzero"`
	Tree   objects.ID `json:"tree,omitzero"`
	// Splits are what it is limited to; none: all of the data.
	Splits []ModelSplit `json:"splits,omitempty"`
	// Fingerprints are those of the splits, by SCHEME/SPLIT; of files of the
	// disk that of all of them, by DiskFiles.
	Fingerprints map[string]objects.ID `json:"fingerprints,omitempty"`
	Files        int64                 `json:"files"` // that are in it
	Bytes        int64                 `json:"bytes"`

	data objects.Commit
}

// inSet is a file of a set.
type inSet struct {
	dataset.File
	Splits []ModelSplit // of the set, that it is in
	// Rows: it is a table of whose rows only some may be in them.
	Rows bool
}

// setFiles yields the files of a set, in path order: the regular ones, without
// the dataset's own rules.
func (r *Repo) setFiles(ctx context.Context, set ModelSet) iter.Seq2[inSet, error] {
	return func(yield func(inSet, error) bool) {
		tables := r.openTables(ctx, set)
		defer tables.close()
		for f, err := range r.samplesOf(set.Tree).All(ctx) {
			if err != nil {
				yield(inSet{}, err)
				return
			}
			file := inSet{File: f}
			if file.Splits, file.Rows, err = tables.of(f.Path); err != nil {
				yield(inSet{}, err)
				return
			}
			if len(set.Splits) > 0 && len(file.Splits) == 0 {
				continue
			}
			if !yield(file, nil) {
				return
			}
		}
	}
}

// splitTables are read along with a tree: both are sorted by path.
type splitTables struct {
	splits []ModelSplit
	tables []*tableStream
}

// tableStream is one split table as it is read.
type tableStream struct {
	scheme string
	next   func() (key []byte, value string, err error)
	stop   func()
	key    []byte // nil: at its end
	value  string
	begun  bool
}

func (r *Repo) openTables(ctx context.Context, set ModelSet) *splitTables {
	t := &splitTables{splits: set.Splits}
	for _, s := range set.data.Splits {
		if slices.ContainsFunc(set.Splits, func(m ModelSplit) bool { return m.Scheme == s.Scheme }) {
			t.tables = append(t.tables, r.openTable(ctx, s))
		}
	}
	return t
}

func (r *Repo) openTable(ctx context.Context, s objects.Split) *tableStream {
	next, stop := iter.Pull2(treeMap(s.Table).All(ctx, r.store))
	return &tableStream{scheme: s.Scheme, stop: stop, next: func() ([]byte, string, error) {
		item, err, ok := next()
		if !ok || err != nil {
			return nil, "", err
		}
		return bytes.Clone(item.Key), string(item.Value), nil
	}}
}

func (t *splitTables) close() {
	for _, table := range t.tables {
		table.stop()
	}
}

// of returns the splits of the set that a path is in. Paths must rise.
func (t *splitTables) of(path string) (in []ModelSplit, rows bool, err error) {
	for _, table := range t.tables {
		names, err := table.at(path)
		if err != nil {
			return nil, false, err
		}
		for _, s := range t.splits {
			if s.Scheme == table.scheme && inSplit(names, s.Split) {
				in, rows = append(in, s), rows || names == split.AllRows
			}
		}
	}
	return in, rows, nil
}

// inSplit reports whether the value of a split table names a split.
func inSplit(names, name string) bool {
	return names == split.AllRows || slices.Contains(strings.Split(names, ","), name)
}

// at returns what the table has for a path; empty: nothing.
func (t *tableStream) at(path string) (string, error) {
	for !t.begun || t.key != nil && string(t.key) < path {
		var err error
		if t.key, t.value, err = t.next(); err != nil {
			return "", err
		}
		t.begun = true
	}
	if string(t.key) == path {
		return t.value, nil
	}
	return "", nil
}

// seenBy is what a model was trained on: all of the splits that its link has,
// but those that it was only measured on.
func seenBy(m ModelInfo) ModelSet {
	set := ModelSet{Commit: m.Commit, Tree: m.data.Tree, data: m.data}
	for _, s := range m.Splits {
		if s.Role != RoleTest {
			set.Splits = append(set.Splits, s)
		}
	}
	set.Fingerprints = fingerprintsIn(set)
	return set
}

// fingerprintsIn finds the fingerprints of a set's splits.
func fingerprintsIn(set ModelSet) map[string]objects.ID {
	found, err := fingerprintsOf(set.Splits, set.data, set.Commit)
	if err != nil {
		return nil
	}
	return found
}
