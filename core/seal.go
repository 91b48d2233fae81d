package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// A sealed split is read by nobody without a reason that is kept: its files are
// left out of every working tree and folder that is written, and its contents
// are not handed out, unless the call says why. Then an operation that moves
// nothing says who has read it, and that before the first byte is read. Backups,
// pushes and checks carry and hash sealed files as any other.

// SealedError refuses to read what a commit seals.
type SealedError struct {
	Rev           string
	Path          string // empty: the split itself was asked for
	Scheme, Split string
	// Outside: the file is outside of the part, so that only a checkout of the
	// whole split reads it into the working tree.
	Outside bool
	// Backup: it was asked of a backup, which has no log to say that it was read.
	Backup bool
}

func (e *SealedError) Error() string {
	name := "the split " + splitText(e.Scheme, e.Split)
	if e.Path == "" {
		return fmt.Sprintf("%s of %s is sealed", name, e.Rev)
	}
	return fmt.Sprintf("%q is in %s, which %s seals", e.Path, name, e.Rev)
}

// sealedFile is a file that a commit seals, and its first sealed split.
type sealedFile struct {
	Path string
	SplitName
}

// sealedFiles yields what is sealed of files at clean paths and below them.
func sealedFiles(ctx context.Context, g objects.Getter, splits []objects.Split, paths []string) iter.Seq2[sealedFile, error] {
	return func(yield func(sealedFile, error) bool) {
		for _, s := range splits {
			scheme, err := split.ParseRule(s.Scheme, s.Rule)
			if err != nil || scheme.OfRows() || len(scheme.Sealed) == 0 {
				continue
			}
			for _, k := range spansOf(paths) {
				for item, err := range k.items(ctx, g, treeMap(s.Table)) {
					name := firstSealed(scheme, string(item.Value))
					if err == nil && name == "" {
						continue
					}
					if !yield(sealedFile{string(item.Key), SplitName{Scheme: s.Scheme, Split: name, Sealed: true}}, err) || err != nil {
						return
					}
				}
			}
		}
	}
}

// firstSealed is the first of names in a table that a scheme seals.
func firstSealed(scheme split.Scheme, names string) string {
	for name := range strings.SplitSeq(names, ",") {
		if slices.Contains(scheme.Sealed, name) {
			return name
		}
	}
	return ""
}

// readSealed decides whether a file may be read that a commit may seal, and
// what else of it is sealed: it is refused with a *SealedError, or that it is
// read is logged.
func (r *Repo) readSealed(ctx context.Context, rev string, id objects.ID, path, unseal string, found ...SplitName) error {
	c, err := r.commit(ctx, id)
	if err != nil {
		return err
	}
	if unseal == "" && len(found) > 0 {
		return &SealedError{Rev: rev, Path: path, Scheme: found[0].Scheme, Split: found[0].Split}
	}
	for f, err := range sealedFiles(ctx, r.store, c.Splits, []string{path}) {
		switch {
		case err != nil:
			return err
		case f.Path != path:
		case unseal == "":
			return &SealedError{Rev: rev, Path: path, Scheme: f.Scheme, Split: f.Split}
		default:
			found = append(found, f.SplitName)
		}
	}
	if unseal == "" {
		return nil
	}
	return r.logUnseal(ctx, id, found, unseal)
}

// notHeld makes an *OutsideError a *SealedError where what a commit seals is at
// the paths. Other errors stay.
func notHeld(ctx context.Context, g objects.Getter, rev string, splits []objects.Split, err error) error {
	out, ok := errors.AsType[*OutsideError](err)
	if !ok {
		return err
	}
	for f, err := range sealedFiles(ctx, g, splits, out.Paths) {
		if err != nil {
			return err
		}
		return &SealedError{Rev: rev, Path: f.Path, Scheme: f.Scheme, Split: f.Split, Outside: true}
	}
	return out
}

// ErrNothingSealed is for unsealing where nothing is sealed.
var ErrNothingSealed error = &UsageError{What: "nothing of it is sealed", Hint: "leave out --unseal"}

// logUnseal logs that sealed splits are about to be read, as an operation.
func (s *session) logUnseal(ctx context.Context, commit objects.ID, names []SplitName, why string) error {
	if len(names) == 0 {
		return ErrNothingSealed
	}
	op := refs.Op{}
	for _, n := range names {
		op.Unseals = append(op.Unseals, refs.Unseal{Scheme: n.Scheme, Split: n.Split, Commit: commit, Why: strings.ToValidUTF8(why, "?")})
	}
	return s.move(ctx, op)
}

// logUnseal is that of a verb that holds no lock.
func (r *Repo) logUnseal(ctx context.Context, commit objects.ID, names []SplitName, why string) error {
	s, err := r.begin(ctx)
	if err != nil {
		return err
	}
	return firstError(s.logUnseal(ctx, commit, names, why), s.end())
}

// UnsealInfo is a sealed split that was read.
type UnsealInfo struct {
	Op     objects.ID        `json:"op"`
	When   time.Time         `json:"when"`
	Who    objects.Signature `json:"who"`
	Reason string            `json:"command"`
	UnsealedSplit
}

// UnsealedSplit is what was read, and why.
type UnsealedSplit struct {
	Scheme string     `json:"scheme"`
	Split  string     `json:"split"`
	Commit objects.ID `json:"commit"`
	Why    string     `json:"why"`
}

func unsealedSplits(op refs.Op) []UnsealedSplit {
	var list []UnsealedSplit
	for _, u := range op.Unseals {
		list = append(list, UnsealedSplit(u))
	}
	return list
}

// Unseals yields every time that a sealed split was read here, newest first, as
// far back as the log of operations goes.
func (r *Repo) Unseals(ctx context.Context) iter.Seq2[UnsealInfo, error] {
	return func(yield func(UnsealInfo, error) bool) {
		for op, err := range r.OpLog(ctx) {
			if err != nil {
				yield(UnsealInfo{}, err)
				return
			}
			for _, u := range op.Unseals {
				if !yield(UnsealInfo{Op: op.ID, When: op.When, Who: op.Who, Reason: op.Reason, UnsealedSplit: u}, nil) {
					return
				}
			}
		}
	}
}
