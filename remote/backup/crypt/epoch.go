package crypt

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"
	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

const (
	keySize        = 32
	epochVersion   = 1
	epochContext   = "mlvc 2026-11-26 backup epoch v1"
	maxKeyFile     = 128 << 10
	maxKeyRecord   = 64 << 10
	maxDestination = 200

	copySuffix = "-copy.age"
)

// epochID names an epoch. It follows from the key, so a key file that holds
// another key is noticed.
type epochID [16]byte

func (id epochID) String() string { return hex.EncodeToString(id[:]) }

// keyFile is the bucket's key of the file that holds the epoch's key.
func (id epochID) keyFile() string { return keysPrefix + id.String() + ".age" }

// keyFiles are both of its copies: a few damaged bytes must not cost all that
// was encrypted with the key.
func (id epochID) keyFiles() [2]string {
	return [2]string{id.keyFile(), keysPrefix + id.String() + copySuffix}
}

// epoch is a data key with what its file says of it. It does not change.
type epoch struct {
	Version     int    `cbor:"version"`
	Destination string `cbor:"destination"`
	Key         []byte `cbor:"key"`
	// Recipients are those for whom the file is encrypted, as text, sorted.
	Recipients []string `cbor:"recipients"`
	// Retired epochs are read and not written with: who was a recipient once
	// may know the key still.
	Retired bool `cbor:"retired,omitempty"`
}

func newEpoch(destination string, recipients []Recipient) (*epoch, error) {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	return &epoch{Version: epochVersion, Destination: destination, Key: key, Recipients: texts(recipients)}, nil
}

func texts(recipients []Recipient) []string {
	all := make([]string, len(recipients))
	for i, r := range recipients {
		all[i] = r.text
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (e *epoch) id() (id epochID) {
	blake3.DeriveKey(epochContext, e.Key, id[:])
	return id
}

// retired returns the epoch as rotation leaves it.
func (e *epoch) retired(recipients []Recipient) *epoch {
	again := *e
	again.Recipients, again.Retired = texts(recipients), true
	return &again
}

func (e *epoch) encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	data, err := objects.MarshalRecord(e, nil)
	if err == nil && len(data) > maxKeyRecord {
		err = fmt.Errorf("key of %d bytes: too many recipients", len(data))
	}
	return data, err
}

// decodeEpoch reads exactly what encode writes. It fails with
// objects.ErrNewer for a later version, else with objects.ErrCorrupt.
func decodeEpoch(data []byte) (*epoch, error) {
	if v := objects.RecordVersion(data); v > epochVersion {
		return nil, fmt.Errorf("of version %d (this mlvc reads up to %d): %w", v, epochVersion, objects.ErrNewer)
	}
	var e epoch
	if _, err := objects.UnmarshalRecord(data, &e); err != nil {
		return nil, err
	}
	again, err := e.encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, fmt.Errorf("%w: not the one valid encoding", objects.ErrCorrupt)
	}
	return &e, nil
}

func (e *epoch) check() error {
	sorted := slices.IsSorted(e.Recipients) && len(slices.Compact(slices.Clone(e.Recipients))) == len(e.Recipients)
	switch {
	case e.Version != epochVersion, len(e.Key) != keySize, !sorted, len(e.Recipients) == 0, slices.Contains(e.Recipients, ""):
		return fmt.Errorf("%w: key record", objects.ErrCorrupt)
	}
	return nil
}

// wrap encrypts the epoch for its recipients.
func (e *epoch) wrap(recipients []Recipient) ([]byte, error) {
	record, err := e.encode()
	if err != nil {
		return nil, err
	}
	all := make([]age.Recipient, len(recipients))
	for i, r := range recipients {
		all[i] = r.age
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, all...)
	if err != nil {
		return nil, fmt.Errorf("encrypt for %d recipients: %w", len(recipients), err)
	}
	if _, err := w.Write(record); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if out.Len() > maxKeyFile {
		return nil, fmt.Errorf("key file of %d bytes: too many recipients", out.Len())
	}
	return out.Bytes(), nil
}

// errOthers is for a key file that none of the identities opens.
var errOthers = errors.New("encrypted for others")

// unwrap reads what wrap wrote. errOthers, else objects.ErrCorrupt or
// objects.ErrNewer, or errLocked.
func unwrap(file []byte, identities []Identity) (*epoch, error) {
	all := make([]age.Identity, len(identities))
	for i, id := range identities {
		all[i] = id.age
	}
	if len(all) == 0 {
		return nil, errOthers
	}
	if len(file) > maxKeyFile {
		return nil, fmt.Errorf("%w: %d bytes", objects.ErrCorrupt, len(file))
	}
	r, err := age.Decrypt(bytes.NewReader(file), all...)
	var others *age.NoIdentityMatchError
	switch {
	case errors.As(err, &others):
		return nil, errOthers
	case errors.Is(err, errLocked):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", objects.ErrCorrupt, err)
	}
	record, err := io.ReadAll(io.LimitReader(r, maxKeyRecord+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", objects.ErrCorrupt, err)
	}
	return decodeEpoch(record)
}
