package core

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/label"
)

// label tells labels and annotations from samples, in the format that is set or
// that is seen for sure.
func (e *examining) label(ctx context.Context, in *check.Input) error {
	if e.config.Level(dataset.RuleLabels) == dataset.Off && e.config.Labels.Format == "" {
		return nil
	}
	l, err := e.readLabels(ctx)
	if a, absent := errors.AsType[*dataset.AbsentError](err); absent {
		in.Unread = append(in.Unread, dataset.Unread{Path: a.Path, Why: whyAbsent})
		return nil
	}
	if err != nil || l == nil {
		return err
	}
	in.Labels = &check.Labels{
		IsLabel: l.IsLabel, Key: l.Key(), Findings: l.Findings(), Beyond: l.Found() - int64(len(l.Findings())), Unread: l.Unread(), Samples: l.Images(),
	}
	return nil
}

// readLabels reads the labels; nil: there are none of a format that is known.
func (e *examining) readLabels(ctx context.Context) (*label.Labels, error) {
	format, err := e.labelFormat(ctx)
	if err != nil || format == label.None {
		return nil, err
	}
	return label.Read(ctx, e.files, e.facts, format)
}

// The kind of facts that the formats of the labels of trees are.
const factLabels = "labels-v1"

// labelFormat is the format that is set or seen. One that the parent's tree was
// seen to have stays; and one that it had not can come with a text alone.
func (e *examining) labelFormat(ctx context.Context) (label.Format, error) {
	if set := e.config.Labels.Format; set != "" {
		return label.Format(set), nil
	}
	format, err := e.seenFormat(ctx)
	if err == nil && format == "" {
		format, _, err = label.Detect(ctx, e.files)
	}
	if err == nil {
		e.facts.Put(factLabels, e.tree, []byte(format))
	}
	return format, err
}

// seenFormat is what is known of the tree or its parent's; empty: one must look.
func (e *examining) seenFormat(ctx context.Context) (label.Format, error) {
	if seen, ok := e.facts.Get(factLabels, e.tree); ok {
		return label.Format(seen), nil
	}
	if len(e.parents) == 0 {
		return "", nil
	}
	before, err := e.treeOf(ctx, e.parents[0])
	if err != nil {
		return "", err
	}
	seen, ok := e.facts.Get(factLabels, before)
	if !ok || label.Format(seen) != label.None {
		return label.Format(seen), nil
	}
	n := 0
	for c, err := range e.treeDiff(ctx, before, e.tree) {
		if n++; err != nil || n > maxItems || c.New != nil && mayBeLabel(c.Path) {
			return "", err
		}
	}
	return label.None, nil
}

func mayBeLabel(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".txt", ".xml", ".json", ".yaml", ".yml":
		return true
	}
	return label.IsImage(name) // the first image beside texts
}
