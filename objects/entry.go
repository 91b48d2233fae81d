package objects

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Mode is what a path of a tree is. The numbers are part of the tree format.
type Mode uint8

// The modes.
const (
	ModeFile    Mode = 1 // a regular file
	ModeExec    Mode = 2 // a regular file with the executable bit
	ModeSymlink Mode = 3 // a symbolic link; its content is the target
	ModeDir     Mode = 4 // an empty folder; it has no content
)

// String returns the mode's name as --json prints it.
func (m Mode) String() string {
	switch m {
	case ModeFile:
		return "file"
	case ModeExec:
		return "executable"
	case ModeSymlink:
		return "symlink"
	case ModeDir:
		return "folder"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// IsRegular reports whether m is a file, executable or not.
func (m Mode) IsRegular() bool { return m == ModeFile || m == ModeExec }

// SingleChunk is the largest content that is one chunk, in bytes. Larger
// content is cut by content-defined chunking and has a chunk list.
const SingleChunk = 256 << 10

// Entry is what a tree says of one path: it is the value of the map from
// paths to entries. Content is the ID of the file's bytes, and up to
// SingleChunk also of its one chunk. List is the root of the chunk list of a
// larger file, and zero otherwise.
type Entry struct {
	Mode    Mode
	Size    int64
	Content ID
	List    ID
}

// ErrBadEntry is for bytes that are not the one valid encoding of an entry.
var ErrBadEntry = errors.New("not a valid tree entry")

// Append appends the canonical encoding of e to dst: the mode; for everything
// but a folder the size as an unsigned varint and the content ID; above
// SingleChunk the list's ID.
func (e Entry) Append(dst []byte) []byte {
	dst = append(dst, byte(e.Mode))
	if e.Mode == ModeDir {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(e.Size))
	dst = append(dst, e.Content[:]...)
	if e.Size > SingleChunk {
		dst = append(dst, e.List[:]...)
	}
	return dst
}

// DecodeEntry reads exactly the bytes that Append writes.
func DecodeEntry(b []byte) (Entry, error) {
	if len(b) == 0 {
		return Entry{}, fmt.Errorf("%w: empty", ErrBadEntry)
	}
	e := Entry{Mode: Mode(b[0])}
	rest := b[1:]
	switch e.Mode {
	case ModeDir:
		if len(rest) != 0 {
			return Entry{}, fmt.Errorf("%w: a folder with content", ErrBadEntry)
		}
		return e, nil
	case ModeFile, ModeExec, ModeSymlink:
	default:
		return Entry{}, fmt.Errorf("%w: %v", ErrBadEntry, e.Mode)
	}
	size, n := Uvarint(rest)
	if n <= 0 || size > 1<<62 {
		return Entry{}, fmt.Errorf("%w: size", ErrBadEntry)
	}
	e.Size, rest = int64(size), rest[n:]
	want := IDSize
	if e.Size > SingleChunk {
		want += IDSize
		if e.Mode == ModeSymlink {
			return Entry{}, fmt.Errorf("%w: link target of %d bytes", ErrBadEntry, e.Size)
		}
	}
	if len(rest) != want {
		return Entry{}, fmt.Errorf("%w: %d bytes of IDs, want %d", ErrBadEntry, len(rest), want)
	}
	copy(e.Content[:], rest)
	if want > IDSize {
		copy(e.List[:], rest[IDSize:])
	}
	return e, nil
}

// Uvarint is binary.Uvarint that refuses (n <= 0) an encoding longer than
// needed, so that every number has one valid encoding.
func Uvarint(b []byte) (uint64, int) {
	v, n := binary.Uvarint(b)
	if n > 1 && b[n-1] == 0 {
		return 0, -n
	}
	return v, n
}
