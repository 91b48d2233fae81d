package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/backup"
)

// BackupRepoOptions say which repository is brought back, and where to.
type BackupRepoOptions struct {
	What string    // as in BackupRestoreOptions
	Time time.Time // likewise
	Dir  string    // absolute; empty or not there yet
}

// BackupRepoResult is what bringing a repository back did.
type BackupRepoResult struct {
	URL    string         `json:"url"`
	Root   string         `json:"root"`
	Label  string         `json:"label"`
	Sets   []string       `json:"sets"` // that it was read from
	Healed []BackupHealed `json:"healed,omitempty"`
	Transferred
	Operations int64 `json:"operations"`
	// TipOnly: the sets leave out contents that only other commits have; Lacking
	// are the commits whose contents are not all there. HeadWas is where HEAD was,
	// if that is one of these: it is at the commit of the set instead.
	TipOnly bool         `json:"tip_only,omitempty"`
	Lacking []objects.ID `json:"lacking,omitempty"`
	HeadWas objects.ID   `json:"head_was,omitzero"`
	CheckoutResult
	Took time.Duration `json:"took_ns"`
}

// restoringRecord is `.mlvc/restoring`: it is there from the moment that `.mlvc`
// is until the files are in place.
type restoringRecord struct {
	Version int    `json:"version"`
	URL     string `json:"url"`
	Label   string `json:"label"`
}

const (
	restoringFile    = "restoring"
	restoringVersion = 1
)

func (r restoringRecord) encode() []byte {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic(err) // strings always encode
	}
	return append(text, '\n')
}

// RestoreRepo makes the repository again that a set is of: with its ID, all
// history, every name, the log of operations, and the files of HEAD; where the set
// leaves these out, HEAD goes to the commit of the set. It needs
// nothing but the destination; damaged packs are healed by their parity on the
// way. Interrupted, the same call goes on. The folder must be empty, or it fails
// with a *NotEmptyError.
func (b *Backups) RestoreRepo(ctx context.Context, opt BackupRepoOptions) (res BackupRepoResult, err error) {
	started := b.env.Now()
	res.URL, res.Root = b.url, opt.Dir
	chosen, err := b.choose(ctx, opt.What, opt.Time)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, chosen.chain.Close()) }()
	res.Label, res.Sets = string(chosen.label), chosen.sets()
	if res.Resumed, err = b.prepareRepo(opt.Dir, chosen); err != nil {
		return res, err
	}
	r, err := Open(ctx, b.env, opt.Dir)
	if err != nil {
		return res, err
	}
	err = b.fillRepo(ctx, r, chosen, &res)
	if err = errors.Join(err, r.Close()); err != nil {
		return res, b.damaged(err)
	}
	if err := b.env.FS.Remove(filepath.Join(opt.Dir, Dir, restoringFile)); err != nil {
		return res, err
	}
	res.Took = b.env.Now().Sub(started)
	return res, b.env.FS.SyncDir(filepath.Join(opt.Dir, Dir))
}

// prepareRepo makes `.mlvc`, or finds that of an interrupted run.
func (b *Backups) prepareRepo(dir string, chosen *chosenSet) (resumed bool, err error) {
	record := restoringRecord{Version: restoringVersion, URL: b.url, Label: string(chosen.label)}.encode()
	text, err := vfs.ReadFile(b.env.FS, filepath.Join(dir, Dir, restoringFile))
	if err == nil && !bytes.Equal(text, record) {
		return false, &NotEmptyError{Dir: dir, Unfinished: "another backup"}
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	if err := checkEmpty(b.env.FS, dir); err != nil {
		return false, err
	}
	if root, err := findRoot(b.env.FS, dir); err == nil {
		return false, &ExistsError{Root: root}
	} else if !errors.Is(err, ErrNoRepository) {
		return false, err
	}
	if err := vfs.MkdirAll(b.env.FS, dir, 0o777); err != nil {
		return false, err
	}
	f := format{Version: FormatVersion, ID: chosen.chain.Manifest().Repository}
	return false, makeRepositoryOf(b.env.FS, dir, f, map[string][]byte{restoringFile: record})
}

// fillRepo brings objects, then names, then files.
func (b *Backups) fillRepo(ctx context.Context, r *Repo, chosen *chosenSet, res *BackupRepoResult) (err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	f := &fillingRepo{session: s, chain: chosen.chain, res: res}
	for _, m := range chosen.chain.Manifests {
		res.TipOnly = res.TipOnly || m.TipOnly
	}
	if s.op.IsZero() || res.TipOnly { // what is not there is found out again
		res.Healed, err = b.healing(ctx, chosen.chain, func(bool) error { return f.objects(ctx) })
		if err != nil {
			return err
		}
	}
	if s.op.IsZero() {
		if err := f.names(ctx, chosen.commit); err != nil {
			return err
		}
	}
	if err := f.standAtSet(ctx); err != nil {
		return err
	}
	res.CheckoutResult = CheckoutResult{}
	res.Carried, err = s.carry(ctx, Unfinished{Verb: "restore", Goal: "the files of backup set " + res.Label, To: s.head.Tree}, carryOptions{commit: s.head.Commit})
	res.setHead(s.head)
	return err
}

// fillingRepo is a repository that is brought back.
type fillingRepo struct {
	*session
	chain *backup.Chain
	res   *BackupRepoResult
}

// objects brings everything that the set has, but names nothing.
func (f *fillingRepo) objects(ctx context.Context) error {
	m := f.chain.Manifest()
	f.res.Lacking = nil // of a try that met damage
	ops, commits, earlier, err := f.operations(ctx, m.Operation)
	if err != nil {
		return err
	}
	for _, c := range f.chain.Manifests {
		commits = append(commits, c.Commit)
	}
	commits = slices.DeleteFunc(sortedIDs(commits), objects.ID.IsZero) // of a HEAD on a branch
	opt := f.copyOptions(PhaseReceive, f.tempPath())
	if err := f.copy(ctx, commits, opt); err != nil {
		return err
	}
	if err := f.earlier(ctx, sortedIDs(earlier), opt); err != nil {
		return err
	}
	if f.res.TipOnly {
		if err := f.tips(ctx, commits, opt); err != nil {
			return err
		}
	}
	if f.res.Operations = int64(len(ops)); f.res.Operations == 0 {
		return nil
	}
	return f.log(ctx, ops)
}

// copy brings commits with their history.
func (f *fillingRepo) copy(ctx context.Context, commits []objects.ID, opt remote.CopyOptions) error {
	copied, err := remote.Copy(ctx, f.local(f.tempPath()), f.chain, remote.Want{Commits: commits, MetaOnly: f.res.TipOnly}, opt)
	f.res.add(copied)
	return err
}

// earlier brings commits that only old operations name, as far as the set has
// them: gc may have removed them before, in part or whole.
func (f *fillingRepo) earlier(ctx context.Context, commits []objects.ID, opt remote.CopyOptions) error {
	places, err := f.chain.Locate(ctx, commits)
	if err != nil {
		return err
	}
	for i, id := range commits {
		if places[i].Length == 0 {
			continue
		}
		err := f.copy(ctx, []objects.ID{id}, opt)
		if errors.Is(err, objects.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// operations lists the log of the set, the newest first, the commits that its
// names stand for, and those that they stood for earlier.
func (f *fillingRepo) operations(ctx context.Context, operation objects.ID) (ops []refs.Logged, commits, earlier []objects.ID, err error) {
	if operation.IsZero() {
		return nil, nil, nil, nil
	}
	view, err := refs.ViewAt(ctx, f.chain, operation)
	if err != nil {
		return nil, nil, nil, err
	}
	if commits, err = commitsOf(ctx, view, ""); err != nil {
		return nil, nil, nil, err
	}
	for l, err := range refs.Log(ctx, f.chain, operation) {
		if errors.Is(err, objects.ErrNotFound) && len(ops) > 0 {
			break // gc had removed what came before
		}
		if err != nil {
			return nil, nil, nil, err
		}
		ops = append(ops, l)
		for _, m := range l.Op.Moves {
			earlier = append(earlier, m.Old.Commit, m.New.Commit)
		}
	}
	return ops, commits, earlier, nil
}

// tips brings the contents of those commits that have them all, and lists the
// others. Of each only what it has beyond one that is whole is looked at.
func (f *fillingRepo) tips(ctx context.Context, commits []objects.ID, opt remote.CopyOptions) error {
	whole := f.chain.Manifest().Tree
	if err := f.contents(ctx, objects.ID{}, whole, opt); err != nil {
		return err
	}
	for c, err := range history.Walk(ctx, f.store, commits, history.Options{}) {
		if err != nil {
			return err
		}
		err = f.contents(ctx, whole, c.Tree, opt)
		switch {
		case errors.Is(err, objects.ErrNotFound):
			f.res.Lacking = append(f.res.Lacking, c.ID)
		case err != nil:
			return err
		default:
			whole = c.Tree
		}
	}
	return nil
}

// contents brings those that a tree has beyond another.
func (f *fillingRepo) contents(ctx context.Context, whole, tree objects.ID, opt remote.CopyOptions) error {
	copied, err := remote.CopyContents(ctx, f.local(f.tempPath()), f.chain, newEntries(f.changesOf(ctx, whole, tree, nil)), opt)
	f.res.add(copied)
	return err
}

// standAtSet moves HEAD to the commit of the set where the contents of its own are
// not there: to the one branch that is at it, or detached.
func (f *fillingRepo) standAtSet(ctx context.Context) error {
	m := f.chain.Manifest()
	if len(f.res.Lacking) == 0 || m.Operation.IsZero() {
		return nil
	}
	view, err := refs.ViewAt(ctx, f.store, m.Operation)
	if err != nil {
		return err
	}
	was, err := view.Commit(ctx, refs.HEAD)
	if err != nil || !slices.Contains(f.res.Lacking, was) {
		return err
	}
	f.res.HeadWas = was
	if f.head.Commit == m.Commit {
		return nil // an interrupted run has done it
	}
	to, err := onlyBranchAt(ctx, view, m.Commit)
	if err != nil {
		return err
	}
	moves, err := f.headMove(ctx, to)
	if err != nil {
		return err
	}
	return f.move(ctx, refs.Op{Reason: "restore the files of backup set " + string(m.Label), Moves: moves})
}

// onlyBranchAt returns the branch that is at a commit, or the commit unless there
// is one such branch.
func onlyBranchAt(ctx context.Context, view refs.View, commit objects.ID) (refs.Value, error) {
	at := refs.Value{Commit: commit}
	found := 0
	for ref, err := range view.List(ctx, refs.Branches) {
		if err != nil {
			return at, err
		}
		if ref.Value.Commit == commit {
			at.Branch = ref.Name
			found++
		}
	}
	if found != 1 {
		return refs.Value{Commit: commit}, nil
	}
	return refs.Value{Branch: at.Branch}, nil
}

// log takes up operations and the nodes of their views.
func (f *fillingRepo) log(ctx context.Context, ops []refs.Logged) error {
	seen := make(map[objects.ID]bool)
	put := func(id objects.ID) error {
		o, err := f.chain.Get(ctx, id)
		if err == nil {
			_, err = f.store.Put(ctx, o)
		}
		return err
	}
	for _, l := range ops {
		if err := put(l.ID); err != nil {
			return err
		}
		err := prolly.Open(l.Op.View).Walk(ctx, f.chain, prolly.Visitor{
			Enter: func(id objects.ID) bool { return !seen[id] },
			Node: func(id objects.ID, _ *prolly.Node, err error) error {
				if err != nil {
					return err
				}
				seen[id] = true
				return put(id)
			},
		})
		if err != nil {
			return err
		}
	}
	return f.store.Sync(ctx)
}

// names makes the operation of the set the current one.
func (f *fillingRepo) names(ctx context.Context, commit objects.ID) error {
	op := f.chain.Manifest().Operation
	if op.IsZero() {
		return f.move(ctx, refs.Op{Moves: []refs.Move{{Name: refs.Branch(DefaultBranch), New: refs.Value{Commit: commit}}}})
	}
	if err := f.pointer.Swap(ctx, objects.ID{}, op); err != nil {
		return fmt.Errorf("take up the names: %w", err)
	}
	return f.reload(ctx)
}
