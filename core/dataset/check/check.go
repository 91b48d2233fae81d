// Package check holds a dataset to the rules of its splits: what [checks] in
// mlvc.toml says, the rules themselves, and the waivers that let findings
// stand. It reads through what it is given alone, and what it finds depends on
// the data alone: what is derived from them is kept in dataset.Facts, so that
// the cost follows the change, and may be lost at any time.
package check

import (
	"context"
	"iter"
	"time"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Input is what Run checks.
type Input struct {
	Files dataset.Files
	// Getter reads the trees and the split tables.
	Getter objects.Getter
	// Tree is the tree that Files are of; zero: it is not written, so that
	// everything is looked at whatever changed.
	Tree    objects.ID
	Schemes []Scheme
	Config  Config
	// Waivers are those of the parents, and new ones.
	Waivers []objects.Waiver
	Labels  *Labels       // nil: the files have no labels that are known
	Facts   dataset.Facts // nil: nothing is kept

	// Rows reads a table file whose rows are not samples of a scheme; nil for
	// a file that is no table. Columns in ignore do not count. A nil Rows: no
	// tables are read.
	Rows func(ctx context.Context, f dataset.File, ignore []string) iter.Seq2[Row, error]
	// IsTable reports by the path whether Rows can read a file.
	IsTable func(path string) bool
	// Near finds near-duplicates between splits; nil: there is no such check. It
	// looks at all files before it yields a pair, and tells saw those of a kind
	// that is compared. A file without a split is looked at and compared with
	// none.
	Near func(ctx context.Context, files iter.Seq2[NearFile, error], limits Near, saw func(NearSeen)) iter.Seq2[NearPair, error]
	// NearVersion names the way in which Near compares: what one found is not
	// used by another.
	NearVersion string

	// Unread is what could not be read before, such as by the assignment of
	// splits.
	Unread []dataset.Unread
	// Given are findings of rules that were looked at elsewhere. Levels and
	// waivers are applied to them here.
	Given []dataset.Finding
	// Beyond are how many more there are of them than were given.
	Beyond []Beyond

	Now      func() time.Time                                      // nil: nothing is timed
	Progress func(rule dataset.Rule, scheme string, samples int64) // nil: nobody is told
	Workers  int                                                   // 0: two
}

// Beyond is how many findings of a rule are only counted.
type Beyond struct {
	Rule   dataset.Rule
	Scheme string
	N      int64
}

// Scheme is one scheme of splits, assigned.
type Scheme struct {
	Name string
	// Rule is the canonical text of what made the table. What was derived
	// under another rule is not used.
	Rule   string
	Frozen []string // and sealed
	// Table maps paths to the sorted names of their splits, joined by ",", or
	// to dataset.AllRows.
	Table        prolly.Map
	Fingerprints map[string]objects.ID
	Counts       map[string]dataset.Count // by split; nil: not known
	// Sample reports whether a file is to be in a split of this scheme; it
	// depends on the path and Rule alone. nil: every file.
	Sample func(path string) bool
	// Groups are the groups that must not cross splits; nil: none declared.
	Groups *Groups
	// Rows reads the rows of a table, each with its split, where the samples are
	// rows: the split table marks the tables with dataset.AllRows. What decides the
	// split of a row does not count in its hash. nil: the samples are files.
	Rows func(ctx context.Context, f dataset.File) iter.Seq2[Row, error]

	Before *Before // the first parent's; nil: it has no such scheme
	// Earlier are other commits' from whose evaluation splits nothing may have
	// moved into training.
	Earlier []Before
}

// Before is the scheme as an earlier commit has it.
type Before struct {
	Rule         string
	Tree         objects.ID
	Table        prolly.Map
	Fingerprints map[string]objects.ID
	Counts       map[string]dataset.Count
	Files        dataset.Files // nil: its rows are not looked at
	Rows         func(ctx context.Context, f dataset.File) iter.Seq2[Row, error]
}

// Groups say which samples belong together. Drawn, Of or All is set.
type Groups struct {
	// Drawn: the split of a row is drawn by the group alone, so that none can
	// cross.
	Drawn bool
	// Key tells this way of grouping from any other: its rule and whatever
	// else than paths decides.
	Key objects.ID
	// Of returns the group of a file; "" is a group of its own.
	Of func(path string) string
	// All yields every sample that has a group, in any order. It is used when
	// Of is nil, and asked a second time when groups cross.
	All func(ctx context.Context) iter.Seq2[Grouped, error]
}

// Grouped is a sample, its split, and its group.
type Grouped struct {
	dataset.Sample
	Group string
}

// Row is one row of a table.
type Row struct {
	Number int64      // from 1, a header not counted
	Hash   objects.ID // of the canonical row; zero: an empty row, which is like no other
	Split  string     // in a row scheme; "": in none
}

// UnreadError says that a part could not be read. Where rows are yielded with
// it, the others follow.
type UnreadError struct{ dataset.Unread }

func (e *UnreadError) Error() string {
	if e.Place == "" {
		return e.Path + ": " + e.Why
	}
	return e.Path + ": " + e.Place + ": " + e.Why
}

// NearFile is a file and one split that it is in.
type NearFile struct {
	dataset.File
	Split string
}

// NearSeen is a file that is compared, or would be.
type NearSeen struct {
	NearFile
	Why string // it could not be read; empty: it could
}

// NearPair is two samples of different splits that are nearly the same.
type NearPair struct {
	A, B     dataset.Sample
	Distance float64
	Measure  string // the unit of Distance
}

// Labels are what is known of labels and annotations.
type Labels struct {
	// IsLabel reports whether a file is a label or annotation, which is never
	// a sample of the rules content, rows, near and covered.
	IsLabel func(path string) bool
	// Key names the way in which IsLabel decides: with the same Key it says the
	// same of every path, whatever the tree. Empty: it has no name, so that near
	// looks at all files.
	Key string
	// Findings are those of the rule labels, Beyond how many more there are,
	// Unread what did not parse.
	Findings []dataset.Finding
	Beyond   int64
	Unread   []dataset.Unread
	Samples  int64 // looked at
}

func (l *Labels) isLabel(path string) bool { return l != nil && l.IsLabel != nil && l.IsLabel(path) }
