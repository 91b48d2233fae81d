package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/dataset/table"
	"github.com/mlvc/mlvc/objects"
)

// SplitExportOptions say which samples are listed, and in which order.
type SplitExportOptions struct {
	Rev   string // empty: HEAD
	Split string // [SCHEME:]NAME
	// Shuffle lists them in the order of an epoch, which depends on Seed, Epoch
	// and each sample alone; else files come by path and rows as they stand.
	Shuffle bool
	Seed    string
	Epoch   int
}

// SplitExport is the samples of one split.
type SplitExport struct {
	Commit      objects.ID
	Scheme      string
	Split       string
	Rows        bool
	Fingerprint objects.ID

	samples iter.Seq2[dataset.Sample, error]
}

// Samples yields the samples.
func (e SplitExport) Samples() iter.Seq2[dataset.Sample, error] { return e.samples }

// ExportSplit lists the samples of a split. Shuffled, they are held in memory.
// It fails with a *NoSplitError.
func (r *Repo) ExportSplit(ctx context.Context, opt SplitExportOptions) (SplitExport, error) {
	at, err := r.splitsOf(ctx, opt.Rev)
	if err != nil {
		return SplitExport{}, err
	}
	schemeName, name, err := at.splitNamed(opt.Split)
	if err != nil {
		return SplitExport{}, err
	}
	s, scheme, err := at.named(schemeName)
	if err != nil {
		return SplitExport{}, err
	}
	if scheme.OfRows() {
		if err := r.bringRows(ctx, at.tree, s); err != nil {
			return SplitExport{}, err
		}
	}
	out := SplitExport{
		Commit: at.id, Scheme: schemeName, Split: name, Rows: scheme.OfRows(), Fingerprint: s.Fingerprints[name],
		samples: split.Samples(ctx, r.store, scheme, s.Table, at.input(), name),
	}
	if !opt.Shuffle {
		return out, nil
	}
	order, err := split.Shuffled(out.samples, opt.Seed, opt.Epoch)
	out.samples = func(yield func(dataset.Sample, error) bool) {
		for _, s := range order {
			if !yield(s, nil) {
				return
			}
		}
	}
	return out, err
}

// CatSplit writes the rows of a table, REV:PATH, that are in a split
// ([SCHEME:]NAME), as they are in the table: where its rows are the samples, and
// where it lists the files that are. It fails with a *table.PlaceError when
// rows could not be read; all others are written then. A sealed split is a
// *SealedError, unless there is a reason to unseal it, which is logged.
func (r *Repo) CatSplit(ctx context.Context, spec, name, unseal string, w io.Writer) error {
	t, err := r.Resolve(ctx, spec)
	if err != nil {
		return err
	}
	if !t.HasPath {
		return &UsageError{What: fmt.Sprintf("%q names a commit, not a table", spec), Hint: "write REV:PATH, as in HEAD:reviews.csv"}
	}
	at, err := r.splitsAtCommit(ctx, t.ID)
	if err != nil {
		return err
	}
	file, err := cleanPath(t.Path)
	if err != nil {
		return err
	}
	f, err := at.files.Lookup(ctx, file)
	if err == nil && f == nil {
		err = &NotInTreeError{Rev: t.ID.Short(), Path: file}
	}
	if err != nil {
		return err
	}
	schemeName, name, err := at.splitNamed(name)
	if err != nil {
		return err
	}
	s, scheme, err := at.named(schemeName)
	if err != nil {
		return err
	}
	var sealed []SplitName
	if slices.Contains(scheme.Sealed, name) {
		sealed = append(sealed, SplitName{Scheme: schemeName, Split: name, Rows: scheme.OfRows(), Sealed: true})
	}
	if err := r.readSealed(ctx, t.ID.Short(), t.ID, file, unseal, sealed...); err != nil {
		return err
	}
	if err := r.bring(ctx, oneEntry(f.Entry)); err != nil {
		return err
	}
	return at.cat(ctx, *f, s, scheme, name, w)
}

// cat writes the rows of one table.
func (p *splitting) cat(ctx context.Context, f dataset.File, s objects.Split, scheme split.Scheme, name string, w io.Writer) error {
	t, done, err := openTable(ctx, p.files, f)
	if errors.Is(err, table.ErrNoTable) {
		return &UsageError{What: fmt.Sprintf("%q is no table", f.Path), Hint: `"mlvc ls --split" lists the files of a split`}
	}
	if err != nil {
		return err
	}
	defer done() //nolint:errcheck // it was only read
	if scheme.OfRows() {
		value, _, err := treeMap(s.Table).Get(ctx, p.store, []byte(f.Path))
		if err != nil {
			return err
		}
		if string(value) != split.AllRows {
			return noTableOf(f.Path, s.Scheme)
		}
		return t.Filter(ctx, w, func(row table.Row) bool {
			in, err := scheme.RowSplit(split.Row{Number: row.Number, Hash: row.Hash, Values: row.Values})
			return err == nil && in == name
		}, scheme.Columns()...)
	}
	if scheme.Path == "" || !scheme.IsTable(f.Path) {
		return noTableOf(f.Path, s.Scheme)
	}
	var failed error
	keep := func(row table.Row) bool {
		in, err := p.listedSplit(ctx, s, f.Path, row.Values[0])
		failed = firstError(failed, err)
		return inSplit(in, name)
	}
	return firstError(t.Filter(ctx, w, keep, scheme.Path), failed)
}

func noTableOf(path, scheme string) error {
	return &UsageError{What: fmt.Sprintf("%q is no table of the scheme %s", path, scheme), Hint: `"mlvc split" says what each scheme divides`}
}

// listedSplit is what the split table says of a file that a table names,
// relative to its own folder or to the root.
func (p *splitting) listedSplit(ctx context.Context, s objects.Split, tablePath, written string) (string, error) {
	written = path.Clean(strings.ReplaceAll(written, `\`, "/"))
	for _, at := range []string{path.Join(path.Dir(tablePath), written), written} {
		value, ok, err := treeMap(s.Table).Get(ctx, p.store, []byte(at))
		if err != nil || ok {
			return string(value), err
		}
	}
	return "", nil
}
