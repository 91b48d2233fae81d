package gitpair

import (
	"encoding/binary"
	"maps"
	"path/filepath"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// FORMAT.md describes the cache.
const cacheMagic = "mlvc-git-history 1\n"

// loadGraph reads the cache; one that is missing or not as it should be is an
// empty one.
func (r *Repo) loadGraph(name string) *graph {
	g := newGraph(r)
	if name == "" {
		return g
	}
	data, err := vfs.ReadFile(r.fs, name)
	if err != nil || !g.decode(data) {
		return newGraph(r)
	}
	return g
}

// saveGraph writes the cache if it has changed. That it could not is of no
// concern: the next run reads git again.
func (r *Repo) saveGraph(name string, g *graph) {
	if name == "" || !g.changed {
		return
	}
	if err := vfs.MkdirAll(r.fs, filepath.Dir(name), 0o777); err != nil {
		return
	}
	if err := vfs.WriteFile(r.fs, name, g.encode(), 0o666); err == nil {
		g.changed = false
	}
}

func appendSet(b []byte, names []Naming) []byte {
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, n := range names {
		b = binary.AppendUvarint(b, uint64(len(n.Path)))
		b = append(append(b, n.Path...), n.Commit[:]...)
	}
	return b
}

func (g *graph) encode() []byte {
	hashes := slices.Sorted(maps.Keys(g.commits))
	size := 20
	if len(hashes) > 0 {
		size = len(hashes[0])
	}
	b := binary.AppendUvarint([]byte(cacheMagic), uint64(size))
	b = binary.AppendUvarint(b, uint64(len(g.sets)))
	for _, names := range g.sets {
		b = appendSet(b, names)
	}
	b = binary.AppendUvarint(b, uint64(len(hashes)))
	for _, hash := range hashes {
		c := g.commits[hash]
		b = binary.AppendVarint(append(b, hash...), c.time)
		b = binary.AppendUvarint(b, uint64(len(c.parents)))
		for _, p := range c.parents {
			b = append(b, p...)
		}
		b = binary.AppendUvarint(b, uint64(c.set))
	}
	sum := blake3.Sum256(b)
	return append(b, sum[:]...)
}

// decode reads what encode writes, and reports whether it was that.
func (g *graph) decode(data []byte) bool {
	at := len(data) - blake3Size
	if at < len(cacheMagic) || string(data[:len(cacheMagic)]) != cacheMagic {
		return false
	}
	if sum := blake3.Sum256(data[:at]); string(sum[:]) != string(data[at:]) {
		return false
	}
	d := cacheReader{rest: data[len(cacheMagic):at]}
	size := d.number(32)
	if size != 20 && size != 32 {
		return false
	}
	g.sets, g.setOf = nil, make(map[string]int)
	for range d.number(len(data)) {
		names := make([]Naming, 0, 1)
		for range d.number(len(data)) {
			path := d.bytes(d.number(len(data)))
			names = append(names, Naming{string(path), objects.ID(d.id())})
		}
		g.intern(names)
	}
	for range d.number(len(data)) {
		hash := string(d.bytes(size))
		c := node{time: d.signed()}
		for range d.number(len(data)) {
			c.parents = append(c.parents, string(d.bytes(size)))
		}
		c.set = d.number(len(g.sets) - 1)
		g.commits[hash] = c
	}
	return !d.bad && len(d.rest) == 0 && len(g.sets) > 0 && len(g.sets[0]) == 0
}

const blake3Size = 32

// cacheReader takes values off its bytes; bad says that they were not there.
type cacheReader struct {
	rest []byte
	bad  bool
}

// number takes a number of at most limit, 0 when bad.
func (d *cacheReader) number(limit int) int {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 || limit < 0 || v > uint64(limit) {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *cacheReader) signed() int64 {
	v, n := binary.Varint(d.rest)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *cacheReader) bytes(n int) []byte {
	if d.bad || n > len(d.rest) {
		d.bad = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *cacheReader) id() (id [32]byte) {
	copy(id[:], d.bytes(len(id)))
	return id
}
