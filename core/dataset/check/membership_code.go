package check

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/objects"
)

// maxListed is how many paths a kept membership lists. One with more is not
// kept: such a dataset is looked at as a whole each time.
const maxListed = 200_000

// listed is the number of paths that are named one by one.
func (m *membership) listed() int {
	n := len(m.overlap) + len(m.bare) + len(m.tables)
	for _, paths := range m.found {
		n += len(paths)
	}
	return n
}

// encode writes a membership: the names, the sets and the lists of paths,
// each behind its number, the entries, and a checksum.
func (m *membership) encode() []byte {
	b := make([]byte, 0, len(m.entries)+1024)
	b = appendTexts(b, m.names)
	b = appendTexts(b, m.overlap)
	b = appendTexts(b, m.bare)
	b = appendTexts(b, m.tables)
	b = binary.AppendUvarint(b, uint64(len(m.found)))
	for _, key := range slices.Sorted(maps.Keys(m.found)) {
		b = appendTexts(binary.BigEndian.AppendUint64(b, key), m.found[key])
	}
	return objects.Seal(membershipContext, append(b, m.entries...))
}

var errBadMembership = errors.New("not a membership")

// decodeMembership reads what encode writes. It keeps a part of b.
func decodeMembership(b []byte) (*membership, error) {
	b, err := objects.Unseal(membershipContext, b)
	if err != nil {
		return nil, err
	}
	d := &decoder{b: b}
	m := &membership{names: d.texts(), overlap: d.texts(), bare: d.texts(), tables: d.texts(), found: map[uint64][]string{}}
	for n := d.number(); n > 0 && d.ok(); n-- {
		key := d.uint64()
		m.found[key] = d.texts()
	}
	if !d.ok() || len(d.b)%entrySize != 0 || len(m.names) >= 1<<16 {
		return nil, errBadMembership
	}
	m.entries = d.b
	return m, nil
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// decoder reads from the front of b; after a failure everything is empty.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) ok() bool { return !d.bad }

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		n = len(d.b) + 1
		v = 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) texts() []string {
	var list []string
	for n := d.number(); n > 0 && d.ok(); n-- {
		list = append(list, string(d.take(d.number())))
	}
	return list
}
