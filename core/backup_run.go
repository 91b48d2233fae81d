package core

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// BackupRun is what a scheduled run did at one destination.
type BackupRun struct {
	Name     string              `json:"name"`
	URL      string              `json:"url"`
	Created  *BackupCreateResult `json:"created,omitempty"`
	Verified *BackupVerified     `json:"verified,omitempty"` // what was made
	Expired  *BackupExpired      `json:"expired,omitempty"`
	Error    string              `json:"error,omitempty"`
	Took     time.Duration       `json:"took_ns"`

	Err error `json:"-"`
}

// BackupNames lists the destinations of the settings, sorted.
func (r *Repo) BackupNames() []string { return slices.Sorted(maps.Keys(r.config.Backups)) }

// BackupSettings are those of a destination.
func (r *Repo) BackupSettings(name string) BackupConfig { return r.config.Backups[name] }

// errNewDamage ends a run whose new set is not sound.
var errNewDamage = fmt.Errorf("%w: the set was just made, so the disk or the way there cannot be relied on", objects.ErrCorrupt)

// RunBackup does what the settings say for one open destination: it makes the
// set of HEAD, reads it back whole, and expires. A set that does not verify ends
// the run before anything goes.
func (r *Repo) RunBackup(ctx context.Context, b *Backups) BackupRun {
	started := r.env.Now()
	run := BackupRun{Name: b.place.Name, URL: b.url}
	run.Err = r.runBackup(ctx, b, &run)
	if run.Err != nil {
		run.Error = run.Err.Error()
	}
	run.Took = r.env.Now().Sub(started)
	return run
}

func (r *Repo) runBackup(ctx context.Context, b *Backups, run *BackupRun) error {
	created, err := r.CreateBackup(ctx, b, BackupCreateOptions{Kind: KindAuto})
	if err != nil {
		return err
	}
	run.Created = &created
	if v := created.Verified; v == nil || !v.OK || v.Percent < 100 {
		if err := r.verifyNew(ctx, b, run); err != nil {
			return err
		}
	}
	settings := r.config.Backups[b.place.Name]
	expired, err := b.Expire(ctx, BackupExpireOptions{}, settings, func(BackupDecision) error { return nil })
	run.Expired = &expired
	return err
}

// verifyNew reads back what was made. Without the key of an encrypted destination
// it cannot be read here, which is no error.
func (r *Repo) verifyNew(ctx context.Context, b *Backups, run *BackupRun) error {
	verified, err := b.Verify(ctx, BackupVerifyOptions{Label: run.Created.Label, TrustBases: true}, func(BackupDamage) error { return nil })
	if isKeyless(err) {
		r.env.Events.Warn(Warning{Code: "not_verified", Message: "the set cannot be verified here, since the key to read it is not: " + err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	run.Verified = &verified
	if verified.Damaged > 0 {
		return &BackupDamageError{URL: b.url, Err: errNewDamage}
	}
	return nil
}
