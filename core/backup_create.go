package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/parity"
)

// BackupCreateOptions say which set is made.
type BackupCreateOptions struct {
	Rev string // empty: HEAD
	// Kind is KindAuto or one of the three. KindAuto is what the settings say,
	// and else the commit's own.
	Kind objects.CommitKind
	// TipOnly leaves out the contents that only other commits have.
	TipOnly bool
	Parity  string // "10+1", "off"; empty: what the settings say, or 10+1
	// Commit, if set, is the message of a commit of the working tree that is
	// made first, of which the set then is.
	Commit string
	// Anew goes on where a place has lost all the sets that it had.
	Anew bool
}

// BackupCreateResult is what making a set did.
type BackupCreateResult struct {
	URL  string `json:"url"`
	Name string `json:"name,omitempty"` // in the settings
	BackupSet
	Why string `json:"why"` // why it is of its kind
	// Existed: the commit had such a set, and nothing was written.
	Existed bool `json:"existed,omitempty"`
	// Resumed: an interrupted run was gone on with.
	Resumed bool  `json:"resumed,omitempty"`
	Files   int64 `json:"files"`         // of the commit
	Content int64 `json:"content_bytes"` // of them
	Objects int64 `json:"objects"`       // that the set added
	Packs   int64 `json:"packs"`
	// Uncommitted are paths of the working tree that differ from the commit:
	// they are not in the set.
	Uncommitted int64         `json:"uncommitted,omitempty"`
	Committed   *CommitResult `json:"committed,omitempty"`
	Took        time.Duration `json:"took_ns"`
}

// PromisedError refuses a backup of a repository that has left contents at a
// remote.
type PromisedError struct{ Remote string }

func (e *PromisedError) Error() string {
	return fmt.Sprintf("contents are not here but at remote %s, and a backup needs them all", e.Remote)
}

// LostBackupsError is for a place that had sets when it was last seen, and has
// none now: as a mount point has whose disk is not mounted.
type LostBackupsError struct{ URL string }

func (e *LostBackupsError) Error() string {
	return e.URL + " has no backups any more, though it had some when it was last seen"
}

// CreateBackup writes the backup set of a commit. It reads the repository as it
// is when it begins, holds no lock but the readers', and is seen at the
// destination when all of it is there; interrupted, the same call goes on.
// Errors are those of backup.Create, a *PromisedError, a *LostBackupsError and a
// *RecipientsError.
func (r *Repo) CreateBackup(ctx context.Context, b *Backups, opt BackupCreateOptions) (res BackupCreateResult, err error) {
	started := r.env.Now()
	res.URL, res.Name = b.url, b.place.Name
	recipients, err := r.checkBackup(b, opt)
	if err != nil {
		return res, err
	}
	if opt.Commit != "" {
		done, err := r.Commit(ctx, CommitOptions{Message: opt.Commit, Kind: KindAuto})
		if err != nil {
			return res, err
		}
		res.Committed = &done
	}
	c := &backingUp{Repo: r, dest: b, opt: opt, res: &res}
	if err := c.plan(ctx); err != nil {
		return res, err
	}
	if c.temp, err = r.lookFolder(); err != nil {
		return res, err
	}
	defer removeAll(r.env.FS, c.temp) //nolint:errcheck // what stays is swept when it is old
	if err := c.run(ctx); err != nil {
		return res, b.unwritten(err)
	}
	b.remember(ctx, recipients)
	r.env.Events.Progress(Progress{Phase: PhaseFinished, Bytes: res.Bytes})
	res.Took = r.env.Now().Sub(started)
	return res, nil
}

// checkBackup refuses what can be known before anything is done, and returns for
// whom is written.
func (r *Repo) checkBackup(b *Backups, opt BackupCreateOptions) ([]string, error) {
	if opt.Commit != "" && opt.Rev != "" {
		return nil, &UsageError{What: "--commit backs up the commit that it makes, so a revision does not go with it", Hint: "leave one of them out"}
	}
	if folder := strings.TrimPrefix(b.url, "file://"); inside(r.root, filepath.FromSlash(folder)) {
		return nil, &UsageError{What: fmt.Sprintf("%s is inside of the dataset itself, and would be lost with it", b.url), Hint: "choose a folder outside of " + r.root + ", best on another disk"}
	}
	part, err := r.readPart()
	if err != nil {
		return nil, err
	}
	if part.Promised {
		return nil, &PromisedError{Remote: part.Remote}
	}
	if len(b.dest.List().Sets) == 0 && !opt.Anew && b.seen() {
		return nil, &LostBackupsError{URL: b.url}
	}
	return b.checkRecipients()
}

// backingUp is one set that is being made.
type backingUp struct {
	*Repo
	dest   *Backups
	opt    BackupCreateOptions
	res    *BackupCreateResult
	temp   string
	commit objects.ID
	op     objects.ID
	asked  bool
	kind   objects.CommitKind
	scheme *parity.Scheme
}

// plan finds out what is backed up, and as what.
func (c *backingUp) plan(ctx context.Context) error {
	op, _, head, err := c.current(ctx)
	if err != nil {
		return err
	}
	target, err := c.resolveAt(ctx, op, orHead(c.opt.Rev))
	if err != nil {
		return err
	}
	c.op, c.commit = op, target.ID
	commit, err := c.commitOf(ctx, target)
	if err != nil {
		return err
	}
	if err := c.chooseKind(commit.Kind); err != nil {
		return err
	}
	if head.Commit != c.commit {
		return nil
	}
	st, err := c.Status(ctx, nil, func(StatusEntry) error { return nil })
	c.res.Uncommitted = st.Changes.Added + st.Changes.Changed + st.Changes.Removed
	return err
}

// commitOf reads the commit that is backed up.
func (c *backingUp) commitOf(ctx context.Context, t Target) (objects.Commit, error) {
	if t.HasPath {
		return objects.Commit{}, &UsageError{What: "a backup is of a whole commit, not of a path in it", Hint: "leave :PATH out"}
	}
	return c.Repo.commit(ctx, t.ID)
}

// chooseKind decides what kind is wanted, and which parity. What the settings
// want is for new sets: a commit that has one needs no other.
func (c *backingUp) chooseKind(own objects.CommitKind) error {
	settings := c.config.Backups[c.dest.place.Name]
	c.kind, c.asked = c.opt.Kind, true
	c.res.Why = "asked for"
	if c.kind == KindAuto || c.kind == "" {
		kind, err := settings.kind()
		if err != nil {
			return err
		}
		c.kind, c.asked = kind, false
		c.res.Why = "as the settings say"
	}
	if c.kind == KindAuto {
		c.kind = own
		c.res.Why = "as the commit"
	}
	word := c.opt.Parity
	if word == "" {
		word = settings.Parity
	}
	scheme, err := parseParity(word)
	if err != nil {
		return &UsageError{What: err.Error(), Hint: "use --parity 10+1 or --parity off"}
	}
	c.scheme = scheme
	return nil
}

// run makes the set.
func (c *backingUp) run(ctx context.Context) error {
	opt := backup.CreateOptions{
		Repository: c.ID(), Commit: c.commit, Kind: c.kind, Asked: c.asked, Operation: c.op,
		TipOnly: c.opt.TipOnly, IsAncestor: c.isAncestor, Copy: c.copyOptions(PhaseSend, c.temp),
	}
	if c.scheme != nil {
		scheme := *c.scheme
		opt.Scheme = scheme.String()
		opt.Parity = func(ctx context.Context, owner objects.ID, from io.ReaderAt, size int64, w io.WriteSeeker) (int64, error) {
			return parity.Encode(ctx, scheme, owner, from, size, w)
		}
	}
	empty := len(c.dest.dest.List().Sets) == 0
	done, err := backup.Create(ctx, c.dest.dest, c.local(c.temp), opt)
	if err != nil {
		return err
	}
	res, m := c.res, done.Manifest
	res.BackupSet = newBackupSet(c.dest.dest.List(), done.Set)
	res.Existed, res.Resumed = done.Existed, done.Resumed
	res.Files, res.Content = m.Files, m.Content
	if done.Existed {
		res.Why = "the commit has this set already"
		return nil
	}
	switch {
	case done.Why != "" && empty:
		res.Why = "the first set there"
	case done.Why != "":
		res.Why = "instead of " + string(c.kind) + ": " + done.Why
	}
	res.Objects, res.Packs = m.Tip.Objects+m.Rest.Objects, m.Tip.Packs+m.Rest.Packs
	return nil
}

// isAncestor is history.IsAncestor; a commit that is not here is none.
func (r *Repo) isAncestor(ctx context.Context, old, young objects.ID) (bool, error) {
	if _, err := r.commit(ctx, old); errors.Is(err, objects.ErrNotFound) {
		return false, nil
	}
	return history.IsAncestor(ctx, r.store, old, young)
}
