package objects

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/fxamacker/cbor/v2"
	"github.com/zeebo/blake3"
)

// Records (commits, operations) are CBOR maps with text keys. The encoding is
// CBOR's core deterministic one, so equal values have equal bytes; times are
// RFC 3339 text, so that the zone's offset is kept.

var recordEncoder = func() cbor.EncMode {
	opt := cbor.CoreDetEncOptions()
	opt.Time = cbor.TimeRFC3339
	mode, err := opt.EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

var recordDecoder = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
		MaxNestedLevels:  16,
		MaxArrayElements: 1 << 16,
		MaxMapPairs:      1 << 16,
		TimeTag:          cbor.DecTagOptional,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// MarshalRecord encodes a struct as a record; unknown are fields to carry
// along that the struct does not have. It fails for what could not be read
// again, such as text that is not UTF-8.
func MarshalRecord(v any, unknown map[string]cbor.RawMessage) ([]byte, error) {
	data, err := recordEncoder.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		if data, err = addFields(data, unknown); err != nil {
			return nil, err
		}
	}
	var again any
	if err := recordDecoder.Unmarshal(data, &again); err != nil {
		return nil, fmt.Errorf("it could not be read again: %w", err)
	}
	return data, nil
}

func addFields(data []byte, unknown map[string]cbor.RawMessage) ([]byte, error) {
	var fields map[string]cbor.RawMessage
	if err := recordDecoder.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	for name, value := range unknown {
		if _, taken := fields[name]; taken {
			return nil, fmt.Errorf("field %q is both known and unknown", name)
		}
		fields[name] = value
	}
	return recordEncoder.Marshal(fields)
}

// UnmarshalRecord decodes a record into the struct that v points to, and
// returns the fields that the struct does not have. Errors wrap ErrCorrupt.
func UnmarshalRecord(data []byte, v any) (map[string]cbor.RawMessage, error) {
	if len(data) > MaxObject {
		return nil, fmt.Errorf("%w: record of %d bytes", ErrCorrupt, len(data))
	}
	var fields map[string]cbor.RawMessage
	if err := recordDecoder.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := recordDecoder.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for name := range recordFields(reflect.TypeOf(v).Elem()) {
		delete(fields, name)
	}
	if len(fields) == 0 {
		return nil, nil
	}
	return fields, nil
}

// DecodeRecord reads a record into the struct that v points to, whose encoding
// is encode's of that same struct: it fails with ErrNewer for a version above
// latest, and with ErrCorrupt for unknown fields and for anything that is not the
// one valid encoding.
func DecodeRecord(data []byte, latest int, v any, encode func() ([]byte, error)) error {
	if version := RecordVersion(data); version > latest {
		return fmt.Errorf("of version %d (this mlvc reads up to %d): %w", version, latest, ErrNewer)
	}
	unknown, err := UnmarshalRecord(data, v)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%w: unknown fields", ErrCorrupt)
	}
	again, err := encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		return fmt.Errorf("%w: not the one valid encoding", ErrCorrupt)
	}
	return nil
}

// Seal returns data followed by its checksum: BLAKE3 derive-key under a context
// of its own, for records that no hash names.
func Seal(context string, data []byte) []byte {
	sum := Derive(context, data)
	return append(data, sum[:]...)
}

// Unseal returns what Seal was given, or fails with ErrCorrupt.
func Unseal(context string, sealed []byte) ([]byte, error) {
	if len(sealed) <= IDSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(sealed))
	}
	data, sum := sealed[:len(sealed)-IDSize], ID(sealed[len(sealed)-IDSize:])
	if Derive(context, data) != sum {
		return nil, fmt.Errorf("%w: checksum does not fit", ErrCorrupt)
	}
	return data, nil
}

// derivers are pools of hashers, of 10 KiB each, by context. Contexts are words of
// the program, so that there are few.
var derivers sync.Map

// Derive returns BLAKE3 derive-key under a context of the parts, one after the
// other.
func Derive(context string, parts ...[]byte) ID {
	pool, ok := derivers.Load(context)
	if !ok {
		pool, _ = derivers.LoadOrStore(context, &sync.Pool{New: func() any { return blake3.NewDeriveKey(context) }})
	}
	h := pool.(*sync.Pool).Get().(*blake3.Hasher)
	defer pool.(*sync.Pool).Put(h)
	h.Reset()
	for _, b := range parts {
		h.Write(b) //nolint:errcheck // a hash never fails
	}
	var sum ID
	h.Sum(sum[:0])
	return sum
}

// RecordVersion returns the version that a record says it has, or 0 if it
// says none: what one reads before trusting that one knows the rest.
func RecordVersion(data []byte) int {
	var head struct {
		Version int `cbor:"version"`
	}
	if err := recordDecoder.Unmarshal(data, &head); err != nil {
		return 0
	}
	return head.Version
}

func recordFields(t reflect.Type) map[string]bool {
	names := make(map[string]bool)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("cbor"), ",")
		if name != "-" {
			names[name] = true
		}
	}
	return names
}

// MarshalBinary encodes an ID as a CBOR byte string of 32 bytes.
func (id ID) MarshalBinary() ([]byte, error) { return id[:], nil }

// UnmarshalBinary reads what MarshalBinary writes.
func (id *ID) UnmarshalBinary(b []byte) error {
	if len(b) != IDSize {
		return fmt.Errorf("ID of %d bytes", len(b))
	}
	copy(id[:], b)
	return nil
}
