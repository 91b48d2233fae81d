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
}

func (e *NoKeyError) Error() string {
	if e.Tried == 0 {
		return fmt.Sprintf("%s: is encrypted, and no identity is given to read it", e.Key)
	}
	return fmt.Sprintf("%s: is encrypted for others: none of the %d identities given opens %s", e.Key, e.Tried, e.KeyFile)
}

// DamagedError is for an object that is not what was written under its key:
// damaged, truncated, moved or swapped. It is an objects.ErrCorrupt.
type DamagedError struct {
	Key    string
	Reason string
}

func (e *DamagedError) Error() string { return e.Key + ": " + e.Reason }

// Unwrap makes it an objects.ErrCorrupt.
func (e *DamagedError) Unwrap() error { return objects.ErrCorrupt }

func bad(key, format string, args ...any) error {
	return &DamagedError{Key: key, Reason: fmt.Sprintf(format, args...)}
}
