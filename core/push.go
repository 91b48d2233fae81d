package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

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

// try compares, sends and publishes; moved says that another push came first,
// or replaced packs that this one builds on: then what it needs is sent again.
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
	return errors.Is(err, refs.ErrMoved) || errors.Is(err, remote.ErrDropped), p.place.failed(err)
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
