package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// pairing is the record `.mlvc/git`. That it is there says that the repository
// is paired with the git repository whose work tree it lies in.
type pairing struct {
	Version int `json:"version"`
	// Seen is the commit that pointers and HEAD named when they last agreed.
	// Pointers that name another were moved by git, and the data must follow;
	// a HEAD at another was moved by mlvc, and the pointers must.
	Seen objects.ID `json:"seen,omitzero"`
	// Going is where the data are being taken, until they have arrived: then
	// what the pointers name is git's wish, whatever was seen before.
	Going objects.ID `json:"going,omitzero"`
	// Refused is where the data could not be taken, because of what would have
	// been lost: it was told, and need not be told at each step of git's.
	Refused objects.ID `json:"refused,omitzero"`
	// Attach says that the data followed while git was still at work, so that
	// HEAD is detached and goes to git's branch when that is known.
	Attach bool `json:"attach,omitempty"`
	// Away says that git was at a revision without pointers. If git has files of
	// the data itself there, it deletes them on the way back: what is missing
	// then is brought back.
	Away bool `json:"away,omitempty"`
	// Branch is the branch of git that HEAD was put on last; empty: on none.
	// Where git's is another now without a checkout, it was renamed.
	Branch string `json:"branch,omitempty"`
	// Pointers are the pointer files that stand for the dataset, relative to
	// the root: what is no longer tracked loses its own.
	Pointers []string `json:"pointers,omitempty"`
}

const pairingVersion = 1

// ErrNotPaired is for a repository that is paired with no git repository.
var ErrNotPaired = errors.New("this repository is not paired with git")

func (r *Repo) pairingPath() string { return filepath.Join(r.dir, "git") }

// readPairing returns the record, or nil if the repository is not paired.
func (r *Repo) readPairing() (*pairing, error) { return readPairing(r.env.FS, r.dir) }

func readPairing(fsys vfs.FS, dir string) (*pairing, error) {
	text, err := vfs.ReadFile(fsys, filepath.Join(dir, "git"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := new(pairing)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%w: .mlvc/git: %w", objects.ErrCorrupt, err)
	}
	if p.Version > pairingVersion {
		return nil, fmt.Errorf(".mlvc/git of version %d (this mlvc reads up to %d): %w", p.Version, pairingVersion, objects.ErrNewer)
	}
	again, err := p.encode()
	if err != nil || !bytes.Equal(again, text) {
		return nil, fmt.Errorf("%w: .mlvc/git is not in its one valid form", objects.ErrCorrupt)
	}
	return p, nil
}

func (p *pairing) encode() ([]byte, error) {
	text, err := json.MarshalIndent(p, "", "  ")
	return append(text, '\n'), err
}

// writePairing replaces the record, atomically and durably.
func (r *Repo) writePairing(p pairing) error {
	p.Version = pairingVersion
	text, err := p.encode()
	if err != nil {
		return err
	}
	if old, err := vfs.ReadFile(r.env.FS, r.pairingPath()); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return vfs.WriteFile(r.env.FS, r.pairingPath(), text, 0o666)
}

// Paired reports whether the repository is paired with git.
func (r *Repo) Paired() (bool, error) {
	p, err := r.readPairing()
	return p != nil, err
}

// leftBehind reports whether a pointer still names what an interrupted verb of
// mlvc has moved HEAD off.
func (p pairing) leftBehind(pointer, head objects.ID) bool {
	return pointer == p.Seen && p.Going.IsZero() && pointer != head && !head.IsZero()
}

// settle notes that pointers, HEAD and files agree.
func (p *pairing) settle(commit objects.ID, attach bool) {
	p.Seen, p.Going, p.Refused, p.Attach, p.Away = commit, objects.ID{}, objects.ID{}, attach, false
}

// news reports whether a pointer names anything that is not settled yet.
func (p pairing) news(pointer objects.ID) bool {
	return pointer != p.Seen || !p.Going.IsZero() || !p.Refused.IsZero() || p.Away
}

// leaving reports whether git has gone to a revision without pointers, and it
// is not noted yet.
func (p pairing) leaving() bool { return !p.Away && !p.Seen.IsZero() }
