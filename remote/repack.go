package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// repacker copies single objects into new packs for dst. Each record is
// decoded and checked on the way. Equal input makes equal packs, so that what
// an interrupted copy has sent is there for the next.
//
// A delta goes along as it is stored if dst has what it is built on: the very
// packs, or the same objects at other places, whose bytes are the same however
// they are stored. Else the object is stored whole.
type repacker struct {
	src     *source
	dst     Endpoint
	fs      vfs.FS
	temp    string
	sent    func(x *pack.Index)
	out     *newPack // being written, or nil
	moved   map[objects.ID]movedRecord
	foot    footers // of packs at src
	dstFoot footers
	held    map[objects.ID]bool // packs at dst
	leaving map[objects.ID]bool // packs at dst that are about to be dropped
}

// newPack is a pack that was begun; its ID is zero until it is sealed.
type newPack struct {
	writer *pack.Writer
	temp   string
	typ    pack.Type
	id     objects.ID
}

// movedRecord is where a chunk lies at dst that dst may not know yet.
type movedRecord struct {
	in          *newPack
	offset      int64
	length      int
	depth, cost int
}

// maxMoved bounds what is remembered of moved records; then dst is asked.
const maxMoved = 1 << 17

func newRepacker(src *source, dst Endpoint, opt CopyOptions, sent func(*pack.Index)) *repacker {
	return &repacker{
		src: src, dst: dst, fs: opt.FS, temp: opt.Temp, sent: sent,
		moved: make(map[objects.ID]movedRecord), held: make(map[objects.ID]bool),
		foot: footers{open: src.Open}, dstFoot: footers{open: dst.Open},
	}
}

// leave says that packs are about to be dropped: nothing is built on them, and
// no pack goes as it is, for it may be one of them.
func (r *repacker) leave(packs []objects.ID) {
	r.leaving = make(map[objects.ID]bool)
	for _, id := range packs {
		r.leaving[id] = true
		r.held[id] = false
	}
}

// abort removes what was begun.
func (r *repacker) abort() error {
	if r.out == nil {
		return nil
	}
	return r.out.writer.Abort()
}

// object adds one object that was read already.
func (r *repacker) object(ctx context.Context, id objects.ID, o objects.Object) error {
	rec, err := r.append(ctx, pack.Compress(id, o), nil)
	if err != nil {
		return err
	}
	return r.settle(ctx, rec)
}

// Records are read together while what lies between two costs less than a
// request, up to a buffer's size.
const (
	nearGap, nearSpan = 16 << 10, 4 << 20
	farGap, farSpan   = 512 << 10, 16 << 20
	// fetchSize is the size below which a far pack is fetched whole.
	fetchSize = 1 << 20
)

// part adds the wanted objects of one pack.
func (r *repacker) part(ctx context.Context, pt *part) error {
	gap, span := int64(nearGap), int64(nearSpan)
	if r.src.far {
		gap, span = farGap, farSpan
		if pt.Type == pack.TypeMeta || pt.Size < fetchSize || 2*pt.bytes >= pt.Size {
			if err := r.fetch(ctx, pt.ID); err != nil {
				return err
			}
		}
	}
	records, err := r.wanted(ctx, pt)
	if err != nil {
		return err
	}
	runs := together(records, gap, span)
	if r.src.far && len(runs) > maxRanges {
		if err := r.fetch(ctx, pt.ID); err != nil {
			return err
		}
	}
	in, release, err := r.src.Open(ctx, pt.ID)
	if err != nil {
		return err
	}
	defer release()
	for _, run := range runs {
		if err := r.run(ctx, in, pt.ID, run); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings a far pack here; from a damaged one what is sound is read.
func (r *repacker) fetch(ctx context.Context, id objects.ID) error {
	err := r.src.fetch(ctx, id)
	if errors.Is(err, objects.ErrCorrupt) {
		return nil
	}
	return err
}

func (r *repacker) wanted(ctx context.Context, pt *part) ([]pack.Record, error) {
	in, release, err := r.src.Open(ctx, pt.ID)
	if err != nil {
		return nil, err
	}
	defer release()
	x, err := in.Index(ctx)
	if err != nil {
		return nil, err
	}
	return pt.records(x)
}

// together cuts records into runs to be read at once.
func together(records []pack.Record, gap, span int64) [][]pack.Record {
	var runs [][]pack.Record
	start := 0
	for i, rec := range records {
		if i == start {
			continue
		}
		first, before := records[start], records[i-1]
		end := rec.Offset + int64(rec.Length)
		if rec.Offset-before.Offset-int64(before.Length) > gap || end-first.Offset > span {
			runs = append(runs, records[start:i])
			start = i
		}
	}
	if start < len(records) {
		runs = append(runs, records[start:])
	}
	return runs
}

func (r *repacker) run(ctx context.Context, in *pack.Reader, from objects.ID, run []pack.Record) error {
	first, last := run[0], run[len(run)-1]
	at := pack.Place{Offset: first.Offset, Length: int(last.Offset-first.Offset) + last.Length}
	ahead, err := in.Ahead(ctx, at)
	if err != nil {
		return fmt.Errorf("pack %s: %w", from, err)
	}
	for _, rec := range run {
		if err := r.record(ctx, ahead, from, rec); err != nil {
			return err
		}
	}
	return nil
}

func (r *repacker) record(ctx context.Context, in *pack.Reader, from objects.ID, rec pack.Record) error {
	payload, bases, err := in.ReadPayload(ctx, rec.Place(from), rec.ID, r.src.Open)
	if err != nil {
		return err
	}
	if payload.Encoding == pack.EncDelta {
		at, ok, err := r.rebase(ctx, &payload, bases)
		if err != nil {
			return err
		}
		if ok {
			added, err := r.append(ctx, payload, at)
			if err == nil {
				return r.settle(ctx, added)
			}
			// Its bases lie too scattered now; an error of the disk comes again.
		}
		o, err := in.ReadRecord(ctx, rec.Place(from), rec.ID, r.src.Open)
		if err != nil {
			return err
		}
		payload = pack.Compress(rec.ID, o)
	}
	added, err := r.append(ctx, payload, nil)
	if err != nil {
		return err
	}
	return r.settle(ctx, added)
}

// rebase says where what a delta is built on lies at dst, and sets what it
// takes to read it there; not ok if dst lacks it, or if it takes too much.
func (r *repacker) rebase(ctx context.Context, p *pack.Payload, bases []pack.Place) ([]pack.Place, bool, error) {
	same := true
	for _, at := range bases {
		held, err := r.holds(ctx, at.Pack)
		if err != nil {
			return nil, false, err
		}
		same = same && held
	}
	if same {
		return bases, true, nil
	}
	var records []footerRecord
	for _, at := range bases {
		run, err := r.foot.run(ctx, at)
		if err != nil {
			return nil, false, err
		}
		records = append(records, run...)
	}
	found, ok, err := r.find(ctx, records)
	if err != nil || !ok {
		return nil, false, err
	}
	depth, cost := 0, p.Size
	places := make([]pack.Place, len(found))
	counted := make(map[pack.Place]bool)
	for i, f := range found {
		places[i] = f.place
		depth = max(depth, f.depth)
		if !counted[f.place] {
			counted[f.place] = true
			cost += f.cost
		}
	}
	p.Depth, p.Cost = depth+1, cost
	return places, p.Depth <= pack.MaxDepth && p.Cost <= pack.MaxCost, nil
}

// placed is an object at dst.
type placed struct {
	place       pack.Place
	depth, cost int
}

// find says where objects lie at dst; not ok if one is not there.
func (r *repacker) find(ctx context.Context, records []footerRecord) ([]placed, bool, error) {
	list := make([]placed, len(records))
	var ask []objects.ID
	var asked []int
	for i, rec := range records {
		if m, ok := r.moved[rec.id]; ok {
			list[i] = placed{pack.Place{Pack: m.in.id, Offset: m.offset, Length: m.length}, m.depth, m.cost}
			continue
		}
		ask, asked = append(ask, rec.id), append(asked, i)
	}
	if len(ask) == 0 {
		return list, true, nil
	}
	places, err := r.dst.Locate(ctx, ask)
	if err != nil {
		return nil, false, err
	}
	for k, at := range places {
		if at.Length == 0 || at.Pack.IsZero() || r.leaving[at.Pack] {
			return nil, false, nil
		}
		run, err := r.dstFoot.run(ctx, at)
		if errors.Is(err, objects.ErrCorrupt) || err == nil && run[0].id != ask[k] {
			return nil, false, nil // dst is damaged there: nothing more is built on it
		}
		if err != nil {
			return nil, false, err
		}
		list[asked[k]] = placed{at, run[0].depth, run[0].cost}
	}
	return list, true, nil
}

// holds says whether dst has the pack of that ID.
func (r *repacker) holds(ctx context.Context, id objects.ID) (bool, error) {
	held, known := r.held[id]
	if !known {
		var err error
		if held, err = holdsPack(ctx, r.dst, id); err != nil {
			return false, err
		}
		r.held[id] = held
	}
	return held, nil
}

// append adds a payload to the open pack of its type.
func (r *repacker) append(ctx context.Context, p pack.Payload, bases []pack.Place) (pack.Record, error) {
	typ := pack.TypeData
	if p.Kind.IsMeta() {
		typ = pack.TypeMeta
	}
	if r.out == nil {
		temp := vfs.TempName(r.temp)
		w, err := pack.NewWriter(r.fs, temp, typ)
		if err != nil {
			return pack.Record{}, err
		}
		r.out = &newPack{writer: w, temp: temp, typ: typ}
	}
	return r.out.writer.Append(p, bases)
}

// settle remembers where a record went, and seals a pack that is large enough.
func (r *repacker) settle(ctx context.Context, rec pack.Record) error {
	if !rec.Kind.IsMeta() {
		f := newFooterRecord(rec)
		r.moved[rec.ID] = movedRecord{r.out, rec.Offset, rec.Length, f.depth, f.cost}
	}
	if r.out.writer.Size() >= pack.TargetSize || len(r.moved) >= maxMoved {
		if err := r.seal(ctx); err != nil {
			return err
		}
	}
	if len(r.moved) < maxMoved {
		return nil
	}
	clear(r.moved)
	return r.dst.Sync(ctx)
}

// seal hands the open pack to dst.
func (r *repacker) seal(ctx context.Context) error {
	out := r.out
	if out == nil {
		return nil
	}
	r.out = nil
	x, err := out.writer.Seal(ctx)
	if err != nil {
		return err
	}
	if err := r.dst.AddPack(ctx, x.ID, out.temp, true); err != nil {
		return errors.Join(err, removeFile(r.fs, out.temp))
	}
	out.id = x.ID
	r.held[x.ID] = true
	r.dstFoot.keep(x.ID, x)
	r.sent(x)
	return removeFile(r.fs, out.temp) // which may have been moved away
}
