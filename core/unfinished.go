package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// Unfinished is work on the working tree that was begun and not ended: it is
// recorded durably before the first file changes, and removed when index and
// names say the same as the files. FORMAT.md describes the file.
type Unfinished struct {
	Version int       `json:"version"`
	Verb    string    `json:"verb"`    // checkout, switch, restore, merge, undo
	Command string    `json:"command"` // what was called
	Token   string    `json:"token"`   // of this piece of work, for package worktree
	Since   time.Time `json:"since"`
	// From is the tree that the files were at, To the one they go to.
	From objects.ID `json:"from"`
	To   objects.ID `json:"to"`
	// Paths limits the work to these files and folders; empty: everything.
	Paths []string `json:"paths,omitempty"`
	Force bool     `json:"force,omitempty"`
	// Moves are the moves of names that end the work, Undoes the operation
	// that they take back.
	Moves  []UnfinishedMove `json:"moves,omitempty"`
	Undoes objects.ID       `json:"undoes"`
	// Target is what the user named, for messages.
	Target string `json:"target"`
}

// UnfinishedMove is a refs.Move as text.
type UnfinishedMove struct {
	Name refs.Name  `json:"name"`
	Old  refs.Value `json:"old"`
	New  refs.Value `json:"new"`
}

const unfinishedVersion = 1

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
	if head.Version > unfinishedVersion {
		return nil, fmt.Errorf(".mlvc/unfinished of version %d (this mlvc reads up to %d): %w", head.Version, unfinishedVersion, objects.ErrNewer)
	}
	u := new(Unfinished)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(u); err != nil {
		return nil, fmt.Errorf("%w: .mlvc/unfinished: %w", objects.ErrCorrupt, err)
	}
	return u, nil
}

// beginWork records work before its first file changes.
func (s *session) beginWork(u Unfinished) error {
	u.Version, u.Command, u.Since = unfinishedVersion, s.env.Command, s.env.Now()
	text, err := json.MarshalIndent(u, "", "  ")
	if err != nil {
		return err
	}
	return vfs.WriteFile(s.env.FS, s.unfinishedPath(), append(text, '\n'), 0o666)
}

// endWork removes the record: the work is done or was taken back.
func (s *session) endWork() error {
	err := s.env.FS.Remove(s.unfinishedPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.env.FS.SyncDir(s.dir)
}

// refuseUnfinished fails if earlier work on the files was interrupted.
func (r *Repo) refuseUnfinished(verb string) error {
	u, err := r.Unfinished()
	if err != nil || u == nil {
		return err
	}
	return &UnfinishedError{Verb: verb, Work: *u}
}
