package pack

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/mlvc/mlvc/objects"
)

// Dict is what a delta is built on: the bytes of other objects, one after the
// other. Depth and Cost are what it takes to read them, as in Record.
type Dict struct {
	Bytes       []byte
	Depth, Cost int
}

// Delta returns the object as a delta on dict, or as Compress does where that
// is about as small, or where the delta would take too much to read. It costs
// about 4 ns a byte of the dictionary and of the object, and half of that where
// they have nothing in common. The ID must be the object's. The payload may
// keep o.Data. It is safe for concurrent use.
func Delta(id objects.ID, o objects.Object, dict Dict) Payload {
	depth, cost := dict.Depth+1, dict.Cost+len(o.Data)
	if depth > MaxDepth || cost > MaxCost || len(dict.Bytes) > MaxDict ||
		len(o.Data) < minZstd || len(o.Data) > objects.MaxObject || !similar(o.Data, dict.Bytes) {
		return Compress(id, o)
	}
	frame := deltaFrame(o.Data, dict.Bytes)
	if len(frame) > len(o.Data)/8 {
		// What it depends on must be worth it.
		if plain := Compress(id, o); len(frame) > len(plain.Data)*3/4 {
			return plain
		}
	}
	return Payload{
		ID: id, Kind: o.Kind, Encoding: EncDelta, Size: len(o.Data), Data: frame,
		Depth: depth, Cost: cost, sum: crc32.Checksum(frame, castagnoli),
	}
}

// deltaWindow reaches from the end of the largest object to the start of the
// largest dictionary.
const deltaWindow = MaxDict + objects.MaxObject

var deltaEncoders, deltaDecoders sync.Pool

// deltaEncoder encodes as a stream: all at once, the library would fill its
// tables with the dictionary twice, which is nearly all of the cost.
type deltaEncoder struct {
	*zstd.Encoder
	frame bytes.Buffer
}

// deltaFrame encodes data with a dictionary of raw content. An encoder that
// had another dictionary before is reused for its memory. With a dictionary
// the better level is as fast as the default one and saves a third.
func deltaFrame(data, dict []byte) []byte {
	e, _ := deltaEncoders.Get().(*deltaEncoder)
	var err error
	if e == nil {
		e = new(deltaEncoder)
		e.Encoder, err = zstd.NewWriter(&e.frame,
			zstd.WithEncoderCRC(false),
			zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
			zstd.WithWindowSize(deltaWindow),
			zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderDictRaw(0, dict))
	} else {
		e.frame.Reset()
		err = e.ResetWithOptions(&e.frame, zstd.WithEncoderDictRaw(0, dict))
	}
	if err == nil {
		_, err = e.Write(data)
	}
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		panic(err) // the options are constant, all is bounded and in memory
	}
	frame := bytes.Clone(e.frame.Bytes())
	deltaEncoders.Put(e)
	return frame
}

// undelta decodes what deltaFrame writes.
func undelta(frame []byte, size int, dict []byte) ([]byte, error) {
	d, _ := deltaDecoders.Get().(*zstd.Decoder)
	var err error
	if d == nil {
		d, err = zstd.NewReader(nil, decoderOptions(deltaWindow, zstd.WithDecoderConcurrency(1), zstd.WithDecoderDictRaw(0, dict))...)
	} else {
		err = d.ResetWithOptions(nil, zstd.WithDecoderDictRaw(0, dict))
	}
	if err != nil {
		return nil, corrupt("dictionary of a delta: %v", err)
	}
	data, err := inflate(d, frame, size)
	if d.ResetWithOptions(nil, zstd.WithDecoderDictDelete()) == nil {
		deltaDecoders.Put(d)
	}
	return data, err
}

const (
	sampleBits = 14
	sampleMul  = 0x9e3779b97f4a7c15
)

// samples is a table of hashes, a slot each.
type samples [1 << sampleBits]uint32

var samplePool = sync.Pool{New: func() any { return new(samples) }}

// similar reports whether data has a few words of 8 bytes in common with dict.
// A word is looked at when its hash says so, one in 64, or each of what is
// small, wherever it stands: so bytes that moved are found, and a delta is not
// tried on what is new.
func similar(data, dict []byte) bool {
	t := samplePool.Get().(*samples)
	defer samplePool.Put(t)
	clear(t[:])
	bits := 6
	if len(data) < 64*64 {
		bits = 0
	}
	sampled(dict, bits, func(h uint64) bool {
		t[h>>8&(1<<sampleBits-1)] = uint32(h >> 32)
		return true
	})
	hits := 0
	sampled(data, bits, func(h uint64) bool {
		if v := t[h>>8&(1<<sampleBits-1)]; v != 0 && v == uint32(h>>32) {
			hits++
		}
		return hits < 4
	})
	return hits >= 4
}

// sampled calls fn with the hash of one word in 1<<bits, until it returns
// false.
func sampled(b []byte, bits int, fn func(h uint64) bool) {
	for i := 0; i+8 <= len(b); i++ {
		h := binary.LittleEndian.Uint64(b[i:]) * sampleMul
		if h>>(64-bits) == 0 && !fn(h^h>>29) {
			return
		}
	}
}
