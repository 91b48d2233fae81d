package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/refs"
)

// VerifyOptions say what is verified.
type VerifyOptions struct {
	// Full reads every byte: of every content, and of every pack.
	Full bool
	// Commits limits it to the trees of these commits; empty: everything that
	// the view and the operations that gc keeps reach. Paths limits it to these
	// files and folders. With either, packs are not read as such.
	Commits []objects.ID
	Paths   []string
	// Repair makes damaged objects count as missing, so that the next commit
	// that has their bytes stores them again, and records what another pack
	// has too.
	Repair bool
}

// Damage is one damaged or missing object, or pack, and the first commit and
// path found that it belongs to.
type Damage struct {
	Object    objects.ID `json:"object,omitzero"`
	Pack      objects.ID `json:"pack,omitzero"`
	Commit    objects.ID `json:"commit,omitzero"`
	Operation objects.ID `json:"operation,omitzero"`
	Path      string     `json:"path,omitempty"`
	Error     string     `json:"error"`
}

// VerifyResult counts what was verified.
type VerifyResult struct {
	Operations int64 `json:"operations"`
	Commits    int64 `json:"commits"`
	Nodes      int64 `json:"nodes"`    // of trees, each once
	Contents   int64 `json:"contents"` // with Full each once, else as often as a node names it
	Bytes      int64 `json:"bytes"`    // read and hashed
	Packs      int64 `json:"packs"`
	// NotHere counts contents that are promised by a remote, and were not
	// fetched, or not wholly: that is no damage.
	NotHere  int64         `json:"not_here,omitempty"`
	Damaged  int64         `json:"damaged"`
	Repaired int           `json:"repaired,omitempty"`
	Took     time.Duration `json:"took_ns"`
}

// Verify checks the repository and calls each for everything damaged, one at a
// time. That something is damaged is no error; that the check cannot go on is.
//
// Every operation, commit, tree node and chunk list is read and hashed, once
// however many commits share it, and every chunk must have a place in a pack
// that is there. With Full all contents and packs are read, and the database
// compared with the packs. Memory is the IDs of nodes and a few bytes for each
// content.
func (r *Repo) Verify(ctx context.Context, opt VerifyOptions, each func(Damage) error) (VerifyResult, error) {
	started := r.env.Now()
	v := &verifying{Repo: r, opt: opt, each: each, checker: r.store.NewChecker(), seen: store.NewLive(), damaged: make(map[objects.ID]bool)}
	part, err := r.readPart()
	if err == nil {
		v.promised = part.Promised
		err = v.run(ctx)
	}
	if err == nil && opt.Repair {
		err = v.repair(ctx)
	}
	v.res.Took = r.env.Now().Sub(started)
	return v.res, err
}

type verifying struct {
	*Repo
	opt     VerifyOptions
	each    func(Damage) error
	checker *store.Checker
	jobs    chan verifyJob
	// promised: a chunk that no pack has is not damage.
	promised bool

	mu      sync.Mutex
	seen    *store.Live // nodes, lists; used by more than one goroutine
	files   store.Seen  // contents
	damaged map[objects.ID]bool
	res     VerifyResult
	bytes   atomic.Int64
	done    atomic.Int64
}

// verifyJob is some entries of a tree.
type verifyJob struct {
	commit  objects.ID
	entries []namedEntry
}

type namedEntry struct {
	path  string
	entry objects.Entry
}

func (v *verifying) run(ctx context.Context) error {
	v.jobs = make(chan verifyJob, 4)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(v.jobs)
		return v.walk(gctx)
	})
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for job := range v.jobs {
				if err := v.contents(gctx, job); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	v.res.Bytes = v.bytes.Load()
	if err != nil || !v.opt.Full || len(v.opt.Commits)+len(v.opt.Paths) > 0 {
		return err
	}
	return v.packs(ctx)
}

// walk goes through operations and commits.
func (v *verifying) walk(ctx context.Context) error {
	if len(v.opt.Commits) > 0 {
		for _, id := range v.opt.Commits {
			if err := v.commit(ctx, id, false); err != nil {
				return err
			}
		}
		return nil
	}
	op, err := v.operation(ctx)
	if err != nil {
		return err
	}
	since := v.env.Now().Add(-v.config.GC.Keep())
	young := true // gc may have removed what comes before an old one
	for logged, err := range refs.Log(ctx, v.store, op) {
		if !young && errors.Is(err, objects.ErrNotFound) {
			return nil
		}
		if err != nil {
			return v.found(ctx, Damage{Operation: logged.ID}, logged.ID, err)
		}
		v.res.Operations++
		kept := young
		young = !logged.Op.When.Before(since)
		if err := v.view(ctx, logged, kept, young); err != nil {
			return err
		}
	}
	return nil
}

// view verifies what an operation names. What only an old one names may be gone.
func (v *verifying) view(ctx context.Context, logged refs.Logged, kept, young bool) error {
	if !kept {
		return nil
	}
	where := Damage{Operation: logged.ID}
	if err := v.nodes(ctx, where, logged.Op.View, nil); err != nil {
		return err
	}
	for ref, err := range refs.OpenView(v.store, logged.Op.View).List(ctx, "") {
		if err != nil {
			return v.found(ctx, where, logged.Op.View, err)
		}
		if err := v.commit(ctx, ref.Value.Commit, true); err != nil {
			return err
		}
	}
	if !young {
		return nil
	}
	for _, m := range logged.Op.Moves {
		for _, id := range []objects.ID{m.New.Commit, m.Old.Commit} {
			if err := v.commit(ctx, id, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit verifies a commit and, with all, everything before it.
func (v *verifying) commit(ctx context.Context, id objects.ID, all bool) error {
	for stack := []objects.ID{id}; len(stack) > 0; {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if id.IsZero() || !v.first(id) {
			continue
		}
		where := Damage{Commit: id}
		c, err := history.Read(ctx, v.store, id)
		if err != nil {
			if err := v.found(ctx, where, id, err); err != nil {
				return err
			}
			continue
		}
		v.res.Commits++
		if err := v.tree(ctx, where, c.Tree); err != nil {
			return err
		}
		for _, split := range c.Splits {
			if err := v.nodes(ctx, where, split.Table, nil); err != nil {
				return err
			}
		}
		if all {
			stack = append(append(stack, c.Base), c.Parents...)
		}
	}
	return nil
}

// first reports whether a metadata object was not met before.
func (v *verifying) first(id objects.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen.Add(id)
}

// nodes verifies the nodes of a map; below a damaged one nothing is known.
func (v *verifying) nodes(ctx context.Context, where Damage, root objects.ID, leaf func(*prolly.Node) error) error {
	return treeMap(root).Walk(ctx, v.store, prolly.Visitor{
		Enter: func(id objects.ID) bool { return id != prolly.Map{}.Root() && v.first(id) },
		Node: func(id objects.ID, n *prolly.Node, err error) error {
			if err != nil {
				return v.found(ctx, where, id, err)
			}
			v.res.Nodes++
			if n.Level() > 0 || leaf == nil {
				return nil
			}
			return leaf(n)
		},
	})
}

func (v *verifying) tree(ctx context.Context, where Damage, root objects.ID) error {
	return v.nodes(ctx, where, root, func(n *prolly.Node) error {
		job := verifyJob{commit: where.Commit}
		for i := range n.Len() {
			path := string(n.Key(i))
			if !within(path, v.opt.Paths) {
				continue
			}
			e, err := decodeEntry(n.Key(i), n.Value(i))
			if err != nil {
				where.Path = path
				if err := v.found(ctx, where, objects.ID{}, err); err != nil {
					return err
				}
				continue
			}
			if e.Mode != objects.ModeDir {
				job.entries = append(job.entries, namedEntry{path, e})
			}
		}
		select {
		case v.jobs <- job:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func within(path string, paths []string) bool {
	if len(paths) == 0 {
		return true
	}
	for _, p := range paths {
		if path == p || p == "." || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

// contents verifies the contents of some entries.
func (v *verifying) contents(ctx context.Context, job verifyJob) error {
	for _, named := range job.entries {
		if !v.firstContent(named.entry) {
			continue
		}
		where := Damage{Commit: job.commit, Path: named.path}
		here, err := true, error(nil)
		if !v.opt.Full || v.promised {
			here, err = v.places(ctx, where, named.entry)
		}
		if v.opt.Full && here && err == nil {
			err = content.Read(ctx, v.store, named.entry, io.Discard, 1)
			v.bytes.Add(named.entry.Size)
		}
		if err != nil {
			if err := v.found(ctx, where, named.entry.Content, err); err != nil {
				return err
			}
		}
		v.env.Events.Progress(Progress{Phase: PhaseVerify, Files: v.done.Add(1), Bytes: v.bytes.Load()})
	}
	return nil
}

func (v *verifying) firstContent(e objects.Entry) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.files.Add(e.Content, e.List) {
		return false
	}
	v.res.Contents++
	return true
}

// places verifies that the chunks of a content can be where they are said to
// be, and says whether all are here: of what is promised, some may not be.
func (v *verifying) places(ctx context.Context, where Damage, e objects.Entry) (here bool, err error) {
	ids := []objects.ID{e.Content}
	if e.Size > objects.SingleChunk {
		ids = nil
		err := chunk.WalkList(ctx, v.store, e.List, func(id objects.ID) (bool, error) {
			// Of what may not be here, each content is looked at as a whole.
			return v.first(id) || v.promised, nil
		}, func(run chunk.Run) error {
			ids = append(ids, run.ID)
			return nil
		})
		if err != nil {
			return true, err
		}
	}
	wrong, err := v.checker.Places(ctx, ids)
	if err != nil {
		return true, err
	}
	here = true
	for i, err := range wrong {
		if err == nil {
			continue
		}
		if v.promised && errors.Is(err, objects.ErrNotFound) {
			here = false
			continue
		}
		if _, lostErr := v.store.Get(ctx, ids[i]); lostErr == nil {
			continue // gc moved it just now, or only the database lacks it
		}
		if err := v.found(ctx, where, ids[i], err); err != nil {
			return here, err
		}
	}
	if !here {
		v.mu.Lock()
		v.res.NotHere++
		v.mu.Unlock()
	}
	return here, nil
}

// packs reads every pack; what is damaged there may belong to nothing any more.
func (v *verifying) packs(ctx context.Context) error {
	var first error
	err := v.store.CheckPacks(ctx, store.CheckOptions{
		Workers: runtime.GOMAXPROCS(0),
		Damaged: func(pack objects.ID, err error) {
			for _, err := range single(err) {
				if first == nil {
					first = v.found(ctx, Damage{Pack: pack}, objects.ID{}, err)
				}
			}
		},
		Done: func(size int64) {
			v.res.Packs++
			v.res.Bytes += size
			v.env.Events.Progress(Progress{Phase: PhaseVerify, Files: v.done.Load(), Bytes: v.res.Bytes})
		},
	})
	return firstError(err, first)
}

// single takes joined errors apart.
func single(err error) []error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			if _, object := e.(*objects.ObjectError); !object && hasObjects(joined.Unwrap()) {
				return joined.Unwrap()
			}
		}
	}
	return []error{err}
}

func hasObjects(errs []error) bool {
	for _, err := range errs {
		var object *objects.ObjectError
		if !errors.As(err, &object) {
			return false
		}
	}
	return len(errs) > 0
}

// found reports damage, once an object, and returns every other error.
func (v *verifying) found(ctx context.Context, d Damage, id objects.ID, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !damagedObject(err) {
		return err
	}
	var object *objects.ObjectError
	if errors.As(err, &object) {
		id = object.ID
	}
	d.Object, d.Error = id, err.Error()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !id.IsZero() && v.damaged[id] {
		return nil
	}
	v.damaged[id] = true
	v.res.Damaged++
	return v.each(d)
}

// repair makes what is damaged count as missing, under the writer lock, where
// no other copy is found.
func (v *verifying) repair(ctx context.Context) (err error) {
	if len(v.damaged) == 0 {
		return nil
	}
	s, err := v.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, s.end()) }()
	var ids []objects.ID
	live := store.NewLive()
	for id := range v.damaged {
		if _, err := s.store.GetRecorded(ctx, id); !damagedObject(err) {
			continue
		}
		ids = append(ids, id)
		live.Add(id)
	}
	if err := s.store.Distrust(ctx, ids); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	v.res.Repaired, err = s.store.Mend(ctx, live)
	return err
}
