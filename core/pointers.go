package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// PointersApartError is for pointers of one dataset that name different
// commits: git took only some of them to another revision.
type PointersApartError struct {
	Files   [2]string
	Commits [2]objects.ID
}

func (e *PointersApartError) Error() string {
	return fmt.Sprintf("%s names commit %s and %s names %s: the pointers of a dataset name one commit",
		e.Files[0], e.Commits[0].Short(), e.Files[1], e.Commits[1].Short())
}

// UnknownPointerError is for a pointer whose commit is neither here nor at its
// remote: its data were never pushed, or it is from another dataset.
type UnknownPointerError struct {
	File   string
	Commit objects.ID
	Remote string // that was asked; empty: the pointer names none
	Err    error  // why the remote could not be asked; nil: it does not have it
}

func (e *UnknownPointerError) Error() string {
	text := fmt.Sprintf("%s names commit %s, which is not here", e.File, e.Commit.Short())
	switch {
	case e.Err != nil:
		text += fmt.Sprintf(", and %s cannot be asked for it: %v", e.Remote, e.Err)
	case e.Remote != "":
		text += " and not at " + e.Remote
	}
	return text
}

func (e *UnknownPointerError) Unwrap() error { return e.Err }

// ForgedPointerError is for a pointer that does not say what its commit says.
type ForgedPointerError struct {
	File   string
	Commit objects.ID
	What   string
}

func (e *ForgedPointerError) Error() string {
	return fmt.Sprintf("%s was edited: its %s is not that of commit %s", e.File, e.What, e.Commit.Short())
}

// pointerFile is the pointer of one tracked path: beside it.
func pointerFile(track string) string {
	if track == "." {
		return gitpair.PointerSuffix
	}
	return track + gitpair.PointerSuffix
}

// trackOf is the tracked path that a pointer stands for.
func trackOf(file string) string {
	if file == gitpair.PointerSuffix {
		return "."
	}
	return strings.TrimSuffix(file, gitpair.PointerSuffix)
}

// pointerPlace is where the pointer of a tracked path lies.
type pointerPlace struct{ track, name string }

// pointerPlaces are those of what the working mlvc.toml tracks. A dataset that
// is all of a git work tree has none: beside it is not git's.
func pointerPlaces(fsys vfs.FS, root string) ([]pointerPlace, error) {
	rules, err := readRules(fsys, root)
	if err != nil {
		return nil, err
	}
	tracked, err := cleanPaths(rules.Track)
	if err != nil {
		return nil, err
	}
	var list []pointerPlace
	for _, track := range tracked {
		if track == "." {
			if _, err := fsys.Lstat(filepath.Join(root, ".git")); !errors.Is(err, fs.ErrNotExist) {
				return nil, firstError(err, &gitpair.WholeTreeError{})
			}
		}
		list = append(list, pointerPlace{track, pointerName(root, track)})
	}
	return list, nil
}

// pointerName is where a pointer lies. That of a dataset that is its whole
// folder lies beside the folder.
func pointerName(root, track string) string {
	if track == "." {
		return root + gitpair.PointerSuffix
	}
	return filepath.Join(root, filepath.FromSlash(track)) + gitpair.PointerSuffix
}

// pointed is what the pointers in the work tree say.
type pointed struct {
	gitpair.Pointer        // of the first one
	file            string // its name, for messages; empty: there is none
}

func (r *Repo) readPointers() (pointed, error) { return readPointers(r.env.FS, r.root) }

// readPointers reads the pointers of the tracked paths. Pointers that are not
// there say nothing; it fails where they do not say one thing.
func readPointers(fsys vfs.FS, root string) (pointed, error) {
	places, err := pointerPlaces(fsys, root)
	if err != nil {
		return pointed{}, err
	}
	var found pointed
	for _, place := range places {
		name := place.name
		text, err := vfs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return pointed{}, err
		}
		p, err := gitpair.ParsePointer(name, text)
		if err != nil {
			return pointed{}, err
		}
		if err := found.add(p, name); err != nil {
			return pointed{}, err
		}
	}
	return found, nil
}

func (p *pointed) add(next gitpair.Pointer, name string) error {
	switch {
	case p.file == "":
		p.Pointer, p.file = next, name
	case p.Commit != next.Commit:
		return &PointersApartError{Files: [2]string{p.file, name}, Commits: [2]objects.ID{p.Commit, next.Commit}}
	}
	return nil
}

// check fails if a pointer says of its commit what is not so.
func (p pointed) check(c objects.Commit) error {
	want := pointerTo(p.Path, p.Commit, c, p.Remote)
	for _, part := range []struct {
		what string
		same bool
	}{
		{"tree", p.Tree == want.Tree},
		{"kind", p.Kind == want.Kind},
		{"number of files", p.Files == want.Files},
		{"number of bytes", p.Bytes == want.Bytes},
		{"list of splits", slices.Equal(p.Splits, want.Splits)},
	} {
		if !part.same {
			return &ForgedPointerError{File: p.file, Commit: p.Commit, What: part.what}
		}
	}
	return nil
}

// pointerTo is the pointer of a tracked path to a commit.
func pointerTo(track string, id objects.ID, c objects.Commit, remote string) gitpair.Pointer {
	total := c.Changes()
	p := gitpair.Pointer{
		Path: track, Commit: id, Tree: treeMap(c.Tree).Root(), Kind: c.Kind,
		Files: total.Files, Bytes: total.Bytes, Remote: gitpair.StripSecrets(remote),
	}
	for _, s := range c.Splits {
		for name, mark := range s.Fingerprints {
			p.Splits = append(p.Splits, gitpair.SplitMark{Scheme: s.Scheme, Name: name, Fingerprint: mark})
		}
	}
	slices.SortFunc(p.Splits, func(a, b gitpair.SplitMark) int {
		return bytes.Compare([]byte(a.Scheme+"/"+a.Name), []byte(b.Scheme+"/"+b.Name))
	})
	return p
}

// pointAtHead makes the pointers name HEAD after a verb of mlvc has moved it.
// What git put there since is left, and told: the data must follow it first.
// It never fails the verb, whose work is durable by now: a pointer that stays
// behind is noticed and mended by the next look.
func (s *session) pointAtHead(ctx context.Context) {
	p, err := s.readPairing()
	if err != nil || p == nil || s.head.Commit.IsZero() || s.head.Commit == p.Seen && !p.Attach {
		s.warnPointer(err)
		return
	}
	foreign, err := s.foreignPointer(ctx, *p)
	switch {
	case err != nil:
		s.warnPointer(err)
	case foreign:
		s.env.Events.Warn(Warning{
			Code:    "pointer",
			Message: `the pointer is left as git put it: it names other data, which "mlvc git follow" brings`,
		})
	default:
		s.warnPointer(s.writePointers(ctx, *p))
	}
}

func (s *session) warnPointer(err error) {
	if err != nil {
		s.env.Events.Warn(Warning{Code: "pointer", Message: fmt.Sprintf("the pointer could not be written (\"mlvc git follow\" mends it): %v", err)})
	}
}

// renewPointers writes the pointers anew where they agree with HEAD, for the
// remote that they name has changed.
func (s *session) renewPointers(ctx context.Context) {
	p, err := s.readPairing()
	if err != nil || p == nil || s.head.Commit.IsZero() {
		s.warnPointer(err)
		return
	}
	if there, err := s.readPointers(); err == nil && there.Commit == s.head.Commit {
		s.warnPointer(s.writePointers(ctx, *p))
	}
}

// foreignPointer reports whether git has put another pointer there than the
// one that was seen last. Of a merge that git could not settle, the pointer is
// free when HEAD holds both sides.
func (s *session) foreignPointer(ctx context.Context, p pairing) (bool, error) {
	there, err := s.readPointers()
	var markers *gitpair.ConflictMarkersError
	switch {
	case errors.As(err, &markers) && s.settles:
		return false, nil
	case errors.As(err, &markers):
		return s.holdsNot(ctx, markers.Theirs)
	case err != nil:
		return false, err
	}
	return there.file != "" && there.Commit != p.Seen && there.Commit != s.head.Commit, nil
}

// holdsNot reports whether HEAD lacks a commit in its history.
func (s *session) holdsNot(ctx context.Context, id objects.ID) (bool, error) {
	if id.IsZero() {
		return true, nil
	}
	held, err := history.IsAncestor(ctx, s.store, id, s.head.Commit)
	if errors.Is(err, objects.ErrNotFound) {
		return true, nil
	}
	return !held, err
}

// writePointers writes the pointers to HEAD and notes that they agree. The
// record comes last: without it the pointers are looked at again.
func (s *session) writePointers(ctx context.Context, p pairing) error {
	c, err := s.commit(ctx, s.head.Commit)
	if err != nil {
		return err
	}
	places, err := pointerPlaces(s.env.FS, s.root)
	if err != nil {
		return err
	}
	url := s.pointerRemote()
	if there, err := s.readPointers(); err == nil && there.Remote != s.forgotten {
		url = orElse(url, there.Remote)
	}
	var files []string
	for _, place := range places {
		text, err := pointerTo(place.track, s.head.Commit, c, url).Format()
		if err != nil {
			return err
		}
		if err := s.writePointer(place.name, text); err != nil {
			return err
		}
		files = append(files, pointerFile(place.track))
	}
	if err := s.dropPointers(p.Pointers, files); err != nil {
		return err
	}
	p.settle(s.head.Commit, false)
	p.Pointers = files
	return s.writePairing(p)
}

// throughLinks fails where a folder between base and name is a link: what is
// tracked comes from others, and must not lead out of the work tree.
func throughLinks(fsys vfs.FS, base, name string) error {
	for at := filepath.Dir(name); at != base && inside(base, at); at = filepath.Dir(at) {
		st, err := fsys.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if st.Type != vfs.TypeDir {
			return fmt.Errorf("%s: %s is no folder of the work tree: %w", name, at, worktree.ErrOutside)
		}
	}
	return nil
}

// writePointer replaces a pointer if it changes.
func (s *session) writePointer(name string, text []byte) error {
	if err := throughLinks(s.env.FS, s.root, name); err != nil {
		return err
	}
	old, err := vfs.ReadFile(s.env.FS, name)
	if err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := vfs.MkdirAll(s.env.FS, filepath.Dir(name), 0o777); err != nil {
		return err
	}
	s.pointers = append(s.pointers, name)
	return vfs.WriteFile(s.env.FS, name, text, 0o666)
}

// dropPointers removes pointers of what is not tracked any more; a file that
// is no pointer is left.
func (r *Repo) dropPointers(old, now []string) error {
	for _, file := range old {
		if slices.Contains(now, file) {
			continue
		}
		name := filepath.Join(r.root, filepath.FromSlash(file))
		if file == pointerFile(".") {
			name = pointerName(r.root, ".")
		}
		text, err := vfs.ReadFile(r.env.FS, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := gitpair.ParsePointer(name, text); err != nil {
			continue
		}
		if err := r.env.FS.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// pointerRemote is the URL that pointers name for clones; empty: none is
// known.
func (r *Repo) pointerRemote() string {
	info, err := r.remote("")
	if err != nil {
		return ""
	}
	return info.URL
}
