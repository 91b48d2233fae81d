package backup

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
)

// listCopyKey is where the list lies a second time.
const listCopyKey = "backup.copy"

// writeCopy makes the copy of the list what the list is about to be; d.mu is
// held. That somebody else was first is as good: what the copy lacks shows in
// the manifests.
func (d *Destination) writeCopy(ctx context.Context, data []byte) error {
	_, version, err := d.raw.Get(ctx, listCopyKey)
	if errors.Is(err, bucket.ErrTooLarge) { // it is damaged, and cannot be swapped
		if err = d.raw.Delete(ctx, listCopyKey); err == nil {
			err = bucket.ErrNotExist
		}
	}
	if err == nil || errors.Is(err, bucket.ErrNotExist) {
		_, err = d.raw.Swap(ctx, listCopyKey, version, data)
	}
	if errors.Is(err, bucket.ErrMoved) {
		return nil
	}
	return d.failed(listCopyKey, err)
}

// readCopy reads the copy of the list.
func (d *Destination) readCopy(ctx context.Context) (List, error) {
	data, _, err := d.raw.Get(ctx, listCopyKey)
	if errors.Is(err, bucket.ErrTooLarge) {
		err = corrupt("%v", err)
	}
	if err != nil {
		return List{}, d.failed(listCopyKey, err)
	}
	list, err := DecodeList(data)
	return list, d.failed(listCopyKey, err)
}

// readWithout is read for a list that is damaged, as cause says, or lost: then
// a copy tells it from one that was never written. d.mu is held.
func (d *Destination) readWithout(ctx context.Context, cause error, version bucket.Version) error {
	known, err := d.readCopy(ctx)
	lost := errors.Is(cause, bucket.ErrNotExist)
	switch {
	case lost && errors.Is(err, bucket.ErrNotExist):
		d.list, d.version, d.recovered = List{}, "", nil
		return nil
	case err != nil && !isDamage(err):
		return err
	}
	list, err := d.recover(ctx, known)
	if err != nil {
		return errors.Join(d.failed(listKey, cause), err)
	}
	if list.Repository == "" {
		return d.failed(listKey, cause)
	}
	if err := d.take(list, version, nil); err != nil {
		return err
	}
	d.recovered = d.failed(listKey, cause)
	return nil
}

// Recover makes the list again of the manifests, where it and its copy are lost.
// It does nothing where there is a list. Without any manifest that can be read
// the list stays empty. Of an encrypted destination the copy is needed: it says how
// the manifests are encrypted.
func (d *Destination) Recover(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.read(ctx); err != nil || d.list.Repository != "" {
		return err
	}
	list, err := d.recover(ctx, List{})
	if err != nil || list.Repository == "" {
		return err
	}
	data, err := EncodeList(list)
	if err == nil {
		err = d.writeCopy(ctx, data)
	}
	if err != nil {
		return err
	}
	version, err := d.raw.Swap(ctx, listKey, "", data)
	if err != nil {
		return d.failed(listKey, err)
	}
	d.list, d.version = list, version
	return nil
}

// recovery makes a list of what lies at a destination.
type recovery struct {
	at      *Destination // through what opens the manifests
	known   List
	there   map[Label]map[objects.ID]time.Time // the manifests of each set, or their copies
	parity  map[Label]int64
	read    map[objects.ID]readManifest
	linked  map[Label]objects.ID // what a set that is based on one says of it
	entries map[Label]Set
}

type readManifest struct {
	Manifest
	bytes int64
}

// recover makes a list:
//
//  1. What the copy says of sets whose manifest or its copy is there.
//  2. Sets that it does not know, by their manifests: a manifest is written
//     when all that it names is there. Of several of one set that counts which
//     another set is based on, else the newest.
//  3. A set whose chain is not in the list is left out.
func (d *Destination) recover(ctx context.Context, known List) (List, error) {
	b, err := d.wrapped(known.Crypt)
	if err != nil {
		return List{}, err
	}
	r := &recovery{
		at: &Destination{raw: d.raw, bucket: b, opt: d.opt}, known: known, there: make(map[Label]map[objects.ID]time.Time),
		parity: make(map[Label]int64), read: make(map[objects.ID]readManifest), linked: make(map[Label]objects.ID), entries: make(map[Label]Set),
	}
	if err := r.look(ctx); err != nil {
		return List{}, err
	}
	if err := r.readUnknown(ctx); err != nil {
		return List{}, err
	}
	return r.list(), nil
}

// look lists what is there.
func (r *recovery) look(ctx context.Context) error {
	for info, err := range r.at.bucket.List(ctx, setsPrefix) {
		if err != nil {
			return r.at.failed(setsPrefix, err)
		}
		label, ok := folderLabel(info.Key)
		if !ok {
			continue
		}
		name := strings.TrimPrefix(info.Key, label.folder())
		if strings.HasSuffix(name, paritySuffix) {
			r.parity[label] += info.Size
		}
		word := strings.TrimSuffix(strings.TrimSuffix(name, recordSuffix), copySuffix)
		if id, err := objects.ParseID(word); err == nil && word != name {
			if r.there[label] == nil {
				r.there[label] = make(map[objects.ID]time.Time)
			}
			r.there[label][id] = info.Modified
		}
	}
	return nil
}

// readUnknown reads the manifests of sets that the copy does not have. One that
// cannot be read, or is of another repository, is passed by.
func (r *recovery) readUnknown(ctx context.Context) error {
	for _, s := range r.known.Sets {
		if _, ok := r.there[s.Label][s.Manifest]; ok {
			r.entries[s.Label] = s
		}
	}
	for label, ids := range r.there {
		if _, ok := r.entries[label]; ok {
			continue
		}
		for id := range ids {
			m, data, err := r.at.readManifest(ctx, label, id)
			keyless := err != nil && r.at.opt.NoKey != nil && r.at.opt.NoKey(err)
			if err != nil && !keyless && !isDamage(err) {
				return err
			}
			if err != nil || r.known.Repository != "" && m.Repository != r.known.Repository {
				continue
			}
			r.read[id] = readManifest{m, int64(len(data))}
			for _, l := range m.Chain {
				r.linked[l.Label] = l.Manifest
			}
		}
	}
	return nil
}

// list makes the list.
func (r *recovery) list() List {
	list := List{Version: listVersion, Repository: r.known.Repository, Crypt: r.known.Crypt}
	for _, label := range slices.SortedFunc(maps.Keys(r.there), func(a, b Label) int { return compareSets(Set{Label: a}, Set{Label: b}) }) {
		s, ok := r.entries[label]
		if !ok {
			s, ok = r.entry(label, list.Repository)
		}
		if base, found := list.Find(s.Base); !ok || s.Base != "" && (!found || !r.fits(s, base)) {
			continue
		}
		if list.Repository == "" {
			list.Repository = r.read[s.Manifest].Repository
		}
		list.Sets = append(list.Sets, s)
	}
	if list.Repository == "" {
		return List{}
	}
	return list
}

// fits reports whether a set that was read is based on one of the list.
func (r *recovery) fits(s, base Set) bool {
	m, ok := r.read[s.Manifest]
	return !ok || m.Chain[len(m.Chain)-1] == Link{base.Label, base.Manifest}
}

// entry makes what the list says of a set that was read.
func (r *recovery) entry(label Label, repository string) (Set, bool) {
	var best objects.ID
	for _, id := range slices.SortedFunc(maps.Keys(r.there[label]), func(a, b objects.ID) int {
		return cmp.Or(r.there[label][a].Compare(r.there[label][b]), compareIDs(a, b))
	}) {
		m, ok := r.read[id]
		if ok && (repository == "" || m.Repository == repository) && (best.IsZero() || r.linked[label] != best) {
			best = id
		}
	}
	m, ok := r.read[best]
	s := Set{Label: label, Base: m.Base(), Manifest: best, Commit: m.Commit, Bytes: m.Tip.Bytes + m.Rest.Bytes + 2*m.bytes + r.parity[label]}
	if m.Index != nil {
		s.Bytes += m.Index.Size
	}
	return s, ok
}
