package core

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/report"
	"github.com/mlvc/mlvc/core/dataset/similar"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/dataset/table"
	"github.com/mlvc/mlvc/objects"
)

// thumbnail is the longer side of the pictures in a report, in pixels.
const thumbnail = 160

// errSealed stands where a sample is not shown.
var errSealed = errors.New("sealed: not shown; --unseal REASON shows it")

// CheckPage makes of what Check found a page to look at. The pictures and rows
// in it are read as it is written: without those of samples of sealed splits,
// unless there is a reason to unseal them, which is logged before any is read.
func (r *Repo) CheckPage(ctx context.Context, res CheckResult, unseal string) (report.Page, error) {
	sealed, err := r.sealedOf(ctx, res)
	if err != nil {
		return report.Page{}, err
	}
	if unseal != "" {
		if err := r.logPage(ctx, res.Commit, sealed.names, unseal); err != nil {
			return report.Page{}, err
		}
		sealed = sealedSamples{}
	}
	files := r.samplesOf(res.tree)
	p := report.Page{
		Dataset: filepath.Base(r.root), Report: res.Report, When: r.env.Now(),
		Thumbnail: func(ctx context.Context, s dataset.Sample) (string, []byte, error) {
			if sealed.has(s) {
				return "", nil, errSealed
			}
			return pictureOf(ctx, files, s)
		},
		Row: func(ctx context.Context, s dataset.Sample) ([]report.Cell, error) {
			if sealed.has(s) {
				return nil, errSealed
			}
			return cellsOf(ctx, files, s)
		},
	}
	if !res.Commit.IsZero() {
		c, err := r.commit(ctx, res.Commit)
		if err != nil {
			return p, err
		}
		p.Commit, p.Message, p.When = res.Commit.String(), c.Message, c.Time
	}
	for _, s := range res.Schemes {
		scheme := report.Scheme{Name: s.Scheme}
		for _, one := range s.Splits {
			scheme.Splits = append(scheme.Splits, pageSplit(one))
		}
		p.Schemes = append(p.Schemes, scheme)
	}
	return p, nil
}

// logPage logs that a page shows sealed samples: of the working tree as of the
// commit that it stands on.
func (r *Repo) logPage(ctx context.Context, commit objects.ID, names []SplitName, unseal string) error {
	if commit.IsZero() {
		_, _, h, err := r.current(ctx)
		if err != nil {
			return err
		}
		commit = h.Commit
	}
	if commit.IsZero() && len(names) > 0 {
		return &UsageError{What: "nothing is committed yet, so that nothing is sealed yet", Hint: "commit first, or leave out --unseal"}
	}
	return r.logUnseal(ctx, commit, names, unseal)
}

// sealedSamples are those of the sealed splits of what was checked.
type sealedSamples struct {
	names []SplitName
	files map[string]bool
	// tables are those whose rows a scheme divides that seals some: which ones
	// is not looked up, so that none is shown.
	tables map[string]bool
}

// has reports whether a sample is not to be shown: a table that lists sealed
// files may say what they are, yet its rows are samples of no sealed split.
func (s sealedSamples) has(of dataset.Sample) bool { return s.files[of.Path] || s.tables[of.Path] }

// sealedOf finds what the rules seal that were checked.
func (r *Repo) sealedOf(ctx context.Context, res CheckResult) (sealedSamples, error) {
	found := sealedSamples{files: make(map[string]bool), tables: make(map[string]bool)}
	if res.Consistency == nil {
		return found, nil
	}
	for _, n := range splitNames(res.splits) {
		if n.Sealed {
			found.names = append(found.names, n)
		}
	}
	for f, err := range sealedFiles(ctx, r.store, res.splits, []string{"."}) {
		if err != nil {
			return found, err
		}
		found.files[f.Path] = true
	}
	for _, s := range res.splits {
		scheme, err := split.ParseRule(s.Scheme, s.Rule)
		if err != nil || !scheme.OfRows() || len(scheme.Sealed) == 0 {
			continue
		}
		for item, err := range treeMap(s.Table).All(ctx, r.store) {
			if err != nil {
				return found, err
			}
			found.tables[string(item.Key)] = true
		}
	}
	return found, nil
}

func pageSplit(s SplitResult) report.Split {
	out := report.Split{
		Name: s.Name, Files: s.Files, Rows: s.Rows, Bytes: s.Bytes,
		Frozen: s.Frozen, Sealed: s.Sealed, Fingerprint: s.Fingerprint.String(),
	}
	for name, n := range s.Classes {
		out.Classes = append(out.Classes, report.Class{Name: name, Samples: n})
	}
	slices.SortFunc(out.Classes, func(a, b report.Class) int {
		return cmp.Or(cmp.Compare(b.Samples, a.Samples), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// pictureOf returns a small picture of a file that is an image.
func pictureOf(ctx context.Context, files dataset.Files, s dataset.Sample) (string, []byte, error) {
	f, err := files.Lookup(ctx, s.Path)
	if err != nil || f == nil || s.Row > 0 || similar.KindOf(s.Path, nil) != similar.KindImage {
		return "", nil, err
	}
	c, err := files.Open(ctx, *f)
	if err != nil {
		return "", nil, err
	}
	defer c.Close() //nolint:errcheck // it was only read
	data, mime, err := similar.Thumbnail(ctx, c, thumbnail)
	return mime, data, err
}

// cellsOf returns the cells of a row.
func cellsOf(ctx context.Context, files dataset.Files, s dataset.Sample) (cells []report.Cell, err error) {
	f, err := files.Lookup(ctx, s.Path)
	if err != nil || f == nil || s.Row == 0 {
		return nil, err
	}
	t, done, err := openTable(ctx, files, *f)
	if err != nil {
		return nil, err
	}
	defer done() //nolint:errcheck // it was only read
	columns := t.Columns()
	for row, err := range t.Rows(ctx, columns...) {
		if _, skip := table.IsPlace(err); skip {
			continue
		}
		if err != nil || row.Number > s.Row {
			return nil, err
		}
		if row.Number == s.Row {
			for i, v := range row.Values {
				cells = append(cells, report.Cell{Column: columns[i], Value: v})
			}
			return cells, nil
		}
	}
	return nil, nil
}
