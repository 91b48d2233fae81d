package remote

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// segmentWriter writes a segment: records in order, then finish or abort. The
// file is not synced: that is for who gives it a name.
type segmentWriter struct {
	fs      vfs.FS
	name    string
	file    vfs.File
	out     *bufio.Writer
	hash    *blake3.Hasher
	page    []byte
	records int64
	last    record
}

func createSegment(fs vfs.FS, name string) (*segmentWriter, error) {
	f, err := fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|vfs.NoFollow, 0o666)
	if err != nil {
		return nil, fmt.Errorf("create index segment: %w", err)
	}
	w := &segmentWriter{fs: fs, name: name, file: f, hash: blake3.NewDeriveKey(segmentContext)}
	w.out = bufio.NewWriterSize(io.MultiWriter(f, w.hash), 256<<10)
	w.out.Write(appendSegmentHeader(nil)) //nolint:errcheck // its error stays
	return w, nil
}

func (w *segmentWriter) add(r record) error {
	if w.records > 0 && w.last.compare(r) >= 0 {
		return corrupt("record of %s is out of order", r.id)
	}
	w.page, w.last = r.append(w.page), r
	w.records++
	if len(w.page) == pageRecords*recordSize {
		return w.endPage()
	}
	return nil
}

func (w *segmentWriter) endPage() error {
	w.page = binary.LittleEndian.AppendUint32(w.page, crc32.Checksum(w.page, castagnoli))
	_, err := w.out.Write(w.page)
	w.page = w.page[:0]
	return err
}

// finish ends the segment with its table, and opens it.
func (w *segmentWriter) finish(packs []listedPack, operation objects.ID) (*segment, error) {
	ref, err := w.end(packs, operation)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write index segment: %w", err), w.abort())
	}
	s, err := openSegment(w.fs, w.name, ref)
	if err != nil {
		return nil, errors.Join(err, w.abort())
	}
	return s, nil
}

func (w *segmentWriter) end(packs []listedPack, operation objects.ID) (segmentRef, error) {
	if len(w.page) > 0 {
		if err := w.endPage(); err != nil {
			return segmentRef{}, err
		}
	}
	table := appendTable(nil, packs)
	if w.records < 1 || len(table) > maxTable {
		return segmentRef{}, fmt.Errorf("%d records, table of %d bytes", w.records, len(table))
	}
	footer := append([]byte(nil), operation[:]...)
	footer = binary.LittleEndian.AppendUint64(footer, uint64(w.records))
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(packs)))
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(table)))
	footer = binary.LittleEndian.AppendUint32(footer, crc32.Update(crc32.Checksum(table, castagnoli), castagnoli, footer))
	footer = append(footer, segmentEnd...)
	w.out.Write(table)  //nolint:errcheck // its error stays
	w.out.Write(footer) //nolint:errcheck // its error stays
	if err := w.out.Flush(); err != nil {
		return segmentRef{}, err
	}
	if err := w.file.Close(); err != nil {
		return segmentRef{}, err
	}
	w.file = nil
	ref := segmentRef{Size: minSegment(w.records) + int64(len(table)), Records: w.records}
	w.hash.Sum(ref.ID[:0])
	return ref, nil
}

// abort removes the file.
func (w *segmentWriter) abort() error {
	var err error
	if w.file != nil {
		err = w.file.Close()
	}
	return errors.Join(err, removeFile(w.fs, w.name))
}

// removeFile does not report a file that is not there.
func removeFile(fsys vfs.FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeSegment writes the records of some packs, whose numbers are positions
// in packs; both are sorted in place.
func writeSegment(fs vfs.FS, name string, packs []listedPack, records []record, operation objects.ID) (*segment, error) {
	numbers := make([]uint32, len(packs))
	order := make([]int, len(packs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareIDs(packs[a].ID, packs[b].ID) })
	sorted := make([]listedPack, len(packs))
	for number, i := range order {
		numbers[i], sorted[number] = uint32(number), packs[i]
	}
	copy(packs, sorted)
	for i := range records {
		records[i].pack = numbers[records[i].pack]
	}
	slices.SortFunc(records, record.compare)
	w, err := createSegment(fs, name)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if err := w.add(r); err != nil {
			return nil, errors.Join(fmt.Errorf("write index segment: %w", err), w.abort())
		}
	}
	return w.finish(packs, operation)
}

// mergeSegments writes one segment of what others list, packs that leave
// accepts left out. A pack that several list is taken from the first. If
// nothing is left it returns nil.
func mergeSegments(ctx context.Context, fs vfs.FS, name string, from []*segment, leave func(objects.ID) bool, operation objects.ID) (*segment, error) {
	packs, numbers := mergeTables(from, leave)
	if len(packs) == 0 {
		return nil, nil
	}
	w, err := createSegment(fs, name)
	if err != nil {
		return nil, err
	}
	for r, err := range mergeRecords(ctx, from, numbers) {
		if err == nil {
			err = w.add(r)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("merge index segments: %w", err), w.abort())
		}
	}
	return w.finish(packs, operation)
}

// notTaken is the number of a pack whose records are left out.
const notTaken = ^uint32(0)

// mergeTables returns all packs, sorted, and for each segment the numbers that
// its packs have among them.
func mergeTables(from []*segment, leave func(objects.ID) bool) (packs []listedPack, numbers [][]uint32) {
	type origin struct{ segment, number int }
	first := make(map[objects.ID]origin)
	for i, s := range from {
		numbers = append(numbers, slices.Repeat([]uint32{notTaken}, len(s.packs)))
		for n, p := range s.packs {
			if _, taken := first[p.ID]; taken || leave(p.ID) {
				continue
			}
			first[p.ID] = origin{i, n}
			packs = append(packs, p)
		}
	}
	slices.SortFunc(packs, func(a, b listedPack) int { return compareIDs(a.ID, b.ID) })
	for number, p := range packs {
		o := first[p.ID]
		numbers[o.segment][o.number] = uint32(number)
	}
	return packs, numbers
}

// mergeRecords yields the records of all segments in order, renumbered.
func mergeRecords(ctx context.Context, from []*segment, numbers [][]uint32) func(yield func(record, error) bool) {
	return func(yield func(record, error) bool) {
		var heads []*mergeHead // a heap by hand would be longer than what it saves: there are O(log n) segments
		for i, s := range from {
			h := &mergeHead{cursor: cursor{s: s}, numbers: numbers[i]}
			if err := h.next(); err != nil {
				yield(record{}, err)
				return
			}
			heads = append(heads, h)
		}
		for {
			var least *mergeHead
			for _, h := range heads {
				if !h.done && (least == nil || h.record.compare(least.record) < 0) {
					least = h
				}
			}
			if least == nil {
				return
			}
			if !yield(least.record, ctx.Err()) {
				return
			}
			if err := least.next(); err != nil {
				yield(record{}, err)
				return
			}
		}
	}
}

// mergeHead is the next record of one of the segments that are merged.
type mergeHead struct {
	cursor  cursor
	numbers []uint32
	at      int64
	record  record
	done    bool
}

// next goes to the next record that is taken.
func (h *mergeHead) next() error {
	for ; h.at < h.cursor.s.ref.Records; h.at++ {
		if page := h.at / pageRecords; h.cursor.buf == nil || h.cursor.page != page {
			if err := h.cursor.load(page); err != nil {
				return err
			}
		}
		r := decodeSegmentRecord(h.cursor.buf[h.at%pageRecords*recordSize:])
		if r.pack = h.numbers[r.pack]; r.pack != notTaken {
			h.record = r
			h.at++
			return nil
		}
	}
	h.done = true
	return nil
}
