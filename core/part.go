package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Part says which part of the dataset the working tree holds, and whether the
// repository has all contents. Exactly one of All, None and Paths is set, or
// Splits, which also go with Paths. The rules of the dataset (mlvc.toml and
// .mlvcignore at the root, and ignore files of folders in which a part lies)
// belong to every part.
//
// What lies outside of the part is neither written nor looked at nor deleted,
// and stays in every commit as it is in the parent.
type Part struct {
	// Promised: contents may be missing here, and are at Remote.
	Promised bool   `json:"promised,omitempty"`
	Remote   string `json:"remote,omitempty"` // its name; empty unless Promised
	// All: the working tree holds everything.
	All bool `json:"all,omitempty"`
	// Paths are clean patterns of package worktree, sorted.
	Paths []string `json:"paths,omitempty"`
	// None: no file but the rules.
	None bool `json:"none,omitempty"`
	// Splits leave out files by their splits, of each scheme at most once, by
	// name.
	Splits []SplitFilter `json:"splits,omitempty"`

	patterns *worktree.Patterns // of Paths; nil: not compiled yet
	left     *leftOut           // by Splits; nil: the tables were not read yet
}

// selectPart returns the part that patterns select.
func selectPart(patterns []string) (Part, error) {
	p := Part{}
	for _, text := range patterns {
		clean, err := worktree.CleanPattern(text)
		if err != nil {
			return Part{}, err
		}
		p.Paths = append(p.Paths, clean)
	}
	slices.Sort(p.Paths)
	p.Paths = slices.Compact(p.Paths)
	if slices.Contains(p.Paths, ".") {
		return Part{All: true}, nil
	}
	return p.compiled()
}

// check fails for a part that says nothing, or two things.
func (p Part) check() error {
	said := 0
	for _, is := range []bool{p.All, p.None, len(p.Paths) > 0} {
		if is {
			said++
		}
	}
	switch {
	case said > 1, said == 0 && len(p.Splits) == 0, len(p.Splits) > 0 && (p.All || p.None):
		return errors.New("a part is everything, nothing, or some paths or splits")
	case p.Promised != (p.Remote != ""):
		return errors.New("contents are promised by a remote, or they are all here")
	}
	return checkFilters(p.Splits)
}

// compiled returns the part with its patterns read.
func (p Part) compiled() (_ Part, err error) {
	p.patterns, err = worktree.ParsePatterns(p.Paths)
	return p, err
}

// Has reports whether a file or a symbolic link belongs to the part.
func (p Part) Has(path string) bool { return p.has(path, false) }

// HasFolder reports whether a folder belongs to the part: it does, or
// something that might lie below it.
func (p Part) HasFolder(path string) bool { return p.has(path, true) }

func (p Part) has(name string, folder bool) bool {
	switch {
	case p.All, name == RulesFile, name == IgnoreFile:
		return true
	case !folder && path.Base(name) != IgnoreFile && p.leaves(name):
		return false
	case len(p.Splits) > 0 && len(p.Paths) == 0:
		return true
	case p.patterns == nil:
		p.patterns, _ = worktree.ParsePatterns(p.Paths)
	}
	if !folder && path.Base(name) == IgnoreFile {
		return p.patterns.MatchBelow(path.Dir(name))
	}
	if folder {
		return p.patterns.MatchBelow(name)
	}
	return p.patterns.Match(name)
}

// leaves reports whether filters leave a file out.
func (p Part) leaves(name string) bool {
	switch {
	case len(p.Splits) == 0:
		return false
	case p.left == nil:
		panic("core: a part by splits is asked before its tables were read")
	}
	return p.left.paths.has(name)
}

// holds reports whether an entry of a tree belongs to the part; nil never.
func (p Part) holds(path string, e *objects.Entry) bool {
	return e != nil && p.has(path, e.Mode == objects.ModeDir)
}

// outside is has for package worktree: nil where nothing is outside.
func (p Part) outside() func(path string, folder bool) bool {
	if p.All {
		return nil
	}
	return func(path string, folder bool) bool { return !p.has(path, folder) }
}

// sameFiles reports whether two parts are the same selection.
func (p Part) sameFiles(q Part) bool {
	return p.All == q.All && p.None == q.None && slices.Equal(p.Paths, q.Paths) && slices.EqualFunc(p.Splits, q.Splits, SplitFilter.equal)
}

// String names the selection.
func (p Part) String() string {
	switch {
	case p.All:
		return "everything"
	case p.None:
		return "no files"
	}
	var parts []string
	if len(p.Paths) > 0 {
		parts = append(parts, quoteSome(p.Paths))
	}
	for _, f := range p.Splits {
		if len(f.Only) > 0 {
			parts = append(parts, fmt.Sprintf("%s of scheme %s", strings.Join(f.Only, ", "), f.Scheme))
		}
	}
	if parts == nil {
		return "everything that is not sealed"
	}
	return strings.Join(parts, "; ")
}

// partRecord is the file `.mlvc/part`.
type partRecord struct {
	Version int `json:"version"`
	Part
}

// The versions of the record: the second has splits.
const (
	partVersion = 1
	partSplits  = 2
)

// version is the lowest that can say it.
func (p Part) version() int {
	if len(p.Splits) > 0 {
		return partSplits
	}
	return partVersion
}

// encode writes the one valid form of `.mlvc/part`; FORMAT.md describes it.
func (p Part) encode() ([]byte, error) {
	p.Paths = quotePaths(p.Paths)
	text, err := json.MarshalIndent(partRecord{p.version(), p}, "", "  ")
	return append(text, '\n'), err
}

// tidied checks a part that was read, whose paths are quoted.
func (p Part) tidied() (Part, error) {
	p.Paths = unquotePaths(p.Paths)
	if err := p.check(); err != nil {
		return Part{}, err
	}
	clean, err := selectPart(p.Paths)
	if err == nil && !slices.Equal(clean.Paths, p.Paths) {
		err = errors.New("paths are not in their one form")
	}
	p.patterns = clean.patterns
	return p, err
}

func decodePart(text []byte) (Part, error) {
	damaged := func(err error) error { return fmt.Errorf("%w: .mlvc/part: %w", objects.ErrCorrupt, err) }
	var r partRecord
	err := json.Unmarshal(text, &r)
	if r.Version > partSplits {
		return Part{}, fmt.Errorf(".mlvc/part of version %d (this mlvc reads up to %d): %w", r.Version, partSplits, objects.ErrNewer)
	}
	if err != nil {
		return Part{}, damaged(err)
	}
	p, err := r.tidied()
	if err != nil {
		return Part{}, damaged(err)
	}
	again, err := p.encode()
	if err != nil || !bytes.Equal(again, text) || p.isWhole() {
		return Part{}, damaged(errors.New("not in its one valid form"))
	}
	return p, nil
}

// isWhole reports whether there is nothing to record: everything is here.
func (p Part) isWhole() bool { return p.All && !p.Promised }

func (r *Repo) partPath() string { return filepath.Join(r.dir, "part") }

// hasPart reports whether a part is recorded.
func (r *Repo) hasPart() bool {
	_, err := r.env.FS.Lstat(r.partPath())
	return err == nil
}

// Part returns which part of the dataset the working tree holds: everything,
// where nothing else is recorded.
func (r *Repo) Part(ctx context.Context) (Part, error) {
	p, err := r.readPart()
	if err != nil || len(p.Splits) == 0 {
		return p, err
	}
	if p, err = p.compile(ctx, r.store); err != nil {
		return p, fmt.Errorf("the splits of .mlvc/part: %w", err)
	}
	return p, nil
}

// readPart is Part for who does not ask what it has.
func (r *Repo) readPart() (Part, error) {
	text, err := vfs.ReadFile(r.env.FS, r.partPath())
	if errors.Is(err, fs.ErrNotExist) {
		return Part{All: true}, nil
	}
	if err != nil {
		return Part{}, err
	}
	return decodePart(text)
}

// setPart records the part durably, and as a whole: after an error it is the
// old one or the new. The caller holds the writer lock.
func (r *Repo) setPart(p Part) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.isWhole() {
		err := r.env.FS.Remove(r.partPath())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return r.env.FS.SyncDir(r.dir)
	}
	text, err := p.encode()
	if err != nil {
		return err
	}
	return vfs.WriteFile(r.env.FS, r.partPath(), text, 0o666)
}

// selectFiles records another selection; what is promised stays.
func (r *Repo) selectFiles(p Part) error {
	now, err := r.readPart()
	if err != nil {
		return err
	}
	p.Promised, p.Remote = now.Promised, now.Remote
	return r.setPart(p)
}
