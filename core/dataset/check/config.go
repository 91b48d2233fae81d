package check

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// Rules are all rules, in the order in which they are checked and told.
var Rules = []dataset.Rule{
	dataset.RuleOverlap, dataset.RuleContent, dataset.RuleGroups, dataset.RuleFrozen, dataset.RuleMoved,
	dataset.RuleRows, dataset.RuleNear, dataset.RuleLabels, dataset.RuleDrift, dataset.RuleCovered, dataset.RuleReadable,
}

// defaults are the levels of rules of which mlvc.toml says nothing. Some have
// a condition beside: groups must be declared, labels found, limits of drift
// given.
var defaults = map[dataset.Rule]dataset.Level{
	dataset.RuleOverlap: dataset.Error, dataset.RuleCovered: dataset.Warn, dataset.RuleContent: dataset.Error,
	dataset.RuleRows: dataset.Warn, dataset.RuleGroups: dataset.Error, dataset.RuleFrozen: dataset.Error,
	dataset.RuleMoved: dataset.Error, dataset.RuleNear: dataset.Warn, dataset.RuleLabels: dataset.Warn,
	dataset.RuleDrift: dataset.Warn, dataset.RuleReadable: dataset.Warn,
}

// Config is what [checks] in mlvc.toml says. The zero Config says nothing.
type Config struct {
	// Levels are those that are set; Level has the defaults too.
	Levels map[dataset.Rule]dataset.Level
	Near   Near
	Labels Labeling
	Drift  Drift
	Moved  Moved
	// Ignore are the columns without which rows are compared.
	Ignore []string
}

// The bounds of the limits of Near; beyond them everything is like everything.
const (
	MaxImages = 15
	MinText   = 0.6
)

// Near are the limits within which two samples are near-duplicates.
type Near struct {
	Images    int     // bits of difference of perceptual hashes; -1: images are not compared; 0: the default
	Text      float64 // Jaccard similarity from which texts are the same; 0: the default
	Rotations bool    // images are compared rotated and flipped as well
}

// Labeling says how labels are found.
type Labeling struct {
	Format string // "" is detected
}

// Drift are the limits of how far a split may go from the parent commit's.
type Drift struct {
	Classes float64 // total variation distance of the shares of classes; 0: no limit
	Size    float64 // part of the former number of samples; 0: no limit
}

// Moved says which splits are for evaluation and which are for training, as
// patterns of path.Match on their names.
type Moved struct{ From, To []string }

// DefaultMoved are the names by which splits are known without being told;
// frozen and sealed splits are for evaluation whatever their names.
var DefaultMoved = Moved{
	From: []string{"test*", "val*", "dev*", "eval*", "holdout*"},
	To:   []string{"train*"},
}

// Level returns the level of a rule, set or by default.
func (c Config) Level(rule dataset.Rule) dataset.Level {
	if level, ok := c.Levels[rule]; ok {
		return level
	}
	return defaults[rule]
}

// set reports whether mlvc.toml names the rule.
func (c Config) set(rule dataset.Rule) bool {
	_, ok := c.Levels[rule]
	return ok
}

// ConfigError is a key of [checks] that cannot be followed.
type ConfigError struct {
	Key  string // "checks.near.images"
	What string
	Hint string // what to write instead
	// Known are the words that can stand where Key has one that is unknown.
	Known []string
}

func (e *ConfigError) Error() string { return e.Key + ": " + e.What }

// Parse reads the decoded [checks] table of mlvc.toml. It fails with a
// *ConfigError that names the key.
func Parse(tree map[string]any) (Config, error) {
	c := Config{Levels: map[dataset.Rule]dataset.Level{}}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		rule := dataset.Rule(key)
		if !slices.Contains(Rules, rule) {
			return Config{}, &ConfigError{"checks." + key, "there is no such check", "checks are " + join(Rules), names(Rules)}
		}
		if err := c.rule(rule, tree[key]); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

// rule reads what is said of one rule: a level, or a table with limits.
func (c *Config) rule(rule dataset.Rule, value any) error {
	table, ok := value.(map[string]any)
	if !ok {
		return c.level(rule, "checks."+string(rule), value)
	}
	c.Levels[rule] = defaults[rule]
	for _, key := range slices.Sorted(maps.Keys(table)) {
		name := "checks." + string(rule) + "." + key
		var err error
		switch read, known := c.options(rule)[key]; {
		case key == "level":
			err = c.level(rule, name, table[key])
		case known:
			err = read(name, table[key])
		default:
			err = &ConfigError{name, "the check has no such limit", "it has " + strings.Join(c.keys(rule), ", "), c.keys(rule)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) level(rule dataset.Rule, key string, value any) error {
	level, ok := value.(string)
	if l := dataset.Level(level); ok && (l == dataset.Error || l == dataset.Warn || l == dataset.Off) {
		c.Levels[rule] = l
		return nil
	}
	return &ConfigError{key, fmt.Sprintf("%v is not a level", quoted(value)), `levels are "error", "warn" and "off"`, nil}
}

// option reads the value of a limit.
type option func(key string, value any) error

// options are the limits that a rule has, by key.
func (c *Config) options(rule dataset.Rule) map[string]option {
	switch rule {
	case dataset.RuleNear:
		return map[string]option{"images": bits(&c.Near.Images), "text": likeness(&c.Near.Text), "rotations": yes(&c.Near.Rotations)}
	case dataset.RuleRows:
		return map[string]option{"ignore": texts(&c.Ignore)}
	case dataset.RuleLabels:
		return map[string]option{"format": word(&c.Labels.Format, "folder", "yolo", "voc", "coco")}
	case dataset.RuleDrift:
		return map[string]option{"classes": fraction(&c.Drift.Classes), "size": positive(&c.Drift.Size)}
	case dataset.RuleMoved:
		return map[string]option{"from": patterns(&c.Moved.From), "to": patterns(&c.Moved.To)}
	}
	return nil
}

func (c *Config) keys(rule dataset.Rule) []string {
	return append([]string{"level"}, slices.Sorted(maps.Keys(c.options(rule)))...)
}

func bits(to *int) option {
	return func(key string, value any) error {
		n, ok := value.(int64)
		switch {
		case ok && n >= 1 && n <= MaxImages:
			*to = int(n)
		case value == false:
			*to = -1
		default:
			return &ConfigError{key, fmt.Sprintf("%v is not a number of bits", quoted(value)), fmt.Sprintf("1 to %d, or false to leave images out", MaxImages), nil}
		}
		return nil
	}
}

func number(value any) (float64, bool) {
	switch n := value.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func fraction(to *float64) option {
	return func(key string, value any) error {
		n, ok := number(value)
		if !ok || !(n > 0 && n <= 1) {
			return &ConfigError{key, fmt.Sprintf("%v is not a part of 1", quoted(value)), "a number above 0, at most 1", nil}
		}
		*to = n
		return nil
	}
}

func likeness(to *float64) option {
	return func(key string, value any) error {
		n, ok := number(value)
		if !ok || !(n >= MinText && n <= 1) {
			return &ConfigError{key, fmt.Sprintf("%v is not a similarity that can be looked for", quoted(value)), fmt.Sprintf("a number from %g to 1", MinText), nil}
		}
		*to = n
		return nil
	}
}

func positive(to *float64) option {
	return func(key string, value any) error {
		n, ok := number(value)
		if !ok || !(n > 0 && n <= 1e6) {
			return &ConfigError{key, fmt.Sprintf("%v is not a limit", quoted(value)), "a number above 0; 0.2 is 20 %", nil}
		}
		*to = n
		return nil
	}
}

func yes(to *bool) option {
	return func(key string, value any) error {
		b, ok := value.(bool)
		if !ok {
			return &ConfigError{key, fmt.Sprintf("%v is neither true nor false", quoted(value)), "true or false", nil}
		}
		*to = b
		return nil
	}
}

func word(to *string, words ...string) option {
	return func(key string, value any) error {
		s, ok := value.(string)
		if !ok || !slices.Contains(words, s) {
			return &ConfigError{key, fmt.Sprintf("%v is not known", quoted(value)), "one of " + strings.Join(words, ", "), nil}
		}
		*to = s
		return nil
	}
}

func texts(to *[]string) option {
	return func(key string, value any) error {
		list, ok := value.([]any)
		out := make([]string, 0, len(list))
		for _, v := range list {
			s, text := v.(string)
			ok = ok && text && s != ""
			out = append(out, s)
		}
		if !ok {
			return &ConfigError{key, fmt.Sprintf("%v is not a list of names", quoted(value)), `a list such as ["id"]`, nil}
		}
		*to = out
		return nil
	}
}

func patterns(to *[]string) option {
	return func(key string, value any) error {
		if err := texts(to)(key, value); err != nil {
			return err
		}
		for _, p := range *to {
			if _, err := path.Match(p, ""); err != nil {
				return &ConfigError{key, fmt.Sprintf("%q is not a pattern", p), `a name of a split, with * for any letters`, nil}
			}
		}
		return nil
	}
}

func quoted(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

func join(rules []dataset.Rule) string { return strings.Join(names(rules), ", ") }

func names(rules []dataset.Rule) []string {
	list := make([]string, len(rules))
	for i, r := range rules {
		list[i] = string(r)
	}
	return list
}
