package core

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/core/dataset/export"
	"github.com/mlvc/mlvc/objects/vfs"
)

// The files beside `.mlvc` that are part of every tree and never samples.
const (
	RulesFile  = "mlvc.toml"
	IgnoreFile = ".mlvcignore"
)

// Rules are what mlvc.toml says. It is versioned with the data.
type Rules struct {
	// Track are the files and folders that are the dataset, relative to the
	// repository's root; "." is everything.
	Track []string  `toml:"track"`
	Kinds KindRules `toml:"kinds"`
	// Splits and Checks are the tables that core/dataset reads.
	Splits map[string]any `toml:"splits"`
	Checks map[string]any `toml:"checks"`
	// Dataset is what is said of the data to others.
	Dataset export.About `toml:"dataset"`
	// Away: there is no mlvc.toml, in a dataset that is paired with git. Git
	// has taken it away with its revision, and Track is what was tracked last.
	Away bool `toml:"-"`
}

// RulesAwayError refuses what would read an mlvc.toml that is not there as
// one that says nothing: everything in the folder would become data.
type RulesAwayError struct{ Root string }

func (e *RulesAwayError) Error() string {
	return fmt.Sprintf("there is no %s in %s: the revision that git has checked out has no dataset", RulesFile, e.Root)
}

// KindRules are the limits by which `--type auto` decides.
type KindRules struct {
	// MaxChainRatio: full when the bytes of the chain exceed this many times
	// the full's.
	MaxChainRatio float64 `toml:"max_chain_ratio"`
	// MaxChain: full when the chain would be longer than this.
	MaxChain int `toml:"max_chain"`
	// MaxFullAgeDays: full when the last full is older. 0: never for its age.
	MaxFullAgeDays int `toml:"max_full_age_days"`
	// DifferentialRatio: differential when it costs at most this many times
	// the incremental.
	DifferentialRatio float64 `toml:"differential_ratio"`
	// DifferentialAfter: differential when the chain is longer than this.
	DifferentialAfter int `toml:"differential_after"`
}

// DefaultRules are those of an mlvc.toml that says nothing.
func DefaultRules() Rules {
	return Rules{
		Track: []string{"."},
		Kinds: KindRules{MaxChainRatio: 2, MaxChain: 30, DifferentialRatio: 1.5, DifferentialAfter: 7},
	}
}

// RulesError says what is wrong in mlvc.toml, and where.
type RulesError struct {
	Where string // file:line:column, or the file
	What  string
}

func (e *RulesError) Error() string { return fmt.Sprintf("%s: %s", e.Where, e.What) }

// ParseRules reads the text of an mlvc.toml. Keys that this version does not
// know are an error: they could be rules that must hold.
func ParseRules(text []byte) (Rules, error) {
	r := DefaultRules()
	d := toml.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Rules{}, rulesError(err)
	}
	for i, t := range r.Track {
		clean := path.Clean(filepath.ToSlash(t))
		if t == "" || path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
			return Rules{}, &RulesError{RulesFile, fmt.Sprintf("track: %q is not a path below the repository's folder", t)}
		}
		r.Track[i] = clean
	}
	if len(r.Track) == 0 {
		return Rules{}, &RulesError{RulesFile, "track is empty: nothing would be versioned; name folders, or \".\" for everything"}
	}
	k := r.Kinds
	if k.MaxChainRatio <= 0 || k.MaxChain < 1 || k.MaxFullAgeDays < 0 || k.DifferentialRatio < 0 || k.DifferentialAfter < 0 {
		return Rules{}, &RulesError{RulesFile, "kinds: limits must be positive numbers"}
	}
	return r, nil
}

func rulesError(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, col := strict.Errors[0].Position()
		words := strict.Errors[0].Key()
		last := len(words) - 1
		what := fmt.Sprintf("unknown key %q", strings.Join(words, ".")) + meant(words[last], rulesKeys(words[:last]))
		return &RulesError{fmt.Sprintf("%s:%d:%d", RulesFile, row, col), what}
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		row, col := decode.Position()
		return &RulesError{fmt.Sprintf("%s:%d:%d", RulesFile, row, col), strings.TrimPrefix(decode.Error(), "toml: ")}
	}
	return &RulesError{RulesFile, err.Error()}
}

// Rules reads the working mlvc.toml.
func (r *Repo) Rules() (Rules, error) { return readRules(r.env.FS, r.root) }

// readRules reads the working mlvc.toml; one that is not there says nothing,
// or, where git took it away, what was tracked before.
func readRules(fsys vfs.FS, root string) (Rules, error) {
	text, err := vfs.ReadFile(fsys, filepath.Join(root, RulesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return rulesWithout(fsys, root)
	}
	if err != nil {
		return Rules{}, err
	}
	return ParseRules(text)
}

// rulesWithout are the rules where there is no mlvc.toml.
func rulesWithout(fsys vfs.FS, root string) (Rules, error) {
	rules := DefaultRules()
	p, err := readPairing(fsys, filepath.Join(root, Dir))
	if err != nil || p == nil {
		return rules, err
	}
	rules.Track, rules.Away = nil, true
	for _, file := range p.Pointers {
		rules.Track = append(rules.Track, trackOf(file))
	}
	return rules, nil
}
