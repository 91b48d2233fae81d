package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
)

// PushOptions say what is sent where.
type PushOptions struct {
	Remote string // empty: origin, or the only one
	// Names are branches and tags. Without any: the current branch, the tags
	// that it reaches, the models that point into it, and git's names.
	Names []string
	// All sends every branch, Tags every tag.
	All, Tags bool
	// Delete are branches and tags to be deleted at the remote.
	Delete []string
	// Lease allows a name to be replaced by one that does not contain it, if
	// the remote still has it where it was last seen from here; LeaseAt says
	// where instead, as NAME:REV (NAME: alone: it must not be there).
	Lease   bool
	LeaseAt []string
	DryRun  bool
}

// Change of a name at a place.
const (
	NameNew     = "new"
	NameForward = "forward" // the new one contains the old one
	NameForced  = "forced"  // it does not
	NameDeleted = "deleted"
)

// NameMove is how a name moved.
type NameMove struct {
	Name   string     `json:"name"` // as one writes it, as remote/origin/main is origin/main
	Kind   string     `json:"kind"` // branch, tag, model, git or remote
	Change string     `json:"change"`
	Old    objects.ID `json:"old,omitzero"`
	New    objects.ID `json:"new,omitzero"`
}

// PushResult is what a push did.
type PushResult struct {
	Remote string     `json:"remote"`
	URL    string     `json:"url"`
	Moves  []NameMove `json:"moves"` // at the remote; none: it had everything
	DryRun bool       `json:"dry_run,omitempty"`
	Transferred
	// Kept are names that would only have come along, and that the remote has
	// at another commit: it keeps its own.
	Kept []string `json:"kept,omitempty"`
	// Tries is how often the names were compared: more than once when others
	// pushed meanwhile.
	Tries int `json:"tries,omitempty"`
}

// RejectedName is a name that a push may not move.
type RejectedName struct {
	Name   string     `json:"name"`
	Kind   string     `json:"kind"` // branch, tag, model or git
	Why    string     `json:"why"`  // parted, unrelated, exists, stale
	Local  objects.ID `json:"local,omitzero"`
	Remote objects.ID `json:"remote,omitzero"`
	// Known: the remote's commit is in this repository already.
	Known bool `json:"known"`
}

// Why a name is rejected.
const (
	WhyParted    = "parted"    // the remote has commits that this one does not contain
	WhyUnrelated = "unrelated" // the histories have no commit in common
	WhyExists    = "exists"    // a tag or model there is another
	WhyStale     = "stale"     // the remote is not where the lease says
)

// RejectedError refuses a push: nothing at the remote has changed.
type RejectedError struct {
	Remote string
	Names  []RejectedName
}

func (e *RejectedError) Error() string {
	names := make([]string, 0, len(e.Names))
	for _, n := range e.Names {
		names = append(names, n.Name)
	}
	return fmt.Sprintf("remote %s refuses %s", e.Remote, quoteSome(names))
}

// Push makes names at a remote stand for what they stand for here, and sends
// what that needs and the remote lacks. All names move or none: they are
// visible only when all is there. A name moves only forward, or it is a
// *RejectedError; who pushes at the same time and is later compares again.
// Interrupted, the next push goes on with what has arrived. It reads the local
// store alone, and takes the writer lock only to note at the end where the
// remote is now.
func (r *Repo) Push(ctx context.Context, opt PushOptions) (res PushResult, err error) {
	info, err := r.remote(opt.Remote)
	if err != nil {
		return res, err
	}
	res.Remote, res.URL, res.DryRun = info.Name, info.URL, opt.DryRun
	p := &pushing{Repo: r, opt: opt, res: &res}
	if err := p.choose(ctx, info.Name); err != nil {
		return res, err
	}
	if err := p.send(ctx, info); err != nil {
		return res, err
	}
	r.env.Events.Progress(Progress{Phase: PhaseFinished, Bytes: res.Bytes})
	if !opt.DryRun {
		p.note(ctx)
	}
	return res, nil
}

// pushing is one push.
type pushing struct {
	*Repo
	opt   PushOptions
	place *place
	temp  string // for packs on their way; nobody else's
	res   *PushResult

	view   refs.View
	head   head
	wanted map[refs.Name]objects.ID // zero: to be deleted
	along  map[refs.Name]bool       // of wanted, those that nobody named
	leases map[refs.Name]lease
	tips   []objects.ID // of the remote, that are held here
}

// lease says where the remote must be.
type lease struct {
	at     objects.ID // zero: nowhere
	prefix string     // instead, of a commit that is not here: how its ID begins
}

func (l lease) allows(at objects.ID) bool {
	if l.prefix != "" {
		return strings.HasPrefix(at.String(), l.prefix)
	}
	return at == l.at
}

// choose decides which names go, and finds the leases.
func (p *pushing) choose(ctx context.Context, remote string) (err error) {
	if _, p.view, p.head, err = p.current(ctx); err != nil {
		return err
	}
	p.wanted, p.along, p.leases = make(map[refs.Name]objects.ID), make(map[refs.Name]bool), make(map[refs.Name]lease)
	for _, text := range p.opt.Names {
		name, value, err := p.named(ctx, text)
		if err != nil {
			return err
		}
		p.wanted[name] = value
	}
	for _, text := range p.opt.Delete {
		if err := p.delete(ctx, remote, text); err != nil {
			return err
		}
	}
	if p.opt.All {
		err = p.allOf(ctx, refs.Branches)
	}
	if err == nil && p.opt.Tags {
		err = p.allOf(ctx, refs.Tags)
	}
	if err == nil && len(p.opt.Names)+len(p.opt.Delete) == 0 && !p.opt.All && !p.opt.Tags {
		err = p.standard(ctx)
	}
	if err != nil {
		return err
	}
	return p.lease(ctx, remote)
}

// named finds a branch or a tag that is here.
func (p *pushing) named(ctx context.Context, text string) (refs.Name, objects.ID, error) {
	for _, name := range namesOf(text) {
		value, err := p.view.Get(ctx, name)
		if err != nil || !value.IsZero() {
			return name, value.Commit, err
		}
	}
	return "", objects.ID{}, &NoNameError{Name: refs.Branch(text)}
}

// namesOf lists what a word may name, the likeliest first.
func namesOf(text string) []refs.Name {
	if strings.HasPrefix(text, refs.Branches) || strings.HasPrefix(text, refs.Tags) {
		return []refs.Name{refs.Name(text)}
	}
	return []refs.Name{refs.Branch(text), refs.Tag(text)}
}

// delete asks for a name to be deleted at the remote: one that is where it was
// last seen, so that nobody's later commits are lost with it.
func (p *pushing) delete(ctx context.Context, remote, text string) error {
	name := namesOf(text)[0]
	seen, err := p.view.Get(ctx, tracking(remote, name))
	if err == nil && seen.IsZero() && !strings.HasPrefix(text, refs.Branches) {
		if tag, err := p.view.Get(ctx, refs.Tag(text)); err == nil && !tag.IsZero() {
			name, seen = refs.Tag(text), tag
		}
	}
	if err == nil {
		p.wanted[name], p.leases[name] = objects.ID{}, lease{at: seen.Commit}
	}
	return err
}

func (p *pushing) allOf(ctx context.Context, space string) error {
	for ref, err := range p.view.List(ctx, space) {
		if err != nil {
			return err
		}
		p.wanted[ref.Name] = ref.Value.Commit
	}
	return nil
}

// standard is what goes when nothing is named.
func (p *pushing) standard(ctx context.Context) error {
	if p.head.Branch == "" {
		return &UsageError{What: "HEAD is on no branch, so there is no current branch to push", Hint: `name a branch or a tag, or go on a branch with "mlvc switch -c NAME"`}
	}
	if p.head.Commit.IsZero() {
		return fmt.Errorf("%s: %w", p.head.Branch.Short(), revision.ErrUnborn)
	}
	p.wanted[p.head.Branch] = p.head.Commit
	if err := p.allOf(ctx, refs.Gits); err != nil {
		return err
	}
	for _, space := range []string{refs.Tags, refs.Models} {
		for ref, err := range p.view.List(ctx, space) {
			if err != nil {
				return err
			}
			in, err := history.IsAncestor(ctx, p.store, ref.Value.Commit, p.head.Commit)
			if err != nil {
				return err
			}
			if in {
				p.wanted[ref.Name] = ref.Value.Commit
			}
		}
	}
	for name := range p.wanted {
		p.along[name] = name != p.head.Branch
	}
	return nil
}

// lease notes where the names to be replaced must be at the remote.
func (p *pushing) lease(ctx context.Context, remote string) error {
	if p.opt.Lease {
		for name := range p.wanted {
			if _, ok := p.leases[name]; ok || !name.IsBranch() {
				continue
			}
			seen, err := p.view.Get(ctx, tracking(remote, name))
			if err != nil {
				return err
			}
			p.leases[name] = lease{at: seen.Commit}
		}
	}
	for _, text := range p.opt.LeaseAt {
		short, rev, ok := strings.Cut(text, ":")
		if !ok {
			return &UsageError{What: fmt.Sprintf("%q does not say where the remote must be", text), Hint: "write NAME:REV, as in main:origin/main"}
		}
		i := slices.IndexFunc(namesOf(short), func(n refs.Name) bool { _, ok := p.wanted[n]; return ok })
		if i < 0 {
			return &UsageError{What: fmt.Sprintf("%s is not pushed, so there is nothing to replace", short), Hint: "name it after the remote, too"}
		}
		at, err := p.leaseAt(ctx, rev)
		if err != nil {
			return err
		}
		p.leases[namesOf(short)[i]] = at
	}
	return nil
}

// minLease is how many digits of an ID a lease at a commit that is not here
// must have: a refused push shows that many.
const minLease = 10

func (p *pushing) leaseAt(ctx context.Context, rev string) (lease, error) {
	if rev == "" {
		return lease{}, nil
	}
	target, err := p.Resolve(ctx, rev)
	if err != nil && len(rev) >= minLease && strings.Trim(rev, "0123456789abcdef") == "" {
		return lease{prefix: rev}, ctx.Err()
	}
	return lease{at: target.ID}, err
}

// A push that loses the race against another one tries again, a little later
// each time.
const (
	pushTries = 100
	pushPause = 20 * time.Millisecond
	pushLimit = 2 * time.Second
)

// send does the work at the place.
func (p *pushing) send(ctx context.Context, info RemoteInfo) (err error) {
	if p.place, err = p.openPlace(ctx, info); err != nil {
		return err
	}
	defer func() { err = firstError(err, p.place.Close()) }()
	if err := p.place.check(ctx, p.view); err != nil {
		return err
	}
	if p.temp, err = p.lookFolder(); err != nil {
		return err
	}
	defer removeAll(p.env.FS, p.temp) //nolint:errcheck // what stays is swept when it is old
	return p.run(ctx)
}

func (p *pushing) run(ctx context.Context) error {
	for pause := pushPause; ; pause = min(2*pause, pushLimit) {
		p.res.Tries++
		moved, err := p.try(ctx)
		if err == nil || !moved || p.res.Tries == pushTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
		if err := p.place.depot.Reload(ctx); err != nil {
			return p.place.failed(err)
		}
	}
}

// try compares, sends and publishes; moved says that another push came first.
func (p *pushing) try(ctx context.Context) (moved bool, err error) {
	moves, err := p.compare(ctx)
	if err != nil || len(moves) == 0 || p.opt.DryRun {
		return false, err
	}
	var want remote.Want
	want.Have, want.Exact = p.tips, true
	for _, m := range moves {
		if !m.New.Commit.IsZero() {
			want.Commits = append(want.Commits, m.New.Commit)
		}
	}
	local, opt := p.local(p.temp), p.copyOptions(PhaseSend, p.temp)
	copied, err := remote.Copy(ctx, p.place.depot, local, want, opt)
	p.res.add(copied)
	if err == nil {
		// The remote's small packs are merged by who happens to have them.
		copied, err = remote.Tidy(ctx, p.place.depot, local, opt)
		p.res.add(copied)
	}
	if err != nil {
		return false, p.place.failed(err)
	}
	_, err = p.place.depot.Publish(ctx, refs.Op{When: p.env.Now(), Who: p.env.Who, Reason: p.env.Command, Moves: moves})
	return errors.Is(err, refs.ErrMoved), p.place.failed(err)
}

// compare finds how the names must move at the remote, and refuses what does
// not go forward.
func (p *pushing) compare(ctx context.Context) ([]refs.Move, error) {
	view, err := p.place.depot.View(ctx)
	if err != nil {
		return nil, p.place.failed(err)
	}
	if p.tips, err = p.held(ctx, view); err != nil {
		return nil, p.place.failed(err)
	}
	var moves []refs.Move
	refused := &RejectedError{Remote: p.res.Remote}
	p.res.Moves = []NameMove{}
	for _, name := range sortedNames(p.wanted) {
		old, err := view.Get(ctx, name)
		if err != nil {
			return nil, p.place.failed(err)
		}
		change, why, err := p.judge(ctx, name, old.Commit)
		switch {
		case err != nil:
			return nil, err
		case why == WhyExists && p.along[name]:
			p.keep(name, old.Commit)
		case why != "":
			known, err := p.holds(ctx, old.Commit)
			if err != nil {
				return nil, err
			}
			refused.Names = append(refused.Names, RejectedName{Name: name.Short(), Kind: kindOf(name), Why: why, Local: p.wanted[name], Remote: old.Commit, Known: known})
		case change != "":
			p.res.Moves = append(p.res.Moves, nameMove(name, change, old.Commit, p.wanted[name]))
			moves = append(moves, refs.Move{Name: name, Old: old, New: refs.Value{Commit: p.wanted[name]}})
		}
	}
	if len(refused.Names) > 0 {
		return nil, refused
	}
	return p.withHead(ctx, view, moves)
}

// keep leaves a name that nobody asked for as the remote has it: that one tag
// differs does not keep a branch from being pushed.
func (p *pushing) keep(name refs.Name, theirs objects.ID) {
	p.env.Events.Warn(Warning{Code: "name_kept", Message: fmt.Sprintf("%s is at %s here and at %s at %s; it stays as it is there", name, p.wanted[name].Short(), theirs.Short(), p.res.Remote)})
	p.res.Kept = append(p.res.Kept, name.Short())
	delete(p.wanted, name) // the next try does not ask again
}

// withHead lets the first push say which branch a clone checks out.
func (p *pushing) withHead(ctx context.Context, view refs.View, moves []refs.Move) ([]refs.Move, error) {
	value, err := view.Get(ctx, refs.HEAD)
	if err != nil || !value.IsZero() {
		return moves, err
	}
	var branch refs.Name
	for _, m := range moves {
		if m.Name.IsBranch() && !m.New.IsZero() && (branch == "" || m.Name == p.head.Branch) {
			branch = m.Name
		}
	}
	if branch != "" {
		moves = append(moves, refs.Move{Name: refs.HEAD, New: refs.Value{Branch: branch}})
	}
	return moves, nil
}

// judge says how a name changes at the remote that stands for old there: no
// change and no reason against one means that nothing is to be done.
func (p *pushing) judge(ctx context.Context, name refs.Name, old objects.ID) (change, why string, err error) {
	want := p.wanted[name]
	at, leased := p.leases[name]
	switch {
	case old.IsZero() && want.IsZero() && p.res.Tries == 1:
		// As a deletion that is repeated finds it, or one of a wrong name.
		p.env.Events.Warn(Warning{Code: "not_there", Message: (&NotThereError{Remote: p.res.Remote, Name: name.Short()}).Error()})
		return "", "", nil
	case old == want:
		return "", "", nil
	case leased && !at.allows(old):
		return "", WhyStale, nil
	case want.IsZero():
		return NameDeleted, "", nil
	case old.IsZero():
		return NameNew, "", nil
	}
	forward := false
	if known, err := p.holds(ctx, old); err != nil {
		return "", "", err
	} else if known && !name.IsTag() {
		// A commit that is not here is no ancestor of one that is.
		if forward, err = history.IsAncestor(ctx, p.store, old, want); err != nil {
			return "", "", err
		}
	}
	switch {
	case forward:
		return NameForward, "", nil
	case leased:
		return NameForced, "", nil
	case !name.IsBranch():
		return "", WhyExists, nil
	}
	_, related, err := history.MergeBase(ctx, either{p.store, p.place.depot}, want, old)
	if err != nil {
		return "", "", p.place.failed(err)
	}
	if !related {
		return "", WhyUnrelated, nil
	}
	return "", WhyParted, nil
}

// either reads what is here, and from elsewhere what is not.
type either struct{ here, there objects.Getter }

// Get implements objects.Getter.
func (e either) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	o, err := e.here.Get(ctx, id)
	if errors.Is(err, objects.ErrNotFound) {
		return e.there.Get(ctx, id)
	}
	return o, err
}

// holds reports whether a commit is in the local store. What a name that is
// here reaches is here whole.
func (r *Repo) holds(ctx context.Context, id objects.ID) (bool, error) {
	if id.IsZero() {
		return false, nil
	}
	missing, err := r.store.Missing(ctx, []objects.ID{id})
	return err == nil && len(missing) == 0, err
}

// held lists the commits that names at a place stand for and that are here.
func (r *Repo) held(ctx context.Context, view refs.View) ([]objects.ID, error) {
	tips, err := commitsOf(ctx, view, "")
	if err != nil {
		return nil, err
	}
	missing, err := r.store.Missing(ctx, tips)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tips, func(id objects.ID) bool { return slices.Contains(missing, id) }), nil
}

// commitsOf lists the commits that names stand for, each once, sorted.
func commitsOf(ctx context.Context, view refs.View, prefix string) ([]objects.ID, error) {
	var list []objects.ID
	for ref, err := range view.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if !ref.Value.Commit.IsZero() {
			list = append(list, ref.Value.Commit)
		}
	}
	return sortedIDs(list), nil
}

func sortedIDs(list []objects.ID) []objects.ID {
	slices.SortFunc(list, func(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(list)
}

func sortedNames[V any](m map[refs.Name]V) []refs.Name {
	names := make([]refs.Name, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func nameMove(name refs.Name, change string, old, new objects.ID) NameMove {
	return NameMove{Name: name.Short(), Kind: kindOf(name), Change: change, Old: old, New: new}
}

func kindOf(name refs.Name) string {
	kind, _, _ := strings.Cut(string(name), "/")
	return kind
}

// note keeps where the remote is now. The push is done: what fails here is
// only told, and the next fetch sees it.
func (p *pushing) note(ctx context.Context) {
	err := p.track(ctx)
	if err != nil {
		p.env.Events.Warn(Warning{Code: "not_noted", Message: fmt.Sprintf("pushed, but where %s is now could not be noted here: %v", p.res.Remote, err)})
	}
}

func (p *pushing) track(ctx context.Context) (err error) {
	var moved bool
	for name, id := range p.wanted {
		seen, err := p.view.Get(ctx, tracking(p.res.Remote, name))
		if err != nil {
			return err
		}
		moved = moved || name.IsBranch() && seen.Commit != id
	}
	if !moved {
		return nil
	}
	s, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, s.end()) }()
	var moves []refs.Move
	for _, name := range sortedNames(p.wanted) {
		if !name.IsBranch() {
			continue
		}
		at := tracking(p.res.Remote, name)
		old, err := s.view.Get(ctx, at)
		if err != nil {
			return err
		}
		if to := (refs.Value{Commit: p.wanted[name]}); old != to {
			moves = append(moves, refs.Move{Name: at, Old: old, New: to})
		}
	}
	if len(moves) == 0 {
		return nil
	}
	return s.move(ctx, refs.Op{Moves: moves})
}
