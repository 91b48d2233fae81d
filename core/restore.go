package core

import (
	"context"
	"fmt"
	"slices"
)

// RestoreOptions say which paths become as in which commit.
type RestoreOptions struct {
	Rev   string // empty: HEAD
	Paths []string
	// Force replaces also content that no commit holds.
	Force       bool
	SkipDamaged bool
	// Unseal is why paths are read that Rev seals; empty: they are refused.
	Unseal string
}

// Restore makes paths of the working tree as they are in a commit; the names
// stay where they are. What the head has there and the commit has not is
// deleted; files in neither are left alone. A path with content that no commit
// holds is refused without Force. Files are read even if their stat says that
// they did not change: other bytes under an unchanged stat are damage, which
// this mends. A path outside of the part that the working tree holds is an
// *OutsideError, or a *SealedError if that is why; of a folder its part is
// restored. What the working tree holds of HEAD it may have again.
func (r *Repo) Restore(ctx context.Context, opt RestoreOptions) (res CheckoutResult, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	return s.restore(ctx, opt)
}

func (s *session) restore(ctx context.Context, opt RestoreOptions) (CheckoutResult, error) {
	res := CheckoutResult{Previous: s.head.Commit, PreviousBranch: s.head.Branch.Short()}
	paths, err := cleanPaths(opt.Paths)
	if err != nil {
		return res, err
	}
	if len(paths) == 0 {
		return res, &UsageError{What: "no path to restore is given", Hint: `"." restores everything`}
	}
	rev := orHead(opt.Rev)
	target, err := s.resolveCommit(ctx, rev)
	if err != nil {
		return res, err
	}
	commit, err := s.commit(ctx, target.ID)
	if err != nil {
		return res, err
	}
	tree := commit.Tree
	if err := s.checkMatch(ctx, rev, paths, s.head.Tree, tree); err != nil {
		return res, err
	}
	part, err := s.Part(ctx)
	if err != nil {
		return res, err
	}
	if err := s.checkInside(ctx, part, paths, s.head.Tree, tree); err != nil {
		return res, notHeld(ctx, s.store, rev, commit.Splits, err)
	}
	if err := s.restoreSealed(ctx, part, paths, target, opt.Unseal); err != nil {
		return res, err
	}
	res.Carried, err = s.carry(ctx, Unfinished{
		Verb: "restore", Goal: fmt.Sprintf("%q as in %s", paths, tree),
		From: s.head.Tree, To: tree, Paths: paths,
	}, carryOptions{force: opt.Force, skipDamaged: opt.SkipDamaged})
	res.setHead(s.head)
	return res, err
}

// restoreSealed refuses what another commit than the head seals, and would put
// into the part, or logs that it is read.
func (s *session) restoreSealed(ctx context.Context, part Part, paths []string, target Target, unseal string) error {
	var found []SplitName
	if target.ID != s.head.Commit {
		c, err := s.commit(ctx, target.ID)
		if err != nil {
			return err
		}
		for f, err := range sealedFiles(ctx, s.store, c.Splits, paths) {
			switch {
			case err != nil:
				return err
			case !part.Has(f.Path) || slices.Contains(found, f.SplitName):
			case unseal == "":
				return &SealedError{Rev: target.ID.Short(), Path: f.Path, Scheme: f.Scheme, Split: f.Split}
			default:
				found = append(found, f.SplitName)
			}
		}
	}
	if unseal == "" {
		return nil
	}
	return s.logUnseal(ctx, target.ID, found, unseal)
}
