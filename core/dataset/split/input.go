package split

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Row is one row of a table, or what could not be read of it.
type Row struct {
	Number int64      // from 1, a header not counted
	Hash   objects.ID // of the canonical row, maybe without some columns
	Whole  objects.ID // of all of it, by which it is drawn and is in fingerprints; zero: Hash
	Values []string   // of the columns asked for, in their order; valid until the next row
	Unread *dataset.Unread
}

// whole is the hash of all columns.
func (r Row) whole() objects.ID { return cmp.Or(r.Whole, r.Hash) }

// Rows yields the rows of the table that f, one of files, is. What the table's text makes
// unreadable, a column that is not there included, is a Row with Unread set;
// an error ends it.
type Rows func(ctx context.Context, files dataset.Files, f dataset.File, columns []string) iter.Seq2[Row, error]

// Input is what a scheme is applied to.
type Input struct {
	Files dataset.Files
	Rows  Rows // needed by schemes with tables
	// Watch, if not nil, is told of each table as it is read, so that others need
	// not read it again; it may return nil.
	Watch func(f dataset.File) TableWatcher
	// Before is the scheme's split in the parent; nil: none.
	Before *objects.Split
	// BeforeFiles are the parent's files; nil: not at hand. They are asked for
	// what was in a table that changed.
	BeforeFiles dataset.Files
	// Changes are what Files differ in from BeforeFiles, in path order; nil:
	// not known, so that everything is looked at. They are asked for at most
	// once.
	Changes iter.Seq2[Change, error]
	// State is what Assign returned beside Before, or nil.
	State []byte
}

// TableWatcher looks on while a table is read from its first row to its last.
type TableWatcher interface {
	// Row is called with every row and its split, which is empty for one in
	// none, and with what could not be read.
	Row(row Row, split string)
	// Done is called at the end, unless an error came before it.
	Done()
}

// Change is a file that was added (Old is nil), changed, or removed.
type Change struct{ Old, New *dataset.File }

// Path returns the path of the file.
func (c Change) Path() string {
	if c.New != nil {
		return c.New.Path
	}
	return c.Old.Path
}

// TreeChanges returns the changes between two trees, of regular files alone but
// for the dataset's own (dataset.IsOwn), which Files leaves out, too.
func TreeChanges(ctx context.Context, g objects.Getter, before, after prolly.Map) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for c, err := range prolly.Diff(ctx, g, before, after) {
			if err != nil {
				yield(Change{}, err)
				return
			}
			if dataset.IsOwn(string(c.Key)) {
				continue
			}
			change, err := treeChange(c)
			if err == nil && (change == Change{} || sameContent(change)) {
				continue
			}
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

func treeChange(c prolly.Change) (Change, error) {
	before, err := fileOf(c.Key, c.Old)
	if err != nil {
		return Change{}, err
	}
	after, err := fileOf(c.Key, c.New)
	return Change{before, after}, err
}

// sameContent reports whether only the mode changed, which is nothing to a
// split.
func sameContent(c Change) bool {
	return c.Old != nil && c.New != nil && c.Old.Content == c.New.Content
}

// fileOf decodes an entry of a tree; nil for what is no regular file.
func fileOf(key, value []byte) (*dataset.File, error) {
	if value == nil {
		return nil, nil
	}
	e, err := objects.DecodeEntry(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bytes.ToValidUTF8(key, []byte("?")), err)
	}
	if !e.Mode.IsRegular() {
		return nil, nil
	}
	return &dataset.File{Path: string(key), Entry: e}, nil
}
