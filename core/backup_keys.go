package core

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
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
	// Identities are files of secret keys, of age or SSH; absolute.
	Identities []string
	// Ask asks for a passphrase: that of the destination, or of an SSH key.
	// nil: there is nobody to be asked.
	Ask func(what string) (string, error)
}

// passphraseWord stands for a passphrase in a list of recipients.
const passphraseWord = "passphrase"

// KeysError says that keys cannot be used.
type KeysError struct{ Err error }

func (e *KeysError) Error() string { return e.Err.Error() }

func (e *KeysError) Unwrap() error { return e.Err }

// openedKeys are keys that were read.
type openedKeys struct {
	recipients []crypt.Recipient
	identities []crypt.Identity
	texts      []string // of the recipients
	ask        func(what string) (string, error)
	answer     *crypt.Identity // that of the destination's passphrase
}

// parse reads the keys. It asks for no passphrase yet.
func (k BackupKeys) parse(fsys vfs.FS) (*openedKeys, error) {
	o := &openedKeys{texts: k.Recipients, ask: k.Ask}
	for _, name := range k.Identities {
		text, err := vfs.ReadFile(fsys, name)
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

func (o *openedKeys) asked(what string) (string, error) {
	if o.ask == nil {
		return "", &KeysError{fmt.Errorf("%s is locked by a passphrase, and nobody can be asked for it", what)}
	}
	return o.ask(what)
}

// take makes recipients of their texts.
func (o *openedKeys) take(texts []string, url string) error {
	if len(texts) == 1 && texts[0] == passphraseWord {
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
	if len(texts) == 0 {
		return nil
	}
	recipients, err := crypt.ParseRecipients(strings.Join(texts, "\n"))
	if err != nil {
		return &KeysError{err}
	}
	o.recipients = recipients
	return nil
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

func decodeCryptRecord(data []byte) (c cryptRecord, err error) {
	if v := objects.RecordVersion(data); v > cryptVersion {
		return c, fmt.Errorf("encryption of version %d (this mlvc reads up to %d): %w", v, cryptVersion, objects.ErrNewer)
	}
	unknown, err := objects.UnmarshalRecord(data, &c)
	if err == nil && (len(unknown) > 0 || c.Version != cryptVersion || len(c.Destination) != 32 || len(c.Recipients) == 0 || len(c.Recipients) > maxRecipients) {
		err = fmt.Errorf("%w: what the list says about encryption", objects.ErrCorrupt)
	}
	return c, err
}

// options sets how a destination is encrypted, if it is or shall be.
func (o *openedKeys) options(place BackupPlace, opt *backup.Options) error {
	opt.Wrap, opt.NoKey, opt.CheckParity = o.wrap, isKeyless, checkParity
	if len(o.texts) == 0 {
		return nil
	}
	var id [16]byte
	rand.Read(id[:]) //nolint:errcheck // never fails
	if err := o.take(o.texts, place.URL); err != nil {
		return err // before anything is written
	}
	record, err := objects.MarshalRecord(cryptRecord{Version: cryptVersion, Destination: hex.EncodeToString(id[:]), Recipients: o.texts}, nil)
	opt.Crypt = record
	return err
}

// wrap returns the bucket of an encrypted destination.
func (o *openedKeys) wrap(record []byte, b bucket.Bucket) (bucket.Bucket, error) {
	c, err := decodeCryptRecord(record)
	if err != nil {
		return nil, err
	}
	texts := o.texts
	if len(texts) == 0 || c.Recipients[0] == passphraseWord {
		texts = c.Recipients
	}
	if err := o.take(texts, b.String()); err != nil {
		return nil, err
	}
	sealed, err := crypt.New(b, crypt.Options{Destination: c.Destination, Recipients: o.recipients, Identities: o.identities})
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
