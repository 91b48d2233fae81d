package split

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// listed is what list files and tables say of files by their paths. It holds
// hashes instead of paths, a few dozen bytes a file, whatever the paths and
// the values.
type listed struct {
	of     map[groupID]uint32
	notes  []note
	values interner // of the splits that a file is in
	labels interner
	groups interner
	unread unreads
}

// note is what is listed of one file.
type note struct {
	value uint32 // the splits, joined by commas
	label uint32
	group uint32
	seen  bool // there is such a file
}

// pathID is the name of a file in listed.
func pathID(p string) groupID { return orderOf("", byPath, p) }

// interner numbers texts.
type interner struct {
	texts []string
	of    map[string]uint32
}

func (in *interner) number(text string) uint32 {
	n, ok := in.of[text]
	if !ok {
		if in.of == nil {
			in.of = make(map[string]uint32)
		}
		n = uint32(len(in.texts))
		text = strings.Clone(text)
		in.texts, in.of[text] = append(in.texts, text), n
	}
	return n
}

// readListed reads the lists and tables of a scheme of files.
func readListed(ctx context.Context, s Scheme, files dataset.Files, rows Rows) (*listed, error) {
	l := &listed{of: make(map[groupID]uint32)}
	for _, in := range []*interner{&l.values, &l.labels, &l.groups} {
		in.number("") // 0 is nothing
	}
	for m, err := range s.mentions(ctx, files, rows, &l.unread) {
		if err != nil {
			return nil, err
		}
		l.take(s, m)
	}
	return l, nil
}

// mention is one line of a list file, or row of a table, that names a file.
type mention struct {
	path  string
	split string // of the list, or of the column; empty: none
	row   Row    // of a table
	where string // the list or table
	line  int64  // or the row
	table bool
}

func (m mention) place() string {
	if m.table {
		return fmt.Sprintf("%s, row %d", m.where, m.line)
	}
	return fmt.Sprintf("%s, line %d", m.where, m.line)
}

func (l *listed) take(s Scheme, m mention) {
	id := pathID(m.path)
	at, ok := l.of[id]
	if !ok {
		at = uint32(len(l.notes))
		l.of[id], l.notes = at, append(l.notes, note{})
	}
	n := &l.notes[at]
	if !ok && m.table {
		l.describe(n, s, m.row)
	}
	if m.split != "" {
		n.value = l.values.number(joinSplits(l.values.texts[n.value], m.split))
	}
}

// describe notes the class and the group that a row says; of several rows for
// one file the first counts.
func (l *listed) describe(n *note, s Scheme, row Row) {
	if at := s.match.labelC; at >= 0 {
		n.label = l.labels.number(row.Values[at])
	}
	if at := s.match.groupC; at >= 0 {
		n.group = l.groups.number(row.Values[at])
	}
}

// find returns what is listed of the file at p, which there is; nil: nothing.
func (l *listed) find(p string) *note {
	at, ok := l.of[pathID(p)]
	if !ok {
		return nil
	}
	l.notes[at].seen = true
	return &l.notes[at]
}

// unseen reports whether a file is listed that find was not asked for.
func (l *listed) unseen(p string) bool {
	at, ok := l.of[pathID(p)]
	return ok && !l.notes[at].seen
}

// mentions yields every line and row that names a file.
func (s Scheme) mentions(ctx context.Context, files dataset.Files, rows Rows, bad *unreads) iter.Seq2[mention, error] {
	return func(yield func(mention, error) bool) {
		for i, g := range s.Globs {
			for _, list := range s.match.lists[i] {
				if !s.lines(ctx, files, list, g.Split, bad, yield) {
					return
				}
			}
		}
		for f, err := range s.tables(ctx, files, bad) {
			if err != nil {
				yield(mention{}, err)
				return
			}
			if !s.tableMentions(ctx, files, rows, f, bad, yield) {
				return
			}
		}
	}
}

// maxLine bounds a line of a list file; no path is longer.
const maxLine = 64 << 10

// lines yields the lines of a list file, and reports whether to go on.
func (s Scheme) lines(ctx context.Context, files dataset.Files, list, split string, bad *unreads, yield func(mention, error) bool) bool {
	f, err := files.Lookup(ctx, list)
	if err == nil && f == nil {
		bad.add(dataset.Unread{Path: list, Why: fmt.Sprintf("there is no such list file, which the split %s names", split)})
		return true
	}
	var c dataset.Content
	if err == nil {
		c, err = files.Open(ctx, *f)
	}
	if err != nil {
		return yield(mention{}, fmt.Errorf("list file %s: %w", list, err))
	}
	defer c.Close() //nolint:errcheck // only read
	scan := bufio.NewScanner(io.NewSectionReader(c, 0, c.Size()))
	scan.Buffer(nil, maxLine)
	sets, inSets := imageSetsOf(list)
	line := int64(0)
	for scan.Scan() {
		line++
		text := strings.TrimSpace(strings.TrimPrefix(scan.Text(), "\ufeff"))
		if text == "" || text[0] == '#' {
			continue
		}
		named := cleanPath(text)
		if inSets {
			if named, err = sets.find(ctx, s, files, text); err != nil {
				return yield(mention{}, fmt.Errorf("list file %s, line %d: %w", list, line, err))
			}
		}
		if !yield(mention{path: named, split: split, where: list, line: line}, nil) {
			return false
		}
	}
	if err := scan.Err(); err == bufio.ErrTooLong {
		bad.add(dataset.Unread{Path: list, Place: fmt.Sprintf("line %d", line+1), Why: "the line is too long for a path"})
	} else if err != nil {
		return yield(mention{}, fmt.Errorf("list file %s: %w", list, err))
	}
	return true
}

func cleanPath(p string) string { return path.Clean(strings.ReplaceAll(p, `\`, "/")) }

// tables yields the tables of the scheme, in path order.
func (s Scheme) tables(ctx context.Context, files dataset.Files, bad *unreads) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		if len(s.Table) == 0 {
			return
		}
		none := true
		if p, ok := s.match.table.literal(); ok { // spares the walk
			if f, err := files.Lookup(ctx, p); err != nil || f != nil {
				if err != nil {
					f = &dataset.File{}
				}
				yield(*f, err)
				return
			}
		}
		for f, err := range files.All(ctx) {
			if err != nil {
				yield(f, err)
				return
			}
			if s.match.table.match(f.Path) {
				none = false
				if !yield(f, nil) {
					return
				}
			}
		}
		if none {
			bad.add(dataset.Unread{Path: s.Table[0], Why: "there is no such table, which the scheme " + s.Name + " names"})
		}
	}
}

// tableMentions yields the rows of a table, and reports whether to go on.
func (s Scheme) tableMentions(ctx context.Context, files dataset.Files, rows Rows, f dataset.File, bad *unreads, yield func(mention, error) bool) bool {
	folder, err := s.folderOf(ctx, files, rows, f)
	if err != nil {
		return yield(mention{}, err)
	}
	for row, err := range rows(ctx, files, f, s.Columns()) {
		switch {
		case err != nil:
			yield(mention{}, fmt.Errorf("table %s: %w", f.Path, err))
			return false
		case row.Unread != nil:
			bad.add(*row.Unread)
			continue
		case row.Values[s.match.path] == "":
			bad.add(unreadColumn(f.Path, row.Number, s.Path, "names no file"))
			continue
		}
		m := mention{path: path.Join(folder, cleanPath(row.Values[s.match.path])), row: row, where: f.Path, line: row.Number, table: true}
		if m.split, err = s.rowMethod(row); err != nil {
			bad.add(unreadColumn(f.Path, row.Number, s.methodColumn(), err.Error()))
		}
		if !yield(m, nil) {
			return false
		}
	}
	return true
}

func unreadColumn(path string, row int64, column, why string) dataset.Unread {
	return dataset.Unread{Path: path, Place: fmt.Sprintf("row %d, column %s", row, column), Why: why}
}

// lookAhead bounds the rows that folderOf looks at.
const lookAhead = 100

// folderOf returns what the paths of a table are relative to: the folder of
// the table, or else the root. The first row that names a file either way
// tells.
func (s Scheme) folderOf(ctx context.Context, files dataset.Files, rows Rows, f dataset.File) (string, error) {
	folder := path.Dir(f.Path)
	if folder == "." {
		return "", nil
	}
	looked := 0
	for row, err := range rows(ctx, files, f, []string{s.Path}) {
		if err != nil {
			return "", fmt.Errorf("table %s: %w", f.Path, err)
		}
		if row.Unread != nil || row.Values[0] == "" {
			continue
		}
		for _, base := range []string{folder, ""} {
			found, err := files.Lookup(ctx, path.Join(base, cleanPath(row.Values[0])))
			if err != nil || found != nil {
				return base, err
			}
		}
		if looked++; looked == lookAhead {
			break
		}
	}
	return folder, nil
}

// maxUnread bounds what is told of unreadable rows.
const maxUnread = 1000

// unreads collects what could not be read; beyond maxUnread it only counts.
type unreads struct {
	list  []dataset.Unread
	total int64
}

func (u *unreads) add(what dataset.Unread) {
	if u.total++; len(u.list) < maxUnread {
		u.list = append(u.list, what)
	}
}
