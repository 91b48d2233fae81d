package crypt

import (
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// ErrNoRecipient is for a write for which nobody is named who could read it.
var ErrNoRecipient = errors.New("no recipient is given, and no key of the destination can be opened")

// NoKeyError is for an object whose key none of the identities given opens:
// they are the wrong ones, or there are none.
type NoKeyError struct {
	Key     string // the object
	KeyFile string // where its key lies
	Tried   int    // identities
	// Passphrase: those tried are passphrases.
	Passphrase bool
}

func (e *NoKeyError) Error() string {
	switch {
	case e.Tried == 0:
		return fmt.Sprintf("%s: is encrypted, and no secret key is given to read it", e.Key)
	case e.Passphrase:
		return fmt.Sprintf("%s: the passphrase does not open %s: it is another one, or that is for keys", e.Key, e.KeyFile)
	case e.Tried == 1:
		return fmt.Sprintf("%s: is encrypted for others: the secret key given does not open %s", e.Key, e.KeyFile)
	}
	return fmt.Sprintf("%s: is encrypted for others: none of the %d secret keys given opens %s", e.Key, e.Tried, e.KeyFile)
}

// HalfRotatedError is for a rotation that ended midway. Whom the destination
// named before reads everything until its turn, whom it names now afterwards;
// done again with the keys of both it ends.
type HalfRotatedError struct{ Err error }

func (e *HalfRotatedError) Error() string { return "the rotation is not finished: " + e.Err.Error() }

// Unwrap returns what ended it.
func (e *HalfRotatedError) Unwrap() error { return e.Err }

// DamagedError is for an object that is not what was written under its key:
// damaged, truncated, moved or swapped. It is an objects.ErrCorrupt.
type DamagedError struct {
	Key    string
	Reason string
	// KeyFile, if set, is what is damaged, and Key cannot be read without it:
	// the object itself may be sound.
	KeyFile string
	// KeyLost: there is no such file. Perhaps it is the object that is damaged, and
	// names a key that never was.
	KeyLost bool
}

func (e *DamagedError) Error() string { return e.Key + ": " + e.Reason }

// Unwrap makes it an objects.ErrCorrupt.
func (e *DamagedError) Unwrap() error { return objects.ErrCorrupt }

// badKey says of an object that its key file is damaged.
func badKey(key string, id epochID, err error) error {
	return &DamagedError{Key: key, Reason: fmt.Sprintf("the key that it is encrypted with cannot be read: %v", err), KeyFile: id.keyFile()}
}

// lostKey says of an object that its key file is not there.
func lostKey(key string, id epochID) error {
	return &DamagedError{Key: key, Reason: "the key that it is encrypted with, " + id.keyFile() + ", is missing", KeyFile: id.keyFile(), KeyLost: true}
}

func bad(key, format string, args ...any) error {
	return &DamagedError{Key: key, Reason: fmt.Sprintf(format, args...)}
}
