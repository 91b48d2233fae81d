package pack

import (
	"fmt"
	"hash/crc32"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/mlvc/mlvc/objects"
)

// Payload is an object as a pack stores it, not yet in a pack.
type Payload struct {
	ID       objects.ID
	Kind     objects.Kind
	Encoding Encoding
	Size     int // bytes of the object
	// Data is what is stored; for EncRaw it is the object's own bytes.
	Data []byte
	// Depth and Cost are as in Record.
	Depth, Cost int

	sum uint32 // CRC-32C of Data
}

const (
	// minZstd is the size below which the 9 bytes of a frame around the data
	// never pay.
	minZstd = 64
	// worth says what share of the object zstd must save, or reading would pay
	// for it with nothing won.
	worth = 16
)

// Compress returns the object as zstd, or raw where that saves less than 1/16;
// incompressible bytes pass at several GB/s. The ID must be the object's. The
// payload may keep o.Data. It is safe for concurrent use.
func Compress(id objects.ID, o objects.Object) Payload {
	p := Payload{ID: id, Kind: o.Kind, Encoding: EncRaw, Size: len(o.Data), Data: o.Data}
	if len(o.Data) >= minZstd && !looksRandom(o.Data) {
		scratch := scratches.Get().(*[]byte)
		frame := encoder().EncodeAll(o.Data, (*scratch)[:0])
		if len(frame) <= len(o.Data)-len(o.Data)/worth {
			p.Encoding, p.Data = EncZstd, append([]byte(nil), frame...)
		}
		*scratch = frame
		scratches.Put(scratch)
	}
	p.sum = crc32.Checksum(p.Data, castagnoli)
	return p
}

const (
	sampleRuns  = 8
	sampleRun   = 256 // bytes
	sampleBytes = sampleRuns * sampleRun
)

// looksRandom reports whether no byte value is more frequent in a sample than
// chance would have it: of what is compressed or encrypted already, zstd is
// not tried. It is Pearson's chi-squared test against even frequencies; with
// 255 degrees of freedom chance exceeds the limit once in about 10^5 samples,
// and then costs only the trial.
func looksRandom(data []byte) bool {
	if len(data) < 2*sampleBytes {
		return false
	}
	var counts [256]uint16
	step := (len(data) - sampleRun) / (sampleRuns - 1)
	for i := range sampleRuns {
		for _, b := range data[i*step:][:sampleRun] {
			counts[b]++
		}
	}
	squares := 0
	for _, n := range counts {
		squares += int(n) * int(n)
	}
	// chi² = Σ(n − e)² / e = Σn² / e − N, with e = N / 256
	const limit = 360
	return squares*256/sampleBytes-sampleBytes < limit
}

// scratches are buffers for frames, so that what is incompressible allocates
// nothing and what is not keeps only what it needs.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// encoder holds as many encoders as can run at once. Frames have no checksum,
// since the ID is one, and one segment, whose size bounds what a decoder needs.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithAllLitEntropyCompression(true), // digits and bases pay without any match
		zstd.WithWindowSize(objects.MaxObject))
	if err != nil {
		panic(err) // the options are constant
	}
	return e
})

// decoderOptions bound what a frame may ask for: memory is the largest window,
// and the buffer that it is decoded into is never enlarged.
func decoderOptions(memory uint64, extra ...zstd.DOption) []zstd.DOption {
	return append([]zstd.DOption{
		zstd.WithDecoderMaxMemory(memory),
		zstd.WithDecodeAllCapLimit(true),
	}, extra...)
}

var plainDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, decoderOptions(objects.MaxObject, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))...)
	if err != nil {
		panic(err) // the options are constant
	}
	return d
})

// inflate decodes a frame of exactly size bytes; never more are allocated.
func inflate(d *zstd.Decoder, frame []byte, size int) ([]byte, error) {
	data, err := d.DecodeAll(frame, make([]byte, 0, size))
	if err != nil {
		return nil, corrupt("zstd frame: %v", err)
	}
	if len(data) != size {
		return nil, corrupt("zstd frame of %d bytes, want %d", len(data), size)
	}
	return data, nil
}

// decode returns the object's bytes; dict is what a delta is built on.
func (r raw) decode(dict []byte) ([]byte, error) {
	switch r.encoding {
	case EncRaw:
		return r.payload, nil
	case EncZstd:
		return inflate(plainDecoder(), r.payload, r.size)
	case EncDelta:
		return undelta(r.payload, r.size, dict)
	}
	return nil, fmt.Errorf("%w: a record of encoding %v is no object", objects.ErrCorrupt, r.encoding)
}

// Object returns the object that a payload stores, checked against its ID. A
// delta cannot be read without its pack.
func (p Payload) Object() (objects.Object, error) {
	if p.Encoding == EncDelta || !p.Kind.Valid() {
		return objects.Object{}, corrupt("payload of %v, %v", p.Kind, p.Encoding)
	}
	data, err := raw{head: head{kind: p.Kind, encoding: p.Encoding, size: p.Size}, payload: p.Data}.decode(nil)
	if err != nil {
		return objects.Object{}, err
	}
	o := objects.Object{Kind: p.Kind, Data: data}
	if len(data) != p.Size || o.ID() != p.ID {
		return objects.Object{}, corrupt("payload has other bytes")
	}
	return o, nil
}
