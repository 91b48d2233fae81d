package remote

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
)

const (
	currentKey     = "current"
	currentVersion = 1
	currentContext = "mlvc 2026-11-25 depot v1"
	// maxCurrent is the most bytes that a current record may have.
	maxCurrent = 256 << 10
	// maxSegments and maxDropped keep a record well below that.
	maxSegments = 2048
	maxDropped  = 2048
)

// current is the one mutable object of a depot: what it has at one moment.
// Values do not change once they were encoded.
type current struct {
	Version    int          `cbor:"version"`
	Repository string       `cbor:"repository"` // 32 hexadecimal digits
	Operation  objects.ID   `cbor:"operation"`
	Segments   []segmentRef `cbor:"segments"` // oldest first
	// Replaced are segments that are not needed any more, to be deleted by
	// the next push: who has just read an older record may want them still.
	Replaced []objects.ID `cbor:"replaced,omitempty"`
	Dropped  []dropped    `cbor:"dropped,omitempty"`
}

// segmentRef names an index segment.
type segmentRef struct {
	ID      objects.ID `cbor:"id"`
	Size    int64      `cbor:"size"` // bytes
	Records int64      `cbor:"records"`
}

// dropped are packs that were replaced by others at one moment.
type dropped struct {
	When    int64        `cbor:"when"` // seconds since 1970
	Deleted bool         `cbor:"deleted,omitempty"`
	Packs   []objects.ID `cbor:"packs"` // sorted
}

func (d dropped) age(now time.Time) time.Duration { return now.Sub(time.Unix(d.When, 0)) }

// isDropped reports whether the pack is one that no push may name.
func (c current) isDropped(id objects.ID) bool {
	for _, d := range c.Dropped {
		if _, found := slices.BinarySearchFunc(d.Packs, id, compareIDs); found {
			return true
		}
	}
	return false
}

// encodeCurrent returns the record followed by its checksum. It fails for one
// that decodeCurrent would refuse.
func encodeCurrent(c current) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	record, err := objects.MarshalRecord(c, nil)
	if err != nil {
		return nil, fmt.Errorf("encode the current record: %w", err)
	}
	if len(record)+objects.IDSize > maxCurrent {
		return nil, fmt.Errorf("current record of %d bytes", len(record))
	}
	return objects.Seal(currentContext, record), nil
}

// decodeCurrent reads exactly what encodeCurrent writes. It fails with
// objects.ErrNewer for a later version, else with objects.ErrCorrupt. Every
// version ends in the checksum and has the field "version".
func decodeCurrent(data []byte) (c current, err error) {
	if len(data) > maxCurrent {
		return current{}, corrupt("%d bytes", len(data))
	}
	record, err := objects.Unseal(currentContext, data)
	if err != nil {
		return current{}, err
	}
	err = objects.DecodeRecord(record, currentVersion, &c, func() ([]byte, error) {
		if err := c.check(); err != nil {
			return nil, err
		}
		return objects.MarshalRecord(c, nil)
	})
	if err != nil {
		return current{}, err
	}
	return c, nil
}

// check refuses what no depot says of itself.
func (c current) check() error {
	switch repository, err := hex.DecodeString(c.Repository); {
	case c.Version != currentVersion:
		return corrupt("version %d", c.Version)
	case err != nil || len(repository) != 16 || hex.EncodeToString(repository) != c.Repository:
		return corrupt("repository ID")
	case c.Operation.IsZero():
		return corrupt("no operation")
	case len(c.Segments) == 0 || len(c.Segments) > maxSegments || len(c.Replaced) > maxSegments:
		return corrupt("%d segments, %d replaced", len(c.Segments), len(c.Replaced))
	}
	seen := make(map[objects.ID]bool)
	once := func(id objects.ID) bool {
		ok := !id.IsZero() && !seen[id]
		seen[id] = true
		return ok
	}
	for _, s := range c.Segments {
		if !once(s.ID) || s.Records < 1 || s.Records > maxSegment/recordSize || s.Size < minSegment(s.Records) || s.Size > maxSegment {
			return corrupt("segment %s of %d bytes and %d records", s.ID, s.Size, s.Records)
		}
	}
	for _, id := range c.Replaced {
		if !once(id) {
			return corrupt("replaced segment %s", id)
		}
	}
	return c.checkDropped(once)
}

func (c current) checkDropped(once func(objects.ID) bool) error {
	packs := 0
	for _, d := range c.Dropped {
		packs += len(d.Packs)
		if len(d.Packs) == 0 || packs > maxDropped || !slices.IsSortedFunc(d.Packs, compareIDs) {
			return corrupt("list of dropped packs")
		}
		for _, id := range d.Packs {
			if !once(id) {
				return corrupt("dropped pack %s", id)
			}
		}
	}
	return nil
}

func compareIDs(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) }

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", objects.ErrCorrupt, fmt.Sprintf(format, args...))
}
