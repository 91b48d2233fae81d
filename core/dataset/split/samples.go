package split

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Grouped is a sample with what its scheme reads off it.
type Grouped struct {
	dataset.Sample        // Split is empty if it is in none, "a,b" if in two
	Size           int64  // of a file
	Group          string // empty: a group by itself
	Class          string
}

// Groups yields every sample of a scheme as the split table has it, with its
// group and class: files in path order, rows in the order of their tables.
// What cannot be read is left out; Assign tells it. It uses only Files and Rows
// of in.
func Groups(ctx context.Context, g objects.Getter, s Scheme, table objects.ID, in Input) iter.Seq2[Grouped, error] {
	if s.OfRows() {
		return rowGroups(ctx, s, in)
	}
	return func(yield func(Grouped, error) bool) {
		a := &assigner{s: s, in: in}
		l, err := a.listed(ctx, in.Files)
		if err != nil {
			yield(Grouped{}, err)
			return
		}
		pl := placer{s, l}
		for m, err := range members(ctx, g, table, in.Files, s.isSample) {
			if err != nil {
				yield(Grouped{}, err)
				return
			}
			at := pl.place(m.file.Path)
			sample := dataset.Sample{Path: m.file.Path, Split: m.value, Content: m.file.Content}
			if !yield(Grouped{sample, m.file.Size, at.group, at.label}, nil) {
				return
			}
		}
	}
}

func rowGroups(ctx context.Context, s Scheme, in Input) iter.Seq2[Grouped, error] {
	return someRowGroups(ctx, s, in, func(dataset.File) (bool, error) { return true, nil })
}

// someRowGroups yields the rows of the tables for which wanted says so.
func someRowGroups(ctx context.Context, s Scheme, in Input, wanted func(dataset.File) (bool, error)) iter.Seq2[Grouped, error] {
	return func(yield func(Grouped, error) bool) {
		var bad unreads
		for f, err := range s.tables(ctx, in.Files, &bad) {
			want := false
			if err == nil {
				want, err = wanted(f)
			}
			if err == nil && !want {
				continue
			}
			if err != nil {
				yield(Grouped{}, err)
				return
			}
			for row, err := range in.Rows(ctx, in.Files, f, s.Columns()) {
				if err != nil {
					yield(Grouped{}, fmt.Errorf("table %s: %w", f.Path, err))
					return
				}
				if row.Unread == nil && !yield(s.grouped(f, row), nil) {
					return
				}
			}
		}
	}
}

func (s Scheme) grouped(f dataset.File, row Row) Grouped {
	split, _ := s.RowSplit(row) // in no split: the name is empty
	group := Grouped{Sample: dataset.Sample{Path: f.Path, Row: row.Number, Split: split, Content: row.Hash}, Class: s.RowClass(row)}
	if at := s.match.groupC; at >= 0 {
		group.Group = row.Values[at]
	}
	return group
}

// member is a file and what the table says of it.
type member struct {
	file  dataset.File
	value string // empty: the table does not have it
}

// members yields the files for which is says so, each with its value. An entry
// of the table without such a file is an error.
func members(ctx context.Context, g objects.Getter, table objects.ID, files dataset.Files, is func(string) bool) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		next, stop := iter.Pull2(prolly.Open(table).All(ctx, g))
		defer stop()
		it, err, more := next()
		for f, fileErr := range files.All(ctx) {
			if err == nil {
				err = fileErr
			}
			if err == nil && more && string(it.Key) < f.Path {
				err = noFile(it.Key)
			}
			if err != nil {
				yield(member{}, err)
				return
			}
			m := member{file: f}
			if more && string(it.Key) == f.Path {
				m.value = string(it.Value)
				it, err, more = next()
			} else if !is(f.Path) {
				continue
			}
			if !yield(m, nil) {
				return
			}
		}
		if err == nil && more {
			err = noFile(it.Key)
		}
		if err != nil {
			yield(member{}, err)
		}
	}
}

func noFile(key []byte) error {
	return fmt.Errorf("%w: the split table has %q, and there is no such file", objects.ErrCorrupt, key)
}

func never(string) bool { return false }

// Samples yields the samples of one split of a scheme, with an empty name of
// all. Files are read off the table alone.
func Samples(ctx context.Context, g objects.Getter, s Scheme, table objects.ID, in Input, name string) iter.Seq2[dataset.Sample, error] {
	return func(yield func(dataset.Sample, error) bool) {
		if s.OfRows() {
			for row, err := range rowGroups(ctx, s, in) {
				wanted := name == "" && row.Split != "" || name != "" && row.Split == name
				if (err != nil || wanted) && !yield(row.Sample, err) || err != nil {
					return
				}
			}
			return
		}
		for m, err := range members(ctx, g, table, in.Files, never) {
			sample := dataset.Sample{Path: m.file.Path, Split: m.value, Content: m.file.Content}
			wanted := name == "" || slices.Contains(dataset.SplitNames(m.value), name)
			if (err != nil || wanted) && !yield(sample, err) || err != nil {
				return
			}
		}
	}
}

// Shuffled returns samples in the order of an epoch, for loaders: that of a
// keyed hash of each, so that samples that come or go leave the order of the
// others as it is. Memory is that of the samples.
func Shuffled(samples iter.Seq2[dataset.Sample, error], seed string, epoch int) ([]dataset.Sample, error) {
	type placed struct {
		key    uint64
		sample dataset.Sample
	}
	var all []placed
	for s, err := range samples {
		if err != nil {
			return nil, err
		}
		id := keyed(epochHashers, seed, strconv.Itoa(epoch), s.Path, strconv.FormatInt(s.Row, 10))
		all = append(all, placed{binary.BigEndian.Uint64(id[:]), s})
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
	list := make([]dataset.Sample, len(all))
	for i, p := range all {
		list[i] = p.sample
	}
	return list, nil
}

// Fingerprints makes the fingerprints of a commit's split from nothing, to be
// compared with those that it says. A rule that this version cannot read does
// not matter where the table lists files.
func Fingerprints(ctx context.Context, g objects.Getter, split objects.Split, in Input) (map[string]objects.ID, error) {
	s, ruleErr := ParseRule(split.Scheme, split.Rule)
	ofRows := s.OfRows()
	if ruleErr != nil {
		rowed, err := tellsRows(ctx, g, split.Table)
		if err != nil {
			return nil, err
		}
		if rowed {
			return nil, ruleErr
		}
	}
	sums, names := newSummer(), newTallies(s)
	defer sums.stop()
	for f, err := range elements(ctx, g, s, split.Table, in, ofRows) {
		if err != nil {
			return nil, err
		}
		sums.add(names.numbers(f.Split), false, f.kind, f.Path, f.Content)
	}
	made := (&assigner{s: s, tallies: names}).fingerprints(sums.finish())
	for name := range split.Fingerprints {
		if _, shown := made[name]; !shown { // without the rule, one without samples does not show
			made[name] = (&Sum{}).Fingerprint()
		}
	}
	return made, nil
}

// tellsRows reports whether a table is that of a scheme of rows.
func tellsRows(ctx context.Context, g objects.Getter, table objects.ID) (bool, error) {
	for it, err := range prolly.Open(table).All(ctx, g) {
		return bytes.Equal(it.Value, []byte(AllRows)), err
	}
	return false, nil
}

type hashed struct {
	dataset.Sample
	kind byte
}

func elements(ctx context.Context, g objects.Getter, s Scheme, table objects.ID, in Input, ofRows bool) iter.Seq2[hashed, error] {
	kind := byte(ofFile)
	if ofRows {
		kind = ofRow
	}
	return func(yield func(hashed, error) bool) {
		for sample, err := range Samples(ctx, g, s, table, in, "") {
			if !yield(hashed{sample, kind}, err) || err != nil {
				return
			}
		}
	}
}
