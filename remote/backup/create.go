package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/bucket"
)

// CreateOptions say which set is made.
type CreateOptions struct {
	Repository string // its ID, 32 hexadecimal digits
	Commit     objects.ID
	// Kind is what the set should be, and Asked that the user said so: then a
	// set of another kind that the commit has does not count.
	Kind  objects.CommitKind
	Asked bool
	// Operation is the current one; zero if names and history are not wanted.
	Operation objects.ID
	// TipOnly leaves out the contents that only other commits have.
	TipOnly bool
	// IsAncestor says whether a commit is an ancestor of another; false also
	// for one that is not known here.
	IsAncestor func(ctx context.Context, ancestor, of objects.ID) (bool, error)
	// Parity writes what can heal a pack as it is stored, whose ID is the
	// owner, and returns its size; nil for none. Scheme names it, as in "10+1".
	Parity func(ctx context.Context, owner objects.ID, r io.ReaderAt, size int64, w io.WriteSeeker) (int64, error)
	Scheme string
	// Chosen is told what the set will be before anything is sent; an error
	// ends it. It may be nil.
	Chosen func(Choice) error
	// Copy says how packs are made; its FS and Temp are needed.
	Copy remote.CopyOptions
}

// Choice says what set is made.
type Choice struct {
	Label   Label
	Base    Label  // empty for a full
	Why     string // why it is full though another kind was wanted; empty: it is what was wanted
	Resumed bool   // an interrupted try is gone on with
}

// Created says what Create did.
type Created struct {
	Choice
	Set      Set
	Manifest Manifest
	// Existed says that the commit had such a set, which is Set: nothing was
	// written.
	Existed bool
}

// BaseGoneError is for a base that was expired while a set was made on it.
type BaseGoneError struct{ Base Label }

func (e *BaseGoneError) Error() string {
	return fmt.Sprintf("backup set %s was removed while a set was being made on it", e.Base)
}

// BegunError is for a destination that two begin at once, each with other keys, of
// whom one was later.
type BegunError struct{ URL string }

func (e *BegunError) Error() string {
	return fmt.Sprintf("somebody else began the encrypted backups at %s meanwhile", e.URL)
}

// Create makes the set of a commit: what its chain lacks, first the contents of
// the commit itself, then those of the rest of history, then metadata. When it
// returns nil the set is durable and listed.
//
//  1. Packs, each with its parity, then the index, then the manifest, twice: all are
//     named by their bytes and seen by nobody.
//  2. The list, by compare-and-swap. Before it the set does not exist; after
//     it the set is whole.
//
// Interrupted, or failed, it can be called again with the same commit, and goes
// on with the packs that are there. What nobody comes back for is removed by
// Sweep. It fails with a *ForeignError, a *BaseGoneError and a *BegunError.
func Create(ctx context.Context, dst *Destination, src *remote.Local, opt CreateOptions) (Created, error) {
	list, err := dst.Reload(ctx)
	if err != nil {
		return Created{}, err
	}
	if list.Repository != "" && list.Repository != opt.Repository {
		return Created{}, &ForeignError{dst.String(), list.Repository, opt.Repository}
	}
	c, err := dst.choose(ctx, opt)
	if err != nil {
		return Created{}, err
	}
	if s := c.existing; s != nil {
		m, err := dst.manifest(ctx, s.Label, s.Manifest)
		if err != nil && dst.opt.NoKey != nil && dst.opt.NoKey(err) {
			err = nil // the list says that it is there; the Manifest is zero
		}
		return Created{Choice: Choice{Label: s.Label, Base: s.Base}, Set: *s, Manifest: m, Existed: true}, err
	}
	label, resumed, err := dst.claim(ctx, c, opt)
	if err != nil {
		return Created{}, err
	}
	done := Created{Choice: Choice{Label: label, Base: c.base(), Why: c.why, Resumed: resumed}}
	if opt.Chosen != nil {
		if err := opt.Chosen(done.Choice); err != nil {
			return Created{}, err
		}
	}
	w := &writer{dst: dst, src: src, opt: opt, choice: c, label: label, resumed: resumed}
	if done.Manifest, done.Set, err = w.write(ctx); err != nil {
		return Created{}, fmt.Errorf("backup set %s: %w", label, err)
	}
	err = dst.enter(ctx, &done, opt, list.Repository == "")
	return done, err
}

// enter puts a set into the list. A chain that was marked to go stays, since
// it is needed again. first says that there was no list when the set was begun.
func (d *Destination) enter(ctx context.Context, done *Created, opt CreateOptions, first bool) error {
	set := done.Set
	err := d.Update(ctx, func(l *List) error {
		if l.Repository == "" {
			l.Version, l.Repository, l.Crypt = listVersion, opt.Repository, d.opt.Crypt
		}
		if l.Repository != opt.Repository {
			return &ForeignError{d.String(), l.Repository, opt.Repository}
		}
		if first && !bytes.Equal(l.Crypt, d.opt.Crypt) {
			return &BegunError{d.String()} // nobody could read the set
		}
		if set.Base != "" && l.Chain(set.Base) == nil {
			return &BaseGoneError{set.Base}
		}
		for _, s := range l.Chain(set.Base) {
			l.change(s.Label, func(s *Set) { s.Expiring = 0 })
		}
		if s, ok := l.Find(set.Label); ok {
			done.Set, done.Existed = s, s.Manifest != set.Manifest
			return nil
		}
		l.add(set)
		return nil
	})
	if err == nil {
		d.unclaim(ctx, done.Label)
	}
	return err
}

// writer makes one set.
type writer struct {
	dst     *Destination
	src     *remote.Local
	opt     CreateOptions
	choice  choice
	label   Label
	resumed bool

	shelf  *remote.Shelf // of the chain, and of what is added
	getter objects.Getter
	parity atomic.Int64 // bytes
}

// write writes everything but the list.
func (w *writer) write(ctx context.Context) (m Manifest, s Set, err error) {
	opt := w.dst.shelf(w.label)
	opt.Resumed = w.resumed
	if w.opt.Parity != nil {
		opt.Added = w.addParity
	}
	if w.shelf, err = remote.OpenShelf(ctx, w.dst.bucket, opt, indexes(w.choice.chain)); err != nil {
		return m, s, err
	}
	defer func() { err = errors.Join(err, w.shelf.Close()) }()
	w.getter = either{w.src, w.shelf}
	m, err = w.describe(ctx)
	if err != nil {
		return m, s, err
	}
	if m.Tip, err = w.tip(ctx, m.Tree); err != nil {
		return m, s, err
	}
	if m.Rest, err = w.rest(ctx); err != nil {
		return m, s, err
	}
	x, _, err := w.shelf.WriteIndex(ctx, m.Commit)
	if err != nil {
		return m, s, err
	}
	if x.Records > 0 {
		m.Index = &IndexRef{ID: x.ID, Size: x.Size, Records: x.Records}
	}
	s, err = w.dst.putManifest(ctx, m)
	s.Bytes += m.Tip.Bytes + m.Rest.Bytes + w.parity.Load() + x.Size
	if err == nil {
		// A disk that is taken away midway leaves a folder in its place, which
		// takes the rest.
		err = w.dst.present(ctx, []Manifest{m})
	}
	return m, s, err
}

// describe begins the manifest.
func (w *writer) describe(ctx context.Context) (Manifest, error) {
	o, err := w.src.Get(ctx, w.opt.Commit)
	if err != nil {
		return Manifest{}, err
	}
	c, err := objects.DecodeCommit(o)
	if err != nil {
		return Manifest{}, &objects.ObjectError{ID: w.opt.Commit, Err: err}
	}
	m := Manifest{
		Version: manifestVersion, Label: w.label, Repository: w.opt.Repository, Kind: w.choice.kind,
		Commit: w.opt.Commit, Tree: c.Tree, Files: c.Delta.Files, Content: c.Delta.Bytes,
		Operation: w.opt.Operation, TipOnly: w.opt.TipOnly, Parity: w.opt.Scheme,
	}
	for _, s := range w.choice.sets {
		m.Chain = append(m.Chain, Link{s.Label, s.Manifest})
	}
	return m, nil
}

// tip brings the contents of the commit itself that the chain lacks: what its
// tree has beyond the base's, which the chain has whole.
func (w *writer) tip(ctx context.Context, tree objects.ID) (Count, error) {
	var base prolly.Map
	if n := len(w.choice.chain); n > 0 {
		base = prolly.Open(w.choice.chain[n-1].Tree)
	}
	opt := w.opt.Copy
	opt.Exact = true
	n, err := remote.CopyContents(ctx, w.shelf, w.src, changed(prolly.Diff(ctx, w.getter, base, prolly.Open(tree))), opt)
	return counted(n), err
}

// changed yields the entries that changes leave.
func changed(changes iter.Seq2[prolly.Change, error]) iter.Seq2[objects.Entry, error] {
	return func(yield func(objects.Entry, error) bool) {
		for c, err := range changes {
			var e objects.Entry
			if err == nil && c.New == nil {
				continue
			}
			if err == nil {
				e, err = objects.DecodeEntry(c.New)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// rest brings the history of the commit and of all names, and the log.
func (w *writer) rest(ctx context.Context) (Count, error) {
	h, err := readHistory(ctx, w.src, w.shelf, w.opt.Operation)
	if err != nil {
		return Count{}, err
	}
	want := remote.Want{
		Commits: append([]objects.ID{w.opt.Commit}, h.named...), Have: w.have(ctx),
		MetaOnly: w.opt.TipOnly, Exact: true,
	}
	total, err := remote.Copy(ctx, w.shelf, w.src, want, w.opt.Copy)
	if err != nil {
		return Count{}, err
	}
	for _, id := range h.earlier {
		// What only an old operation names may be gone, in part or whole.
		want.Have, want.Commits = append(want.Have, want.Commits...), []objects.ID{id}
		n, err := remote.Copy(ctx, w.shelf, w.src, want, w.opt.Copy)
		if err != nil && !errors.Is(err, objects.ErrNotFound) {
			return Count{}, err
		}
		total.Objects, total.Packs, total.Bytes = total.Objects+n.Objects, total.Packs+n.Packs, total.Bytes+n.Bytes
	}
	n, err := addObjects(ctx, w.shelf, w.src, w.opt.Copy.FS, w.opt.Copy.Temp, h.objects)
	total.Objects, total.Packs, total.Bytes = total.Objects+n.Objects, total.Packs+n.Packs, total.Bytes+n.Bytes
	return counted(total), err
}

// have returns commits that the chain has whole: the base's, and those that the
// names had then. That they are not known only makes more work.
func (w *writer) have(ctx context.Context) []objects.ID {
	if len(w.choice.chain) == 0 {
		return nil
	}
	base := w.choice.chain[len(w.choice.chain)-1]
	list := []objects.ID{base.Commit}
	if base.Operation.IsZero() {
		return list
	}
	view, err := refs.ViewAt(ctx, w.getter, base.Operation)
	if err != nil {
		return list
	}
	named, err := viewCommits(ctx, view)
	if err != nil {
		return list
	}
	return append(list, named...)
}

// addParity stores what can heal a pack beside it. It is made in a file: several
// packs are sent at once, and each has megabytes of it.
func (w *writer) addParity(ctx context.Context, p remote.PackInfo, r io.ReaderAt) (err error) {
	length := p.Size
	if w.dst.bucket != w.dst.raw { // it is the bytes that are stored which rot
		stored, err := openObject(ctx, w.dst.raw, remote.PackKey(w.label.folder(), p.ID))
		if err != nil {
			return w.dst.failed(remote.PackKey(w.label.folder(), p.ID), err)
		}
		r, length = stored, stored.size
	}
	fsys, name := w.opt.Copy.FS, vfs.TempName(w.opt.Copy.Temp)
	out, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("parity of pack %s: %w", p.ID, err)
	}
	defer func() { err = errors.Join(err, out.Close(), fsys.Remove(name)) }()
	size, err := w.opt.Parity(ctx, p.ID, r, length, out)
	if err != nil {
		return fmt.Errorf("parity of pack %s: %w", p.ID, err)
	}
	w.parity.Add(size)
	key := w.label.parityKey(p.ID)
	err = w.dst.raw.PutIfAbsent(ctx, key, out, size)
	if errors.Is(err, bucket.ErrExist) {
		return nil
	}
	return w.dst.failed(key, err)
}

// readAll reads a whole object of a few hundred MiB at most.
func readAll(ctx context.Context, b bucket.Bucket, key string) ([]byte, error) {
	r, err := b.GetRange(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxStored))
	return data, errors.Join(err, r.Close())
}

// maxStored is more than a pack has, encrypted or not.
const maxStored = 2 * pack.MaxSize

// putManifest stores a manifest, its copy first, and returns what the list says
// of the set.
func (d *Destination) putManifest(ctx context.Context, m Manifest) (Set, error) {
	data, id, err := EncodeManifest(m)
	if err != nil {
		return Set{}, err
	}
	for _, key := range []string{m.Label.copyKey(id), m.Label.manifestKey(id)} {
		if err := d.put(ctx, key, data); err != nil {
			return Set{}, err
		}
	}
	d.keepManifest(id, data)
	return Set{Label: m.Label, Base: m.Base(), Manifest: id, Commit: m.Commit, Bytes: 2 * int64(len(data))}, nil
}

// put makes an object that is named by its bytes: one that is there has them.
func (d *Destination) put(ctx context.Context, key string, data []byte) error {
	err := d.bucket.PutIfAbsent(ctx, key, bytes.NewReader(data), int64(len(data)))
	if errors.Is(err, bucket.ErrExist) {
		return nil
	}
	return d.failed(key, err)
}
