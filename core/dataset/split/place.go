package split

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// place is what a scheme says of one sample by itself.
type place struct {
	value string // the splits, joined by commas; what is drawn is empty
	why   string // why there is none
	drawn bool   // the draw says it
	group string // its group; empty: a group by itself
	label string
}

// order returns the order of the sample's group.
func (s Scheme) order(path string, at place) groupID {
	if at.group == "" {
		return orderOf(s.Seed, byPath, path)
	}
	return orderOf(s.Seed, byKey, at.group)
}

// placer places the files of a scheme of files.
type placer struct {
	s Scheme
	l *listed // nil: nothing is listed
}

// place says where the file at p is; it must be a sample of the scheme.
func (pl placer) place(p string) place {
	var n *note
	if pl.l != nil {
		n = pl.l.find(p)
	}
	group, label := pl.said(n)
	at := place{label: keyOf(pl.s.Label, pl.s.match.label, p, label), group: keyOf(pl.s.Group, pl.s.match.group, p, group)}
	switch {
	case n == nil && len(pl.s.Table) > 0:
		at.why = "no table names it"
	case pl.s.Draws():
		at.drawn, at.why = true, "every split is frozen"
	case len(pl.s.Globs) > 0:
		at.value, at.why = pl.globs(p, n), "no glob or list names it"
	case pl.s.match.time != nil:
		at.value, at.why = pl.s.byTime(pathKey(pl.s.match.time, p))
	default:
		at.value, at.why = pl.l.values.texts[n.value], "its row names no split"
	}
	return at
}

func (pl placer) globs(p string, n *note) string {
	var in []string
	for i, g := range pl.s.Globs {
		if pl.s.match.splits[i].match(p) {
			in = append(in, g.Split)
		}
	}
	if n != nil && n.value != 0 {
		in = append(in, dataset.SplitNames(pl.l.values.texts[n.value])...)
	}
	slices.Sort(in)
	return strings.Join(slices.Compact(in), ",")
}

// said is what the tables say of a file; nothing of one that they do not name.
func (pl placer) said(n *note) (group, label string) {
	if n == nil {
		return "", ""
	}
	return pl.l.groups.texts[n.group], pl.l.labels.texts[n.label]
}

// keyOf reads a group or a class: off the path p, or it is what the column says.
func keyOf(k *Key, expression *regexp.Regexp, p, column string) string {
	switch {
	case k == nil:
		return ""
	case k.Column != "":
		return column
	}
	key, _ := k.ofPath(expression, p)
	return key
}

// ofPath reads a key off a path.
func (k Key) ofPath(expression *regexp.Regexp, p string) (string, bool) {
	if k.Folder {
		folder := path.Base(path.Dir(p))
		return folder, folder != "."
	}
	return pathKey(expression, p)
}

// pathKey returns the first group of the match, or all of it.
func pathKey(expression *regexp.Regexp, p string) (string, bool) {
	m := expression.FindStringSubmatchIndex(p)
	switch {
	case m == nil:
		return "", false
	case len(m) > 2 && m[2] >= 0:
		return p[m[2]:m[3]], true
	}
	return p[m[0]:m[1]], true
}

// byTime returns the split of a date, or why there is none.
func (s Scheme) byTime(text string, ok bool) (split, why string) {
	if !ok || text == "" {
		return "", "it has no date"
	}
	at, ok := parseDate(text)
	if !ok {
		return "", fmt.Sprintf("%q is no date", text)
	}
	for _, u := range s.Time.Until {
		if at.Before(u.At) {
			return u.Split, ""
		}
	}
	if s.Time.Rest == "" {
		return "", "it is later than every until"
	}
	return s.Time.Rest, ""
}

// joinSplits adds a split to a value.
func joinSplits(value, split string) string {
	in := append(dataset.SplitNames(value), split)
	slices.Sort(in)
	return strings.Join(slices.Compact(in), ",")
}

// rowMethod returns the split that a row names by its column or date; empty
// if the scheme draws.
func (s Scheme) rowMethod(row Row) (string, error) {
	switch {
	case s.Column != "":
		name := strings.TrimSpace(row.Values[s.match.column])
		if name != "" && !nameForm.MatchString(name) {
			return "", fmt.Errorf("%q %s", name, nameRule)
		}
		return name, nil
	case s.match.timeC >= 0:
		split, why := s.byTime(row.Values[s.match.timeC], true)
		if why != "" && split == "" {
			return "", fmt.Errorf("%s", why)
		}
		return split, nil
	}
	return "", nil
}

func (s Scheme) methodColumn() string {
	if s.Time != nil {
		return s.Time.Column
	}
	return s.Column
}
