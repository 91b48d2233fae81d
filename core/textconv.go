package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

// What the text of a pointer lists at most: every path of a dataset that is
// small, and the newest commits.
const (
	textPaths   = 5000
	textCommits = 20
)

// DescribePointer writes what a pointer names in words, for `git diff` and
// `git log -p`: the commit, the newest of its history, and of a dataset of a
// few thousand files every path with its size and content. What is not here is
// said so. The text of a pointer never changes.
func (r *Repo) DescribePointer(ctx context.Context, p gitpair.Pointer, w io.Writer) error {
	t := &textWriter{w: w}
	describeHead(p, t)
	err := r.describeHistory(ctx, p.Commit, t)
	if err == nil && p.Files <= textPaths {
		err = r.describeTree(ctx, p.Tree, t)
	}
	if errors.Is(err, objects.ErrNotFound) {
		describeMissing(p, t)
		err = nil
	}
	return firstError(err, t.err)
}

// describeAbsent is DescribePointer where there is no dataset at all.
func describeAbsent(p gitpair.Pointer, w io.Writer) error {
	t := &textWriter{w: w}
	describeHead(p, t)
	describeMissing(p, t)
	return t.err
}

func describeMissing(p gitpair.Pointer, t *textWriter) {
	t.line("commit %s, which is not here (\"mlvc git fetch\" brings it)", p.Commit.Short())
}

func describeHead(p gitpair.Pointer, t *textWriter) {
	t.line("dataset %s: %s, %d bytes, tree %s", p.Path, count(int(p.Files), "file"), p.Bytes, p.Tree.Short())
	for _, s := range p.Splits {
		t.line("split %s/%s %s", s.Scheme, s.Name, s.Fingerprint.Short())
	}
	if p.Remote != "" {
		t.line("remote %s", p.Remote)
	}
}

func (r *Repo) describeHistory(ctx context.Context, id objects.ID, t *textWriter) error {
	n := 0
	for c, err := range history.FirstParents(ctx, r.store, id) {
		if err != nil {
			return err
		}
		d := c.Changes()
		subject, _, _ := strings.Cut(c.Message, "\n")
		t.line("commit %s %s %s: %s (%d added, %d changed, %d removed)", c.ID.Short(),
			c.Time.UTC().Format(time.DateOnly), c.Author.Name, subject, d.Added, d.Changed, d.Removed)
		if n++; n == textCommits {
			break
		}
	}
	return nil
}

func (r *Repo) describeTree(ctx context.Context, tree objects.ID, t *textWriter) error {
	for e, err := range r.treeEntries(ctx, tree) {
		if err != nil {
			return err
		}
		t.line("%q %s %d bytes %s", e.Path, e.Entry.Mode, e.Entry.Size, e.Entry.Content.Short())
	}
	return nil
}

// textWriter writes lines, and keeps the first error.
type textWriter struct {
	w   io.Writer
	err error
}

func (t *textWriter) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}
