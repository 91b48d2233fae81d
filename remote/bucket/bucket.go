// Package bucket is the one seam through which mlvc touches a remote place: a
// flat map from keys to objects, of which the places (a folder, S3, SFTP,
// HTTP) have one package each. Package buckettest holds the suite that each
// must pass.
package bucket

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"time"
)

// Version says which bytes an object that changes has; opaque, and of one
// bucket only. The empty Version is that of an object that does not exist.
// Equal bytes may have equal versions, whatever was there between, so what is
// swapped must say by its bytes alone all that matters.
type Version string

// Info describes an object.
type Info struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // when it was written, by the clock of the place
}

// MaxSmall is the most bytes that Get hands out and Swap takes: 1 MiB. A bucket
// that adds to what another one stores takes less by that, and says so.
const MaxSmall = 1 << 20

// What can be said of an object. Errors wrap these, so errors.Is finds them.
var (
	ErrNotExist = fs.ErrNotExist
	ErrExist    = fs.ErrExist
	// ErrMoved is for an object whose version is not the one expected.
	ErrMoved = errors.New("was changed by another in the meantime")
	// ErrTooLarge is for more than MaxSmall bytes.
	ErrTooLarge = errors.New("larger than 1 MiB")
)

// Bucket is a place that holds objects. Keys are what CheckKey allows; every
// method fails with *KeyError for another. No key may be a folder of another
// key: beside "a/b", an object "a" does not exist, and making it is an error.
//
// An object is written whole or not at all: no call, of this process or any
// other, ever sees a part of one. What a call has written is seen by every
// call that starts after it returned.
//
// A call that fails may have done its work all the same, except with an error
// that is ErrNotExist, ErrExist, ErrMoved, ErrTooLarge or a *KeyError, which
// says that it did nothing. So every call may be repeated: who is then told
// ErrExist or ErrMoved looks whether that was himself.
//
// A context that has ended makes every call fail with its error. Safe for
// concurrent use by goroutines, processes and machines.
type Bucket interface {
	// Get returns a small object whole, with its version. ErrNotExist if
	// there is none, ErrTooLarge if it has more than MaxSmall bytes.
	Get(ctx context.Context, key string) ([]byte, Version, error)

	// GetRange reads length bytes of an object from offset on, or all to its
	// end if length is negative. ErrNotExist if there is none. Where the object
	// ends before the range does, or before offset, reading fails with
	// io.ErrUnexpectedEOF after the bytes there are. The context is that of
	// the reading as well. The caller closes the reader. Bytes are as the
	// place has them: the caller verifies.
	GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// PutIfAbsent makes an object of the first size bytes of body. ErrExist
	// if there is one, whatever its bytes; body may not be read then. Of
	// several calls for one key exactly one succeeds. When it returns nil the
	// object is durable, its name included. A body that has fewer bytes is
	// io.ErrUnexpectedEOF, and nothing is made.
	PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error

	// Swap replaces an object, of version old, by data, and returns its new
	// version; the empty old makes an object that does not exist yet. ErrMoved
	// if its version is another: of several calls that expect one version
	// exactly one succeeds. When it returns nil the change is durable. It
	// excludes only other Swaps: a key is written by Swap or by
	// PutIfAbsent, never by both.
	Swap(ctx context.Context, key string, old Version, data []byte) (Version, error)

	// List yields the objects whose keys begin with prefix, sorted by key,
	// bytewise. The prefix need not end at a slash; the empty one lists all.
	// An error ends the list. What is written or deleted meanwhile may be
	// missing or not.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]

	// Delete removes an object; it is no error if there is none. It need not
	// be durable: after a power loss the object may be there again.
	Delete(ctx context.Context, key string) error

	// String returns the URL of the bucket, for messages, without secrets.
	String() string

	Close() error
}
