package objects

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/fxamacker/cbor/v2"
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
