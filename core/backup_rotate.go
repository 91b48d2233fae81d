package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/crypt"
)

// BackupRotateOptions say who can read the backups of a destination from now on.
type BackupRotateOptions struct {
	// Recipients are all of them, as those of BackupKeys; or Add and Remove
	// change those that there are.
	Recipients []string
	Add        []string
	Remove     []string
	// AskNew asks for a new passphrase. nil: there is nobody to be asked.
	AskNew func(what string) (string, error)
}

// BackupRotated is what a change of keys did.
type BackupRotated struct {
	URL        string        `json:"url"`
	Name       string        `json:"name,omitempty"` // in the settings
	Recipients []string      `json:"recipients"`     // that can read from now on
	Added      []string      `json:"added"`
	Removed    []string      `json:"removed"`
	Keys       int           `json:"keys"`              // that were encrypted anew
	Sets       int           `json:"sets"`              // that they open; not a byte of these was written
	Setting    string        `json:"setting,omitempty"` // of `.mlvc/config` that was changed with it
	Took       time.Duration `json:"took_ns"`
}

// RotateKeys changes who can read an encrypted destination: its keys are
// encrypted anew, no set is. Whom the list names opens everything at every
// moment; interrupted, it is called again with the old and the new keys. r is the
// repository here, whose settings follow, or nil. Nothing else can be done with
// the Backups afterwards. It does not take back what was readable before: who
// kept a copy of the old key files reads on what was backed up until now.
//
// Errors are a *UsageError, also for a place that is not encrypted, a *KeysError,
// a *crypt.NoKeyError, a *crypt.HalfRotatedError, a *NoSetsError, and a
// *RecipientsError for a change of recipients that are not those of the last time.
func (b *Backups) RotateKeys(ctx context.Context, r *Repo, opt BackupRotateOptions) (res BackupRotated, err error) {
	started := b.env.Now()
	res.URL, res.Name = b.url, b.place.Name
	if res.Sets = len(b.dest.List().Sets); res.Sets == 0 {
		return res, &NoSetsError{URL: b.url}
	}
	before, err := b.named()
	if err != nil {
		return res, err
	}
	if res.Recipients, err = b.recipients(opt, before); err != nil {
		return res, err
	}
	if len(before) == 0 {
		return res, &UsageError{
			What: b.url + " is not encrypted, so there are no keys to change",
			Hint: "encryption begins with the first set: choose a new folder for encrypted backups",
		}
	}
	if err := b.checkChange(opt, before); err != nil {
		return res, err
	}
	res.Added, res.Removed = without(res.Recipients, before), without(before, res.Recipients)
	if res.Keys, err = b.rotate(ctx, res.Recipients, opt.AskNew); err != nil {
		return res, b.damaged(err)
	}
	b.remember(ctx, res.Recipients)
	if r != nil && r.config.Backups[b.place.Name].Encrypt != "" {
		res.Setting = "backup." + b.place.Name + ".encrypt"
		value := strings.Join(res.Recipients, ",")
		err = r.SetConfig(res.Setting, &value)
	}
	res.Took = b.env.Now().Sub(started)
	return res, err
}

// recipients are those that there are from now on.
func (b *Backups) recipients(opt BackupRotateOptions, before []string) ([]string, error) {
	add, _, err := readRecipients(opt.Add)
	if err != nil {
		return nil, err
	}
	remove, _, err := readRecipients(opt.Remove)
	if err != nil {
		return nil, err
	}
	changes := len(add)+len(remove) > 0
	switch {
	case changes && len(opt.Recipients) > 0:
		return nil, &UsageError{What: "name all who shall read, or those to add and to remove, but not both", Hint: "leave one of them out"}
	case !changes && len(opt.Recipients) == 0:
		return nil, &UsageError{What: "nobody is named who shall read the backups from now on", Hint: "use --encrypt for all of them, or --add and --remove"}
	case !changes:
		all, _, err := readRecipients(opt.Recipients)
		return all, err
	}
	// Who is not named any more was removed already, if the change was interrupted
	// when it had been their turn; what is remembered tells that from a slip.
	if unknown := without(without(remove, before), b.memory.Recipients); len(unknown) > 0 {
		what := recipientsText(unknown) + " could not read them before"
		if b.memory.Newest != "" {
			return nil, &UsageError{What: what, Hint: "those that can: " + strings.Join(before, ", ")}
		}
		b.env.Events.Warn(Warning{Code: "no_recipient", Message: what})
	}
	after := append(without(before, remove), add...)
	if len(after) == 0 {
		return nil, &UsageError{What: "nobody could read the backups any more", Hint: "--add somebody in the same command"}
	}
	after, _, err = readRecipients(after)
	return after, err
}

// checkChange refuses to add to recipients, or to take from them, that the list
// names and nobody here approved of: before must be those of the last time, or what
// the same change, interrupted, has made of them.
func (b *Backups) checkChange(opt BackupRotateOptions, before []string) error {
	switch {
	case len(opt.Recipients) > 0:
		return nil // all of them are named
	case b.memoryErr != nil:
		return b.memoryErr
	case b.memory.Newest == "", slices.Equal(before, b.memory.Recipients):
		return nil
	}
	if done, err := b.recipients(opt, b.memory.Recipients); err == nil && slices.Equal(before, done) {
		return nil
	}
	return &RecipientsError{URL: b.url, Have: before, Want: b.memory.Recipients, Change: true, Path: b.memoryPath()}
}

// without returns what of list is not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(append([]string{}, list...), func(r string) bool { return slices.Contains(other, r) })
}

// rotate encrypts the keys anew, and has the list name the new recipients as soon
// as they can read everything.
func (b *Backups) rotate(ctx context.Context, texts []string, askNew func(string) (string, error)) (int, error) {
	c, err := decodeCryptRecord(b.dest.List().Crypt)
	if err != nil {
		return 0, err
	}
	c.Recipients = texts
	record, err := c.encode()
	if err != nil {
		return 0, err
	}
	next := &openedKeys{ask: askNew, env: b.env}
	if err := next.take(texts, b.url); err != nil {
		return 0, err
	}
	sealed, err := crypt.New(b.raw, crypt.Options{
		Destination: c.Destination, Identities: append(next.identities, b.keys.identities...), Now: b.env.Now,
	})
	if err != nil {
		return 0, &KeysError{err}
	}
	return sealed.Rotate(ctx, next.recipients, func() error {
		return b.dest.Update(ctx, func(l *backup.List) error {
			if now, err := decodeCryptRecord(l.Crypt); err != nil || now.Destination != c.Destination {
				return fmt.Errorf("%s became another destination meanwhile", b.url)
			}
			l.Crypt = record
			return nil
		})
	})
}
