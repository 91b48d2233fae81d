// Package objects defines what an mlvc repository is made of: IDs, the kinds
// of object, the canonical encoding of each, and the verbs that a store
// speaks. It imports nothing else of mlvc, and everything else imports it.
package objects

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/zeebo/blake3"
)

// IDSize is the length of an ID in bytes.
const IDSize = 32

// ID names an object by its bytes. Contents and chunks have the plain
// BLAKE3-256 of their bytes, so that b3sum prints it; every other kind has
// BLAKE3 in derive-key mode under the kind's own context, so that no bytes
// can stand for objects of two kinds.
type ID [IDSize]byte

// ErrBadID is what ParseID returns for text that is not 64 hexadecimal digits.
var ErrBadID = errors.New("not an object ID (want 64 hexadecimal digits)")

// ParseID reads the text that String prints: 64 lower-case hexadecimal digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*IDSize {
		return ID{}, fmt.Errorf("%q: %w", s, ErrBadID)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, fmt.Errorf("%q: %w", s, ErrBadID)
	}
	return id, nil
}

// String returns the ID as 64 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first ten digits, for people to read.
func (id ID) Short() string { return hex.EncodeToString(id[:5]) }

// IsZero reports whether id is the zero ID, which names no object.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText implements encoding.TextMarshaler; the zero ID is empty text.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(text))
	*id = parsed
	return err
}

// Sum returns the ID that the bytes have as an object of the given kind.
func Sum(kind Kind, data []byte) ID {
	if kind == KindChunk {
		return blake3.Sum256(data)
	}
	pool := hashers[kind]
	if pool == nil {
		panic(fmt.Sprintf("objects: no ID context for kind %d", kind))
	}
	h := pool.Get().(*blake3.Hasher)
	defer pool.Put(h)
	h.Reset()
	h.Write(data) //nolint:errcheck // a hash never fails
	var id ID
	h.Sum(id[:0])
	return id
}

// hashers hold one pool a kind: setting up a derive-key hasher costs more
// than hashing a small object.
var hashers = func() map[Kind]*sync.Pool {
	pools := make(map[Kind]*sync.Pool)
	for kind, context := range contexts {
		pools[kind] = &sync.Pool{New: func() any { return blake3.NewDeriveKey(context) }}
	}
	return pools
}()
