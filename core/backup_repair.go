package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/crypt"
	"github.com/mlvc/mlvc/remote/backup/parity"
	"github.com/mlvc/mlvc/remote/bucket"
)

// BackupRepaired is what a repair did.
type BackupRepaired struct {
	URL     string        `json:"url"`
	Damaged int           `json:"damaged"` // found
	Healed  int           `json:"healed"`
	Left    int           `json:"left"` // damaged still
	Took    time.Duration `json:"took_ns"`
}

// BackupRepairEach is told what a repair does as it goes.
type BackupRepairEach struct {
	Healed func(BackupHealed) error
	Left   func(BackupDamage) error // what could not be healed, at the end
}

// Repair reads everything at a destination, and puts what is damaged right: a
// key file of an encrypted one by its copy, or from another destination that is a
// copy of this; the list of sets by its copy, or by the manifests; a manifest by
// its copy; an index by what the packs say; a pack by its parity; parity by its
// pack; and what cannot be healed so from another
// destination (or nil) that has it. What was healed was verified before it took the
// place of what is damaged. Interrupted anywhere, the next repair goes on: what comes
// of parity or from the other destination lies beside what is damaged meanwhile, and
// what all else is made of stays as it is.
func (b *Backups) Repair(ctx context.Context, other *Backups, each BackupRepairEach) (res BackupRepaired, err error) {
	started := b.env.Now()
	res.URL = b.url
	r := &repairing{Backups: b, other: other, each: each, res: &res}
	if err := r.recoverList(ctx); err != nil {
		return res, b.failed(err)
	}
	if err := r.run(ctx); err != nil {
		return res, b.failed(err)
	}
	res.Took = b.env.Now().Sub(started)
	return res, nil
}

// repairing is one repair.
type repairing struct {
	*Backups
	other *Backups
	each  BackupRepairEach
	res   *BackupRepaired
}

// repairRounds ends a repair at a disk that damages what is written.
const repairRounds = 10

func (r *repairing) run(ctx context.Context) error {
	waiting, err := r.finish(ctx)
	if err != nil {
		return err
	}
	if err := r.healKeys(ctx); err != nil {
		return err
	}
	if err := r.adopt(ctx); err != nil {
		return err
	}
	found, err := r.dest.Verify(ctx, backup.VerifyOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	r.res.Damaged += len(found.Damage)
	// A set whose manifest is lost shows its index only when that is back, and
	// so its packs, of which parity is made.
	for round := 0; len(found.Damage) > 0 && round < repairRounds; round++ {
		healed := r.res.Healed
		for _, d := range found.Damage {
			if err := r.repair(ctx, d); err != nil {
				return err
			}
		}
		if r.res.Healed == healed {
			break
		}
		if found, err = r.dest.Verify(ctx, backup.VerifyOptions{ReadOnly: true}); err != nil {
			return err
		}
	}
	left, err := r.brokenKeys(ctx)
	if err != nil {
		return err
	}
	r.res.Damaged += len(left) // those that could be healed were counted then
	for _, d := range found.Damage {
		left = append(left, newBackupDamage(d))
	}
	if r.res.Left = len(left); r.res.Left == 0 {
		for _, key := range waiting {
			if err := r.raw.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	for _, d := range left {
		if err := r.each.Left(d); err != nil {
			return err
		}
	}
	return r.noteVerified(ctx, found, 100)
}

// healKeys makes key files of an encrypted destination that are damaged or lost
// like their copies: without its key nothing can be read. One of which no copy
// opens is met again by what it was the key of.
func (r *repairing) healKeys(ctx context.Context) error {
	sealed, ok := r.dest.Bucket().(*crypt.Bucket)
	if !ok || len(r.keys.identities) == 0 {
		return nil
	}
	var second bucket.Bucket
	from := "its copy"
	if r.other != nil {
		second, from = r.other.raw, from+", or from "+r.other.url
	}
	healed, err := sealed.HealKeys(ctx, second, backup.IsSealed)
	if err := r.healedKeys(healed, from); err != nil {
		return err
	}
	if err != nil && ctx.Err() == nil && !isKeyless(err) {
		r.env.Events.Warn(Warning{Code: "not_healed", Message: firstDamage(err)})
	}
	return ctx.Err()
}

// healedKeys counts key files that were made anew.
func (r *repairing) healedKeys(names []string, from string) error {
	for _, name := range names {
		r.res.Damaged, r.res.Healed = r.res.Damaged+1, r.res.Healed+1
		if err := r.each.Healed(BackupHealed{Key: name, From: from}); err != nil {
			return err
		}
	}
	return nil
}

// adopt brings sets back that were left out when the list was made again.
func (r *repairing) adopt(ctx context.Context) error {
	adopted, err := r.dest.Adopt(ctx)
	if err != nil {
		return err
	}
	for _, s := range adopted {
		r.res.Damaged, r.res.Healed = r.res.Damaged+1, r.res.Healed+1
		if err := r.each.Healed(BackupHealed{Label: string(s.Label), Key: "backup", From: "the manifest of a set that it did not name"}); err != nil {
			return err
		}
	}
	return nil
}

// recoverList makes the list again where it is lost without a trace, if there
// are sets.
func (r *repairing) recoverList(ctx context.Context) error {
	if len(r.dest.List().Sets) > 0 {
		return nil
	}
	if err := r.dest.Recover(ctx); err != nil {
		return err
	}
	if len(r.dest.List().Sets) == 0 {
		return &NoSetsError{URL: r.url}
	}
	r.res.Damaged, r.res.Healed = r.res.Damaged+1, r.res.Healed+1
	return r.each.Healed(BackupHealed{Key: "backup", From: "the manifests"})
}

// repair puts one object right, if it can be.
func (r *repairing) repair(ctx context.Context, d backup.Damage) error {
	if d.Key == "" {
		return nil
	}
	done, ok, failed := r.dest.Heal(ctx, d)
	if ok && failed == nil {
		r.res.Healed++
		return r.each.Healed(BackupHealed{Label: string(d.Label), Key: d.Key, Bytes: done.Bytes, From: done.From})
	}
	if failed != nil && !isDamage(failed) {
		return failed
	}
	file, h, err := r.whole(ctx, d)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.env.Events.Warn(Warning{Code: "not_healed", Message: d.Key + ": " + firstDamage(err)})
		return nil
	}
	err = r.replace(ctx, d.Key, file)
	if err = errors.Join(err, r.env.FS.Remove(file)); err != nil {
		return err
	}
	r.res.Healed++
	return r.each.Healed(h)
}

// whole makes a local file of what an object should be.
func (r *repairing) whole(ctx context.Context, d backup.Damage) (string, BackupHealed, error) {
	var failed error
	switch {
	case !d.Pack.IsZero():
		file, h, err := r.healStored(ctx, d.Key, d.Pack)
		if err == nil {
			err = r.checkPack(ctx, d.Key, d.Pack, file)
		}
		if err == nil {
			return file, h, nil
		}
		failed = err
	case strings.HasSuffix(d.Key, ".parity"):
		file, h, err := r.newParity(ctx, d)
		if err == nil {
			return file, h, nil
		}
		failed = err
	}
	if r.other == nil {
		return "", BackupHealed{}, errors.Join(failed, d.Err)
	}
	return r.fromOther(ctx, d, failed)
}

// checkPack verifies a local copy of a pack as it is stored; it removes one that
// is not sound.
func (r *repairing) checkPack(ctx context.Context, key string, id objects.ID, file string) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.env.FS.Remove(file))
		}
	}()
	if r.dest.Bucket() != r.raw {
		size, err := r.plainSize(ctx, key, file)
		if err != nil {
			return err
		}
		plain, err := r.decrypt(ctx, key, file, size)
		if err != nil {
			return err
		}
		defer r.env.FS.Remove(plain) //nolint:errcheck // the cache may have it
		file = plain
	}
	p, err := pack.Open(r.env.FS, file, id)
	if err != nil {
		return err
	}
	_, err = p.Verify(ctx)
	return errors.Join(err, p.Close())
}

// checkObject verifies a local copy of any object as it is stored; it removes one
// that is not sound.
func (r *repairing) checkObject(ctx context.Context, d backup.Damage, file string, size int64) (err error) {
	if !d.Pack.IsZero() {
		return r.checkPack(ctx, d.Key, d.Pack, file)
	}
	f, err := r.env.FS.Open(file)
	if err != nil {
		return err
	}
	defer func() {
		f.Close() //nolint:errcheck // it was only read
		if err != nil {
			err = errors.Join(err, r.env.FS.Remove(file))
		}
	}()
	name := d.Key[strings.LastIndexByte(d.Key, '/')+1:]
	word, kind, _ := strings.Cut(name, ".")
	id, err := objects.ParseID(word)
	if err != nil {
		return err
	}
	if kind == "parity" {
		p, err := parity.Open(f, size)
		if err == nil && p.Owner() != id {
			err = fmt.Errorf("%w: it is the parity of something else", objects.ErrCorrupt)
		}
		return err
	}
	var stored bucket.Bucket = instead{r.raw, d.Key, f}
	if r.dest.Bucket() != r.raw {
		if stored, err = r.keys.wrap(ctx, r.dest.List().Crypt, stored); err != nil {
			return err
		}
	}
	return r.dest.CheckRecord(ctx, stored, d.Label, d.Key)
}

// plainSize is the size of what is stored encrypted in a local file.
func (r *repairing) plainSize(ctx context.Context, key, file string) (int64, error) {
	f, err := r.env.FS.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	plain, err := r.keys.wrap(ctx, r.dest.List().Crypt, instead{r.raw, key, f})
	if err != nil {
		return 0, err
	}
	from, err := plain.GetRange(ctx, key, 0, -1)
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(io.Discard, from)
	return size, errors.Join(err, from.Close())
}

// newParity makes the parity of a sound pack again.
func (r *repairing) newParity(ctx context.Context, d backup.Damage) (string, BackupHealed, error) {
	h := BackupHealed{Label: string(d.Label), Key: d.Key, From: "its pack"}
	m, err := r.dest.Manifest(ctx, d.Label)
	if err != nil {
		return "", h, err
	}
	scheme, err := parseParity(m.Parity)
	if err != nil || scheme == nil {
		return "", h, errors.Join(err, errors.New("the set has no parity"))
	}
	key := strings.TrimSuffix(d.Key, ".parity") + ".pack"
	id, err := objects.ParseID(strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], ".pack"))
	if err != nil {
		return "", h, err
	}
	size, err := storedSize(ctx, r.raw, key)
	if err != nil {
		return "", h, err
	}
	stored, err := r.fetch(ctx, r.raw, key, size)
	if err != nil {
		return "", h, err
	}
	defer r.env.FS.Remove(stored) //nolint:errcheck // the cache may have it
	from, err := r.env.FS.Open(stored)
	if err != nil {
		return "", h, err
	}
	defer from.Close() //nolint:errcheck // it was only read
	name, err := r.newFile(func(f vfs.File) error {
		h.Bytes, err = parity.Encode(ctx, *scheme, id, from, size, f)
		return err
	})
	return name, h, err
}

// storedSize is the size of an object.
func storedSize(ctx context.Context, b bucket.Bucket, key string) (int64, error) {
	for info, err := range b.List(ctx, key) {
		if err != nil {
			return 0, err
		}
		if info.Key == key {
			return info.Size, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", key, bucket.ErrNotExist)
}

// fromOther takes an object from the other destination: that of the same key, or
// the pack of the same ID wherever it lies.
func (r *repairing) fromOther(ctx context.Context, d backup.Damage, failed error) (string, BackupHealed, error) {
	h := BackupHealed{Label: string(d.Label), Key: d.Key, Pack: d.Pack, From: r.other.url}
	name := d.Key[strings.LastIndexByte(d.Key, '/')+1:]
	for info, err := range r.other.raw.List(ctx, "sets/") {
		if err != nil {
			return "", h, errors.Join(failed, err)
		}
		if info.Key != d.Key && (d.Pack.IsZero() || !strings.HasSuffix(info.Key, "/"+name)) {
			continue
		}
		file, err := r.fetchSound(ctx, d, info)
		if took, kerr := r.takeKey(ctx, err); kerr != nil {
			return "", h, errors.Join(failed, err, kerr)
		} else if took {
			file, err = r.fetchSound(ctx, d, info)
		}
		if err == nil {
			h.Bytes = info.Size
			return file, h, nil
		}
		failed = errors.Join(failed, err)
	}
	return "", h, errors.Join(failed, fmt.Errorf("%s does not have it whole", r.other.url))
}

// fetchSound takes an object of the other destination that is what d lacks.
func (r *repairing) fetchSound(ctx context.Context, d backup.Damage, info bucket.Info) (string, error) {
	file, err := r.fetch(ctx, r.other.raw, info.Key, info.Size)
	if err == nil {
		err = r.checkObject(ctx, d, file, info.Size)
	}
	return file, err
}

// takeKey takes from the other destination the key that an object of it lacks here,
// as err says: where nothing was left of a set, no object has named its key.
func (r *repairing) takeKey(ctx context.Context, err error) (bool, error) {
	sealed, ok := r.dest.Bucket().(*crypt.Bucket)
	damaged, lost := errors.AsType[*crypt.DamagedError](err)
	if !ok || !lost || !damaged.KeyLost {
		return false, nil
	}
	took, err := sealed.TakeKey(ctx, r.other.raw, damaged.KeyFile)
	return len(took) > 0, errors.Join(err, r.healedKeys(took, r.other.url))
}

// healedSuffix names what waits beside a damaged object to take its place.
const healedSuffix = ".healed"

// replace puts a local file in the place of a damaged object. No object can be
// replaced in one step, so the sound bytes are stored beside it first.
func (r *repairing) replace(ctx context.Context, key, file string) error {
	f, err := r.env.FS.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := r.raw.Delete(ctx, key+healedSuffix); err != nil { // of an earlier repair, maybe damaged by now
		return err
	}
	if err := r.raw.PutIfAbsent(ctx, key+healedSuffix, f, st.Size); err != nil {
		return err
	}
	return r.moveHealed(ctx, key, f, st.Size)
}

func (r *repairing) moveHealed(ctx context.Context, key string, from io.ReaderAt, size int64) error {
	if err := r.raw.Delete(ctx, key); err != nil {
		return err
	}
	if err := r.raw.PutIfAbsent(ctx, key, from, size); err != nil {
		return err
	}
	return r.raw.Delete(ctx, key+healedSuffix)
}

// finish goes on with what an interrupted repair has left: sound bytes whose
// object was deleted already take its place. It returns all that waits there, for
// when nothing is damaged any more.
func (r *repairing) finish(ctx context.Context) (waiting []string, err error) {
	there := make(map[string]int64)
	for info, err := range r.raw.List(ctx, "sets/") {
		if err != nil {
			return nil, err
		}
		there[info.Key] = info.Size
	}
	for key, size := range there {
		object, ok := strings.CutSuffix(key, healedSuffix)
		if !ok {
			continue
		}
		waiting = append(waiting, key)
		if _, ok := there[object]; ok {
			continue // it is looked at with everything else
		}
		if err := r.copyHealed(ctx, key, object, size); err != nil {
			return waiting, err
		}
	}
	return waiting, nil
}

// copyHealed makes an object of the sound bytes that wait for that.
func (r *repairing) copyHealed(ctx context.Context, key, object string, size int64) error {
	file, err := r.fetch(ctx, r.raw, key, size)
	if err != nil {
		return err
	}
	defer r.env.FS.Remove(file) //nolint:errcheck // the cache may have it
	f, err := r.env.FS.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if err := r.raw.PutIfAbsent(ctx, object, f, size); err != nil && !errors.Is(err, bucket.ErrExist) {
		return err
	}
	return nil
}
