package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// How the data follow git
//
// The pointers in the work tree say which commit the data shall be at, and git
// says which branch HEAD shall be on. The record `.mlvc/git` says what both
// agreed on last:
//
//  1. Pointers that name another commit than the record were moved by git: the
//     working tree is taken to that commit, under the rules of a checkout.
//  2. Pointers that name what the record says while HEAD is elsewhere were
//     left behind by an interrupted verb of mlvc: they are written anew.
//  3. On git's branch X, HEAD is on branch X, which is made at or moved to that
//     commit; where git is on no branch HEAD is detached.
//  4. In the middle of a git command (post-index-change) git has changed its
//     files and not yet its HEAD. Then HEAD is detached, and the record says
//     that it is to be attached at the next look.

// FollowOptions say how the data follow git.
type FollowOptions struct {
	// Force replaces and deletes also what no commit holds.
	Force       bool
	SkipDamaged bool
	// Early says that git is still at work, so that its HEAD may not be the
	// one that goes with its files.
	Early bool
}

// FollowState is what following came to.
type FollowState string

// The states. FollowNone: the revision has no pointer, so the data stay.
const (
	FollowAgreed   FollowState = "agreed"
	FollowMoved    FollowState = "moved"    // files or names followed the pointer
	FollowRewrote  FollowState = "rewrote"  // the pointer followed the data
	FollowNone     FollowState = "none"     // there is no pointer here
	FollowUnpaired FollowState = "unpaired" // not paired
)

// FollowResult is what following git did.
type FollowResult struct {
	State FollowState `json:"state"`
	// Left is the commit that the branch stood at, where no other name and no
	// pointer in git reaches it any more, but the operation log alone.
	Left objects.ID `json:"left,omitzero"`
	// Pointers are pointer files that were written.
	Pointers []string `json:"pointers,omitempty"`
	CheckoutResult
}

// Follow makes the working tree hold the commit that the pointers name, and
// HEAD stand where git's stands. Uncommitted changes that are not in the way
// are carried along; those that are refuse it with an *ObstaclesError and
// nothing is touched. Interrupted, the next call finishes it. A commit that is
// not here is fetched from the remote that the pointer names.
func (r *Repo) Follow(ctx context.Context, opt FollowOptions) (res FollowResult, err error) {
	s, err := r.beginFollow(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	p, err := s.readPairing()
	if err != nil {
		return res, err
	}
	if p == nil {
		return FollowResult{State: FollowUnpaired}, ErrNotPaired
	}
	f := &following{session: s, opt: opt, pairing: *p}
	err = f.run(ctx)
	f.res.Pointers = s.pointers
	return f.res, err
}

// following is one run of Follow.
type following struct {
	*session
	opt     FollowOptions
	pairing pairing
	git     *gitPlace
	branch  string // of git, once it is known
	res     FollowResult
}

func (f *following) run(ctx context.Context) error {
	f.res.setHead(f.head)
	there, err := f.readPointers()
	if err != nil {
		return err
	}
	if there.file == "" {
		f.res.State = FollowNone
		if f.pairing.leaving() {
			f.pairing.Away = true
			err = f.writePairing(f.pairing)
		}
		return err
	}
	if f.git, err = openGit(ctx, f.env, f.root); err != nil {
		return err
	}
	defer f.git.close()
	if f.pairing.leftBehind(there.Commit, f.head.Commit) {
		return f.rewrite(ctx)
	}
	c, err := f.pointedCommit(ctx, there)
	if err != nil {
		return err
	}
	if err := there.check(c); err != nil {
		return err
	}
	if err := f.dropOther(ctx, there.Commit); err != nil {
		return err
	}
	return f.take(ctx, there)
}

// rewrite writes the pointers that an interrupted verb left behind.
func (f *following) rewrite(ctx context.Context) error {
	if err := f.writePointers(ctx, f.pairing); err != nil {
		return err
	}
	f.res.State = FollowRewrote
	return nil
}

// noteRefused notes that the data do not go to a commit, and that it was told.
func (r *Repo) noteRefused(ctx context.Context, wanted objects.ID) (err error) {
	s, err := r.beginFollow(ctx)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, s.end()) }()
	p, err := s.readPairing()
	if err != nil || p == nil {
		return err
	}
	p.Refused = wanted
	return s.writePairing(*p)
}

// pointedCommit reads the commit that the pointers name, which is fetched if
// it is not here.
func (f *following) pointedCommit(ctx context.Context, there pointed) (objects.Commit, error) {
	c, err := f.commit(ctx, there.Commit)
	if !errors.Is(err, objects.ErrNotFound) {
		return c, err
	}
	asked, err := f.fetchPointed(ctx, there)
	if err != nil {
		return objects.Commit{}, err
	}
	c, err = f.commit(ctx, there.Commit)
	if errors.Is(err, objects.ErrNotFound) {
		err = &UnknownPointerError{File: there.file, Commit: there.Commit, Remote: asked}
	}
	return c, err
}

// fetchPointed brings the commit that the pointers name from the remote, and
// returns which it asked. Only one of the settings is asked: a pointer comes
// from others.
func (f *following) fetchPointed(ctx context.Context, there pointed) (asked string, err error) {
	unknown := &UnknownPointerError{File: there.file, Commit: there.Commit}
	if taken, err := f.takeFromSibling(ctx, f.git, there.Commit); err != nil || taken {
		return "", err
	}
	info, err := f.remote("")
	if err != nil {
		return "", unknown
	}
	unknown.Remote = info.URL
	if _, err := f.fetch(ctx, info, FetchOptions{}); err != nil {
		unknown.Err = err
		return "", unknown
	}
	return info.URL, nil
}

// dropOther takes back following that was interrupted on its way to another
// commit: git has gone on since.
func (f *following) dropOther(ctx context.Context, commit objects.ID) error {
	work, err := f.earlierWork(ctx)
	if err != nil || work == nil || work.Verb != followVerb {
		return err
	}
	tree, err := f.treeOf(ctx, commit)
	if err != nil || work.To == tree {
		return err
	}
	_, _, kept, err := f.abort(ctx)
	if err == nil && kept.Count > 0 {
		f.env.Events.Warn(Warning{Code: "kept", Path: kept.List[0].Path, Message: "was edited while the data followed git, and stays as it is"})
	}
	return err
}

const followVerb = "follow git"

// take takes files and names to the commit, and notes that all agree.
func (f *following) take(ctx context.Context, there pointed) error {
	to, attach, err := f.target(ctx, there.Commit)
	if err != nil {
		return err
	}
	if !attach {
		f.pairing.Branch = f.branch
	}
	moves, err := f.followMoves(ctx, to, there.Commit)
	if err != nil {
		return err
	}
	if f.res.Left, err = f.leaves(ctx, moves, there.Commit); err != nil {
		return err
	}
	f.res.State = FollowAgreed
	unfinished, err := f.Unfinished()
	if err != nil {
		return err
	}
	if len(moves) > 0 || unfinished != nil {
		if err := f.goTo(ctx, to, there.Commit, moves); err != nil {
			return err
		}
		f.res.State = FollowMoved
	}
	if f.pairing.Away {
		if err := f.bringBack(ctx); err != nil {
			return err
		}
	}
	f.pairing.settle(there.Commit, attach)
	places, err := pointerPlaces(f.env.FS, f.root)
	if err != nil {
		return err
	}
	f.pairing.Pointers = nil
	for _, place := range places {
		f.pairing.Pointers = append(f.pairing.Pointers, pointerFile(place.track))
	}
	return f.writePairing(f.pairing)
}

// goTo takes files and names along. That it is under way is recorded before,
// and forgotten where nothing was touched.
func (f *following) goTo(ctx context.Context, to refs.Value, commit objects.ID, moves []refs.Move) (err error) {
	f.quietPointers = true
	f.pairing.Going = commit
	if err := f.writePairing(f.pairing); err != nil {
		return err
	}
	f.res.CheckoutResult, err = f.takeTo(ctx, taking{
		verb: followVerb, goal: fmt.Sprintf("HEAD on %s at %s", headText(to), commit),
		commit: commit, moves: moves,
		carryOptions: carryOptions{force: f.opt.Force, skipDamaged: f.opt.SkipDamaged},
	})
	if err == nil {
		return nil
	}
	if work, werr := f.Unfinished(); werr == nil && work == nil {
		f.pairing.Going, f.pairing.Refused = objects.ID{}, commit
		return errors.Join(err, f.writePairing(f.pairing))
	}
	return err
}

// bringBack writes the files of HEAD that are not there: git had files of its
// own in their place, and has deleted them. What is there stays as it is.
func (f *following) bringBack(ctx context.Context) error {
	missing, err := f.missing(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	res, err := f.restore(ctx, RestoreOptions{Paths: missing, SkipDamaged: f.opt.SkipDamaged})
	f.res.State = FollowMoved
	f.res.Written += res.Written
	f.res.Bytes += res.Bytes
	return err
}

// missing lists the paths of HEAD that are not in the working tree; of a
// tracked folder that is not there at all, the folder.
func (f *following) missing(ctx context.Context) ([]string, error) {
	places, err := pointerPlaces(f.env.FS, f.root)
	if err != nil {
		return nil, err
	}
	var list, gone []string
	for _, place := range places {
		_, err := f.env.FS.Lstat(filepath.Join(f.root, filepath.FromSlash(place.track)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			gone = append(gone, place.track)
		case err != nil:
			return nil, err
		}
	}
	d, err := f.workDiff(ctx, f.head, nil)
	if err != nil {
		return nil, err
	}
	defer d.close()
	for c, err := range d.changes(ctx) {
		if err != nil {
			return nil, err
		}
		if statusEntry(c).Status != StatusRemoved {
			continue
		}
		if at := slices.IndexFunc(gone, func(track string) bool { return selected([]string{track}, c.Path) }); at < 0 {
			list = append(list, c.Path)
		} else if !slices.Contains(list, gone[at]) {
			list = append(list, gone[at])
		}
	}
	return list, nil
}

// target is the value that HEAD gets: on git's branch, or on none. attach
// says that git's branch is not known yet.
func (f *following) target(ctx context.Context, commit objects.ID) (to refs.Value, attach bool, err error) {
	branch, err := f.git.branch(ctx)
	if err != nil {
		return refs.Value{}, false, err
	}
	f.branch = branch
	if f.opt.Early {
		at, err := f.git.atHead(ctx, f.root)
		if err != nil || at.Commit != commit || branch == "" {
			return refs.Value{Commit: commit}, true, nil
		}
	}
	return f.headOf(ctx, branch, commit)
}

// headOf is the value of HEAD for git's branch; empty is none. A branch whose
// name cannot be one of mlvc's is none, and told.
func (s *session) headOf(ctx context.Context, branch string, commit objects.ID) (to refs.Value, attach bool, err error) {
	detached := refs.Value{Commit: commit}
	if branch == "" {
		return detached, false, nil
	}
	name := refs.Branch(branch)
	err = name.Validate()
	if err == nil {
		moves := []refs.Move{{Name: name, New: refs.Value{Commit: commit}}}
		if moves[0].Old, err = s.view.Get(ctx, name); err != nil {
			return refs.Value{}, false, err
		}
		if moves[0].Old != moves[0].New {
			_, err = refs.Prepare(ctx, s.store, s.op, refs.Op{When: s.env.Now(), Who: s.env.Who, Moves: moves})
		}
	}
	if errors.Is(err, refs.ErrBadName) || errors.Is(err, refs.ErrClash) {
		s.env.Events.Warn(Warning{Code: "branch", Message: fmt.Sprintf("HEAD is detached, for git's branch cannot be one here: %v", err)})
		return detached, false, nil
	}
	return refs.Value{Branch: name}, false, err
}

// followMoves are the moves that make HEAD hold a value, and its branch a
// commit. Names that only held the commit for this go.
func (s *session) followMoves(ctx context.Context, to refs.Value, commit objects.ID) ([]refs.Move, error) {
	moves, err := s.headMove(ctx, to)
	if err != nil {
		return nil, err
	}
	if to.Branch != "" {
		old, err := s.view.Get(ctx, to.Branch)
		if err != nil {
			return nil, err
		}
		if want := (refs.Value{Commit: commit}); old != want {
			moves = append(moves, refs.Move{Name: to.Branch, Old: old, New: want})
		}
	}
	for ref, err := range s.view.List(ctx, mergedNames) {
		if err != nil {
			return nil, err
		}
		if ref.Value.Commit == commit {
			moves = append(moves, refs.Move{Name: ref.Name, Old: ref.Value})
		}
	}
	return moves, nil
}

// leaves returns the commit that a branch is moved off and that no other name
// reaches afterwards, if there is one.
func (s *session) leaves(ctx context.Context, moves []refs.Move, commit objects.ID) (objects.ID, error) {
	for _, m := range moves {
		if !m.Name.IsBranch() || m.Old.IsZero() {
			continue
		}
		if ok, err := history.IsAncestor(ctx, s.store, m.Old.Commit, commit); err != nil || ok {
			return objects.ID{}, err
		}
		for ref, err := range s.view.List(ctx, "") {
			if err != nil {
				return objects.ID{}, err
			}
			if ref.Name == m.Name || ref.Name == refs.HEAD {
				continue
			}
			if ok, err := history.IsAncestor(ctx, s.store, m.Old.Commit, ref.Value.Commit); err != nil || ok {
				return objects.ID{}, err
			}
		}
		return s.unlessInGit(ctx, m.Old.Commit)
	}
	return objects.ID{}, nil
}

// unlessInGit returns the commit, or zero if a pointer in git names it.
func (s *session) unlessInGit(ctx context.Context, id objects.ID) (objects.ID, error) {
	h, err := s.gitHistory(ctx)
	if err != nil || slices.Contains(h.NamedCommits(), id) {
		return objects.ID{}, ctx.Err()
	}
	return id, nil
}

// attachHead puts HEAD on git's branch where the data followed while git was
// still at work, or where git's branch was renamed. Files stay as they are.
// What cannot be told is left for the next look.
func (s *session) attachHead(ctx context.Context) error {
	p, err := s.readPairing()
	if err != nil || p == nil {
		return err
	}
	if p.Attach && (s.head.Branch != "" || s.head.Commit != p.Seen) {
		p.Attach = false // HEAD has been taken elsewhere since
		return s.writePairing(*p)
	}
	git, branch := s.toAttach(ctx, *p)
	if git == nil {
		return nil
	}
	defer git.close()
	there, err := s.readPointers()
	if err != nil || there.Commit != p.Seen || s.head.Commit != p.Seen {
		return nil // git is in the middle of something
	}
	if s.head.Commit.IsZero() {
		if err := s.joinUnborn(ctx, branch); err != nil {
			return err
		}
		p.Branch = branch
		return s.writePairing(*p)
	}
	return s.attachTo(ctx, git, *p, branch)
}

// toAttach returns git and its branch if HEAD is to be put there; nil: it is
// not, or that cannot be told. The caller closes git.
func (r *Repo) toAttach(ctx context.Context, p pairing) (*gitPlace, string) {
	git, err := openGit(ctx, r.env, r.root)
	if err != nil {
		return nil, ""
	}
	branch, err := git.branch(ctx)
	if err != nil || branch == "" || !p.Attach && branch == p.Branch {
		git.close()
		return nil, ""
	}
	return git, branch
}

// attachTo puts HEAD on a branch of git's, at the commit that was seen.
func (s *session) attachTo(ctx context.Context, git *gitPlace, p pairing, branch string) error {
	to, _, err := s.headOf(ctx, branch, p.Seen)
	if err != nil {
		return err
	}
	moves, err := s.attachMoves(ctx, git, p, to)
	if err != nil {
		return err
	}
	s.quietPointers = true
	defer func() { s.quietPointers = false }()
	if len(moves) > 0 {
		if err := s.move(ctx, refs.Op{Moves: moves, Reason: "follow git to " + branch}); err != nil {
			return err
		}
	}
	p.Attach, p.Branch = false, branch
	return s.writePairing(p)
}

// attachMoves are those of followMoves to the commit that was seen. A branch
// that git has renamed is taken along.
func (s *session) attachMoves(ctx context.Context, git *gitPlace, p pairing, to refs.Value) ([]refs.Move, error) {
	moves, err := s.followMoves(ctx, to, p.Seen)
	if err != nil || p.Attach || p.Branch == "" || to.Branch == "" {
		return moves, err
	}
	old := refs.Branch(p.Branch)
	if old == to.Branch || old.Validate() != nil || git.hasBranch(ctx, p.Branch) {
		return moves, nil
	}
	there, err := s.view.Get(ctx, old)
	if err == nil && there == (refs.Value{Commit: p.Seen}) {
		moves = append(moves, refs.Move{Name: old, Old: there})
	}
	return moves, err
}
