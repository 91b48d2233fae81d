package core

import (
	"context"
	"errors"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

// storeRate says what the bytes of files come to in packs. A kind is chosen
// before anything is read, so it goes by what the commits before came to: of a
// large file that is edited in place little is stored anew, and by its size
// alone the chain would seem to outgrow the full at once.
type storeRate struct {
	whole  float64 // of new files
	edited float64 // of files that were there before
}

// storeRateOf takes the rate of new files from the full, and that of edited ones
// from what the chain's commits stored beside their new files. What is not known
// counts whole.
func storeRateOf(chain history.Chain) storeRate {
	r := storeRate{whole: 1}
	if chain.Full.Delta.Bytes > 0 {
		r.whole = clampRate(float64(chain.Full.Held())/float64(chain.Full.Delta.Bytes), 1)
	}
	r.edited = r.whole
	if chain.Edited > 0 {
		grown := float64(chain.Grown)
		if chain.Full.Stored != nil {
			grown -= r.whole * float64(chain.New)
		}
		r.edited = clampRate(grown/float64(chain.Edited), r.whole)
	}
	return r
}

func clampRate(rate, most float64) float64 { return max(0, min(rate, most)) }

// expect fills in what the new commit would hold, by the sizes of its new and
// edited files and of those that differ between its parent and the last full.
func (f *kindFacts) expect(r storeRate, added, edited, differs int64) {
	f.Incremental = int64(r.whole*float64(added) + r.edited*float64(edited))
	f.Differential = min(int64(r.whole*float64(differs)), f.ChainBytes) + f.Incremental
}

// treeStored is what the contents of a tree take in packs; of those that are not
// here, their sizes.
func (r *Repo) treeStored(ctx context.Context, tree objects.ID) (int64, error) {
	s := storedSum{sizes: r.store.StoredSizes}
	for t, err := range r.treeEntries(ctx, tree) {
		if err == nil {
			err = s.entry(ctx, r.store, t.Entry)
		}
		if err != nil {
			return 0, err
		}
	}
	err := s.look(ctx)
	return s.bytes, err
}

// storedSum adds up stored sizes, looked up in windows.
type storedSum struct {
	sizes func(context.Context, []objects.ID) ([]int64, error)
	ids   []objects.ID
	plain []int64
	bytes int64
}

func (s *storedSum) entry(ctx context.Context, lists objects.Getter, e objects.Entry) error {
	if e.Mode == objects.ModeDir {
		return nil
	}
	if e.Size <= objects.SingleChunk {
		return s.add(ctx, e.Content, e.Size)
	}
	every := func(objects.ID) (bool, error) { return true, nil }
	err := chunk.WalkList(ctx, lists, e.List, every, func(run chunk.Run) error {
		return s.add(ctx, run.ID, int64(run.Length))
	})
	if errors.Is(err, objects.ErrNotFound) { // a list that is not here
		return s.add(ctx, e.Content, e.Size)
	}
	return err
}

func (s *storedSum) add(ctx context.Context, id objects.ID, size int64) error {
	s.ids, s.plain = append(s.ids, id), append(s.plain, size)
	if len(s.ids) < weighWindow {
		return nil
	}
	return s.look(ctx)
}

func (s *storedSum) look(ctx context.Context) error {
	stored, err := s.sizes(ctx, s.ids)
	for i, n := range stored {
		if n == 0 {
			n = s.plain[i]
		}
		s.bytes += n
	}
	s.ids, s.plain = s.ids[:0], s.plain[:0]
	return err
}
