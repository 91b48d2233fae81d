package core

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/crypt"
)

// BackupExpireOptions say what goes.
type BackupExpireOptions struct {
	// Policy is what stays; the zero Policy is what the settings say.
	Policy backup.Policy
	// Labels are sets that go whatever the policy says, with all that is based
	// on them.
	Labels []string
	Grace  *time.Duration // nil: backup.DefaultGrace
	DryRun bool
}

// What becomes of a set.
const (
	BackupKept    = "kept"
	BackupMarked  = "marked"  // from now on; a later run removes it
	BackupWaiting = "waiting" // was marked before, and its grace time is not over
	BackupRemoved = "removed"
)

// BackupDecision is what becomes of a set, and why.
type BackupDecision struct {
	Label  string `json:"label"`
	Action string `json:"action"`
	Reason string `json:"reason,omitempty"`
	Bytes  int64  `json:"bytes"`
	// Due is when a set that is marked may be removed.
	Due *time.Time `json:"due,omitempty"`
}

// BackupExpired is what an expiry did or, for a dry run, would do.
type BackupExpired struct {
	URL     string `json:"url"`
	Kept    int    `json:"kept"`
	Marked  int    `json:"marked"`
	Waiting int    `json:"waiting"`
	Removed int    `json:"removed"`
	Bytes   int64  `json:"bytes"` // that were removed
	// Swept are objects of runs that were interrupted long ago.
	Swept int `json:"swept"`
	// SweptKeys are keys of an encrypted destination that nothing needs any more.
	SweptKeys int  `json:"swept_keys,omitempty"`
	DryRun    bool `json:"dry_run,omitempty"`
}

// Expire takes sets away that no rule keeps, in two runs: the first marks them,
// one after the grace time removes them. What is needed by a set that stays, and
// the newest full that was verified, stays. It calls each for every set, and
// sweeps what interrupted runs have left.
func (b *Backups) Expire(ctx context.Context, opt BackupExpireOptions, settings BackupConfig, each func(BackupDecision) error) (BackupExpired, error) {
	res := BackupExpired{URL: b.url, DryRun: opt.DryRun}
	e := backup.ExpireOptions{Policy: opt.Policy, Grace: backup.DefaultGrace, DryRun: opt.DryRun}
	if opt.Grace != nil {
		e.Grace = *opt.Grace
	}
	if e.Policy == (backup.Policy{}) {
		e.Policy = settings.Policy()
	}
	for _, label := range opt.Labels {
		s, err := b.set(label)
		if err != nil {
			return res, err
		}
		e.Labels = append(e.Labels, s.Label)
	}
	done, err := b.dest.Expire(ctx, e)
	if err != nil {
		return res, b.failed(err)
	}
	for _, d := range b.decisions(done, e.Grace) {
		switch d.Action {
		case BackupKept:
			res.Kept++
		case BackupMarked:
			res.Marked++
		case BackupWaiting:
			res.Waiting++
		case BackupRemoved:
			res.Removed++
			res.Bytes += d.Bytes
		}
		if err := each(d); err != nil {
			return res, err
		}
	}
	if opt.DryRun {
		return res, nil
	}
	swept, err := b.dest.Sweep(ctx)
	res.Swept = swept.Objects
	if err != nil {
		return res, b.failed(err)
	}
	for _, s := range done.Removed {
		swept.Labels = append(swept.Labels, s.Label)
	}
	b.removeFolders(swept.Labels)
	if res.SweptKeys, err = b.sweepKeys(ctx); err != nil {
		return res, b.failed(err)
	}
	if b.memory.Newest != "" { // whom the list names was never approved of here
		b.remember(ctx, b.memory.Recipients)
	}
	return res, nil
}

// removeFolders removes the empty folders of sets that are gone, where the place is a
// folder. That it fails does not matter.
func (b *Backups) removeFolders(labels []backup.Label) {
	at, ok := b.raw.(interface{ Folder() string })
	if !ok {
		return
	}
	for _, label := range labels {
		b.env.FS.Remove(filepath.Join(at.Folder(), "sets", strings.ToLower(string(label)))) //nolint:errcheck // it may have something again
	}
}

// sweepKeys removes key files of an encrypted destination that nothing is
// encrypted with any more, once there are a lot more of them than sets. Damage is for
// verify to tell: then all of them stay.
func (b *Backups) sweepKeys(ctx context.Context) (int, error) {
	sealed, ok := b.dest.Bucket().(*crypt.Bucket)
	if !ok {
		return 0, nil
	}
	n, err := sealed.SweepKeys(ctx, 2*len(b.dest.List().Sets)+10, backup.IsSealed)
	if isDamage(err) && ctx.Err() == nil {
		return n, nil
	}
	return n, err
}

// decisions says of each set what became of it.
func (b *Backups) decisions(done backup.Expired, grace time.Duration) []BackupDecision {
	var list []BackupDecision
	for _, s := range done.Removed {
		list = append(list, BackupDecision{Label: string(s.Label), Action: BackupRemoved, Reason: "marked, and the grace time is over", Bytes: s.Bytes})
	}
	for _, s := range done.Waiting {
		due := time.Unix(s.Expiring, 0).Add(grace).UTC()
		list = append(list, BackupDecision{Label: string(s.Label), Action: BackupWaiting, Reason: "marked before", Bytes: s.Bytes, Due: &due})
	}
	for _, d := range done.Decisions {
		decision := BackupDecision{Label: string(d.Set.Label), Action: BackupKept, Reason: d.Reason, Bytes: d.Set.Bytes}
		if !d.Keep {
			due := b.env.Now().Add(grace).UTC()
			decision.Action, decision.Due = BackupMarked, &due
		}
		list = append(list, decision)
	}
	return list
}
