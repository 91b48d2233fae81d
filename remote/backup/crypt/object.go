package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
)

const (
	magic   = "mlvcseal"
	version = 1

	headerBody = 72
	headerSize = headerBody + tagSize
	tagSize    = 16
	pieceSize  = 64 << 10

	objectContext = "mlvc 2026-11-26 sealed object v1"
)

// MaxSmall is the most bytes that Get hands out and Swap takes, for what is
// encrypted: bucket.MaxSmall less what encryption adds.
const MaxSmall = bucket.MaxSmall - headerSize - bucket.MaxSmall/pieceSize*tagSize

// header is what stands in front of an object, in plain.
type header struct {
	epoch epochID
	salt  [32]byte
	size  int64 // of the plain bytes
}

func newHeader(id epochID, size int64) (header, error) {
	h := header{epoch: id, size: size}
	_, err := rand.Read(h.salt[:])
	return h, err
}

func (h header) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = append(b, version, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, h.epoch[:]...)
	b = append(b, h.salt[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(h.size))
}

// decodeHeader reads the header of an object, which proves nothing yet.
// objects.ErrNewer for a later version: each has its magic and version here.
func decodeHeader(name string, b []byte) (header, error) {
	switch {
	case len(b) < headerSize:
		return header{}, bad(name, "has %d bytes, fewer than any encrypted object", len(b))
	case string(b[:len(magic)]) != magic:
		return header{}, bad(name, "is not encrypted, or its beginning is damaged")
	case b[8] > version:
		return header{}, fmt.Errorf("%s: encrypted in version %d (this mlvc reads up to %d): %w", name, b[8], version, objects.ErrNewer)
	case b[8] < version || [7]byte(b[9:16]) != [7]byte{}:
		return header{}, bad(name, "has a damaged header")
	}
	size := binary.LittleEndian.Uint64(b[64:])
	if size > math.MaxInt64/2 {
		return header{}, bad(name, "has a damaged header")
	}
	return header{epoch: epochID(b[16:32]), salt: [32]byte(b[32:64]), size: int64(size)}, nil
}

// objectKey is the secret of one object, and the proof that a header belongs to
// it. It depends on all that an object must not lose: its epoch, its header, the
// destination and its name there. So no two objects share one, and one that was
// moved has another.
type objectKey struct {
	key [keySize]byte
	tag [tagSize]byte
}

func (e *epoch) objectKey(h header, name string) (k objectKey) {
	material := append([]byte(nil), e.Key...)
	material = append(material, h.encode()...)
	material = binary.LittleEndian.AppendUint16(material, uint16(len(e.Destination)))
	material = append(material, e.Destination...)
	material = append(material, name...)
	var out [keySize + tagSize]byte
	blake3.DeriveKey(objectContext, material, out[:])
	copy(k.key[:], out[:])
	copy(k.tag[:], out[keySize:])
	return k
}

// object seals and opens the pieces of one object. Safe for concurrent use.
type object struct {
	header
	name string
	tag  [tagSize]byte
	aead cipher.AEAD
}

func newObject(h header, name string, k objectKey) (*object, error) {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &object{header: h, name: name, tag: k.tag, aead: aead}, err
}

// openObject fails unless the object's first bytes, headerSize of them, are
// those of the object that has this key.
func openObject(h header, name string, k objectKey, first []byte) (*object, error) {
	if subtle.ConstantTimeCompare(k.tag[:], first[headerBody:headerSize]) != 1 {
		return nil, bad(name, "is not what was written there: swapped, moved from elsewhere, or its beginning is damaged")
	}
	return newObject(h, name, k)
}

// front returns the object's first bytes.
func (o *object) front() []byte { return append(o.encode(), o.tag[:]...) }

// pieces returns how many there are: at least one, so that nothing at all is
// sealed too.
func pieces(size int64) int64 { return max((size+pieceSize-1)/pieceSize, 1) }

// sealedSize returns the bytes of an object of size plain bytes.
func sealedSize(size int64) int64 { return headerSize + size + pieces(size)*tagSize }

// plainSize is the inverse of sealedSize; for what has no inverse, a size near.
func plainSize(sealed int64) int64 {
	body := max(sealed-headerSize, tagSize)
	whole := (body + pieceSize + tagSize - 1) / (pieceSize + tagSize)
	return max(body-whole*tagSize, 0)
}

// pieceStart returns where piece i lies.
func pieceStart(i int64) int64 { return headerSize + i*(pieceSize+tagSize) }

// pieceLen returns the plain bytes of piece i.
func (o *object) pieceLen(i int64) int { return int(min(o.size-i*pieceSize, pieceSize)) }

// nonce is that of STREAM: the number of the piece, and whether it is the last.
func (o *object) nonce(i int64) []byte {
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint64(nonce[3:], uint64(i))
	if i == pieces(o.size)-1 {
		nonce[11] = 1
	}
	return nonce
}

// seal appends sealed piece i to dst.
func (o *object) seal(dst, plain []byte, i int64) []byte {
	return o.aead.Seal(dst, o.nonce(i), plain, nil)
}

// open opens a piece in its place, and returns the plain bytes.
func (o *object) open(sealed []byte, i int64) ([]byte, error) {
	plain, err := o.aead.Open(sealed[:0], o.nonce(i), sealed, nil)
	if err != nil {
		return nil, bad(o.name, "is damaged in the 64 KiB from byte %d on", i*pieceSize)
	}
	return plain, nil
}

// openAll opens a whole object, its header included.
func (o *object) openAll(sealed []byte) ([]byte, error) {
	if want := sealedSize(o.size); int64(len(sealed)) != want {
		return nil, bad(o.name, "has %d bytes, not %d: truncated, or something was added", len(sealed), want)
	}
	plain := make([]byte, 0, o.size)
	for i := range pieces(o.size) {
		p, err := o.open(sealed[pieceStart(i):][:o.pieceLen(i)+tagSize], i)
		if err != nil {
			return nil, err
		}
		plain = append(plain, p...)
	}
	return plain, nil
}
