package remote

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
)

// footers keeps what the footers of a few packs say. Not safe for concurrent
// use.
type footers struct {
	open   pack.Opener
	recent []*footer // the newest last
}

const maxFooters = 32

// footer is the records of one pack, by offset.
type footer struct {
	id      objects.ID
	records []footerRecord
}

type footerRecord struct {
	id           objects.ID
	offset       int64
	length, size int
	depth, cost  int // what it takes to read the object, itself included
}

func newFooterRecord(rec pack.Record) footerRecord {
	f := footerRecord{rec.ID, rec.Offset, rec.Length, rec.Size, rec.Depth, rec.Cost}
	if rec.Encoding != pack.EncDelta {
		f.cost = rec.Size
	}
	return f
}

func (f *footers) of(ctx context.Context, id objects.ID) (*footer, error) {
	for i, foot := range f.recent {
		if foot.id == id {
			f.recent = append(slices.Delete(f.recent, i, i+1), foot)
			return foot, nil
		}
	}
	r, release, err := f.open(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	x, err := r.Index(ctx)
	if err != nil {
		return nil, err
	}
	return f.keep(id, x), nil
}

func (f *footers) keep(id objects.ID, x *pack.Index) *footer {
	foot := &footer{id: id, records: make([]footerRecord, 0, x.Count)}
	for rec := range x.Records() {
		foot.records = append(foot.records, newFooterRecord(rec))
	}
	if len(f.recent) == maxFooters {
		f.recent = slices.Delete(f.recent, 0, 1)
	}
	f.recent = append(f.recent, foot)
	return foot
}

// run returns the records that a place covers, which are whole.
func (f *footers) run(ctx context.Context, at pack.Place) ([]footerRecord, error) {
	foot, err := f.of(ctx, at.Pack)
	if err != nil {
		return nil, err
	}
	from, _ := slices.BinarySearchFunc(foot.records, at.Offset, func(r footerRecord, offset int64) int {
		return cmp.Compare(r.offset, offset)
	})
	to, end := from, at.Offset
	for to < len(foot.records) && end < at.Offset+int64(at.Length) && foot.records[to].offset == end {
		end += int64(foot.records[to].length)
		to++
	}
	if end != at.Offset+int64(at.Length) || to == from {
		return nil, fmt.Errorf("%w: pack %s has no records at %d", objects.ErrCorrupt, at.Pack, at.Offset)
	}
	return foot.records[from:to], nil
}
