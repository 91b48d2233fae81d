package crypt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
)

// keysPrefix is where a destination has its keys, each encrypted by age.
const keysPrefix = "keys/"

// keyring holds the epochs of a destination that this process knows.
type keyring struct {
	inner       bucket.Bucket
	destination string
	begun       bool // Options.Begun
	identities  []Identity
	now         func() time.Time

	mu         sync.Mutex // held while a key is looked for, so that it is asked for once
	recipients []Recipient
	known      map[epochID]*epoch
	others     map[epochID]bool // that no identity opens: a passphrase is slow to try
	writing    *epoch           // what new objects are written with; nil: not chosen yet
}

func isKeyFile(key string) bool { return key+"/" == keysPrefix || strings.HasPrefix(key, keysPrefix) }

// epoch returns the epoch of an object with this name.
func (k *keyring) epoch(ctx context.Context, id epochID, name string) (*epoch, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.known[id]; e != nil {
		return e, nil
	}
	if len(k.identities) == 0 {
		return nil, &NoKeyError{Key: name, KeyFile: id.keyFile()}
	}
	err := errOthers
	var e *epoch
	if !k.others[id] {
		e, err = k.load(ctx, id)
	}
	switch {
	case errors.Is(err, bucket.ErrNotExist):
		return nil, lostKey(name, id)
	case errors.Is(err, errOthers):
		k.others[id] = true
		return nil, &NoKeyError{Key: name, KeyFile: id.keyFile(), Tried: len(k.identities), Passphrase: k.onlyPassphrases()}
	case errors.Is(err, objects.ErrCorrupt):
		return nil, badKey(name, id, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	k.known[id] = e
	return e, nil
}

// onlyPassphrases reports whether the identities are all passphrases.
func (k *keyring) onlyPassphrases() bool {
	return len(k.identities) > 0 && !slices.ContainsFunc(k.identities, func(id Identity) bool {
		_, ok := id.age.(*age.ScryptIdentity)
		return !ok
	})
}

// load reads the key of an epoch from the first copy of its file that has it,
// and fails for what is wrong with the first one that is there.
func (k *keyring) load(ctx context.Context, id epochID) (*epoch, error) {
	var first error
	for _, name := range id.keyFiles() {
		e, _, err := k.loadFile(ctx, id, name)
		if err == nil {
			return e, nil
		}
		if first == nil || errors.Is(first, bucket.ErrNotExist) {
			first = err
		}
	}
	return nil, first
}

// loadFile reads one key file. It is trusted only if it holds the key that it is
// named for, and for this destination.
func (k *keyring) loadFile(ctx context.Context, id epochID, name string) (*epoch, []byte, error) {
	file, _, err := k.inner.Get(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	e, err := unwrap(file, k.identities)
	switch {
	case errors.Is(err, errOthers):
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	case errors.Is(err, objects.ErrCorrupt):
		return nil, nil, bad(name, "is damaged, or truncated: %v", err)
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	case e.id() != id:
		return nil, nil, bad(name, "holds another key: swapped")
	case e.Destination != k.destination:
		return nil, nil, bad(name, "is a key of destination %q, not of %q", e.Destination, k.destination)
	}
	return e, file, nil
}

// forWriting returns the epoch to write with. It is one that is there, if an
// identity opens it, it is not older than writeWithin and for exactly the
// recipients wanted; else a new one, whose file is durable before anything is
// encrypted with it.
func (k *keyring) forWriting(ctx context.Context) (*epoch, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writing != nil {
		return k.writing, nil
	}
	e, err := k.find(ctx)
	if err != nil {
		return nil, err
	}
	if e == nil {
		if e, err = k.create(ctx); err != nil {
			return nil, err
		}
	}
	k.known[e.id()], k.writing = e, e
	return e, nil
}

// find looks for an epoch to go on with, the newest first. What is damaged or
// of others is passed over.
func (k *keyring) find(ctx context.Context) (*epoch, error) {
	if len(k.identities) == 0 {
		return nil, nil
	}
	times, err := k.times(ctx)
	if err != nil {
		return nil, err
	}
	wrong := k.begun && isPassphrase(k.recipients) && len(times) > 0
	for _, id := range newestFirst(times) {
		old := k.now().Sub(times[id]) > writeWithin
		if old && !wrong {
			break
		}
		e, err := k.load(ctx, id)
		wrong = wrong && err != nil
		switch {
		case errors.Is(err, errOthers), errors.Is(err, objects.ErrCorrupt), errors.Is(err, objects.ErrNewer), errors.Is(err, bucket.ErrNotExist):
		case err != nil:
			return nil, err
		case !old && !e.Retired && (len(k.recipients) == 0 || slices.Equal(e.Recipients, texts(k.recipients))):
			return e, nil
		}
	}
	if wrong {
		return nil, &NoKeyError{Key: "what is written", KeyFile: keysPrefix + "…", Tried: len(k.identities), Passphrase: true}
	}
	return nil, nil
}

func isPassphrase(to []Recipient) bool { return len(to) == 1 && to[0].text == passphraseText }

// list returns the epochs that have a file, the newest first.
func (k *keyring) list(ctx context.Context) ([]epochID, error) {
	times, err := k.times(ctx)
	return newestFirst(times), err
}

func newestFirst(times map[epochID]time.Time) []epochID {
	return slices.SortedFunc(maps.Keys(times), func(a, b epochID) int {
		return cmp.Or(times[b].Compare(times[a]), bytes.Compare(a[:], b[:]))
	})
}

// times returns the epochs that have a file, and when the newest of its copies
// was written.
func (k *keyring) times(ctx context.Context) (map[epochID]time.Time, error) {
	times := make(map[epochID]time.Time)
	for info, err := range k.inner.List(ctx, keysPrefix) {
		if err != nil {
			return nil, err
		}
		var id epochID
		name := strings.TrimPrefix(info.Key, keysPrefix)
		_, err := hex.Decode(id[:], []byte(name[:min(len(name), 2*len(id))]))
		files := id.keyFiles()
		if err != nil || !slices.Contains(files[:], info.Key) {
			continue
		}
		if at, ok := times[id]; !ok || info.Modified.After(at) {
			times[id] = info.Modified
		}
	}
	return times, nil
}

func (k *keyring) create(ctx context.Context) (*epoch, error) {
	if len(k.recipients) == 0 {
		return nil, ErrNoRecipient
	}
	e, err := newEpoch(k.destination, k.recipients)
	if err != nil {
		return nil, err
	}
	file, err := e.wrap(k.recipients)
	if err != nil {
		return nil, err
	}
	// A failed swap may have been done: that file is then one of a key that
	// nothing was encrypted with.
	for _, name := range e.id().keyFiles() {
		if _, err := k.inner.Swap(ctx, name, "", file); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// replace gives a key file other bytes, whatever it has now.
func (k *keyring) replace(ctx context.Context, name string, file []byte) error {
	_, version, err := k.inner.Get(ctx, name)
	if err != nil && !errors.Is(err, bucket.ErrNotExist) {
		return err
	}
	_, err = k.inner.Swap(ctx, name, version, file)
	return err
}

// heal makes each key file that does not open like its copy that does, or like
// what other has, if it is not nil; of the epochs lost no file is here.
func (k *keyring) heal(ctx context.Context, other *keyring, lost []epochID) (healed []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	var left []error
	for _, id := range append(ids, lost...) {
		names, err := k.healEpoch(ctx, id, other)
		healed = append(healed, names...)
		if ctx.Err() != nil {
			return healed, ctx.Err()
		}
		left = append(left, err)
	}
	return healed, errors.Join(left...)
}

func (k *keyring) healEpoch(ctx context.Context, id epochID, other *keyring) (healed []string, err error) {
	good, broken, err := k.lookAt(ctx, id)
	if err != nil {
		return nil, err
	}
	if good == nil && other != nil {
		good = other.sound(ctx, id)
	}
	for _, b := range broken {
		if good == nil {
			err = errors.Join(err, b.Err)
			continue
		}
		if err := k.replace(ctx, b.Name, good); err != nil {
			return healed, err
		}
		healed = append(healed, b.Name)
	}
	return healed, err
}

// lookAt reads both files of a key, and returns what those that open have, nil
// if none does, and the others. It fails for a place that does not answer.
func (k *keyring) lookAt(ctx context.Context, id epochID) (good []byte, broken []BrokenKey, err error) {
	for _, name := range id.keyFiles() {
		_, file, err := k.loadFile(ctx, id, name)
		switch {
		case err == nil:
			good = file
			continue
		case errors.Is(err, errOthers):
			err = &NoKeyError{Key: name, KeyFile: "it", Tried: len(k.identities), Passphrase: k.onlyPassphrases()}
		case errors.Is(err, bucket.ErrNotExist):
			err = bad(name, "is missing")
		case !errors.Is(err, objects.ErrCorrupt):
			return nil, nil, err
		}
		broken = append(broken, BrokenKey{Name: name, Err: err})
	}
	for i := range broken {
		broken[i].Copy = good != nil
	}
	return good, broken, nil
}

// check is CheckKeys.
func (k *keyring) check(ctx context.Context) ([]BrokenKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	var all []BrokenKey
	for _, id := range ids {
		_, broken, err := k.lookAt(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, b := range broken {
			if _, others := errors.AsType[*NoKeyError](b.Err); b.Copy || !others {
				all = append(all, b)
			}
		}
	}
	return all, nil
}

// sound returns a file of a key that opens; nil if there is none.
func (k *keyring) sound(ctx context.Context, id epochID) []byte {
	for _, name := range id.keyFiles() {
		if _, file, err := k.loadFile(ctx, id, name); err == nil {
			return file
		}
	}
	return nil
}
