// Package split divides the samples of a dataset: it reads the schemes that
// mlvc.toml declares, says of every file or row in which split it is, and
// keeps that as a split table and a fingerprint a split. FORMAT.md fixes what
// must come out the same for ever: fingerprints, and the order and the draw by
// which samples are assigned.
package split

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/mlvc/mlvc/core/dataset"
)

// Default is the name of the scheme that [splits] itself declares.
const Default = "default"

// AllRows is what the table of a scheme of rows says of each of its files.
const AllRows = dataset.AllRows

// Scheme is one way to divide the samples. Values do not change; safe for
// concurrent use. Only Parse and ParseRule make one.
type Scheme struct {
	Name string
	// Of are globs of the files that are samples; nil is all of them.
	Of []string
	// One of Globs, Ratios, Column and Time says where a sample belongs.
	Globs  []Glob  // by name
	Ratios []Ratio // by name; of folds each has the weight 1
	Folds  int     // 0: Ratios were given by name
	Column string
	Time   *Time
	Seed   string
	Group  *Key // what never crosses splits; nil: each sample on its own
	Label  *Key // the class of a sample (stratify); nil: none
	// Table are globs of the tables that list the samples, or whose rows they
	// are if there is no Path, the column that names the file.
	Table  []string
	Path   string
	Frozen []string // sorted; sealed ones included
	Sealed []string // sorted

	match *matchers
}

// Glob is a split by globs and list files ("@list.txt").
type Glob struct {
	Split    string
	Patterns []string
}

// Ratio is the share of a split among the weights of all.
type Ratio struct {
	Split  string `json:"split"`
	Weight int64  `json:"weight"`
}

// Key says how a group or a class is read off a sample: one of these is set.
type Key struct {
	Column string // of the table
	Path   string // a regular expression on the path: its first group, else all of the match
	Folder bool   // the name of the folder that the file is in
}

// Time divides by a date: Until in rising order, then Rest.
type Time struct {
	Column string // one of these is set, as of a Key
	Path   string
	Until  []Until
	Rest   string // empty: what is later is in no split
}

// Until is a split of what is earlier than At, and not in an earlier split.
type Until struct {
	Split string
	At    time.Time
}

// OfRows reports whether the samples are the rows of tables.
func (s Scheme) OfRows() bool { return len(s.Table) > 0 && s.Path == "" }

// Draws reports whether samples are assigned by ratios or folds.
func (s Scheme) Draws() bool { return len(s.Ratios) > 0 }

// Names returns the splits that the scheme can assign, sorted, folds by
// number; nil if a column says them.
func (s Scheme) Names() []string {
	var names []string
	for _, g := range s.Globs {
		names = append(names, g.Split)
	}
	for _, r := range s.Ratios {
		names = append(names, r.Split)
	}
	if s.Time != nil {
		for _, u := range s.Time.Until {
			names = append(names, u.Split)
		}
		if s.Time.Rest != "" {
			names = append(names, s.Time.Rest)
		}
		slices.Sort(names)
	}
	return names
}

// Columns returns the columns of the tables that the scheme reads, each once;
// the values of a Row are in this order.
func (s Scheme) Columns() []string {
	var columns []string
	add := func(name string) {
		if name != "" && !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	add(s.Path)
	add(s.Column)
	if s.Group != nil {
		add(s.Group.Column)
	}
	if s.Label != nil {
		add(s.Label.Column)
	}
	if s.Time != nil {
		add(s.Time.Column)
	}
	return columns
}

func foldName(i int) string { return "fold-" + strconv.Itoa(i) }

// matchers are the compiled globs and expressions of a scheme.
type matchers struct {
	of     globs
	splits []globs // of each of Globs
	lists  [][]string
	all    []string // list files of all splits, sorted
	table  globs
	group  *regexp.Regexp
	label  *regexp.Regexp
	time   *regexp.Regexp
	path   int // places in Columns; -1: not there
	column int
	groupC int
	labelC int
	timeC  int
}

// compile fills in s.match; the expressions and globs were checked.
func (s *Scheme) compile() {
	m := &matchers{of: newGlobs(s.Of), table: newGlobs(s.Table)}
	for _, g := range s.Globs {
		var patterns, lists []string
		for _, p := range g.Patterns {
			if list, ok := listFile(p); ok {
				lists = append(lists, list)
			} else {
				patterns = append(patterns, p)
			}
		}
		m.splits = append(m.splits, newGlobs(patterns))
		m.lists = append(m.lists, lists)
		m.all = append(m.all, lists...)
	}
	slices.Sort(m.all)
	m.all = slices.Compact(m.all)
	columns := s.Columns()
	at := func(column string) int { return slices.Index(columns, column) }
	m.path, m.column, m.groupC, m.labelC, m.timeC = at(s.Path), at(s.Column), -1, -1, -1
	if s.Group != nil {
		m.group, m.groupC = s.Group.expression(), at(s.Group.Column)
	}
	if s.Label != nil {
		m.label, m.labelC = s.Label.expression(), at(s.Label.Column)
	}
	if s.Time != nil {
		m.time, m.timeC = Key{Path: s.Time.Path}.expression(), at(s.Time.Column)
	}
	s.match = m
}

func (k Key) expression() *regexp.Regexp {
	if k.Path == "" {
		return nil
	}
	return regexp.MustCompile(k.Path)
}

// listFiles returns the list files of all splits, sorted.
func (s Scheme) listFiles() []string { return s.match.all }

// Reads reports whether the file at a path is a table or a list that the scheme
// is read from.
func (s Scheme) Reads(path string) bool {
	_, list := slices.BinarySearch(s.match.all, path)
	return list || s.match.table.match(path)
}

// isSample reports whether the file at path is a sample of a scheme of files.
// What the scheme itself reads is not, unless `of` names it.
func (s Scheme) isSample(path string) bool {
	if len(s.Of) > 0 {
		return s.match.of.match(path)
	}
	return !s.Reads(path)
}

func (s Scheme) String() string { return fmt.Sprintf("scheme %s: %s", s.Name, s.Rule()) }

// IsSample reports whether the file at a path is a sample of a scheme of files,
// by its path alone; no file is one of a scheme of rows.
func (s Scheme) IsSample(path string) bool { return !s.OfRows() && s.isSample(path) }

// Claims reports whether a scheme of files gives a place to what is at a path, or
// to what may be below it, by the path alone.
func (s Scheme) Claims(path string) bool {
	matches := func(g globs) bool { return g.match(path) || g.match(path+"/x") }
	if s.OfRows() || len(s.Of) > 0 && !matches(s.match.of) {
		return false
	}
	return s.Draws() || slices.ContainsFunc(s.match.splits, matches)
}

// GroupOf returns the group of the file at a path, where the path alone tells
// it; empty: a group by itself.
func (s Scheme) GroupOf(path string) string { return keyOf(s.Group, s.match.group, path, "") }

// IsTable reports whether the file at a path is one of the scheme's tables.
func (s Scheme) IsTable(path string) bool { return s.match.table.match(path) }
