package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/bucket"
)

// Options is what a Destination needs from outside.
type Options struct {
	FS vfs.FS
	// Cache is a local folder for manifests, index segments and packs that are
	// arriving. It is made if it is missing, and may be lost at any time.
	Cache string
	Now   func() time.Time
	// Progress is told how many bytes have moved since the last call, from
	// several goroutines; it may be nil.
	Progress func(received, sent int64)
	// Crypt is what the first set writes into the list about encryption, and
	// empty for a destination that is not encrypted.
	Crypt []byte
	// Wrap returns the bucket through which everything but the list is read
	// and written, by what the list says about encryption. It is called
	// only for an encrypted destination; without it one is an
	// *EncryptedError. Keys that end in ".parity" are written past it, for parity
	// is of the bytes that are stored. The wrapped bucket is not closed.
	Wrap func(crypt []byte, b bucket.Bucket) (bucket.Bucket, error)
	// NoKey tells the errors of the wrapped bucket that are for want of a key
	// from all others; it may be nil.
	NoKey func(error) bool
	// CheckParity says what is wrong with the parity of a stored pack; nil: it is
	// only looked whether it is there.
	CheckParity func(ctx context.Context, parity []byte, r io.ReaderAt, size int64) error
}

// Destination is a bucket with backup sets. Safe for concurrent use.
type Destination struct {
	raw    bucket.Bucket // of the list
	bucket bucket.Bucket // of everything else
	opt    Options

	mu        sync.Mutex
	list      List
	version   bucket.Version
	recovered error // why the list was made of other objects; nil: it was read
	large     bool  // what lies there has more bytes than a list, and cannot be swapped
}

// EncryptedError is for a destination that cannot be read without a key.
type EncryptedError struct{ URL string }

func (e *EncryptedError) Error() string { return fmt.Sprintf("backups at %s are encrypted", e.URL) }

// ForeignError is for a destination that has the sets of another repository.
type ForeignError struct{ URL, Have, Want string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s has the backups of another repository (%.8s, this is %.8s)", e.URL, e.Have, e.Want)
}

// NoSetError is for a set that the destination does not have.
type NoSetError struct {
	URL   string
	Label Label
}

func (e *NoSetError) Error() string { return fmt.Sprintf("%s has no backup set %s", e.URL, e.Label) }

// Open reads the list of a destination: one request, where it can be read. A bucket
// without a list, its copy and its note is a destination without sets. A list that is damaged or lost is
// made again of its copy or note and of the manifests, if it can be, and Recovered says
// so: what next changes the list puts it right. Else it fails with a
// *remote.DepotError, with one that wraps objects.ErrNewer for a later version,
// and with an *EncryptedError. The bucket stays the caller's to close.
func Open(ctx context.Context, b bucket.Bucket, opt Options) (*Destination, error) {
	d := &Destination{raw: b, bucket: b, opt: opt}
	if opt.Now == nil {
		d.opt.Now = time.Now
	}
	list, err := d.Reload(ctx)
	if err != nil {
		return nil, err
	}
	crypt := list.Crypt
	if list.Repository == "" {
		crypt = opt.Crypt
	}
	d.bucket, err = d.wrapped(crypt)
	return d, err
}

// wrapped returns the bucket of everything but the list.
func (d *Destination) wrapped(crypt []byte) (bucket.Bucket, error) {
	switch {
	case len(crypt) == 0 || d.bucket != d.raw:
		return d.bucket, nil
	case d.opt.Wrap == nil:
		return nil, &EncryptedError{d.String()}
	}
	b, err := d.opt.Wrap(crypt, d.raw)
	if err != nil {
		return nil, fmt.Errorf("backups at %s: %w", d, err)
	}
	return b, nil
}

// String returns the URL.
func (d *Destination) String() string { return d.raw.String() }

// Bucket returns the bucket of everything but the list: for an encrypted
// destination the one that Options.Wrap returned.
func (d *Destination) Bucket() bucket.Bucket { return d.bucket }

// List returns the sets as they were at the last Open, Reload or change.
func (d *Destination) List() List {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list.clone()
}

// Reload reads the list anew and returns it; of an empty destination it is zero.
func (d *Destination) Reload(ctx context.Context) (List, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.read(ctx); err != nil {
		return List{}, err
	}
	return d.list.clone(), nil
}

// Recovered returns what is wrong with the list, if it could not be read and was
// made again of other objects.
func (d *Destination) Recovered() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.recovered
}

// read is called with d.mu held.
func (d *Destination) read(ctx context.Context) error {
	data, version, err := d.raw.Get(ctx, listKey)
	lost := errors.Is(err, bucket.ErrNotExist)
	if lost && d.version != "" {
		return d.failed(listKey, errors.New("it was there and is gone"))
	}
	if d.large = errors.Is(err, bucket.ErrTooLarge); d.large {
		err = corrupt("%v", err)
	} else if err != nil && !lost {
		return d.failed(listKey, err)
	}
	var list List
	if err == nil {
		list, err = DecodeList(data)
	}
	if lost || errors.Is(err, objects.ErrCorrupt) {
		return d.readWithout(ctx, err, version)
	}
	return d.take(list, version, err)
}

// take takes a list that was read; d.mu is held.
func (d *Destination) take(list List, version bucket.Version, err error) error {
	if err == nil && d.list.Repository != "" && list.Repository != d.list.Repository {
		err = &ForeignError{d.String(), list.Repository, d.list.Repository}
	}
	if err != nil {
		return d.failed(listKey, err)
	}
	d.list, d.version, d.recovered = list, version, nil
	return nil
}

// maxRaces is how often a change of the list is tried again when others were
// first.
const maxRaces = 100

// Update changes the list: fn gets the newest and changes it, maybe several times,
// each time from anew, until nobody else was first. fn must do the same when it
// is given what it made, and nothing then: so one that has happened is known
// though the answer was lost. When Update returns nil the change is durable.
// After an error of the bucket it may have happened.
func (d *Destination) Update(ctx context.Context, fn func(*List) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var failed error
	var noted []byte
	for try := range maxRaces {
		if err := d.read(ctx); err != nil {
			return errors.Join(failed, err)
		}
		old, next := d.list, d.list.clone()
		if try == 0 {
			noted = old.Crypt // the note is written before the list
		}
		if err := fn(&next); err != nil {
			return errors.Join(failed, err, d.restoreBeside(ctx, try, noted))
		}
		if d.recovered != nil {
			next.Rebuilt = d.opt.Now().Unix()
		}
		data, err := EncodeList(next)
		if err != nil {
			return errors.Join(failed, err)
		}
		if d.version != "" && d.recovered == nil {
			if was, err := EncodeList(old); err == nil && bytes.Equal(was, data) {
				return nil // nothing to do, or done by the try before
			}
		}
		if failed != nil && !errors.Is(failed, bucket.ErrMoved) {
			return errors.Join(failed, d.restoreBeside(ctx, try, noted))
		}
		if err := d.writeBeside(ctx, next, data, noted); err != nil {
			return errors.Join(failed, err)
		}
		noted = next.Crypt
		if failed = d.swap(ctx, next, data); failed == nil {
			return nil
		}
	}
	return failed
}

// swap puts a list in the place of what was read; d.mu is held.
func (d *Destination) swap(ctx context.Context, next List, data []byte) error {
	if d.large {
		if err := d.raw.Delete(ctx, listKey); err != nil {
			return d.failed(listKey, err)
		}
	}
	version, err := d.raw.Swap(ctx, listKey, d.version, data)
	if err != nil {
		return d.failed(listKey, err)
	}
	d.list, d.version, d.recovered = next, version, nil
	return nil
}

// failed says what an error of the bucket is about.
func (d *Destination) failed(key string, err error) error {
	if err == nil {
		return nil
	}
	return &remote.DepotError{URL: d.String(), Key: key, Err: err}
}

// shelf returns options for the packs of a set; without a label nothing is
// added.
func (d *Destination) shelf(label Label) remote.ShelfOptions {
	opt := remote.ShelfOptions{FS: d.opt.FS, Cache: d.opt.Cache, Progress: d.opt.Progress}
	if label != "" {
		opt.Folder = label.folder()
	}
	return opt
}
