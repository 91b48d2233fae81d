package core

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/report"
	"github.com/mlvc/mlvc/core/dataset/similar"
	"github.com/mlvc/mlvc/core/dataset/table"
)

// thumbnail is the longer side of the pictures in a report, in pixels.
const thumbnail = 160

// CheckPage makes of what Check found a page to look at. The pictures and rows
// in it are read as it is written.
func (r *Repo) CheckPage(ctx context.Context, res CheckResult) (report.Page, error) {
	files := samples{r, res.tree}
	p := report.Page{
		Dataset: filepath.Base(r.root), Report: res.Report, When: r.env.Now(),
		Thumbnail: func(ctx context.Context, s dataset.Sample) (string, []byte, error) {
			return pictureOf(ctx, files, s)
		},
		Row: func(ctx context.Context, s dataset.Sample) ([]report.Cell, error) { return cellsOf(ctx, files, s) },
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
