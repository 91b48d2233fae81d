package similar

import (
	"context"
	"encoding"
	"errors"
	"io"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"golang.org/x/sync/errgroup"
)

// Hasher hashes files, each content once.
type Hasher struct {
	Files dataset.Files
	Facts dataset.Facts // what was hashed before, and will be
	// Workers is how many files are read at once; the memory that images take
	// is bounded besides.
	Workers int
	// Turns makes it hash images turned and mirrored in every way.
	Turns bool
	// Saw, if not nil, is told of each image and text, in the order in which
	// the files came, once all are read; why it could not be read if it could
	// not.
	Saw func(in Input, why string)
}

// Input is a file and the split that it is in.
type Input struct {
	dataset.File
	Split string
}

// Hashed are hashed files, both in the order in which the files came.
type Hashed struct {
	Items  []Item // images and texts
	Unread []dataset.Unread
	Read   int // how many files were opened; the others' facts were there
}

// The kinds of facts. The version is that of the hashes and of their encoding.
const (
	factKind  = "kind-v1" // of a file whose name does not tell
	factImage = "image-v2"
	factTurns = "image-turns-v2"
	factText  = "text-v2"
)

// Version names the hashes and the search: with another one, other pairs may be
// found in the same files.
const Version = factKind + " " + factImage + " " + factTurns + " " + factText + " pairs-v2"

// Hash hashes the images and texts among files. What cannot be read or decoded
// is in Unread, and why; an error is one of the input or of ctx.
func (h *Hasher) Hash(ctx context.Context, files iter.Seq2[Input, error]) (*Hashed, error) {
	var slots []*slot
	compact := slotsAtOnce
	work, working := errgroup.WithContext(ctx)
	work.SetLimit(max(1, h.Workers))
	var failed error
	read := 0
	for in, err := range files {
		if err != nil || working.Err() != nil {
			failed = err
			break
		}
		if len(slots) >= compact {
			slots = slices.DeleteFunc(slots, func(s *slot) bool { return s.other.Load() })
			compact = 2*len(slots) + slotsAtOnce
		}
		s := &slot{Input: in}
		if !h.recall(s) {
			slots = append(slots, s)
			read++
			work.Go(func() error {
				return h.read(working, s)
			})
			continue
		}
		if s.kind != KindOther {
			slots = append(slots, s)
		}
	}
	if err := errors.Join(failed, work.Wait()); err != nil {
		return nil, err
	}
	out := h.gather(slots)
	out.Read = read
	return out, ctx.Err()
}

// slotsAtOnce is after how many files those that turned out to be of no kind
// that is compared are let go.
const slotsAtOnce = 1 << 14

// slot is what became of one file.
type slot struct {
	Input
	kind  Kind
	image *Image
	text  *Text
	why   string      // it could not be read
	other atomic.Bool // it was, and is of no kind that is compared
}

func (h *Hasher) gather(slots []*slot) *Hashed {
	out := new(Hashed)
	for _, s := range slots {
		if h.Saw != nil && (s.why != "" || s.image != nil || s.text != nil) {
			h.Saw(s.Input, s.why)
		}
		if s.why != "" {
			out.Unread = append(out.Unread, dataset.Unread{Path: s.Path, Why: s.why})
		} else if s.image != nil || s.text != nil {
			sample := dataset.Sample{Path: s.Path, Split: s.Split, Content: s.Content}
			out.Items = append(out.Items, Item{Sample: sample, Image: s.image, Text: s.text})
		}
	}
	return out
}

// recall takes from the facts what they have; true: nothing need be read.
func (h *Hasher) recall(s *slot) bool {
	if s.Size == 0 {
		s.kind = KindOther // an empty file is like nothing
		return true
	}
	s.kind = KindOf(s.Path, nil)
	if s.kind == KindUnknown {
		data, ok := h.Facts.Get(factKind, s.Content)
		if !ok || len(data) != 1 || Kind(data[0]) > KindText {
			return false
		}
		s.kind = Kind(data[0])
	}
	if s.kind == KindOther {
		return true
	}
	data, ok := h.Facts.Get(h.fact(s.kind), s.Content)
	return ok && s.decode(data)
}

func (h *Hasher) fact(kind Kind) string {
	switch {
	case kind == KindText:
		return factText
	case h.Turns:
		return factTurns
	}
	return factImage
}

// The first byte of a fact.
const (
	factGood byte = 0 // the hashes follow
	factBad  byte = 1 // why there are none follows
)

// decode takes a fact; false: it is none.
func (s *slot) decode(data []byte) bool {
	switch {
	case len(data) > 1 && data[0] == factBad:
		s.why = string(data[1:])
		return true
	case len(data) == 0 || data[0] != factGood:
		return false
	case s.kind == KindText:
		s.text = new(Text)
		return s.text.UnmarshalBinary(data[1:]) == nil
	}
	s.image = new(Image)
	return s.image.UnmarshalBinary(data[1:]) == nil
}

// read hashes a file and keeps the fact. It fails only when ctx is done.
func (h *Hasher) read(ctx context.Context, s *slot) error {
	s.image, s.text = nil, nil
	c, err := h.Files.Open(ctx, s.File)
	if err == nil {
		err = errors.Join(h.hash(ctx, s, c), c.Close())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.why = err.Error()
	}
	s.other.Store(err == nil && s.kind == KindOther)
	return nil
}

func (h *Hasher) hash(ctx context.Context, s *slot, c dataset.Content) error {
	if s.kind == KindUnknown {
		if err := h.sniff(s, c); err != nil {
			return err
		}
	}
	switch s.kind {
	case KindImage:
		image, err := HashImage(ctx, c, h.Turns)
		s.image = &image
		return h.keep(s.Content, h.fact(s.kind), image, err)
	case KindText:
		text, err := HashText(ctx, c)
		s.text = &text
		return h.keep(s.Content, h.fact(s.kind), text, err)
	}
	return nil
}

// sniff finds the kind of a file by its first bytes.
func (h *Hasher) sniff(s *slot, c dataset.Content) error {
	head := make([]byte, min(HeadSize, c.Size()))
	if _, err := c.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.kind = KindOf(s.Path, head)
	h.Facts.Put(factKind, s.Content, []byte{byte(s.kind)})
	return nil
}

// keep keeps hashes, or why there are none if the bytes are the reason; err is
// returned as it is.
func (h *Hasher) keep(id objects.ID, fact string, of encoding.BinaryMarshaler, err error) error {
	if IsBadFile(err) {
		h.Facts.Put(fact, id, append([]byte{factBad}, err.Error()...))
	}
	if err != nil {
		return err
	}
	data, err := of.MarshalBinary()
	if err == nil {
		h.Facts.Put(fact, id, append([]byte{factGood}, data...))
	}
	return err
}
