package core

import (
	"context"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// contents compares files by their bytes.
func (c *modelChecking) contents(ctx context.Context) error {
	return c.exact(ctx, LeakMethod{Method: MethodContent, Level: dataset.Error}, "", func(s *checkedSide, _ func(dataset.Unread)) sampleSeq {
		return s.whole(ctx)
	})
}

// rows compares the rows of tables by what is in them.
func (c *modelChecking) rows(ctx context.Context) error {
	method := LeakMethod{Method: MethodRows, Level: dataset.Error}
	if len(c.ignore) > 0 {
		method.Limits = "without the columns " + quoteSome(c.ignore)
	}
	return c.exact(ctx, method, "there are not rows of tables on both sides", func(s *checkedSide, unread func(dataset.Unread)) sampleSeq {
		return s.rows(ctx, c.ignore, unread)
	})
}

type sampleSeq = iter.Seq2[dataset.Sample, error]

// exact compares samples by their IDs, in three passes, so that memory is
// eight bytes for each that was trained on:
//
//  1. The first bytes of the IDs of all that was trained on, sorted.
//  2. What of that which is evaluated begins as one of them.
//  3. Where the model saw these, by their whole IDs.
//
// none says why it is not done if a side has no such samples; empty: it is done
// all the same.
func (c *modelChecking) exact(ctx context.Context, method LeakMethod, none string, samples func(*checkedSide, func(dataset.Unread)) sampleSeq) error {
	trained, err := beginnings(samples(c.trained, c.unread()), &method)
	if err != nil {
		return err
	}
	var found []dataset.Sample
	for s, err := range samples(c.evaluated, c.unread()) {
		if err != nil {
			return err
		}
		method.Evaluated++
		if _, ok := slices.BinarySearch(trained, beginning(s.Content)); !ok {
			continue
		}
		if method.Leaks++; len(found) < dataset.MaxFindings {
			found = append(found, s)
		}
	}
	if len(found) > 0 {
		if err := c.confirm(found, samples(c.trained, func(dataset.Unread) {}), &method); err != nil {
			return err
		}
	}
	if method.Trained == 0 || method.Evaluated == 0 {
		method.Skipped = none
	}
	c.res.Methods = append(c.res.Methods, method)
	return ctx.Err()
}

// unread takes what cannot be read into the result.
func (c *modelChecking) unread() func(dataset.Unread) {
	n := 0
	return func(u dataset.Unread) {
		if n++; n <= dataset.MaxFindings {
			c.res.Unread = append(c.res.Unread, u)
		}
	}
}

func beginning(id objects.ID) uint64 { return binary.BigEndian.Uint64(id[:]) }

// beginnings is the first pass.
func beginnings(samples sampleSeq, method *LeakMethod) ([]uint64, error) {
	var all []uint64
	for s, err := range samples {
		if err != nil {
			return nil, err
		}
		method.Trained++
		all = append(all, beginning(s.Content))
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// confirm is the third pass: it keeps what is equal as a whole, and finds where
// the model saw it first.
func (c *modelChecking) confirm(found []dataset.Sample, trained sampleSeq, method *LeakMethod) error {
	at := make(map[objects.ID]*dataset.Sample, len(found))
	for _, s := range found {
		at[s.Content] = nil
	}
	for s, err := range trained {
		if err != nil {
			return err
		}
		if first, wanted := at[s.Content]; wanted && first == nil {
			at[s.Content] = &s
		}
	}
	for _, s := range found {
		first := at[s.Content]
		if first == nil {
			method.Leaks-- // it only began as one
			continue
		}
		c.res.Leaks = append(c.res.Leaks, Leak{Method: method.Method, Evaluated: s, Trained: *first})
	}
	return nil
}
