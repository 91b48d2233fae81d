package content

import (
	"context"
	"iter"
	"sort"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

const (
	// ahead is how many chunks of the old content are looked through for a
	// chunk of the new one: about 600 MiB.
	ahead = 4096
	// slack is how far from the expected place an old boundary may lie, in
	// bytes, to be taken for the same boundary, and by how much more than
	// its own place a chunk's bases cover.
	slack = 16 << 10
)

// past is the old content beside the new one. An old list that cannot be read
// ends where it cannot: it only makes the work cheaper.
type past struct {
	size int64
	pull func() (chunk.Span, error, bool)
	stop func()

	window []chunk.Span       // the old chunks from first on, as far as loaded
	first  int                // index of window[0] in the old content
	byID   map[objects.ID]int // the first in the window
	ended  bool

	cursor int   // index of the chunk that is expected next
	inStep bool  // the last chunk was the one before cursor
	anchor int   // what lies before it is of no more use
	drift  int64 // offset in the old content − offset in the new, as far as known
}

func newPast(ctx context.Context, g objects.Getter, prev objects.Entry) *past {
	refs := chunk.List(ctx, g, prev.List, prev.Size, 0)
	if prev.Size <= objects.SingleChunk {
		refs = func(yield func(chunk.Span, error) bool) {
			yield(chunk.Span{Ref: chunk.Ref{ID: prev.Content, Length: int(prev.Size)}}, nil)
		}
	}
	// A content that is one chunk was not cut, so its chunk is never expected.
	p := &past{size: prev.Size, byID: make(map[objects.ID]int), inStep: prev.Size > objects.SingleChunk}
	p.pull, p.stop = iter.Pull2(refs)
	return p
}

func (p *past) close() { p.stop() }

// load makes the window reach index i, if there are so many chunks.
func (p *past) load(i int) bool {
	for !p.ended && i >= p.first+len(p.window) {
		span, err, ok := p.pull()
		if !ok || err != nil {
			p.ended = true
			break
		}
		if at, ok := p.byID[span.ID]; !ok || at < p.anchor {
			p.byID[span.ID] = p.first + len(p.window)
		}
		p.window = append(p.window, span)
	}
	return i < p.first+len(p.window)
}

// drop forgets the chunks before index i.
func (p *past) drop(i int) {
	for ; p.first < i && len(p.window) > 0; p.first++ {
		if id := p.window[0].ID; p.byID[id] == p.first {
			delete(p.byID, id)
		}
		p.window = p.window[1:]
	}
}

// expect returns the length of the chunk that is expected next, 0 if none is
// or if it cannot be a chunk at the start of the next n bytes; final says
// that they are the last.
func (p *past) expect(n int, final bool) int {
	if !p.inStep || !p.load(p.cursor) {
		return 0
	}
	next := p.window[p.cursor-p.first]
	if next.Length > n {
		return 0
	}
	cutByEnd := next.End() >= p.size && next.Length < chunk.Default.Max
	if cutByEnd && !(final && next.Length == n) {
		return 0
	}
	return next.Length
}

// step goes past the expected chunk if it has that ID.
func (p *past) step(id objects.ID) bool {
	p.inStep = p.window[p.cursor-p.first].ID == id
	if p.inStep {
		p.cursor++
	}
	return p.inStep
}

// find looks for a chunk ahead of the last one that both contents have, and
// goes past it. start is where it is in the new content.
func (p *past) find(id objects.ID, start int64) bool {
	p.inStep = false
	here := p.at(start + p.drift)
	p.load(here + ahead)
	p.drop(min(here-ahead, p.first+len(p.window)-1))
	i, ok := p.byID[id]
	if !ok || i < p.anchor {
		return false
	}
	p.cursor, p.inStep = i+1, true
	return true
}

// settle is told where in the new content the chunk before cursor ends.
func (p *past) settle(end int64) {
	p.drift = p.window[p.cursor-1-p.first].End() - end
	p.anchor = p.cursor
	p.drop(p.anchor - 1)
}

// at returns the index of the chunk that holds an offset of the old content,
// as far as the window goes.
func (p *past) at(offset int64) int {
	return p.first + sort.Search(len(p.window), func(i int) bool { return p.window[i].End() > offset })
}

// bases returns the old chunks that a new one at [start, end) is most likely
// made of. next is the index of the old chunk that follows it, -1 if that is
// not known.
func (p *past) bases(start, end int64, next int) []objects.ID {
	from, to := start+p.drift, p.boundary(end+p.drift)
	limit := p.first + len(p.window)
	if next >= 0 {
		limit = next
	}
	var ids []objects.ID
	room := DictMax
	last := p.anchor - 1
	add := func(from, to int64) {
		for i := max(last+1, p.at(from)); i < limit && p.window[i-p.first].Start < to; i++ {
			if room -= p.window[i-p.first].Length; room < 0 {
				return
			}
			ids = append(ids, p.window[i-p.first].ID)
			last = i
		}
	}
	add(from-slack, to+slack)
	if next >= 0 {
		edge := p.window[next-p.first].Start
		add(edge-(end-start)-slack, edge)
	}
	return ids
}

// boundary returns the old boundary that lies nearest to an old offset, and
// corrects drift by it; the offset itself if none is near. A cut depends on
// 64 bytes, so most boundaries outlive an edit of the chunks beside them.
func (p *past) boundary(offset int64) int64 {
	i := p.at(offset)
	if !p.load(i) {
		return offset
	}
	span := p.window[i-p.first]
	near := span.Start
	if span.End()-offset < offset-near {
		near = span.End()
	}
	if d := near - offset; d <= slack && d >= -slack {
		p.drift += d
		return near
	}
	return offset
}
