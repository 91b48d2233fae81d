package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
)

// FetchOptions say what is received from where.
type FetchOptions struct {
	Remote string // empty: origin, or the only one
	// Names are branches and tags of the remote; none: all.
	Names []string
	// Prune forgets the branches fetched earlier that the remote no longer
	// has.
	Prune bool
	// Contents brings the contents of all history, so that a repository that
	// left them at the remote needs it no more, and one that lost some to damage
	// has them again.
	Contents bool
	DryRun   bool
}

// FetchResult is what a fetch did.
type FetchResult struct {
	Remote string     `json:"remote"`
	URL    string     `json:"url"`
	Moves  []NameMove `json:"moves"` // here
	DryRun bool       `json:"dry_run,omitempty"`
	Transferred
	// Kept are names that the remote has at another commit than this
	// repository, which keeps its own.
	Kept []string `json:"kept,omitempty"`
	// Whole: contents that were left at the remote are all here now.
	Whole bool `json:"whole,omitempty"`
}

// Fetch brings what a remote's names stand for, with all history, and notes
// where its branches are, as remote/REMOTE/NAME. Tags, models and git's names
// come along where they are new; branches of this repository and its files
// stay. Names move when everything is here, and durable; interrupted, the next
// fetch goes on with what has arrived.
func (r *Repo) Fetch(ctx context.Context, opt FetchOptions) (res FetchResult, err error) {
	info, err := r.remote(opt.Remote)
	if err != nil {
		return res, err
	}
	s, err := r.begin(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	return s.fetch(ctx, info, opt)
}

func (s *session) fetch(ctx context.Context, info RemoteInfo, opt FetchOptions) (res FetchResult, err error) {
	place, err := s.openPlace(ctx, info)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, place.Close()) }()
	return s.fetchFrom(ctx, place, opt)
}

// fetchFrom is fetch from a place that is open.
func (s *session) fetchFrom(ctx context.Context, place *place, opt FetchOptions) (res FetchResult, err error) {
	res.Remote, res.URL, res.DryRun, res.Moves = place.Name, place.URL, opt.DryRun, []NameMove{}
	if err := place.check(ctx, s.view); err != nil {
		return res, err
	}
	if place.depot.Operation().IsZero() {
		return res, &NothingThereError{URL: place.bucket.String()}
	}
	f := &fetching{session: s, opt: opt, place: place, res: &res}
	if err := f.compare(ctx); err != nil {
		return res, err
	}
	if !opt.DryRun {
		if err := f.receive(ctx); err != nil {
			return res, err
		}
	}
	if err := f.describe(ctx); err != nil || opt.DryRun {
		return res, err
	}
	s.env.Events.Progress(Progress{Phase: PhaseFinished, Bytes: res.Bytes})
	if len(f.moves) > 0 {
		if err := s.move(ctx, refs.Op{Moves: f.moves}); err != nil {
			return res, err
		}
	}
	if opt.Contents {
		err = f.whole(ctx)
	}
	return res, err
}

// fetching is one fetch.
type fetching struct {
	*session
	opt    FetchOptions
	place  *place
	res    *FetchResult
	theirs refs.View
	moves  []refs.Move
}

// compare finds how the names must move here.
func (f *fetching) compare(ctx context.Context) (err error) {
	if f.theirs, err = f.place.depot.View(ctx); err != nil {
		return f.place.failed(err)
	}
	named, err := f.named(ctx)
	if err != nil {
		return err
	}
	for ref, err := range f.theirs.List(ctx, "") {
		if err != nil {
			return f.place.failed(err)
		}
		if named != nil && !named[ref.Name] {
			continue
		}
		if err := f.take(ctx, ref); err != nil {
			return err
		}
	}
	if f.opt.Prune {
		return f.prune(ctx)
	}
	return nil
}

// named are the names asked for; nil: all.
func (f *fetching) named(ctx context.Context) (map[refs.Name]bool, error) {
	if len(f.opt.Names) == 0 {
		return nil, nil
	}
	named := make(map[refs.Name]bool)
	for _, text := range f.opt.Names {
		found := false
		for _, name := range namesOf(text) {
			value, err := f.theirs.Get(ctx, name)
			if err != nil {
				return nil, f.place.failed(err)
			}
			if found = !value.IsZero(); found {
				named[name] = true
				break
			}
		}
		if !found {
			return nil, &NotThereError{Remote: f.res.Remote, Name: text}
		}
	}
	return named, nil
}

// NotThereError is for a name that a remote does not have.
type NotThereError struct{ Remote, Name string }

func (e *NotThereError) Error() string {
	return fmt.Sprintf("remote %s has no branch and no tag %s", e.Remote, e.Name)
}

// take decides what becomes of a name that the remote has.
func (f *fetching) take(ctx context.Context, ref refs.Ref) error {
	name := ref.Name
	switch {
	case strings.HasPrefix(string(name), mergedNames):
		return nil // they hold what another repository is about to follow
	case name.IsBranch():
		name = tracking(f.res.Remote, name)
	case name.IsTag(), strings.HasPrefix(string(name), refs.Models), strings.HasPrefix(string(name), refs.Gits):
	default:
		return nil // its HEAD, and what it tracks itself
	}
	if err := name.Validate(); err != nil {
		f.env.Events.Warn(Warning{Code: "bad_name", Message: err.Error()})
		return nil
	}
	old, err := f.view.Get(ctx, name)
	switch {
	case err != nil || old == ref.Value:
		return err
	case !old.IsZero() && !ref.Name.IsBranch():
		f.res.Kept = append(f.res.Kept, name.Short())
		f.env.Events.Warn(Warning{Code: "name_kept", Message: fmt.Sprintf("%s is at %v here and at %v at %s; it stays as it is here%s", name, old, ref.Value, f.res.Remote, otherModel(name))})
		return nil
	}
	f.moves = append(f.moves, refs.Move{Name: name, Old: old, New: ref.Value})
	return nil
}

// prune forgets what the remote no longer has.
func (f *fetching) prune(ctx context.Context) error {
	prefix := refs.Remotes + f.res.Remote + "/"
	for ref, err := range f.view.List(ctx, prefix) {
		if err != nil {
			return err
		}
		value, err := f.theirs.Get(ctx, refs.Branch(strings.TrimPrefix(string(ref.Name), prefix)))
		if err != nil {
			return f.place.failed(err)
		}
		if value.IsZero() {
			f.moves = append(f.moves, refs.Move{Name: ref.Name, Old: ref.Value})
		}
	}
	return nil
}

// receive brings what the names need.
func (f *fetching) receive(ctx context.Context) error {
	part, err := f.readPart()
	if err != nil {
		return err
	}
	want := remote.Want{MetaOnly: part.Promised}
	if want.Have, err = commitsOf(ctx, f.view, ""); err != nil {
		return err
	}
	if want.Commits = f.lacking(want.Have); len(want.Commits) == 0 {
		return nil
	}
	copied, err := remote.Copy(ctx, f.local(f.tempPath()), f.place.depot, want, f.copyOptions(PhaseReceive, f.tempPath()))
	f.res.add(copied)
	return f.place.failed(err)
}

// lacking lists the commits that names are to stand for and that no name here
// reaches as its own.
func (f *fetching) lacking(have []objects.ID) []objects.ID {
	var list []objects.ID
	for _, m := range f.moves {
		if id := m.New.Commit; !id.IsZero() && !holdsID(have, id) {
			list = append(list, id)
		}
	}
	return sortedIDs(list)
}

// holdsID reports whether a sorted list has an ID.
func holdsID(list []objects.ID, id objects.ID) bool {
	_, ok := slices.BinarySearchFunc(list, id, func(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) })
	return ok
}

// describe says how the names move, which only the commits can tell.
func (f *fetching) describe(ctx context.Context) error {
	for _, m := range f.moves {
		change := NameForward
		switch {
		case m.Old.IsZero():
			change = NameNew
		case m.New.IsZero():
			change = NameDeleted
		default:
			forward, err := history.IsAncestor(ctx, either{f.store, f.place.depot}, m.Old.Commit, m.New.Commit)
			if err != nil {
				return f.place.failed(err)
			}
			if !forward {
				change = NameForced
			}
		}
		f.res.Moves = append(f.res.Moves, nameMove(m.Name, change, m.Old.Commit, m.New.Commit))
	}
	return nil
}

// whole brings every content that history names and that is not here, after
// which the repository needs the remote no more. History is also what undo can
// go back to, and gc keeps. Where the remote has not got that any more, the
// repository stays one that lacks contents, which a warning says. In one that
// had all contents, it brings what damage took.
func (f *fetching) whole(ctx context.Context) error {
	part, err := f.readPart()
	if err != nil {
		return err
	}
	tips, err := commitsOf(ctx, f.view, "")
	if err != nil {
		return err
	}
	if err := f.contents(ctx, tips); err != nil {
		return err
	}
	past, err := f.pastCommits(ctx)
	if err != nil {
		return err
	}
	err = f.contents(ctx, past)
	if errors.Is(err, objects.ErrNotFound) {
		f.env.Events.Warn(Warning{Code: "past_not_there", Message: fmt.Sprintf("contents that only past operations or git name are not at %s, so they stay missing here: %v", f.res.Remote, err)})
		return nil
	}
	if err != nil || !part.Promised {
		return err
	}
	part.Promised, part.Remote = false, ""
	f.res.Whole = true
	return f.setPart(part)
}

// contents brings the contents of all history of commits.
func (f *fetching) contents(ctx context.Context, tips []objects.ID) error {
	copied, err := remote.CopyContents(ctx, f.local(f.tempPath()), f.place.depot, f.historyEntries(ctx, tips), f.copyOptions(PhaseReceive, f.tempPath()))
	f.res.add(copied)
	return f.place.failed(err)
}

// pastCommits lists the commits that gc keeps beside those that names stand
// for now: what the log of operations can go back to, and what git names.
func (s *session) pastCommits(ctx context.Context) ([]objects.ID, error) {
	ops, err := s.keptOperations(ctx, s.env.Now().Add(-s.config.GC.Keep()), objects.ID{})
	if err != nil {
		return nil, err
	}
	list, err := s.namedInGit(ctx)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		named, err := commitsOf(ctx, refs.OpenView(s.store, op.Op.View), "")
		if err != nil {
			return nil, err
		}
		for _, m := range op.Op.Moves {
			named = append(named, m.Old.Commit, m.New.Commit)
		}
		list = sortedIDs(append(list, named...))
	}
	return s.heldOf(ctx, slices.DeleteFunc(list, objects.ID.IsZero))
}

// historyEntries yields what each commit that tips reach has beyond its first
// parent.
func (r *Repo) historyEntries(ctx context.Context, tips []objects.ID) iter.Seq2[objects.Entry, error] {
	return func(yield func(objects.Entry, error) bool) {
		for c, err := range history.Walk(ctx, r.store, tips, history.Options{}) {
			if err != nil {
				yield(objects.Entry{}, err)
				return
			}
			var before objects.ID
			if len(c.Parents) > 0 {
				if before, err = r.treeOf(ctx, c.Parents[0]); err != nil {
					yield(objects.Entry{}, err)
					return
				}
			}
			for e, err := range newEntries(r.changesOf(ctx, before, c.Tree, nil)) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}
