package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

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

// named finds a branch, a tag or a model that is here.
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
	for _, space := range []string{refs.Branches, refs.Tags, refs.Models} {
		if strings.HasPrefix(text, space) {
			return []refs.Name{refs.Name(text)}
		}
	}
	return []refs.Name{refs.Branch(text), refs.Tag(text)}
}

// delete asks for a name to be deleted at the remote: one that is where it was
// last seen, so that nobody's later commits are lost with it.
func (p *pushing) delete(ctx context.Context, remote, text string) error {
	names := namesOf(text)
	name, seen := names[0], refs.Value{}
	for _, n := range names {
		at := n // a tag is where it is here
		if n.IsBranch() {
			at = tracking(remote, n)
		}
		value, err := p.view.Get(ctx, at)
		if err != nil {
			return err
		}
		if !value.IsZero() {
			name, seen = n, value
			break
		}
	}
	p.wanted[name], p.leases[name] = objects.ID{}, lease{at: seen.Commit}
	return nil
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
	for name := range p.wanted {
		if strings.HasPrefix(string(name), mergedNames) {
			delete(p.wanted, name) // a merge under way is this repository's own
		}
	}
	if err := p.reached(ctx); err != nil {
		return err
	}
	for name := range p.wanted {
		p.along[name] = name != p.head.Branch
	}
	return nil
}

// reached wants the tags that the current branch reaches, and the models whose
// data it reaches: one walk for all of them, which ends when each was met.
func (p *pushing) reached(ctx context.Context) error {
	names := make(map[objects.ID][]refs.Ref)
	for ref, err := range p.view.List(ctx, refs.Tags) {
		if err != nil {
			return err
		}
		names[ref.Value.Commit] = append(names[ref.Value.Commit], ref)
	}
	for model, err := range p.peelModels(ctx, p.view) {
		if err != nil {
			return err
		}
		names[model.data] = append(names[model.data], model.Ref)
	}
	if len(names) == 0 {
		return nil
	}
	for c, err := range history.Walk(ctx, p.store, []objects.ID{p.head.Commit}, history.Options{}) {
		if err != nil {
			return err
		}
		for _, ref := range names[c.ID] {
			p.wanted[ref.Name] = ref.Value.Commit
		}
		if delete(names, c.ID); len(names) == 0 {
			break
		}
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
