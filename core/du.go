package core

import (
	"context"
	"errors"
	"iter"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// DuOptions say what is weighed.
type DuOptions struct {
	// Revs are branches, tags, commits, or REV:PATH. Empty: HEAD, or with
	// Paths all of history.
	Revs []string
	// Paths are files and folders, relative to the root. With Revs, what they
	// are in each; without, each of them in every commit that a name reaches.
	Paths []string
}

// Usage is what a branch or tag, a commit, or paths cost. What a branch or tag
// has alone is what only it reaches among all names; a commit, what no other
// commit that a name reaches has; a path, what is nowhere else.
//
// Bytes of packs are those of contents: chunks and the lists of them. Trees
// and commits are left out; they take some hundred bytes for a changed file.
type Usage struct {
	Name    string `json:"name"`
	Commits int64  `json:"commits"` // that are its own; 0 for paths
	// Files and Bytes are those of the tree, every path counted; for paths in
	// all of history every version of each.
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// Contents counts each content once; Stored is what they take in packs.
	Contents     int64 `json:"contents"`
	ContentBytes int64 `json:"content_bytes"`
	Stored       int64 `json:"stored_bytes"`
	// Unique is the part of Contents that nothing else has. Freed is what
	// they take in packs alone: what gc frees once this is dropped and no
	// operation that is kept reaches it, less what deltas of others are built on.
	UniqueContents int64 `json:"unique_contents"`
	UniqueBytes    int64 `json:"unique_bytes"`
	Freed          int64 `json:"freed_bytes"`
}

// Du weighs each of what opt names. It takes no lock. It reads what every
// commit that a name reaches changed, and holds at most about a million IDs:
// with more than that it goes through them several times, each time for a
// part of all IDs.
func (r *Repo) Du(ctx context.Context, opt DuOptions) iter.Seq2[Usage, error] {
	return func(yield func(Usage, error) bool) {
		subjects, err := r.subjects(ctx, opt)
		if err != nil {
			yield(Usage{}, err)
			return
		}
		for _, s := range subjects {
			u, err := s.usage(ctx)
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// subject is what is weighed against everything else that names reach.
type subject struct {
	repo   *Repo
	name   string
	ranges ranges
	tips   []objects.ID // of everything
	at     DiffSide     // its tree; zero for all of history
	// own are the commits in which the ranges are the subject's; nil: all.
	own map[objects.ID]bool
}

// owns reports whether what the ranges hold in a commit is the subject's.
func (s *subject) owns(id objects.ID) bool { return s.own == nil || s.own[id] }

func (r *Repo) subjects(ctx context.Context, opt DuOptions) ([]*subject, error) {
	op, view, h, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	var list []*subject
	if len(opt.Revs) == 0 && len(opt.Paths) > 0 {
		for _, p := range opt.Paths {
			rs, err := rangesOf([]string{p})
			if err != nil {
				return nil, err
			}
			s := &subject{repo: r, name: p, ranges: rs}
			if err := s.besides(ctx, view, h, ""); err != nil {
				return nil, err
			}
			list = append(list, s)
		}
		return list, nil
	}
	revs := opt.Revs
	if len(revs) == 0 {
		revs = []string{"HEAD"}
	}
	for _, rev := range revs {
		s, err := r.subjectAt(ctx, op, view, h, rev, opt.Paths)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// subjectAt makes the subject of a revision: a name stands for all that it
// alone reaches, anything else, and paths, for the one commit.
func (r *Repo) subjectAt(ctx context.Context, op objects.ID, view refs.View, h head, rev string, paths []string) (*subject, error) {
	t, err := r.resolveAt(ctx, op, rev)
	if err != nil {
		return nil, err
	}
	if t.HasPath {
		paths = append([]string{t.Path}, paths...)
	}
	s := &subject{repo: r, name: rev, at: DiffSide{Name: rev, Commit: t.ID}, own: make(map[objects.ID]bool)}
	if s.ranges, err = rangesOf(paths); err != nil {
		return nil, err
	}
	if s.at.tree, err = r.treeOf(ctx, t.ID); err != nil {
		return nil, err
	}
	var except refs.Name
	if t.Name != refs.HEAD && len(paths) == 0 {
		except = t.Name
	}
	if err := s.besides(ctx, view, h, except); err != nil {
		return nil, err
	}
	if except == "" {
		s.own[t.ID] = true
	} else if err := s.ownAlone(ctx, t.ID); err != nil {
		return nil, err
	}
	s.tips = append(s.tips, t.ID)
	return s, nil
}

// ownAlone makes what only id reaches the subject's own.
func (s *subject) ownAlone(ctx context.Context, id objects.ID) error {
	for c, err := range history.Walk(ctx, s.repo.store, []objects.ID{id}, history.Options{Hide: s.tips}) {
		if err != nil {
			return err
		}
		s.own[c.ID] = true
	}
	return nil
}

// besides adds the commits of all names but one.
func (s *subject) besides(ctx context.Context, view refs.View, h head, except refs.Name) error {
	if h.Branch == "" && !h.Commit.IsZero() {
		s.tips = append(s.tips, h.Commit)
	}
	for ref, err := range view.List(ctx, "") {
		if err != nil {
			return err
		}
		if ref.Name != except && ref.Name != refs.HEAD {
			s.tips = append(s.tips, ref.Value.Commit)
		}
	}
	return nil
}

// usage weighs the subject.
func (s *subject) usage(ctx context.Context) (Usage, error) {
	u := Usage{Name: s.name}
	if s.own != nil && s.whole() {
		u.Commits = int64(len(s.own))
	}
	held, err := s.repo.weigh(ctx, func(w *weighing) error { return s.held(ctx, w.add, &u) })
	if err != nil {
		return u, err
	}
	u.Contents, u.ContentBytes, u.Stored = held.contents, held.bytes, held.stored
	unique, err := s.repo.weigh(ctx, func(w *weighing) error {
		if err := s.eachChange(ctx, w.add, nil); err != nil {
			return err
		}
		w.seen = nil
		if err := s.eachChange(ctx, nil, w.remove); !errors.Is(err, errNothingLeft) {
			return err
		}
		return nil
	})
	u.UniqueContents, u.UniqueBytes, u.Freed = unique.contents, unique.bytes, unique.stored
	return u, err
}

// held gives what the subject holds, and counts its files.
func (s *subject) held(ctx context.Context, give func(context.Context, objects.Entry) error, u *Usage) error {
	u.Files, u.Bytes = 0, 0
	count := func(ctx context.Context, e objects.Entry) error {
		u.Files++
		u.Bytes += e.Size
		return give(ctx, e)
	}
	if s.own == nil {
		return s.eachChange(ctx, count, nil)
	}
	for e, err := range s.repo.entriesIn(ctx, s.at.tree, s.ranges) {
		if err != nil {
			return err
		}
		if err := count(ctx, e.Entry); err != nil {
			return err
		}
	}
	return nil
}

// eachChange goes through all that names reach and gives the entries of the
// subject to own, and all others to other; a nil one wants none.
//
// The entries of a set of commits are, for each, what it has beyond its first
// parent if that is in the set too, and else all of its tree. What the
// subject has from a parent that is not its own is among the others, so that
// of the subject only what is beyond the parent is given.
func (s *subject) eachChange(ctx context.Context, own, other func(context.Context, objects.Entry) error) error {
	for c, err := range history.Walk(ctx, s.repo.store, s.tips, history.Options{}) {
		if err != nil {
			return err
		}
		mine := s.owns(c.ID)
		if !mine && other == nil || mine && own == nil && s.whole() {
			continue
		}
		var base objects.ID
		if len(c.Parents) > 0 && (mine || !s.owns(c.Parents[0])) {
			if base, err = s.repo.treeOf(ctx, c.Parents[0]); err != nil {
				return err
			}
		}
		if err := s.give(ctx, s.repo.treeDiff(ctx, base, c.Tree), mine, own, other); err != nil {
			return err
		}
	}
	return nil
}

// whole reports whether the subject's commits are its own altogether.
func (s *subject) whole() bool { return s.ranges[0] == everything[0] }

// give hands the new sides of changes to whom they belong.
func (s *subject) give(ctx context.Context, changes worktree.Changes, mine bool, own, other func(context.Context, objects.Entry) error) error {
	for c, err := range changes {
		if err != nil {
			return err
		}
		to := other
		if mine && s.ranges.has(c.Path) {
			to = own
		}
		if c.New == nil || to == nil {
			continue
		}
		if err := to(ctx, *c.New); err != nil {
			return err
		}
	}
	return nil
}
