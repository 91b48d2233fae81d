package check

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// change is a path whose file or splits differ from an earlier commit's.
type change struct {
	path       string
	old, new   *objects.Entry // nil: no file
	was, value string         // what the split tables say; "": nothing
}

// sameSample reports whether the file and its splits are as before.
func (c change) sameSample() bool {
	if c.was != c.value || (c.old == nil) != (c.new == nil) {
		return false
	}
	return c.old == nil || c.old.Content == c.new.Content
}

// changes yields what differs between an earlier commit and now, in path order.
// Cost follows the change where the tree is written.
func (w *walk) changes(ctx context.Context, b *Before) iter.Seq2[change, error] {
	return func(yield func(change, error) bool) {
		trees := zip(w.treeChanges(ctx, b), prolly.Diff(ctx, w.Getter, b.Table, w.scheme.Table))
		for pair, err := range trees {
			var c change
			if err == nil {
				c, err = w.change(ctx, b, pair)
			}
			if err == nil && (dataset.IsOwn(c.path) || c.sameSample()) {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// change completes what two diffs say of one path.
func (w *walk) change(ctx context.Context, b *Before, p zipped) (change, error) {
	c := change{path: string(p.key)}
	var err error
	if p.left != nil {
		c.old, err = regular(p.left.Old)
		if err == nil {
			c.new, err = regular(p.left.New)
		}
	} else {
		c.new, err = w.entry(ctx, c.path)
		c.old = c.new
	}
	if err != nil {
		return change{}, fmt.Errorf("%s: %w", c.path, err)
	}
	if p.right != nil {
		c.was, c.value = string(p.right.Old), string(p.right.New)
		return c, nil
	}
	c.value, err = w.value(ctx, c.path)
	c.was = c.value
	return c, err
}

// treeChanges yields the changes of the tree; without a written tree, by
// comparing all files.
func (w *walk) treeChanges(ctx context.Context, b *Before) iter.Seq2[prolly.Change, error] {
	before := prolly.Open(b.Tree)
	if !w.Tree.IsZero() {
		return prolly.Diff(ctx, w.Getter, before, prolly.Open(w.Tree))
	}
	return func(yield func(prolly.Change, error) bool) {
		for p, err := range zipItems(before.All(ctx, w.Getter), w.items(ctx)) {
			if err == nil && slices.Equal(p.Old, p.New) {
				continue
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// items are the files as a tree would have them.
func (w *walk) items(ctx context.Context) iter.Seq2[prolly.Item, error] {
	return func(yield func(prolly.Item, error) bool) {
		for f, err := range w.Files.All(ctx) {
			if !yield(prolly.Item{Key: []byte(f.Path), Value: f.Append(nil)}, err) || err != nil {
				return
			}
		}
	}
}

// value returns what the split table says of a path; "": nothing.
func (w *walk) value(ctx context.Context, path string) (string, error) {
	v, _, err := w.scheme.Table.Get(ctx, w.Getter, []byte(path))
	return string(v), err
}

// entry returns the regular file at a path, nil: there is none.
func (w *walk) entry(ctx context.Context, path string) (*objects.Entry, error) {
	f, err := w.Files.Lookup(ctx, path)
	if f == nil || err != nil {
		return nil, err
	}
	return &f.Entry, nil
}

// regular reads an entry; nil for what is no regular file.
func regular(b []byte) (*objects.Entry, error) {
	if b == nil {
		return nil, nil
	}
	e, err := objects.DecodeEntry(b)
	if err != nil || !e.Mode.IsRegular() {
		return nil, err
	}
	return &e, nil
}
