package split

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// KeyError says what is wrong with a key of [splits], and the way out.
type KeyError struct {
	Key  string // "splits.folds.ratios"
	What string
}

func (e *KeyError) Error() string { return e.Key + ": " + e.What }

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	// options are the words that cannot name a split.
	options = []string{"column", "folds", "frozen", "group", "of", "path", "ratios", "sealed", "seed", "stratify", "table", "time"}
)

// Options are the words that say how a scheme divides.
func Options() []string { return slices.Clone(options) }

const nameRule = "is no name (want letters, digits, \".\", \"_\" and \"-\", a letter or digit first)"

// maxSplits bounds the splits of a scheme.
const maxSplits = 1000

// Parse reads the decoded table [splits], the default scheme first, the others
// by name. Keys that this version does not know are an error: they could be
// rules that must hold. Every error is a *KeyError.
func Parse(tree map[string]any) ([]Scheme, error) {
	own := make(map[string]any)
	var schemes []Scheme
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		sub, isTable := tree[key].(map[string]any)
		if isTable && slices.Contains(options, key) && !slices.Contains(tables, key) {
			return nil, &KeyError{"splits." + key, fmt.Sprintf("%q says how a scheme divides, so no scheme can have the name", key)}
		}
		if !isTable || slices.Contains(options, key) {
			own[key] = tree[key]
			continue
		}
		where := "splits." + key
		if !nameForm.MatchString(key) {
			return nil, &KeyError{where, fmt.Sprintf("%q %s", key, nameRule)}
		}
		s, err := declared(key, where, sub)
		if err != nil {
			return nil, err
		}
		schemes = append(schemes, s)
	}
	if len(own) == 0 {
		return schemes, nil
	}
	if slices.ContainsFunc(schemes, func(s Scheme) bool { return s.Name == Default }) {
		return nil, &KeyError{"splits." + Default, "[splits] itself is the scheme of that name; give this one another"}
	}
	s, err := declared(Default, "splits", own)
	return append([]Scheme{s}, schemes...), err
}

// declared reads a scheme of mlvc.toml. What a commit's rule may have from
// before, and means nothing, is refused here.
func declared(name, where string, tree map[string]any) (Scheme, error) {
	s, err := parseScheme(name, where, tree)
	if err == nil && s.OfRows() && len(s.Sealed) > 0 {
		return Scheme{}, &KeyError{where + ".sealed", "rows of a table cannot be left out: put them into a file of their own, or use frozen"}
	}
	return s, err
}

// tables are the options whose values can be tables.
var tables = []string{"ratios", "time", "group", "stratify"}

// parser reads one scheme; the first error stays.
type parser struct {
	where string
	tree  map[string]any
	err   error
}

func parseScheme(name, where string, tree map[string]any) (Scheme, error) {
	p := &parser{where: where, tree: tree}
	s := Scheme{
		Name: name, Of: p.patterns("of"), Table: p.patterns("table"),
		Path: p.text("path"), Column: p.text("column"), Seed: p.text("seed"),
		Group: p.key("group"), Label: p.key("stratify"), Time: p.time(),
		Folds: p.count("folds"), Ratios: p.ratios(), Globs: p.globs(),
	}
	for i := range s.Folds {
		s.Ratios = append(s.Ratios, Ratio{foldName(i + 1), 1})
	}
	p.agree(s)
	s.Sealed = p.among("sealed", s.Names())
	s.Frozen = slices.Concat(p.among("frozen", s.Names()), s.Sealed)
	slices.Sort(s.Frozen)
	s.Frozen = slices.Compact(s.Frozen)
	if p.err != nil {
		return Scheme{}, p.err
	}
	s.compile()
	return s, nil
}

func (p *parser) has(key string) bool { return p.tree[key] != nil }

func (p *parser) fail(key, format string, args ...any) {
	if p.err == nil {
		p.err = &KeyError{strings.TrimSuffix(p.where+"."+key, "."), fmt.Sprintf(format, args...)}
	}
}

func (p *parser) text(key string) string {
	if !p.has(key) {
		return ""
	}
	text, ok := p.tree[key].(string)
	if !ok || text == "" {
		p.fail(key, "want a text that is not empty")
	}
	return text
}

func (p *parser) count(key string) int {
	if !p.has(key) {
		return 0
	}
	n, ok := integer(p.tree[key])
	if !ok || n < 2 || n > maxSplits {
		p.fail(key, "want a number from 2 to %d", maxSplits)
		return 0
	}
	return int(n)
}

// texts reads a text or an array of texts.
func (p *parser) texts(key string) []string {
	var list []string
	switch v := p.tree[key].(type) {
	case nil:
		return nil
	case string:
		list = []string{v}
	case []any:
		for _, e := range v {
			text, ok := e.(string)
			if !ok {
				p.fail(key, "want an array of texts")
				return nil
			}
			list = append(list, text)
		}
	default:
		p.fail(key, "want a text or an array of texts")
	}
	return list
}

func (p *parser) patterns(key string) []string {
	list := p.texts(key)
	for _, pattern := range list {
		if what := badPattern(pattern); what != "" {
			p.fail(key, "%q %s", pattern, what)
		} else if _, isList := listFile(pattern); isList && slices.Contains(options, key) {
			p.fail(key, "%q: list files are for splits, such as train = [%q]", pattern, pattern)
		}
	}
	if p.has(key) && len(list) == 0 {
		p.fail(key, "is empty: it would name nothing")
	}
	return list
}

// globs reads what is no option: the splits by globs.
func (p *parser) globs() []Glob {
	var all []Glob
	for _, key := range slices.Sorted(maps.Keys(p.tree)) {
		if slices.Contains(options, key) {
			continue
		}
		switch _, isTable := p.tree[key].(map[string]any); {
		case isTable:
			p.fail(key, "a scheme inside a scheme; write [splits.%s]", key)
		case !nameForm.MatchString(key):
			p.fail(key, "%q %s", key, nameRule)
		}
		all = append(all, Glob{key, p.patterns(key)})
	}
	if len(all) > maxSplits {
		p.fail(all[maxSplits].Split, "more than %d splits", maxSplits)
	}
	return all
}

// key reads group and stratify: "folder", an expression, or a table.
func (p *parser) key(name string) *Key {
	if !p.has(name) {
		return nil
	}
	var k Key
	switch v := p.tree[name].(type) {
	case string:
		if k.Folder = v == "folder"; !k.Folder {
			k.Path = v
		}
	case map[string]any:
		q := p.sub(name, v, "column", "path")
		k.Column, k.Path = q.text("column"), q.text("path")
		p.take(q)
	default:
		p.fail(name, `want "folder", a regular expression on the path, or { column = "…" }`)
	}
	if !k.Folder && (k.Column == "") == (k.Path == "") {
		p.fail(name, `want either a regular expression on the path or { column = "…" }`)
	}
	if _, err := regexp.Compile(k.Path); err != nil {
		p.fail(name, "%v", err)
	}
	return &k
}

// sub returns a parser of the table at key, which may have these keys.
func (p *parser) sub(key string, tree map[string]any, known ...string) *parser {
	q := &parser{where: p.where + "." + key, tree: tree}
	for _, k := range slices.Sorted(maps.Keys(tree)) {
		if !slices.Contains(known, k) {
			q.fail(k, "unknown key (want one of: %s)", strings.Join(known, ", "))
		}
	}
	return q
}

func (p *parser) take(q *parser) {
	if p.err == nil {
		p.err = q.err
	}
}

// among reads names of splits; known is nil if the names are not known.
func (p *parser) among(key string, known []string) []string {
	list := p.texts(key)
	for _, name := range list {
		switch {
		case !nameForm.MatchString(name):
			p.fail(key, "%q %s", name, nameRule)
		case known != nil && !slices.Contains(known, name):
			p.fail(key, "there is no split %q (there are: %s)", name, strings.Join(known, ", "))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// agree checks that the keys of a scheme go together.
func (p *parser) agree(s Scheme) {
	var ways []string
	for _, way := range []string{"ratios", "folds", "column", "time"} {
		if p.has(way) {
			ways = append(ways, way)
		}
	}
	switch {
	case len(s.Globs) > 0 && len(ways) > 0:
		p.fail(ways[0], "splits by globs (%s) and by %s: one of them, or two schemes ([splits.NAME])", s.Globs[0].Split, ways[0])
	case len(ways) > 1:
		p.fail(ways[1], "with %s as well: one of them, or two schemes ([splits.NAME])", ways[0])
	case len(s.Globs) == 0 && len(ways) == 0:
		p.fail("", "names no splits; give globs (train = [\"train/**\"]), ratios, folds, column or time")
	}
	if len(s.Globs) > 0 && p.has("table") {
		p.fail("table", "with splits by globs; give column, ratios, folds or time, or leave it out")
	}
	if p.has("seed") && !s.Draws() && !p.has("ratios") && !p.has("folds") {
		p.fail("seed", "only ratios and folds draw; leave it out")
	}
	if len(s.Table) == 0 {
		p.needTable(s)
	} else if s.Path == "" {
		p.rowKeys(s)
	}
}

// needTable refuses columns where there is no table.
func (p *parser) needTable(s Scheme) {
	const what = "a column of which table? give table = \"…\""
	for _, key := range []string{"path", "column"} {
		if p.has(key) {
			p.fail(key, what)
		}
	}
	switch {
	case s.Group != nil && s.Group.Column != "":
		p.fail("group", what)
	case s.Label != nil && s.Label.Column != "":
		p.fail("stratify", what)
	case s.Time != nil && s.Time.Column != "":
		p.fail("time", what)
	}
}

// rowKeys refuses what needs files where the samples are rows.
func (p *parser) rowKeys(s Scheme) {
	const what = "the rows of the table are the samples, so give { column = \"…\" }; or path = \"…\", the column that names the file of each"
	switch {
	case p.has("of"):
		p.fail("of", "the rows of the table are the samples; leave it out, or give path = \"…\", the column that names the file of each")
	case s.Group != nil && s.Group.Column == "":
		p.fail("group", what)
	case s.Label != nil && s.Label.Column == "":
		p.fail("stratify", what)
	case s.Time != nil && s.Time.Column == "":
		p.fail("time", what)
	}
}
