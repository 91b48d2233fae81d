package core

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/core/dataset/split"
)

// How a scheme is changed in mlvc.toml
//
//  1. The text is cut into statements: a header, a key with its value, or what
//     lies between.
//  2. Only the statements of the keys concerned are replaced, added or taken
//     out, so that comments and everything else stay byte for byte.
//  3. The new text must say what the old one did, but for these keys: both are
//     decoded and compared. What the cut of (1) has misread shows here, and
//     nothing is written.

// SchemeEdit is what of a scheme is changed in mlvc.toml; what is empty stays
// as it is.
type SchemeEdit struct {
	// Ratios are the splits and their shares; of Ratios, Folds and Column one
	// is given at most, and takes the place of the others.
	Ratios []SplitShare
	Folds  int
	Column string
	Seed   string
	// Group and Stratify are a regular expression on the path, or column:NAME;
	// Stratify may be the word folder.
	Group, Stratify string
	Of, Table       []string
	Path            string
	// Redraw gives the scheme another seed, so that everything is drawn anew.
	Redraw bool
}

// SplitShare is the share of a split, as a number is written.
type SplitShare struct{ Split, Share string }

func (e SchemeEdit) isZero() bool { return reflect.DeepEqual(e, SchemeEdit{}) }

// CannotEditError is for a change of mlvc.toml that must be made by hand.
type CannotEditError struct {
	Why  string
	Text string // what to write
}

func (e *CannotEditError) Error() string { return RulesFile + " was not changed: " + e.Why }

// setting is a key and the text of its value; an empty value takes the key
// out.
type setting struct{ key, value string }

// settings are the keys that an edit sets, in the order in which they are
// written.
func (e SchemeEdit) settings(now map[string]any) ([]setting, error) {
	for _, r := range e.Ratios {
		if !share.MatchString(r.Share) {
			return nil, &UsageError{What: fmt.Sprintf("%q is no share of a split", r.Share), Hint: "write numbers, as in train=80,val=10,test=10"}
		}
	}
	var list []setting
	set := func(key, value string, given bool) {
		if given {
			list = append(list, setting{key, value})
		}
	}
	set("of", tomlTexts(e.Of), len(e.Of) > 0)
	set("table", tomlTexts(e.Table), len(e.Table) > 0)
	set("path", tomlText(e.Path), e.Path != "")
	ways := 0
	way := func(key, value string, given bool) {
		if given {
			ways++
		}
		set(key, value, given)
	}
	way("ratios", tomlRatios(e.Ratios), len(e.Ratios) > 0)
	way("folds", strconv.Itoa(e.Folds), e.Folds != 0)
	way("column", tomlText(e.Column), e.Column != "")
	if ways > 1 {
		return nil, &UsageError{What: "a scheme divides in one way", Hint: "give one of --ratios, --folds and --column"}
	}
	if ways == 1 {
		for _, other := range []string{"ratios", "folds", "column"} {
			if now[other] != nil && !slices.ContainsFunc(list, func(s setting) bool { return s.key == other }) {
				list = append(list, setting{other, ""})
			}
		}
	}
	if e.Column != "" && now["seed"] != nil {
		list = append(list, setting{"seed", ""})
	}
	seed := e.Seed
	if e.Redraw && seed == "" {
		old, _ := now["seed"].(string)
		seed = nextSeed(old)
	}
	set("seed", tomlText(seed), seed != "")
	set("group", tomlKey(e.Group), e.Group != "")
	set("stratify", tomlKey(e.Stratify), e.Stratify != "")
	return list, nil
}

var lastDigits = regexp.MustCompile(`[0-9]{1,9}$`)

// nextSeed is a seed that was not used before, as far as seeds were made here:
// its number is one more.
func nextSeed(seed string) string {
	if seed == "" {
		return "2"
	}
	if at := lastDigits.FindStringIndex(seed); at != nil {
		n, _ := strconv.Atoi(seed[at[0]:]) // nine digits at most
		return seed[:at[0]] + strconv.Itoa(n+1)
	}
	return seed + "-2"
}

// EditScheme returns the text of an mlvc.toml with one scheme changed, or made.
// It fails with a *CannotEditError where that is not sure to be what is meant,
// and with a *RulesError where the outcome breaks the rules of [splits].
func EditScheme(text []byte, scheme string, e SchemeEdit) ([]byte, error) {
	before, err := decodeTOML(text)
	if err != nil {
		return nil, err
	}
	now, err := schemeIn(before, scheme)
	if err != nil {
		return nil, err
	}
	settings, err := e.settings(now)
	if err != nil {
		return nil, err
	}
	if err := e.agrees(scheme, now); err != nil {
		return nil, err
	}
	out := cutTOML(text).edit(scheme, settings)
	if err := checkEdit(before, out, scheme, settings); err != nil {
		return nil, err
	}
	rules, err := ParseRules(out)
	if err == nil {
		_, err = rules.schemes()
	}
	return out, err
}

// agrees refuses a way to divide where the scheme has one that cannot be taken
// out without loss.
func (e SchemeEdit) agrees(scheme string, now map[string]any) error {
	if len(e.Ratios) == 0 && e.Folds == 0 && e.Column == "" {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		how := ""
		switch {
		case key == "time":
			how = "time"
		case isSplitName(key):
			how = "globs (" + key + ")"
		}
		if how != "" {
			return &UsageError{
				What: fmt.Sprintf("the scheme %s divides by %s already", scheme, how),
				Hint: "give the new one another name: mlvc split assign NAME …; schemes stand side by side",
			}
		}
	}
	return nil
}

// isSplitName reports whether a key of a scheme is a split, and no option.
func isSplitName(key string) bool {
	return !slices.Contains([]string{"column", "folds", "frozen", "group", "of", "path", "ratios", "sealed", "seed", "stratify", "table", "time"}, key)
}

func decodeTOML(text []byte) (map[string]any, error) {
	tree := make(map[string]any)
	if err := toml.Unmarshal(text, &tree); err != nil {
		return nil, rulesError(err)
	}
	return tree, nil
}

// schemeIn finds what a text says of a scheme; nil: nothing.
func schemeIn(tree map[string]any, scheme string) (map[string]any, error) {
	splits, _ := tree["splits"].(map[string]any)
	if scheme != split.Default {
		sub, isTable := splits[scheme].(map[string]any)
		if splits[scheme] != nil && !isTable {
			return nil, &UsageError{What: fmt.Sprintf("%s is a split of the default scheme, and no scheme", scheme), Hint: "choose another name for the scheme"}
		}
		return sub, nil
	}
	own := make(map[string]any)
	for key, value := range splits {
		if _, isTable := value.(map[string]any); !isTable || !isSplitName(key) {
			own[key] = value
		}
	}
	if len(own) == 0 {
		return nil, nil
	}
	return own, nil
}

// checkEdit fails unless the new text says what the old one did, but for the
// settings.
func checkEdit(before map[string]any, text []byte, scheme string, settings []setting) error {
	refuse := func(why string) error { return &CannotEditError{Why: why, Text: schemeText(scheme, settings)} }
	after, err := decodeTOML(text)
	if err != nil {
		return refuse("what stands there of the scheme is not written as a table of its own")
	}
	want := withSettings(before, scheme, settings)
	if !reflect.DeepEqual(after, want) {
		return refuse("it is not sure that only the scheme " + scheme + " would change")
	}
	return nil
}

// withSettings returns a decoded text with the settings.
func withSettings(tree map[string]any, scheme string, settings []setting) map[string]any {
	tree = maps.Clone(tree)
	splits, _ := tree["splits"].(map[string]any)
	if splits = maps.Clone(splits); splits == nil {
		splits = make(map[string]any)
	}
	own := splits
	if scheme != split.Default {
		sub, _ := splits[scheme].(map[string]any)
		if own = maps.Clone(sub); own == nil {
			own = make(map[string]any)
		}
		splits[scheme] = own
	}
	for _, s := range settings {
		if s.value == "" {
			delete(own, s.key)
			continue
		}
		one, err := decodeTOML([]byte("v = " + s.value))
		if err != nil {
			continue // the new text does not decode either
		}
		own[s.key] = one["v"]
	}
	tree["splits"] = splits
	return tree
}

// header is the line above a scheme.
func header(scheme string) string {
	switch {
	case scheme == split.Default:
		return "[splits]"
	case !bareKey.MatchString(scheme):
		return "[splits." + tomlText(scheme) + "]"
	}
	return "[splits." + scheme + "]"
}

// schemeText is a scheme by itself.
func schemeText(scheme string, settings []setting) string {
	var b strings.Builder
	b.WriteString(header(scheme) + "\n")
	for _, s := range settings {
		if s.value != "" {
			b.WriteString(s.key + " = " + s.value + "\n")
		}
	}
	return b.String()
}

// tomlDocument is a text cut into statements.
type tomlDocument struct {
	statements []statement
	newline    string
}

// statement is a piece of the text: a header, a key with its value, both to the
// end of their last line, or what lies between.
type statement struct {
	text []byte
	name string // of a header "[splits.x]", of a key the key; empty: neither
	head bool
	end  int // of a key: where its value ends, before a comment
}

func cutTOML(text []byte) *tomlDocument {
	r := &tomlDocument{newline: "\n"}
	if bytes.Contains(text, []byte("\r\n")) {
		r.newline = "\r\n"
	}
	for len(text) > 0 {
		s := cutStatement(text)
		text = text[len(s.text):]
		r.statements = append(r.statements, s)
	}
	return r
}

var (
	headLine = regexp.MustCompile(`^[ \t]*\[[ \t]*([^\[\]#]+?)[ \t]*\]`)
	bareKey  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	share    = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	keyStart = regexp.MustCompile(`^[ \t]*([A-Za-z0-9_-]+)[ \t]*=`)
)

// cutStatement cuts off the first statement of a text. Texts and arrays of
// several lines belong to their key.
func cutStatement(text []byte) statement {
	line := lineOf(text, 0)
	if m := headLine.FindSubmatch(line); m != nil {
		return statement{text: line, name: "[" + string(m[1]) + "]", head: true}
	}
	m := keyStart.FindSubmatchIndex(line)
	if m == nil {
		return statement{text: line}
	}
	end := valueEnd(text, m[1])
	return statement{text: text[:end+len(lineOf(text, end))], name: string(text[m[2]:m[3]]), end: end}
}

// lineOf is the rest of a line, its end included.
func lineOf(text []byte, at int) []byte {
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		return text[at : at+n+1]
	}
	return text[at:]
}

// valueEnd returns where the value that begins at a place ends: at the end of
// the line or a comment outside of all texts and brackets. Blanks before that
// are not part of it.
func valueEnd(text []byte, at int) int {
	depth, last := 0, at
	for at < len(text) {
		switch c := text[at]; {
		case c == '"' || c == '\'':
			at = textEnd(text, at)
			last = at
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == '#' && depth > 0:
			at += len(bytes.TrimRight(lineOf(text, at), "\r\n"))
			continue
		case c == '#', c == '\n' && depth <= 0:
			return last
		}
		if c := text[at]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			last = at + 1
		}
		at++
	}
	return last
}

// textEnd returns where a quoted text ends.
func textEnd(text []byte, at int) int {
	quote := text[at : at+1]
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(text[at:], triple) {
		quote = triple
	}
	at += len(quote)
	for at < len(text) {
		switch {
		case text[at] == '\\' && quote[0] == '"':
			at += 2
		case bytes.HasPrefix(text[at:], quote):
			for at += len(quote); len(quote) == 3 && at < len(text) && text[at] == quote[0]; at++ { // quotes before the last three
			}
			return at
		case text[at] == '\n' && len(quote) == 1:
			return at // not closed: the text is no TOML
		default:
			at++
		}
	}
	return len(text)
}

// edit makes the settings of one scheme.
func (r *tomlDocument) edit(scheme string, settings []setting) []byte {
	begin := slices.IndexFunc(r.statements, func(s statement) bool { return s.head && sameHeader(s.name, scheme) })
	if begin < 0 {
		return r.appended(schemeText(scheme, settings))
	}
	end := begin + 1
	for end < len(r.statements) && !r.statements[end].head {
		end++
	}
	section := r.section(slices.Clone(r.statements[begin:end]), settings)
	return joinStatements(slices.Concat(r.statements[:begin], section, r.statements[end:]))
}

func sameHeader(name, scheme string) bool {
	plain := strings.NewReplacer(" ", "", "\t", "", `"`, "", "'", "")
	return plain.Replace(name) == plain.Replace(header(scheme))
}

// section makes the settings in the statements of one scheme; keys that are
// not there yet come after the last one.
func (r *tomlDocument) section(list []statement, settings []setting) []statement {
	for _, s := range settings {
		at := slices.IndexFunc(list, func(st statement) bool { return !st.head && st.name == s.key })
		switch {
		case at >= 0 && s.value == "":
			list = slices.Delete(list, at, at+1)
		case at >= 0:
			list[at].text = replaceValue(list[at], s.value)
		case s.value != "":
			last := 0
			for i, st := range list {
				if st.name != "" {
					last = i
				}
			}
			if t := list[last].text; !bytes.HasSuffix(t, []byte("\n")) {
				list[last].text = append(slices.Clone(t), r.newline...)
			}
			list = slices.Insert(list, last+1, statement{text: []byte(s.key + " = " + s.value + r.newline), name: s.key})
		}
	}
	return list
}

// replaceValue keeps how the key is written, and a comment behind the value.
func replaceValue(s statement, value string) []byte {
	m := keyStart.FindIndex(s.text)
	out := append(bytes.Clone(s.text[:m[1]]), " "+value...)
	return append(out, s.text[s.end:]...)
}

// appended is the text with a new table at its end.
func (r *tomlDocument) appended(text string) []byte {
	out := joinStatements(r.statements)
	switch {
	case len(out) > 0 && out[len(out)-1] != '\n':
		out = append(out, r.newline+r.newline...)
	case len(out) > 0:
		out = append(out, r.newline...)
	}
	return append(out, strings.ReplaceAll(text, "\n", r.newline)...)
}

func joinStatements(list []statement) []byte {
	var out []byte
	for _, s := range list {
		out = append(out, s.text...)
	}
	return out
}

// tomlText writes a text: as it is where that is possible, which spares
// expressions their second backslashes.
func tomlText(s string) string {
	if !strings.ContainsAny(s, `\"`) && strings.IndexFunc(s, odd) < 0 {
		return `"` + s + `"`
	}
	if !strings.Contains(s, "'") && strings.IndexFunc(s, odd) < 0 {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case odd(c):
			fmt.Fprintf(&b, `\U%08X`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String() + `"`
}

// odd reports what a text in TOML may not have as it is.
func odd(c rune) bool { return c < ' ' || c == 0x7f }

func tomlTexts(list []string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = tomlText(s)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func tomlRatios(ratios []SplitShare) string {
	words := make([]string, 0, len(ratios))
	for _, r := range ratios {
		key := r.Split
		if !bareKey.MatchString(key) {
			key = tomlText(key)
		}
		words = append(words, key+" = "+r.Share)
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// tomlKey writes a group or class: column:NAME is a column, the rest an
// expression or a word.
func tomlKey(s string) string {
	if column, ok := strings.CutPrefix(s, "column:"); ok {
		return "{ column = " + tomlText(column) + " }"
	}
	return tomlText(s)
}
