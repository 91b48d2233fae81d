package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/bucket"
)

// VerifyOptions say how much is read.
type VerifyOptions struct {
	// Labels are the sets to verify, with their chains; none: all.
	Labels []Label
	// TrustBases takes the packs of their chains unread that the last verification
	// read and found whole; it is looked whether they are there.
	TrustBases bool
	// Percent of the packs that are read, at least one of each set, chosen by
	// Seed; 0 and 100: all. Lists, manifests, indexes, sizes and metadata always are.
	Percent int
	Seed    uint64
	Workers int // packs read at once, each in memory; 0: two
	// Damaged is told of each damage as it is found, by one goroutine at a
	// time. It may be nil.
	Damaged func(Damage)
	// ReadOnly leaves the list as it is. Else the result is noted in it.
	ReadOnly bool
}

// Damage is one damaged or missing object of a destination.
type Damage struct {
	Label Label
	Key   string
	// Pack is the pack that it is; zero for a manifest, an index and what is no object.
	Pack objects.ID
	Err  error
	// Lost are the objects that cannot be read because of it, and those built
	// on them. Paths are the files of the sets that were verified which they
	// belong to, sorted; for metadata they may not be known.
	Lost  []LostObject
	Paths []string
	// Sets are those of the list that a restore of cannot be whole without it;
	// none for parity, and for what has a sound copy or can be made again of
	// what is sound: its damage does not make a set a damaged one. The list
	// and its copy belong to no set, and have no Label.
	Sets []Label
}

// LostObject is an object that cannot be read.
type LostObject struct {
	ID   objects.ID
	Kind objects.Kind // 0: not known
}

// Verified says what a verification has read.
type Verified struct {
	Sets   []Label // the oldest first
	Packs  int     // read whole
	Bytes  int64   // of them
	Damage []Damage
}

// Verify looks whether sets are whole, and names everything that is not:
//
//  1. The list and its copy are read; of each set the manifest, its copy and the
//     index, from the destination; and the packs and their parity are there,
//     with their sizes.
//  2. Packs are read and checked, every byte, as many as asked for.
//  3. The tree of the set's commit is walked in its chain: every file's
//     chunks are there. Where a base was walked, only what differs from it is.
//  4. Of damaged packs each object is read, to tell what is lost from what is not.
//
// Damage is no error. The result is noted in the list, set by set. A set whose
// base is damaged is so, too.
func (d *Destination) Verify(ctx context.Context, opt VerifyOptions) (Verified, error) {
	list, err := d.Reload(ctx)
	if err != nil {
		return Verified{}, err
	}
	sets, err := d.chosen(list, opt.Labels)
	if err != nil {
		return Verified{}, err
	}
	v := &verifier{
		d: d, opt: opt, list: list, rnd: rand.New(rand.NewPCG(opt.Seed, 1)),
		manifests: make(map[Label]Manifest), bad: make(map[Label]bool),
	}
	if v.opt.Workers < 1 {
		v.opt.Workers = 2
	}
	if err := v.lists(ctx); err != nil {
		return Verified{}, err
	}
	for _, s := range sets {
		trusted := opt.TrustBases && s.whole() && !slices.Contains(opt.Labels, s.Label)
		if err := v.set(ctx, s, trusted); err != nil {
			return v.done, err
		}
		if !trusted || v.bad[s.Label] {
			v.done.Sets = append(v.done.Sets, s.Label)
		}
	}
	if opt.ReadOnly || len(sets) == 0 {
		return v.done, nil
	}
	return v.done, v.note(ctx)
}

// chosen returns the sets of labels with their chains, bases first.
func (d *Destination) chosen(list List, labels []Label) ([]Set, error) {
	if len(labels) == 0 {
		return list.Sets, nil
	}
	want := make(map[Label]bool)
	for _, label := range labels {
		chain := list.Chain(label)
		if chain == nil {
			return nil, &NoSetError{d.String(), label}
		}
		for _, s := range chain {
			want[s.Label] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(list.Sets), func(s Set) bool { return !want[s.Label] }), nil
}

// verifier is one verification.
type verifier struct {
	d         *Destination
	opt       VerifyOptions
	list      List
	rnd       *rand.Rand
	manifests map[Label]Manifest // that are sound, with a sound index
	bad       map[Label]bool     // sets with damage, or on such a base

	mu   sync.Mutex
	done Verified
}

// note writes the results into the list.
func (v *verifier) note(ctx context.Context) error {
	percent := v.opt.Percent
	if percent <= 0 {
		percent = 100
	}
	when := v.d.opt.Now().Unix()
	return v.d.Update(ctx, func(l *List) error {
		for _, label := range v.done.Sets {
			l.change(label, func(s *Set) { s.Verified = &Check{When: when, OK: !v.bad[label], Percent: min(percent, 100)} })
		}
		return nil
	})
}

// add reports damage that makes a set a damaged one.
func (v *verifier) add(damage Damage) {
	damage.Sets = []Label{damage.Label}
	for _, s := range v.list.Dependents(damage.Label) {
		damage.Sets = append(damage.Sets, s.Label)
	}
	v.report(damage)
}

// report reports damage; without Sets it is what a restore does without.
func (v *verifier) report(damage Damage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(damage.Sets) > 0 {
		v.bad[damage.Label] = true
	}
	v.done.Damage = append(v.done.Damage, damage)
	if v.opt.Damaged != nil {
		v.opt.Damaged(damage)
	}
}

// isDamage tells damage from a destination that does not answer. An object that
// ends too early reads as io.ErrUnexpectedEOF.
func isDamage(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, objects.ErrCorrupt) || errors.Is(err, bucket.ErrNotExist) || errors.Is(err, objects.ErrNotFound)
}

// whole reports whether the last verification read all of a set, and found no
// damage.
func (s Set) whole() bool { return s.Verified != nil && s.Verified.OK && s.Verified.Percent == 100 }

// set verifies one set; its base was verified before. Of a trusted one the packs
// are not read.
func (v *verifier) set(ctx context.Context, s Set, trusted bool) error {
	v.bad[s.Label] = v.bad[s.Label] || v.bad[s.Base]
	m, ok, err := v.manifest(ctx, s)
	if err != nil || !ok {
		return err
	}
	own, ok, err := v.own(ctx, s, m)
	if err != nil || !ok {
		return err
	}
	defer own.Close() //nolint:errcheck // it was only read
	damaged, err := v.packs(ctx, s, m, own, trusted)
	if err != nil {
		return err
	}
	v.manifests[s.Label] = m
	if trusted && len(damaged) == 0 {
		return nil
	}
	return v.contents(ctx, s, damaged)
}

// lists looks at the list, at its copy, and at the note.
func (v *verifier) lists(ctx context.Context) error {
	if err := v.d.Recovered(); err != nil {
		v.report(Damage{Key: listKey, Err: err})
	}
	if v.list.Repository == "" {
		return nil
	}
	known, err := v.d.readList(ctx, listCopyKey)
	if err := v.beside(listCopyKey, known, err); err != nil || len(v.list.Crypt) == 0 {
		return err
	}
	known, err = v.d.readNote(ctx)
	return v.beside(noteKey, known, err)
}

// beside looks at what was read beside the list, which must say the same of the
// destination.
func (v *verifier) beside(key string, known List, err error) error {
	if err == nil && (known.Repository != v.list.Repository || !bytes.Equal(known.Crypt, v.list.Crypt)) {
		err = v.d.failed(key, corrupt("it is that of another list"))
	}
	if err != nil && isDamage(err) {
		v.report(Damage{Key: key, Err: err})
		err = nil
	}
	return err
}

// manifest reads the manifest from the destination, and its copy.
func (v *verifier) manifest(ctx context.Context, s Set) (Manifest, bool, error) {
	var links []Link
	for _, c := range v.list.Chain(s.Base) {
		links = append(links, Link{c.Label, c.Manifest})
	}
	var sound Manifest
	var broken []Damage
	for _, key := range []string{s.Label.manifestKey(s.Manifest), s.Label.copyKey(s.Manifest)} {
		m, _, err := v.d.readManifestAt(ctx, key, s.Label, s.Manifest)
		if err == nil {
			err = m.fits(s, links, v.list.Repository)
		}
		switch {
		case err == nil:
			sound = m
		case isDamage(err):
			broken = append(broken, Damage{Label: s.Label, Key: key, Err: err})
		default:
			return Manifest{}, false, err
		}
	}
	ok := len(broken) < 2
	for _, damage := range broken {
		if ok {
			v.report(damage)
		} else {
			v.add(damage)
		}
	}
	return sound, ok, nil
}

// own opens the packs of the set alone. The index is read from the destination,
// though the cache may have it; one that is damaged is made again of the packs.
func (v *verifier) own(ctx context.Context, s Set, m Manifest) (*remote.Shelf, bool, error) {
	list := indexes([]Manifest{m})
	for _, x := range list {
		err := remote.CheckIndex(ctx, v.d.bucket, v.d.shelf(""), x)
		if err == nil {
			continue
		}
		if !isDamage(err) {
			return nil, false, err
		}
		damage := Damage{Label: s.Label, Key: x.Key(), Err: err}
		if _, err := v.d.rebuildIndex(ctx, m); err != nil {
			if !isDamage(err) {
				return nil, false, err
			}
			v.add(damage)
			return nil, false, v.unlisted(ctx, s)
		}
		v.report(damage)
	}
	own, err := remote.OpenShelf(ctx, v.d.bucket, v.d.shelf(""), list)
	return own, err == nil, err
}

// unlisted reads all packs of a set whose index cannot be made again: that of
// which the footer is damaged is why.
func (v *verifier) unlisted(ctx context.Context, s Set) error {
	for info, err := range v.d.bucket.List(ctx, s.Label.folder()) {
		if err != nil {
			return v.d.failed(s.Label.folder(), err)
		}
		id, err := objects.ParseID(strings.TrimSuffix(strings.TrimPrefix(info.Key, s.Label.folder()), packSuffix))
		if err != nil || remote.PackKey(s.Label.folder(), id) != info.Key {
			continue
		}
		from := &object{ctx: ctx, bucket: v.d.bucket, key: info.Key, size: info.Size}
		_, err = pack.Verify(ctx, from, from.size, id)
		if err != nil && !isDamage(err) {
			return v.d.failed(info.Key, err)
		}
		if err != nil {
			v.add(Damage{Label: s.Label, Key: info.Key, Pack: id, Err: v.d.failed(info.Key, err)})
		}
	}
	return nil
}

// packs checks that packs and parity are there, and reads some, or none of a
// trusted set. It returns the damaged packs.
func (v *verifier) packs(ctx context.Context, s Set, m Manifest, own *remote.Shelf, trusted bool) (map[objects.ID]error, error) {
	sizes := make(map[string]int64)
	for info, err := range v.d.bucket.List(ctx, s.Label.folder()) {
		if err != nil {
			return nil, v.d.failed(s.Label.folder(), err)
		}
		sizes[info.Key] = info.Size
	}
	damaged := make(map[objects.ID]error)
	var there []remote.PackInfo
	for _, p := range own.Packs() {
		key := remote.PackKey(s.Label.folder(), p.ID)
		if err := checkSize(sizes, key, p.Size); err != nil {
			damaged[p.ID] = v.d.failed(key, err)
		} else {
			there = append(there, p)
		}
		parity := s.Label.parityKey(p.ID)
		if _, ok := sizes[parity]; m.Parity != "" && !ok {
			v.report(Damage{Label: s.Label, Key: parity, Err: v.d.failed(parity, bucket.ErrNotExist)})
		}
	}
	if trusted {
		return damaged, nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.opt.Workers)
	for _, p := range v.sample(there) {
		g.Go(func() error {
			err := own.Check(ctx, p.ID)
			if err == nil && m.Parity != "" {
				err = v.parity(ctx, s, p)
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.done.Packs++
			v.done.Bytes += p.Size
			if err != nil && isDamage(err) {
				damaged[p.ID], err = err, nil
			}
			return err
		})
	}
	return damaged, g.Wait()
}

// parity checks the parity of a sound pack; what is wrong with it is damage of
// its own.
func (v *verifier) parity(ctx context.Context, s Set, p remote.PackInfo) error {
	if v.d.opt.CheckParity == nil {
		return nil
	}
	key := s.Label.parityKey(p.ID)
	data, err := readAll(ctx, v.d.raw, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil // it was reported
	}
	var stored *object
	if err == nil {
		stored, err = openObject(ctx, v.d.raw, remote.PackKey(s.Label.folder(), p.ID))
	}
	if err != nil {
		return v.d.failed(key, err)
	}
	if err := v.d.opt.CheckParity(ctx, data, stored, stored.size); err != nil {
		if !isDamage(err) {
			return v.d.failed(key, err)
		}
		v.report(Damage{Label: s.Label, Key: key, Err: v.d.failed(key, err)})
	}
	return nil
}

// sample chooses the packs to read.
func (v *verifier) sample(packs []remote.PackInfo) []remote.PackInfo {
	if v.opt.Percent <= 0 || v.opt.Percent >= 100 {
		return packs
	}
	v.rnd.Shuffle(len(packs), func(i, k int) { packs[i], packs[k] = packs[k], packs[i] })
	return packs[:min(len(packs), max(1, (len(packs)*v.opt.Percent+99)/100))]
}
