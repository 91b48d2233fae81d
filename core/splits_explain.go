package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
)

// ExplainSplit says why a sample is where it is in the splits of a commit
// (empty: HEAD): of one scheme, or of all.
//
// The sample is written [SCHEME:]PATH[:ROW]; clean makes of a path as it is
// written one relative to the root. What is the name of a file is read as that
// alone. It fails with a *NotInTreeError, a *NoRowError, or a *NoSplitError where
// there are no splits at all.
func (r *Repo) ExplainSplit(ctx context.Context, rev, sample string, clean func(string) (string, error)) ([]split.Explanation, error) {
	at, err := r.splitsOf(ctx, rev)
	if err != nil {
		return nil, err
	}
	if len(at.Splits) == 0 {
		return nil, &NoSplitError{Where: at.where()}
	}
	s, err := at.sample(ctx, sample, clean)
	if err != nil {
		return nil, err
	}
	if s.row > 0 {
		if _, err := rowAt(ctx, at.files, *s.file, s.row, nil); err != nil {
			return nil, err
		}
	}
	var all []split.Explanation
	for _, one := range at.Splits {
		if s.scheme != "" && one.Scheme != s.scheme {
			continue
		}
		_, scheme, err := at.named(one.Scheme)
		if err != nil {
			return nil, err
		}
		if s.row > 0 && !scheme.OfRows() && s.scheme == "" && len(at.Splits) > 1 {
			continue // a row is of interest to schemes of rows
		}
		e, err := split.Explain(ctx, r.store, scheme, one.Table, at.input(), s.path, s.row)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// samplePlace is a sample as it is written.
type samplePlace struct {
	scheme string // empty: of all
	path   string
	row    int64 // 0: the file
	file   *dataset.File
}

// sample reads [SCHEME:]PATH[:ROW]: of all readings the first whose path is
// there.
func (p *splitting) sample(ctx context.Context, text string, clean func(string) (string, error)) (samplePlace, error) {
	var failed error
	for _, s := range sampleReadings(text, schemeNames(p.Splits)) {
		path, err := clean(s.path)
		if err != nil {
			failed = firstError(failed, err)
			continue
		}
		f, err := p.files.Lookup(ctx, path)
		if err != nil {
			return samplePlace{}, err
		}
		if s.path, s.file = path, f; f != nil {
			return s, nil
		}
		failed = firstError(failed, &NotInTreeError{Rev: p.id.Short(), Path: path})
	}
	if err := p.noRow(ctx, text, clean); err != nil {
		return samplePlace{}, err
	}
	return samplePlace{}, failed
}

// noRow is the error for what would be a row of a file that is there, if it were
// a number.
func (p *splitting) noRow(ctx context.Context, text string, clean func(string) (string, error)) error {
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return nil
	}
	file, err := clean(text[:at])
	if err != nil {
		return nil //nolint:nilerr // it is no path either
	}
	f, err := p.files.Lookup(ctx, file)
	if err != nil || f == nil {
		return err
	}
	return &UsageError{
		What: fmt.Sprintf("%q is no row of %q", text[at+1:], file),
		Hint: "rows count from 1, a header not counted: " + file + ":1",
	}
}

// sampleReadings are the ways to read it, the whole as a path first.
func sampleReadings(text string, schemes []string) []samplePlace {
	list := []samplePlace{{path: text}}
	if scheme, rest, ok := strings.Cut(text, ":"); ok && slices.Contains(schemes, scheme) {
		list = append(list, samplePlace{scheme: scheme, path: rest})
	}
	for _, s := range slices.Clone(list) {
		if path, row, ok := CutRow(s.path); ok {
			list = append(list, samplePlace{scheme: s.scheme, path: path, row: row})
		}
	}
	return list
}

// splitNamed finds a split by [SCHEME:]NAME: without a scheme that of the
// default one, or of the only one that has such a split. It fails with a
// *NoSplitError.
func (p *splitting) splitNamed(text string) (scheme, name string, err error) {
	scheme, name, named := strings.Cut(text, ":")
	if !named {
		scheme, name = "", text
	}
	scheme, err = splitsAt{where: p.where(), splits: p.Splits}.schemeOf(scheme, []string{name})
	return scheme, name, err
}
