package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// OpInfo is one operation of the log.
type OpInfo struct {
	ID      objects.ID        `json:"id"`
	Prev    objects.ID        `json:"prev,omitzero"`
	When    time.Time         `json:"when"`
	Who     objects.Signature `json:"who"`
	Reason  string            `json:"reason"` // the command
	Moves   []UnfinishedMove  `json:"moves"`
	Undoes  objects.ID        `json:"undoes,omitzero"`
	Files   bool              `json:"files,omitempty"` // the working tree went with the names
	Unseals []UnsealedSplit   `json:"unseals,omitempty"`
	Current bool              `json:"current,omitempty"`
}

func opInfo(l refs.Logged, current objects.ID) OpInfo {
	return OpInfo{
		ID: l.ID, Prev: l.Op.Prev, When: l.Op.When, Who: l.Op.Who, Reason: l.Op.Reason,
		Moves: unfinishedMoves(l.Op.Moves), Undoes: l.Op.Undoes, Files: l.Op.Files,
		Unseals: unsealedSplits(l.Op), Current: l.ID == current,
	}
}

// OpLog yields the operations, newest first. It takes no lock. Where gc has
// removed the oldest it ends without an error.
func (r *Repo) OpLog(ctx context.Context) iter.Seq2[OpInfo, error] {
	return func(yield func(OpInfo, error) bool) {
		current, err := r.pointer.Load(ctx)
		if err != nil {
			yield(OpInfo{}, err)
			return
		}
		for l, err := range r.opLog(ctx, current) {
			if !yield(opInfo(l, current), err) || err != nil {
				return
			}
		}
	}
}

func (r *Repo) opLog(ctx context.Context, head objects.ID) iter.Seq2[refs.Logged, error] {
	return func(yield func(refs.Logged, error) bool) {
		first := true
		for l, err := range refs.Log(ctx, r.store, head) {
			if !first && errors.Is(err, objects.ErrNotFound) {
				return
			}
			first = false
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// OpShow returns the operation whose ID begins with those digits, at least
// four, or the current one for "@".
func (r *Repo) OpShow(ctx context.Context, text string) (OpInfo, error) {
	current, err := r.pointer.Load(ctx)
	if err != nil {
		return OpInfo{}, err
	}
	l, err := r.findOp(ctx, current, text)
	return opInfo(l, current), err
}

// findOp looks an operation up in the log.
func (r *Repo) findOp(ctx context.Context, head objects.ID, text string) (refs.Logged, error) {
	digits := strings.ToLower(text)
	if text != "@" && (len(digits) < 4 || strings.Trim(digits, "0123456789abcdef") != "") {
		return refs.Logged{}, &revision.SyntaxError{Text: text, Why: "an operation is named by at least 4 digits of its ID (see \"mlvc op log\")"}
	}
	var found []refs.Logged
	for l, err := range r.opLog(ctx, head) {
		if err != nil {
			return refs.Logged{}, err
		}
		if text == "@" {
			return l, nil
		}
		if strings.HasPrefix(l.ID.String(), digits) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return refs.Logged{}, fmt.Errorf("%s: %w", text, refs.ErrNoOperation)
	case 1:
		return found[0], nil
	}
	ids := make([]objects.ID, 0, len(found))
	for _, l := range found {
		ids = append(ids, l.ID)
	}
	return refs.Logged{}, &revision.AmbiguousError{Text: text, Commits: ids}
}

// ErrNothingToUndo is for an operation log with nothing left to take back.
var ErrNothingToUndo = errors.New("there is nothing to undo")

// KeptError refuses to go back to before what gc keeps.
type KeptError struct {
	Op   OpInfo
	Keep time.Duration
}

func (e *KeptError) Error() string {
	return fmt.Sprintf("operation %s of %s is older than the %s for which operations keep what they reach",
		e.Op.ID.Short(), e.Op.When.Format("2006-01-02 15:04"), count(int(e.Keep.Hours()/24), "day"))
}

// UndoOptions say what is taken back.
type UndoOptions struct {
	// Op names an operation by its digits; empty: the newest that was not
	// taken back yet, so that again undoes further. To undo an undo does the
	// undone again.
	Op          string
	Force       bool
	SkipDamaged bool
}

// UndoResult is what an undo or a restore of an operation did.
type UndoResult struct {
	Op OpInfo `json:"op"` // that was taken back, or gone back to
	CheckoutResult
}

// Undo takes an operation back: the names, and after a checkout, a switch or
// a merge the files too, under the rules of a checkout. After a commit the
// files stay.
func (r *Repo) Undo(ctx context.Context, opt UndoOptions) (res UndoResult, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	earlier, err := s.earlierWork(ctx)
	if err != nil {
		return res, err
	}
	if opt.Op == "" && earlier != nil && earlier.Verb == "undo" {
		opt.Op = earlier.Undoes.String()
	}
	var l refs.Logged
	if opt.Op == "" {
		l, err = s.undoable(ctx)
	} else {
		l, err = s.findOp(ctx, s.op, opt.Op)
	}
	if err != nil {
		return res, err
	}
	res.Op = opInfo(l, s.op)
	if err := s.checkKept(res.Op); err != nil {
		return res, err
	}
	moves := inverse(l.Op.Moves)
	if len(moves) == 0 {
		return res, ErrNothingToUndo
	}
	res.CheckoutResult, err = s.goBack(ctx, taking{
		verb: "undo", goal: "undo of operation " + l.ID.String(), moves: moves, undoes: l.ID,
		carryOptions: carryOptions{force: opt.Force, skipDamaged: opt.SkipDamaged},
	}, l.Op.Files)
	return res, err
}

// undoable returns the newest operation that was not taken back and that is
// not itself one that takes back.
func (s *session) undoable(ctx context.Context) (refs.Logged, error) {
	undone := make(map[objects.ID]bool)
	for l, err := range s.opLog(ctx, s.op) {
		switch {
		case err != nil:
			return refs.Logged{}, err
		case undone[l.ID]:
			delete(undone, l.ID)
		case !l.Op.Undoes.IsZero():
			undone[l.Op.Undoes] = true
		case len(inverse(l.Op.Moves)) == 0:
			// A push or a fetch: it was only seen where a remote is. Or a sealed
			// split was read.
		default:
			return l, nil
		}
	}
	return refs.Logged{}, ErrNothingToUndo
}

// inverse returns the moves that take moves back. HEAD, once there, stays:
// before the first commit it was on the branch without saying so. So do the
// names of remotes: they tell where a remote was seen, which no undo changes.
func inverse(moves []refs.Move) []refs.Move {
	var back []refs.Move
	for _, m := range moves {
		if m.Name == refs.HEAD && m.Old.IsZero() || tracks(m.Name) {
			continue
		}
		back = append(back, refs.Move{Name: m.Name, Old: m.New, New: m.Old})
	}
	return back
}

func (s *session) checkKept(op OpInfo) error {
	if keep := s.config.GC.Keep(); s.env.Now().Sub(op.When) > keep {
		return &KeptError{Op: op, Keep: keep}
	}
	return nil
}

// OpRestore makes every name, but those of remotes, what it was after an operation, and the files
// with them, under the rules of a checkout. It can be undone.
func (r *Repo) OpRestore(ctx context.Context, opt UndoOptions) (res UndoResult, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	l, err := s.findOp(ctx, s.op, opt.Op)
	if err != nil {
		return res, err
	}
	res.Op = opInfo(l, s.op)
	if err := s.checkKept(res.Op); err != nil {
		return res, err
	}
	moves, err := refs.RestoreMoves(ctx, s.view, refs.OpenView(s.store, l.Op.View))
	if err != nil {
		return res, err
	}
	moves = slices.DeleteFunc(moves, func(m refs.Move) bool { return tracks(m.Name) })
	res.CheckoutResult, err = s.goBack(ctx, taking{
		verb: "op restore", goal: "names as after operation " + l.ID.String(), moves: moves,
		carryOptions: carryOptions{force: opt.Force, skipDamaged: opt.SkipDamaged},
	}, true)
	return res, err
}

// goBack moves names, and takes the files along where they went with the
// names before.
func (s *session) goBack(ctx context.Context, t taking, files bool) (CheckoutResult, error) {
	after, err := s.headAfter(ctx, t.moves)
	if err != nil {
		return CheckoutResult{}, err
	}
	if files {
		t.commit = after
		return s.takeTo(ctx, t)
	}
	res := CheckoutResult{Previous: s.head.Commit, PreviousBranch: s.head.Branch.Short()}
	if err := s.refuseUnfinished(ctx, t.verb); err != nil {
		return res, err
	}
	if err := s.move(ctx, refs.Op{Moves: t.moves, Undoes: t.undoes}); err != nil {
		return res, err
	}
	res.setHead(s.head)
	if res.Commit == res.Previous {
		return res, nil
	}
	return res, s.rebase(ctx)
}

// headAfter returns the commit that HEAD stands for after moves.
func (s *session) headAfter(ctx context.Context, moves []refs.Move) (objects.ID, error) {
	value := func(name refs.Name) (refs.Value, error) {
		for _, m := range moves {
			if m.Name == name {
				return m.New, nil
			}
		}
		return s.view.Get(ctx, name)
	}
	v, err := value(refs.HEAD)
	if err == nil && v.Branch != "" {
		v, err = value(v.Branch)
	}
	return v.Commit, err
}

// rebase makes the index one of the head's tree, after names have moved and
// files have not.
func (s *session) rebase(ctx context.Context) error {
	index, err := s.loadIndex(ctx, s.head.Tree)
	if err != nil {
		return err
	}
	defer index.Close() //nolint:errcheck // it was only read
	return s.replaceIndex(index)
}

// replaceIndex makes the records of an index the repository's.
func (s *session) replaceIndex(index *worktree.Index) error {
	w, err := worktree.CreateIndex(s.env.FS, s.indexPath(), s.tempPath())
	if err != nil {
		return err
	}
	if err := addRecords(w, index.Records()); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit(index.Base())
}
