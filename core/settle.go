package core

import (
	"context"
	"iter"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects/prolly"
)

// settling turns the readings of a round, in path order, into the edits of
// the tree and the updates of the index.
type settling struct {
	*snapshot
	updates chan worktree.Update

	unreadable UnreadableError
	damage     DamageError
}

// edits yields the tree's edits; what the index has to know goes to updates on
// the way.
func (s *settling) edits(ctx context.Context, read iter.Seq2[reading, error]) iter.Seq2[prolly.Edit, error] {
	return func(yield func(prolly.Edit, error) bool) {
		for res, err := range read {
			if err != nil {
				yield(prolly.Edit{}, err)
				return
			}
			edit, update, ok := s.settle(res)
			if !ok {
				continue
			}
			select {
			case s.updates <- update:
			case <-ctx.Done():
				yield(prolly.Edit{}, ctx.Err())
				return
			}
			if edit.Key != nil && !yield(edit, nil) {
				return
			}
		}
	}
}

// settle decides on one reading; not ok leaves the path as it was.
func (s *settling) settle(res reading) (prolly.Edit, worktree.Update, bool) {
	path, rec := res.item.Path, res.item.Record
	switch {
	case res.unread && s.opt.SkipUnreadable:
		s.env.Events.Warn(Warning{Code: "skipped_unreadable", Path: path, Message: res.err.Error()})
		return prolly.Edit{}, worktree.Update{}, false
	case res.unread:
		s.unreadable.add(path, res.err)
		return prolly.Edit{}, worktree.Update{}, false
	case res.damaged:
		s.damage.add(path)
		return prolly.Edit{}, worktree.Update{}, false
	case res.moving:
		s.stamps[path] = worktree.Stamp{} // no file has it: the check after the round finds it
		if res.entry == nil {
			return prolly.Edit{}, worktree.Update{}, false
		}
	case res.entry == nil:
		delete(s.stamps, path)
		s.warnAbsent(res)
		if rec == nil {
			return prolly.Edit{}, worktree.Update{}, false // new, and gone again
		}
		return prolly.Edit{Key: []byte(path), Delete: true}, worktree.Update{Path: path}, true
	}
	record := worktree.Record{Path: path, Entry: *res.entry, InTree: true}
	if res.keeps {
		record.Stamp = worktree.StampOf(res.stat)
	}
	switch {
	case res.moving:
	case !res.keeps || !s.overflow:
		s.stamps[path] = worktree.StampOf(res.stat)
	default:
		delete(s.stamps, path)
	}
	update := worktree.Update{Path: path, Record: &record}
	if rec != nil && rec.InTree && rec.Entry == *res.entry {
		return prolly.Edit{}, update, true
	}
	return prolly.Edit{Key: []byte(path), Value: res.entry.Append(nil)}, update, true
}

func (s *settling) warnAbsent(res reading) {
	switch res.item.Kind {
	case worktree.KindLeft:
		s.env.Events.Warn(Warning{Code: "left_dataset", Path: res.item.Path, Message: "no longer part of the dataset (not tracked, or ignored); it stays on the disk"})
	case worktree.KindSkipped:
		s.warnSpecial(res.item.Path)
	}
}

// stream yields the updates to the index's writer.
func (s *settling) stream(ctx context.Context) iter.Seq2[worktree.Update, error] {
	return func(yield func(worktree.Update, error) bool) {
		for {
			select {
			case u, ok := <-s.updates:
				if !ok || !yield(u, nil) {
					return
				}
			case <-ctx.Done():
				yield(worktree.Update{}, ctx.Err())
				return
			}
		}
	}
}

// refusal is why the round must not become a commit.
func (s *settling) refusal() error {
	if s.damage.Count > 0 {
		return &s.damage
	}
	if s.unreadable.Count > 0 {
		return &s.unreadable
	}
	return nil
}

func (e *UnreadableError) add(path string, err error) {
	if e.Count++; e.Count == 1 {
		e.Err = err
	}
	if len(e.Paths) < maxNamed {
		e.Paths = append(e.Paths, path)
	}
}

func (e *DamageError) add(path string) {
	e.Count++
	if len(e.Paths) < maxNamed {
		e.Paths = append(e.Paths, path)
	}
}
