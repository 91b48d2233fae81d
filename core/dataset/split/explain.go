package split

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Explanation says why a sample is where it is.
type Explanation struct {
	Scheme string  `json:"scheme"`
	Path   string  `json:"path"`
	Row    int64   `json:"row,omitempty"`
	Split  string  `json:"split,omitempty"` // empty: in none
	Why    []Why   `json:"why"`
	Group  string  `json:"group,omitempty"`
	Class  string  `json:"class,omitempty"`
	Quotas []Quota `json:"quotas,omitempty"` // of a drawn file: how full the splits are
}

// Why is one reason.
type Why struct {
	Split string `json:"split,omitempty"` // that it speaks for; empty: for none
	What  string `json:"what"`            // one line, lower case, no full stop
	Where string `json:"where,omitempty"` // a glob, or "lists/test.txt, line 3"
}

// Quota is what a split should have of the samples, and has.
type Quota struct {
	Split   string  `json:"split"`
	Quota   float64 `json:"quota"`
	Held    int64   `json:"held"`
	Class   string  `json:"class,omitempty"`
	InClass int64   `json:"in_class,omitempty"` // held, of the sample's class
	OfClass float64 `json:"of_class,omitempty"` // the quota of the class
	Frozen  bool    `json:"frozen,omitempty"`
}

// Explain says why the file at path, or with a scheme of rows the row of that
// number in the table at path, is in its split. table is the split table that
// it speaks of. Lists and tables are read again, and of a scheme that draws
// all samples are counted.
func Explain(ctx context.Context, g objects.Getter, s Scheme, table objects.ID, in Input, path string, row int64) (Explanation, error) {
	e := Explanation{Scheme: s.Name, Path: path, Row: row}
	f, err := in.Files.Lookup(ctx, path)
	switch {
	case err != nil:
		return e, err
	case f == nil:
		e.say("", "there is no such file", "")
		return e, nil
	case s.OfRows():
		return e, e.row(ctx, s, in, *f)
	case !s.isSample(path):
		if s.Reads(path) {
			e.say("", "the scheme reads it to know its samples", path)
		} else {
			e.say("", "it is no sample of the scheme, by `of`", strings.Join(s.Of, ", "))
		}
		return e, nil
	}
	value, _, err := prolly.Open(table).Get(ctx, g, []byte(path))
	if err != nil {
		return e, err
	}
	e.Split = string(value)
	return e, e.file(ctx, g, s, table, in)
}

func (e *Explanation) say(split, what, where string) {
	e.Why = append(e.Why, Why{split, what, where})
}

// file gives the reasons of a file.
func (e *Explanation) file(ctx context.Context, g objects.Getter, s Scheme, table objects.ID, in Input) error {
	for i, glob := range s.Globs {
		for _, p := range s.match.splits[i] {
			if matches(p, e.Path) {
				e.say(glob.Split, "a glob matches it", p)
			}
		}
	}
	a := &assigner{s: s, in: in}
	l, err := a.listed(ctx, in.Files)
	if err != nil {
		return err
	}
	at := placer{s, l}.place(e.Path)
	e.Group, e.Class = at.group, at.label
	if err := e.mentions(ctx, s, in, l); err != nil {
		return err
	}
	switch {
	case at.drawn:
		e.drawn(s, at)
		return e.quotas(ctx, g, s, table, in, placer{s, l})
	case s.match.time != nil && at.value != "":
		e.say(at.value, "the date in its path", s.Time.Path)
	case e.Split == "":
		e.say("", at.why, "")
	}
	return nil
}

// mentions gives the lines and rows that name the file.
func (e *Explanation) mentions(ctx context.Context, s Scheme, in Input, l *listed) error {
	if l == nil || l.find(e.Path) == nil {
		return nil
	}
	var bad unreads
	for m, err := range s.mentions(ctx, in.Files, in.Rows, &bad) {
		switch {
		case err != nil:
			return err
		case m.path != e.Path:
		case !m.table:
			e.say(m.split, "a list names it", m.place())
		case s.Draws():
			e.say("", "a row names it", m.place())
		default:
			e.say(m.split, "the row that names it says so by its "+s.methodColumn(), m.place())
		}
	}
	return nil
}

// seedText is by which seed was drawn; nothing, where none is declared.
func (s Scheme) seedText() string {
	if s.Seed == "" {
		return ""
	}
	return "seed " + s.Seed
}

func (e *Explanation) drawn(s Scheme, at place) {
	switch {
	case e.Split == "":
		e.say("", at.why, "")
	case at.group != "":
		e.say(e.Split, fmt.Sprintf("its group %q was drawn, and stays there with all of it", at.group), s.seedText())
	default:
		e.say(e.Split, "it was drawn, a group by itself, and stays", s.seedText())
	}
}

// quotas counts all samples.
func (e *Explanation) quotas(ctx context.Context, g objects.Getter, s Scheme, table objects.ID, in Input, pl placer) error {
	held, inClass := make(map[string]int64), make(map[string]int64)
	var all, ofClass, weights int64
	for m, err := range members(ctx, g, table, in.Files, never) {
		if err != nil {
			return err
		}
		all++
		held[m.value]++
		if s.Label != nil && pl.place(m.file.Path).label == e.Class {
			ofClass++
			inClass[m.value]++
		}
	}
	for _, r := range s.Ratios {
		weights += r.Weight
	}
	for _, r := range s.Ratios {
		share := float64(r.Weight) / float64(weights)
		e.Quotas = append(e.Quotas, Quota{
			Split: r.Split, Quota: share * float64(all), Held: held[r.Split], Class: e.Class,
			InClass: inClass[r.Split], OfClass: share * float64(ofClass), Frozen: slices.Contains(s.Frozen, r.Split),
		})
	}
	return nil
}

// row gives the reasons of a row.
func (e *Explanation) row(ctx context.Context, s Scheme, in Input, f dataset.File) error {
	if !s.match.table.match(f.Path) {
		e.say("", "it is no table of the scheme", strings.Join(s.Table, ", "))
		return nil
	}
	if e.Row == 0 {
		e.Split = AllRows
		e.say("", "its rows are samples; ask for one of them", "")
		return nil
	}
	for row, err := range in.Rows(ctx, in.Files, f, s.Columns()) {
		if err != nil {
			return fmt.Errorf("table %s: %w", f.Path, err)
		}
		if row.Unread != nil || row.Number != e.Row {
			continue
		}
		e.ofRow(s, f, row)
		return nil
	}
	e.say("", fmt.Sprintf("there is no row %d that can be read", e.Row), f.Path)
	return nil
}

func (e *Explanation) ofRow(s Scheme, f dataset.File, row Row) {
	sample := s.grouped(f, row)
	e.Split, e.Group, e.Class = sample.Split, sample.Group, sample.Class
	_, err := s.RowSplit(row)
	switch {
	case err != nil:
		e.say("", err.Error(), "")
	case !s.Draws():
		e.say(e.Split, "the row says so by its "+s.methodColumn(), "")
	case e.Group != "":
		e.say(e.Split, fmt.Sprintf("drawn by the hash of its group %q", e.Group), s.seedText())
	default:
		e.say(e.Split, "drawn by the hash of the row", s.seedText())
	}
}
