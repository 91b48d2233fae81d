package core

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/crypt"
	"github.com/mlvc/mlvc/remote/bucket"
)

// BackupKeys are what an encrypted destination is written and read with.
type BackupKeys struct {
	// Recipients are public keys of those who can read what is written: of age
	// (age1…) or of SSH (ssh-ed25519 …); "passphrase" alone stands for one.
	// They are noted at the destination by the first set, so that later ones
	// need not name them.
	Recipients []string
	// Named says where Recipients were named, for errors: "--encrypt", say.
	Named string
	// Identities are files of secret keys, of age or SSH; absolute.
	Identities []string
	// Ask asks for a passphrase: that of the destination, or of an SSH key.
	// nil: there is nobody to be asked.
	Ask func(what string) (string, error)
	// AskNew asks for the passphrase that a new destination gets; nil: Ask.
	AskNew func(what string) (string, error)
}

// passphraseWord stands for a passphrase in a list of recipients.
const passphraseWord = "passphrase"

// KeysError says that keys cannot be used.
type KeysError struct{ Err error }

func (e *KeysError) Error() string { return e.Err.Error() }

func (e *KeysError) Unwrap() error { return e.Err }

// SplitRecipients reads recipients that commas separate.
func SplitRecipients(text string) []string {
	var list []string
	for key := range strings.SplitSeq(text, ",") {
		if key = strings.TrimSpace(key); key != "" {
			list = append(list, key)
		}
	}
	return list
}

// openedKeys are keys that were read.
type openedKeys struct {
	recipients []crypt.Recipient
	identities []crypt.Identity
	texts      []string // of the recipients that were named, sorted
	ask        func(what string) (string, error)
	askNew     func(what string) (string, error) // of a destination that begins
	begins     []byte                            // what the list of one that begins will say
	answer     *crypt.Identity                   // that of the destination's passphrase
	env        Env
	memory     string // BackupPlace.Memory
}

// parse reads the keys of a place. It asks for no passphrase yet.
func (p BackupPlace) parse(env Env) (*openedKeys, error) {
	o := &openedKeys{ask: p.Keys.Ask, askNew: p.Keys.AskNew, env: env, memory: p.Memory}
	var err error
	if o.texts, _, err = readRecipients(p.Keys.Recipients); err != nil {
		return nil, err
	}
	for _, name := range p.Keys.Identities {
		text, err := vfs.ReadFile(env.FS, name)
		if err != nil {
			return nil, err
		}
		ids, err := crypt.ParseIdentities(text, func() (string, error) { return o.asked("the key " + name) })
		if err != nil {
			return nil, &KeysError{fmt.Errorf("%s: %w", name, err)}
		}
		o.identities = append(o.identities, ids...)
	}
	return o, nil
}

// readRecipients reads recipients, and returns their texts without comments,
// sorted, none twice. Of a passphrase there is only the text.
func readRecipients(texts []string) ([]string, []crypt.Recipient, error) {
	if len(texts) == 0 {
		return nil, nil, nil
	}
	if isPassphrase(texts) {
		return []string{passphraseWord}, nil, nil
	}
	if slices.Contains(texts, passphraseWord) {
		return nil, nil, &KeysError{errors.New("a passphrase must be the only recipient")}
	}
	recipients, err := crypt.ParseRecipients(strings.Join(texts, "\n"))
	if err != nil {
		return nil, nil, &KeysError{err}
	}
	var plain []string
	for _, r := range recipients {
		plain = append(plain, r.String())
	}
	slices.Sort(plain)
	return slices.Compact(plain), recipients, nil
}

func isPassphrase(texts []string) bool { return len(texts) == 1 && texts[0] == passphraseWord }

func (o *openedKeys) asked(what string) (string, error) {
	if o.ask == nil {
		return "", &KeysError{fmt.Errorf("%s is locked by a passphrase, and nobody can be asked for it", what)}
	}
	return o.ask(what)
}

// take makes recipients of their texts.
func (o *openedKeys) take(texts []string, url string) error {
	if isPassphrase(texts) {
		if o.answer != nil {
			return nil // it was asked for
		}
		word, err := o.asked("the backups at " + url)
		if err != nil {
			return err
		}
		recipient, identity, err := crypt.Passphrase(word)
		if err != nil {
			return &KeysError{err}
		}
		o.recipients, o.identities, o.answer = []crypt.Recipient{recipient}, append(o.identities, identity), &identity
		return nil
	}
	_, recipients, err := readRecipients(texts)
	o.recipients = recipients
	return err
}

// cryptRecord is what the list of a destination says about its encryption.
type cryptRecord struct {
	Version     int      `cbor:"version"`
	Destination string   `cbor:"destination"` // its ID: 32 hexadecimal digits
	Recipients  []string `cbor:"recipients"`
}

const (
	cryptVersion  = 1
	maxRecipients = 100
)

func (c cryptRecord) encode() ([]byte, error) {
	if len(c.Recipients) > maxRecipients {
		return nil, &KeysError{fmt.Errorf("%d recipients; there can be %d", len(c.Recipients), maxRecipients)}
	}
	return objects.MarshalRecord(c, nil)
}

func decodeCryptRecord(data []byte) (c cryptRecord, err error) {
	if v := objects.RecordVersion(data); v > cryptVersion {
		return c, fmt.Errorf("encryption of version %d (this mlvc reads up to %d): %w", v, cryptVersion, objects.ErrNewer)
	}
	unknown, err := objects.UnmarshalRecord(data, &c)
	if err == nil && (len(unknown) > 0 || c.Version != cryptVersion || !isDestination(c.Destination) || len(c.Recipients) == 0 || len(c.Recipients) > maxRecipients) {
		err = fmt.Errorf("%w: what the list says about encryption", objects.ErrCorrupt)
	}
	return c, err
}

// isDestination reports whether a text is the ID of a destination. It names a
// folder here, so that of a forged list must not be one of anywhere else.
func isDestination(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == 16 && hex.EncodeToString(id) == text
}

// options sets how a destination is encrypted, if it is or shall be.
func (o *openedKeys) options(ctx context.Context, opt *backup.Options) error {
	opt.NoKey, opt.CheckParity = isKeyless, checkParity
	opt.Wrap = func(record []byte, b bucket.Bucket) (bucket.Bucket, error) { return o.wrap(ctx, record, b) }
	if len(o.texts) == 0 {
		return nil
	}
	var id [16]byte
	rand.Read(id[:]) //nolint:errcheck // never fails
	record, err := cryptRecord{Version: cryptVersion, Destination: hex.EncodeToString(id[:]), Recipients: o.texts}.encode()
	opt.Crypt, o.begins = record, record
	return err
}

// wrap returns the bucket of an encrypted destination. Whom it names are those
// that are written for; CreateBackup refuses if they are others than were asked
// for or remembered.
func (o *openedKeys) wrap(ctx context.Context, record []byte, b bucket.Bucket) (bucket.Bucket, error) {
	c, err := decodeCryptRecord(record)
	if err != nil {
		return nil, err
	}
	begun := !bytes.Equal(record, o.begins)
	if !begun && o.askNew != nil {
		o.ask = o.askNew
	}
	if err := o.take(c.Recipients, b.String()); err != nil {
		return nil, err
	}
	opt := crypt.Options{Destination: c.Destination, Recipients: o.recipients, Identities: o.identities, Begun: begun, Now: o.env.Now}
	if o.memory != "" && o.answer == nil {
		// With a passphrase everything can be read again.
		opt.Keep = backup.IsRecord
		if opt.Record, err = openNotes(ctx, o.env.FS, o.memory, c.Destination); err != nil {
			return nil, err
		}
	}
	sealed, err := crypt.New(b, opt)
	if err != nil {
		return nil, &KeysError{err}
	}
	return sealed, nil
}

// isKeyless reports whether an error is for want of a key.
func isKeyless(err error) bool {
	_, keyless := errors.AsType[*crypt.NoKeyError](err)
	return keyless
}

// isKeyDamage reports whether an error is for a key file that is damaged, which no
// parity heals. That of one that is not there may be for an object that names another
// key than it did.
func isKeyDamage(err error) bool {
	damaged, ok := errors.AsType[*crypt.DamagedError](err)
	return ok && damaged.KeyFile != "" && !damaged.KeyLost
}
