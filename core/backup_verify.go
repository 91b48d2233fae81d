package core

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/crypt"
)

// BackupVerifyOptions say how much is read.
type BackupVerifyOptions struct {
	Label string // with its chain; empty: all sets
	// TrustBases does not read again, of the chain, what the last verification
	// found whole.
	TrustBases bool
	// Percent of the packs that are read whole; 0: all. Lists, manifests,
	// indexes and sizes always are looked at.
	Percent int
}

// BackupDamage is one damaged or missing object of a destination.
type BackupDamage struct {
	Label string     `json:"label"`
	Key   string     `json:"key,omitempty"` // of the object
	Pack  objects.ID `json:"pack,omitzero"`
	Error string     `json:"error"`
	// Lost is how many objects cannot be read because of it, Paths are the
	// files of the sets that they belong to.
	Lost  int      `json:"lost_objects"`
	Paths []string `json:"paths,omitempty"`
	Sets  []string `json:"sets"` // that cannot be restored whole without it
}

// BackupVerified is what a verification read and found.
type BackupVerified struct {
	URL     string        `json:"url"`
	Sets    []string      `json:"sets"`
	Packs   int           `json:"packs"`
	Bytes   int64         `json:"bytes"`
	Percent int           `json:"percent"`
	Damaged int           `json:"damaged"`
	Took    time.Duration `json:"took_ns"`
}

// Verify looks whether sets are whole, calls each for everything that is not,
// and notes the result at the destination, unless nothing can be written
// there.
func (b *Backups) Verify(ctx context.Context, opt BackupVerifyOptions, each func(BackupDamage) error) (BackupVerified, error) {
	started := b.env.Now()
	res := BackupVerified{URL: b.url, Sets: []string{}, Percent: opt.Percent}
	if res.Percent <= 0 {
		res.Percent = 100
	}
	v := backup.VerifyOptions{Percent: opt.Percent, Seed: rand.Uint64(), Workers: 1, TrustBases: opt.TrustBases}
	if opt.Label != "" {
		s, err := b.set(opt.Label)
		if err != nil {
			return res, err
		}
		v.Labels = []backup.Label{s.Label}
	}
	if len(b.dest.List().Sets) == 0 {
		return res, &NoSetsError{URL: b.url}
	}
	done, err := b.verify(ctx, v)
	if err != nil {
		return res, b.failed(err)
	}
	found, err := b.brokenKeys(ctx)
	if err != nil {
		return res, b.failed(err)
	}
	for _, d := range done.Damage {
		found = append(found, newBackupDamage(d))
	}
	res.Packs, res.Bytes, res.Damaged = done.Packs, done.Bytes, len(found)
	for _, label := range done.Sets {
		res.Sets = append(res.Sets, string(label))
	}
	for _, d := range found {
		if err := each(d); err != nil {
			return res, err
		}
	}
	res.Took = b.env.Now().Sub(started)
	return res, nil
}

// verify notes the result where it can: a destination that may only be read
// from can be verified too.
func (b *Backups) verify(ctx context.Context, opt backup.VerifyOptions) (backup.Verified, error) {
	opt.ReadOnly = true
	done, err := b.dest.Verify(ctx, opt)
	if err != nil {
		return done, err
	}
	if err := b.noteVerified(ctx, done, opt.Percent); err != nil {
		b.env.Events.Warn(Warning{Code: "not_noted", Message: "that it was verified could not be noted there: " + err.Error()})
	}
	return done, ctx.Err()
}

// brokenKeys are the key files of an encrypted destination that are damaged or
// missing. Where only a copy is left nothing is lost yet, but all would be with
// that; without one, what is encrypted with the key is damage too.
func (b *Backups) brokenKeys(ctx context.Context) (found []BackupDamage, err error) {
	sealed, ok := b.dest.Bucket().(*crypt.Bucket)
	if !ok || len(b.keys.identities) == 0 {
		return nil, nil
	}
	broken, err := sealed.CheckKeys(ctx)
	for _, k := range broken {
		d := BackupDamage{Key: k.Name, Error: strings.TrimPrefix(k.Err.Error(), k.Name+": "), Sets: []string{}}
		if k.Copy {
			d.Error += "; only its copy is left"
		}
		found = append(found, d)
	}
	return found, err
}

// noteVerified writes what was found into the list.
func (b *Backups) noteVerified(ctx context.Context, done backup.Verified, percent int) error {
	bad := make(map[backup.Label]bool)
	for _, d := range done.Damage {
		for _, label := range d.Sets {
			bad[label] = true
		}
	}
	if percent <= 0 {
		percent = 100
	}
	when := b.env.Now().Unix()
	return b.note(ctx, done.Sets, func(s *backup.Set) {
		s.Verified = &backup.Check{When: when, OK: !bad[s.Label], Percent: min(percent, 100)}
	})
}

// note changes what the list says of sets.
func (b *Backups) note(ctx context.Context, labels []backup.Label, change func(*backup.Set)) error {
	want := make(map[backup.Label]bool)
	for _, label := range labels {
		want[label] = true
	}
	return b.dest.Update(ctx, func(l *backup.List) error {
		for i := range l.Sets {
			if want[l.Sets[i].Label] {
				change(&l.Sets[i])
			}
		}
		return nil
	})
}

func newBackupDamage(d backup.Damage) BackupDamage {
	err := d.Err
	if at, ok := errors.AsType[*remote.DepotError](err); ok && at.Key == d.Key {
		err = at.Err // the key is said already
	}
	damage := BackupDamage{Label: string(d.Label), Key: d.Key, Pack: d.Pack, Error: firstDamage(err), Lost: len(d.Lost), Paths: d.Paths, Sets: []string{}}
	for _, label := range d.Sets {
		damage.Sets = append(damage.Sets, string(label))
	}
	return damage
}
