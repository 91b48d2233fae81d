package objects

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what an object is. The numbers are part of the pack format and of
// the database: they never change meaning.
type Kind uint8

// The kinds of object.
const (
	// KindChunk is a run of the bytes of a file, or a whole file of up to
	// 256 KiB, or the target of a symbolic link.
	KindChunk Kind = 1
	// KindList is a node of a chunk list: the sequence of chunks that makes
	// up a content larger than 256 KiB.
	KindList Kind = 2
	// KindNode is a node of a sorted map: of a tree, a split table or a view.
	KindNode Kind = 3
	// KindCommit is a commit.
	KindCommit Kind = 4
	// KindOperation is one logged change of names.
	KindOperation Kind = 5
)

// contexts are the BLAKE3 derive-key contexts; fixed for ever.
var contexts = map[Kind]string{
	KindList:      "mlvc 2026-11-24 chunk list node v1",
	KindNode:      "mlvc 2026-11-24 sorted map node v1",
	KindCommit:    "mlvc 2026-11-24 commit v1",
	KindOperation: "mlvc 2026-11-24 operation v1",
}

// Valid reports whether k is a kind that this version knows.
func (k Kind) Valid() bool { return k >= KindChunk && k <= KindOperation }

// IsMeta reports whether objects of kind k are metadata: read from the
// database, and packed apart from chunks.
func (k Kind) IsMeta() bool { return k != KindChunk }

// String returns the kind's name as messages print it.
func (k Kind) String() string {
	switch k {
	case KindChunk:
		return "chunk"
	case KindList:
		return "chunk list"
	case KindNode:
		return "map node"
	case KindCommit:
		return "commit"
	case KindOperation:
		return "operation"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// MaxObject is the most bytes that one object may have. Chunks are at most
// 256 KiB; decoders refuse anything larger before they allocate.
const MaxObject = 1 << 20

// Object is immutable bytes of a kind.
type Object struct {
	Kind Kind
	Data []byte
}

// ID returns the object's ID, hashing its bytes.
func (o Object) ID() ID { return Sum(o.Kind, o.Data) }

var (
	// ErrNotFound is for an object that a store does not hold.
	ErrNotFound = errors.New("object not found")
	// ErrCorrupt is for bytes that do not have the ID they are stored under,
	// or do not decode.
	ErrCorrupt = errors.New("object is damaged")
)

// ObjectError says which object an error is about; errors.Is sees through it.
type ObjectError struct {
	ID    ID
	Where string // the pack or record, for people; may be empty
	Err   error
}

func (e *ObjectError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("object %s: %v", e.ID, e.Err)
	}
	return fmt.Sprintf("object %s in %s: %v", e.ID, e.Where, e.Err)
}

func (e *ObjectError) Unwrap() error { return e.Err }

// Getter hands out objects.
type Getter interface {
	// Get returns the object of that ID. Its bytes were checked against the
	// ID on this call. The caller must not change them. It fails with an
	// *ObjectError that wraps ErrNotFound or ErrCorrupt. Safe for concurrent
	// use.
	Get(ctx context.Context, id ID) (Object, error)
}

// Store keeps objects by ID.
type Store interface {
	Getter
	// Put stores the object and returns its ID; idempotent. A Get after it
	// finds the object at once, but only Sync makes it durable. The store
	// may keep o.Data: the caller must not change it afterwards. Safe for
	// concurrent use.
	Put(ctx context.Context, o Object) (ID, error)
	// Missing returns those of ids that the store does not hold, in order,
	// each once.
	Missing(ctx context.Context, ids []ID) ([]ID, error)
	// Sync returns when every object put before the call is durable.
	Sync(ctx context.Context) error
}
