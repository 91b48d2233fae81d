package badgerkv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// A table file is blocks, then the index, its length (4 bytes), the index's
// checksum, its length (4 bytes). A block ends alike: checksum, length.
// Badger ends the process, or panics in a goroutine of its own, on a table
// whose footer or last block is damaged, and ends a scan or a compaction
// early on any other damaged block. So it is looked at first.

// maxIndex bounds what is read into memory for one table's index: far above
// what tables of memTableSize have.
const maxIndex = 64 << 20

var errTable = errors.New("damaged table")

// checkTable checks the index and the last block of a table file, or every
// block.
func checkTable(name string, everyBlock bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	index, err := readIndex(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	blocks := index.OffsetsLength()
	if blocks == 0 {
		return fmt.Errorf("%s: no blocks: %w", name, errTable)
	}
	first := blocks - 1
	if everyBlock {
		first = 0
	}
	var buf []byte
	for i := first; i < blocks; i++ {
		var at fb.BlockOffset
		if !index.Offsets(&at, i) {
			return fmt.Errorf("%s: block %d: %w", name, i, errTable)
		}
		if buf, err = checkBlock(f, int64(at.Offset()), int64(at.Len()), buf); err != nil {
			return fmt.Errorf("%s: block %d: %w", name, i, err)
		}
	}
	return nil
}

func readIndex(f *os.File) (*fb.TableIndex, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	sum, end, err := readTail(f, info.Size())
	if err != nil {
		return nil, err
	}
	checksum := &pb.Checksum{}
	if err := proto.Unmarshal(sum, checksum); err != nil {
		return nil, errTable
	}
	data, _, err := readTail(f, end)
	if err != nil {
		return nil, err
	}
	if err := y.VerifyChecksum(data, checksum); err != nil {
		return nil, fmt.Errorf("index: %w", errTable)
	}
	return fb.GetRootAsTableIndex(data, 0), nil
}

// readTail returns the bytes before end whose length stands in the four bytes
// at end, and where they begin.
func readTail(f *os.File, end int64) ([]byte, int64, error) {
	if end < 4 {
		return nil, 0, errTable
	}
	var length [4]byte
	if err := readAt(f, length[:], end-4); err != nil {
		return nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > end-4 || n > maxIndex {
		return nil, 0, errTable
	}
	data := make([]byte, n)
	return data, end - 4 - n, readAt(f, data, end-4-n)
}

// checkBlock checks one block, into buf, which it returns for the next.
func checkBlock(f *os.File, offset, size int64, buf []byte) ([]byte, error) {
	if size < 8 || size > maxIndex {
		return buf, errTable
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	data := buf[:size]
	if err := readAt(f, data, offset); err != nil {
		return buf, err
	}
	body := data[:size-4]
	n := int64(binary.BigEndian.Uint32(data[size-4:]))
	if n > int64(len(body)) {
		return buf, errTable
	}
	checksum := &pb.Checksum{}
	if err := proto.Unmarshal(body[int64(len(body))-n:], checksum); err != nil {
		return buf, errTable
	}
	if err := y.VerifyChecksum(body[:int64(len(body))-n], checksum); err != nil {
		return buf, errTable
	}
	return buf, nil
}

// readAt says that a file is damaged, not that it ended.
func readAt(f *os.File, p []byte, off int64) error {
	_, err := f.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		return errTable
	}
	return err
}
