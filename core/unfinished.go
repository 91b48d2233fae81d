package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// Unfinished is work on the working tree that was begun and not ended: it is
// recorded durably before the first file changes, and removed when index and
// names say the same as the files.
type Unfinished struct {
	Version int    `json:"version"`
	Verb    string `json:"verb"`    // checkout, switch, restore, merge, undo
	Command string `json:"command"` // what was called
	// Goal says what the work leads to, whatever words it was asked for in:
	// who asks for the same goal again finishes the work.
	Goal  string    `json:"goal"`
	Token string    `json:"token"` // of this piece of work, for package worktree
	Since time.Time `json:"since"`
	// From is the tree that the files were at, To the one they go to.
	From objects.ID `json:"from"`
	To   objects.ID `json:"to"`
	// Paths limits the work to these files and folders; empty: everything.
	Paths []string `json:"paths,omitempty"`
	// Part is the part of the dataset that the files go to, and what is in
	// `.mlvc/part` the one that they were; nil: that does not change. What is
	// promised is for `.mlvc/part` alone to say.
	Part *Part `json:"part,omitempty"`
	// Moves are the moves of names that end the work, Undoes the operation
	// that they take back.
	Moves  []UnfinishedMove `json:"moves,omitempty"`
	Undoes objects.ID       `json:"undoes,omitzero"`
}

// UnfinishedMove is a refs.Move as text.
type UnfinishedMove struct {
	Name      refs.Name  `json:"name"`
	Old       objects.ID `json:"old,omitzero"`
	OldBranch refs.Name  `json:"old_branch,omitempty"`
	New       objects.ID `json:"new,omitzero"`
	NewBranch refs.Name  `json:"new_branch,omitempty"`
}

func unfinishedMoves(moves []refs.Move) []UnfinishedMove {
	list := make([]UnfinishedMove, 0, len(moves))
	for _, m := range moves {
		list = append(list, UnfinishedMove{m.Name, m.Old.Commit, m.Old.Branch, m.New.Commit, m.New.Branch})
	}
	return list
}

// operation is what moves the names when the work is done.
func (u *Unfinished) operation() refs.Op {
	op := refs.Op{Undoes: u.Undoes, Files: true, Reason: u.Command}
	for _, m := range u.Moves {
		op.Moves = append(op.Moves, refs.Move{
			Name: m.Name,
			Old:  refs.Value{Commit: m.Old, Branch: m.OldBranch},
			New:  refs.Value{Commit: m.New, Branch: m.NewBranch},
		})
	}
	return op
}

// The versions of the record: the second has a part, the third one by splits.
const (
	unfinishedVersion = 1
	unfinishedPart    = 2
	unfinishedSplits  = 3
)

// UnfinishedError refuses a verb while other work is unfinished.
type UnfinishedError struct {
	Verb string // what was refused
	Work Unfinished
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("cannot %s: %q was interrupted and is not finished", e.Verb, e.Work.Command)
}

func (r *Repo) unfinishedPath() string { return filepath.Join(r.dir, "unfinished") }

// Unfinished returns the work that was interrupted, or nil.
func (r *Repo) Unfinished() (*Unfinished, error) {
	text, err := vfs.ReadFile(r.env.FS, r.unfinishedPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeUnfinished(text)
}

func decodeUnfinished(text []byte) (*Unfinished, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("%w: .mlvc/unfinished: %w", objects.ErrCorrupt, err)
	}
	if head.Version > unfinishedSplits {
		return nil, fmt.Errorf(".mlvc/unfinished of version %d (this mlvc reads up to %d): %w", head.Version, unfinishedSplits, objects.ErrNewer)
	}
	u := new(Unfinished)
	if err := json.Unmarshal(text, u); err != nil {
		return nil, fmt.Errorf("%w: .mlvc/unfinished: %w", objects.ErrCorrupt, err)
	}
	u.Paths = unquotePaths(u.Paths)
	if u.Part != nil {
		part, err := u.Part.tidied()
		if err != nil {
			return nil, fmt.Errorf("%w: .mlvc/unfinished: %w", objects.ErrCorrupt, err)
		}
		u.Part = &part
	}
	again, err := u.encode()
	if err != nil || !bytes.Equal(again, text) || u.Version != u.version() {
		return nil, fmt.Errorf("%w: .mlvc/unfinished is not in its one valid form", objects.ErrCorrupt)
	}
	return u, nil
}

// encode writes the one valid form: indented JSON, and a path that JSON cannot
// carry, or that begins with a quote, as a quoted Go string.
func (u Unfinished) encode() ([]byte, error) {
	u.Paths = quotePaths(u.Paths)
	if u.Part != nil {
		part := *u.Part
		part.Paths = quotePaths(part.Paths)
		u.Part = &part
	}
	text, err := json.MarshalIndent(u, "", "  ")
	return append(text, '\n'), err
}

// version is the lowest that can say it.
func (u *Unfinished) version() int {
	switch {
	case u.Part == nil:
		return unfinishedVersion
	case len(u.Part.Splits) == 0:
		return unfinishedPart
	}
	return unfinishedSplits
}

// quotePaths writes paths so that JSON can carry them.
func quotePaths(paths []string) []string {
	paths = slices.Clone(paths)
	for i, p := range paths {
		if !utf8.ValidString(p) || strings.HasPrefix(p, `"`) {
			paths[i] = strconv.QuoteToASCII(p)
		}
	}
	return paths
}

// unquotePaths takes back what quotePaths does.
func unquotePaths(paths []string) []string {
	for i, p := range paths {
		if raw, err := strconv.Unquote(p); err == nil && strings.HasPrefix(p, `"`) {
			paths[i] = raw
		}
	}
	return paths
}

// beginWork records work before its first file changes.
func (s *session) beginWork(u *Unfinished) error {
	u.Version, u.Token, u.Since = u.version(), vfs.TempName("")[len(vfs.TempPrefix):], s.env.Now()
	u.Command = strings.ToValidUTF8(s.env.Command, "?")
	text, err := u.encode()
	if err != nil {
		return err
	}
	return vfs.WriteFile(s.env.FS, s.unfinishedPath(), text, 0o666)
}

// endWork removes the record: the work is done, or was taken back (nil). The
// part that the files went to is recorded first.
func (s *session) endWork(u *Unfinished) error {
	if u != nil && u.Part != nil {
		if err := s.selectFiles(*u.Part); err != nil {
			return err
		}
	}
	err := s.env.FS.Remove(s.unfinishedPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.env.FS.SyncDir(s.dir)
}

// earlierWork returns the work that was interrupted, or nil. Names move when
// the files are durably in place, so where they have moved only the record
// is left to be removed, and the part to be recorded before.
func (s *session) earlierWork(ctx context.Context) (*Unfinished, error) {
	u, err := s.Unfinished()
	if err != nil || u == nil {
		return u, err
	}
	done, err := s.isDone(ctx, u)
	if err != nil || !done {
		return u, err
	}
	if err := s.sweepWork(ctx, u); err != nil {
		return nil, err
	}
	return nil, s.endWork(u)
}

// isDone reports whether the files of unfinished work are in place: the names
// have moved, or where none had to, the part is recorded.
func (s *session) isDone(ctx context.Context, u *Unfinished) (bool, error) {
	if len(u.Moves) == 0 {
		if u.Part == nil {
			return false, nil
		}
		now, err := s.readPart()
		return err == nil && now.sameFiles(*u.Part), err
	}
	for _, m := range u.operation().Moves {
		value, err := s.view.Get(ctx, m.Name)
		if err != nil || value != m.New {
			return false, err
		}
	}
	return true, nil
}

// sweepWork removes what interrupted runs of the work left under reserved
// names.
func (s *session) sweepWork(ctx context.Context, u *Unfinished) error {
	paths := u.Paths
	if u.Part != nil {
		paths = []string{"."} // also what did not change comes and goes
	}
	return worktree.Sweep(ctx, worktree.Options{FS: s.env.FS, Root: s.root}, s.changesOf(ctx, u.From, u.To, paths))
}

// refuseUnfinished fails if earlier work on the files was interrupted.
func (s *session) refuseUnfinished(ctx context.Context, verb string) error {
	u, err := s.earlierWork(ctx)
	if err != nil || u == nil {
		return err
	}
	return &UnfinishedError{Verb: verb, Work: *u}
}
