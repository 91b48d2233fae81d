package pack

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/mlvc/mlvc/objects"
)

const (
	headMagic  = "mlvcpack"
	headerSize = 16
	// Version is the version of the format that a Writer writes.
	Version = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendHeader appends the header of a pack to dst.
func appendHeader(dst []byte, t Type) []byte {
	start := len(dst)
	dst = append(dst, headMagic...)
	dst = append(dst, Version, byte(t), 0, 0)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// decodeHeader reads exactly what appendHeader writes. It fails with
// objects.ErrNewer for a version or flag that this build does not know, and
// with objects.ErrCorrupt for damage, which the checksum tells from news.
func decodeHeader(b []byte) (Type, error) {
	if len(b) != headerSize || string(b[:8]) != headMagic {
		return 0, corrupt("not the header of a pack")
	}
	if crc32.Checksum(b[:12], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return 0, corrupt("header of the pack")
	}
	t, flags := Type(b[9]), binary.LittleEndian.Uint16(b[10:])
	switch {
	case b[8] > Version:
		return 0, fmt.Errorf("pack of version %d (this mlvc reads up to %d): %w", b[8], Version, objects.ErrNewer)
	case b[8] != Version:
		return 0, corrupt("pack of version %d", b[8])
	case flags != 0:
		return 0, fmt.Errorf("pack with unknown flags %#x: %w", flags, objects.ErrNewer)
	case t != TypeData && t != TypeMeta:
		return 0, fmt.Errorf("pack of unknown type %d: %w", t, objects.ErrNewer)
	}
	return t, nil
}
