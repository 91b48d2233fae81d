// Package crypt is a bucket that encrypts what it is given, so that the place
// where another bucket lies learns neither contents nor what they are called
// inside: only keys, sizes and times. FORMAT.md says what an object becomes, what
// that protects from, and what it does not.
//
// Who only writes needs no secret: each Bucket without identities makes a data
// key of its own, encrypts it for the recipients, and forgets it when it ends.
package crypt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/mlvc/mlvc/remote/bucket"
)

// Options say for whom a destination is encrypted, and who reads it here.
type Options struct {
	// Destination is the ID of the destination: 1 to 200 bytes, the same for
	// ever, for every copy of it. An object of another one is refused.
	Destination string
	// Recipients can read what is written from now on. None: whoever could
	// read the newest key that Identities open.
	Recipients []Recipient
	// Identities read what is there. None: only what this Bucket wrote.
	Identities []Identity
	// Begun says that something was written there before: a passphrase that
	// opens none of its keys is then a wrong one, and nothing is written with it.
	Begun bool
	// Plain says which keys are stored as they are: those that must be read
	// without a secret. Nil: none.
	Plain func(key string) bool
	// Record is where one who only writes notes the secrets of the objects
	// that Keep names, so as to be able to read them later: the indexes of
	// sets, say, and not their packs. A local folder; nil: none is noted.
	Record bucket.Bucket
	Keep   func(key string) bool
	// Now is the clock, for the age of keys. Nil: time.Now.
	Now func() time.Time
}

// Bucket encrypts what goes into another bucket, and decrypts and verifies
// what comes out. The keys of objects stay as they are; those below "keys/" are
// its own. Get and Swap of what is encrypted take MaxSmall bytes.
//
// Reading fails with *NoKeyError if no identity fits, and with *DamagedError
// for what is not exactly what was written under that key. Range by range
// that is so too: no byte is handed out that was not verified. Version, order
// and absence are as the place says: it may hand out an older object of the same
// key, or none.
type Bucket struct {
	inner bucket.Bucket
	opt   Options
	keys  *keyring

	mu     sync.Mutex
	opened map[string]*object // by key: whose header need not be read again
}

// maxOpened bounds the memory of opened to some MiB.
const maxOpened = 4096

var _ bucket.Bucket = (*Bucket)(nil)

// New returns a bucket that encrypts what goes into inner. It reads nothing
// yet. Closing it closes inner; the record is the caller's.
func New(inner bucket.Bucket, opt Options) (*Bucket, error) {
	if n := len(opt.Destination); n < 1 || n > maxDestination {
		return nil, fmt.Errorf("destination ID of %d bytes", n)
	}
	if err := checkRecipients(opt.Recipients); err != nil {
		return nil, err
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	keys := &keyring{
		inner: inner, destination: opt.Destination, identities: opt.Identities, recipients: opt.Recipients, now: opt.Now, begun: opt.Begun,
		known: make(map[epochID]*epoch), others: make(map[epochID]bool),
	}
	return &Bucket{inner: inner, opt: opt, keys: keys, opened: make(map[string]*object)}, nil
}

func checkRecipients(recipients []Recipient) error {
	for _, r := range recipients {
		if r.age == nil {
			return fmt.Errorf("recipient %q is not one that was parsed", r.text)
		}
		if r.text == passphraseText && len(recipients) > 1 {
			return fmt.Errorf("a passphrase must be the only recipient, and there are %d", len(recipients))
		}
	}
	return nil
}

// Rotate encrypts the keys of all that is there anew, so that exactly the
// recipients can read it, and returns how many there are; no object is read or
// written. What is written afterwards has a new key. Every key must be one that
// the identities open, else nothing is changed (*NoKeyError).
//
// In the middle it calls turn, which notes the new recipients where the
// destination names them: until it is called the old ones can read everything,
// and from then on the new ones. An error from the first change on is a
// *HalfRotatedError: it is done again with the identities of both. Who could
// read before may have kept the keys, or a copy of their files: rotation does
// not take back what they could read.
func (b *Bucket) Rotate(ctx context.Context, recipients []Recipient, turn func() error) (int, error) {
	if len(recipients) == 0 {
		return 0, ErrNoRecipient
	}
	if err := checkRecipients(recipients); err != nil {
		return 0, err
	}
	return b.keys.rotate(ctx, recipients, turn)
}

// BrokenKey is a key file that is damaged or missing.
type BrokenKey struct {
	Name string
	Err  error
	Copy bool // its copy opens, so that nothing is lost yet
}

// CheckKeys returns the files below "keys/" that are damaged or missing while
// their copy is there. Those that are for others are none, unless the identities
// open their copy.
func (b *Bucket) CheckKeys(ctx context.Context) ([]BrokenKey, error) { return b.keys.check(ctx) }

// sealed reports whether the object is an encrypted one; an error for a key
// that is none, or that is not for callers.
func (b *Bucket) sealed(key string) (bool, error) {
	if err := bucket.CheckKey(key); err != nil {
		return false, err
	}
	if isKeyFile(key) {
		return false, &bucket.KeyError{Key: key, Reason: "is where the keys of the destination are"}
	}
	return b.opt.Plain == nil || !b.opt.Plain(key), nil
}

// Seal returns what PutIfAbsent would write: the object's bytes, made while
// they are read, and how many. It is for who writes them himself, and makes
// parity of them as well. The body must not change as long as it is read. Each
// call makes another object. The record is written first.
func (b *Bucket) Seal(ctx context.Context, key string, body io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	if sealed, err := b.sealed(key); err != nil || !sealed {
		return body, size, err
	}
	e, err := b.keys.forWriting(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("encrypt %s: %w", key, err)
	}
	h, err := newHeader(e.id(), size)
	if err != nil {
		return nil, 0, err
	}
	k := e.objectKey(h, key)
	o, err := newObject(h, key, k)
	if err != nil {
		return nil, 0, err
	}
	if err := b.note(ctx, o, k); err != nil {
		return nil, 0, fmt.Errorf("note the key of %s: %w", key, err)
	}
	return newSealedBody(o, body), sealedSize(size), nil
}

// PutIfAbsent implements bucket.Bucket. The body must not change meanwhile.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	sealed, n, err := b.Seal(ctx, key, body, size)
	if err != nil {
		return err
	}
	b.forget(key)
	return b.inner.PutIfAbsent(ctx, key, sealed, n)
}

// Swap implements bucket.Bucket.
func (b *Bucket) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	if sealed, err := b.sealed(key); err != nil {
		return "", err
	} else if !sealed {
		return b.inner.Swap(ctx, key, old, data)
	}
	if len(data) > MaxSmall {
		return "", fmt.Errorf("swap %s: %d bytes, of which encryption takes %d: %w", key, len(data), MaxSmall, bucket.ErrTooLarge)
	}
	sealed, n, err := b.Seal(ctx, key, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", err
	}
	whole := make([]byte, n)
	if _, err := sealed.ReadAt(whole, 0); err != nil {
		return "", err
	}
	b.forget(key)
	return b.inner.Swap(ctx, key, old, whole)
}

// Get implements bucket.Bucket.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	sealed, err := b.sealed(key)
	if err != nil {
		return nil, "", err
	}
	data, v, err := b.inner.Get(ctx, key)
	if err != nil || !sealed {
		return data, v, err
	}
	o, err := b.open(ctx, key, data)
	if err != nil {
		return nil, "", err
	}
	plain, err := o.openAll(data)
	if err != nil {
		return nil, "", err
	}
	return plain, v, nil
}

// List implements bucket.Bucket; sizes are those of the plain bytes.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		for info, err := range b.inner.List(ctx, prefix) {
			if err == nil {
				sealed, kerr := b.sealed(info.Key)
				if kerr != nil {
					continue
				}
				if sealed {
					info.Size = plainSize(info.Size)
				}
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// Delete implements bucket.Bucket. What the record has of the object goes too.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if _, err := b.sealed(key); err != nil {
		return err
	}
	b.forget(key)
	if err := b.inner.Delete(ctx, key); err != nil {
		return err
	}
	return b.unnote(ctx, key)
}

// String implements bucket.Bucket.
func (b *Bucket) String() string { return b.inner.String() }

// Close implements bucket.Bucket.
func (b *Bucket) Close() error { return b.inner.Close() }

// forget is for an object that may be another from now on.
func (b *Bucket) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.opened, key)
}
