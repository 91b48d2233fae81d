package backup

import (
	"bytes"
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

const (
	// listCopyKey is where the list lies a second time.
	listCopyKey = "backup.copy"
	// noteKey is where an encrypted destination has a list without sets, beside
	// the keys: so much of it cannot be made again.
	noteKey = "keys/backup"
)

// writeBeside writes what is beside the list, which is about to be next; d.mu is
// held. noted is what the note says about encryption as far as is known.
func (d *Destination) writeBeside(ctx context.Context, next List, data, noted []byte) error {
	if err := d.write(ctx, listCopyKey, data); err != nil {
		return err
	}
	switch plain := len(next.Crypt) == 0; {
	case bytes.Equal(noted, next.Crypt) && (plain || d.recovered == nil):
		return nil
	case plain:
		return d.failed(noteKey, d.raw.Delete(ctx, noteKey))
	}
	return d.writeNote(ctx, next)
}

// restoreBeside makes what is beside the list that of the list again, where a try
// before wrote there what did not come about: else a destination that two began at
// once would say beside its list how the other one is encrypted. d.mu is held.
func (d *Destination) restoreBeside(ctx context.Context, tries int, noted []byte) error {
	if tries == 0 || d.version == "" || d.recovered != nil {
		return nil
	}
	data, err := EncodeList(d.list)
	if err != nil {
		return err
	}
	return d.writeBeside(ctx, d.list, data, noted)
}

// writeNote writes the note; d.mu is held.
func (d *Destination) writeNote(ctx context.Context, list List) error {
	data, err := EncodeList(List{Version: listVersion, Repository: list.Repository, Crypt: list.Crypt})
	if err != nil {
		return err
	}
	return d.write(ctx, noteKey, data)
}

// write gives an object beside the list other bytes; d.mu is held. That somebody
// else was first is as good: what the copy lacks shows in the manifests.
func (d *Destination) write(ctx context.Context, key string, data []byte) error {
	_, version, err := d.raw.Get(ctx, key)
	if errors.Is(err, bucket.ErrTooLarge) { // it is damaged, and cannot be swapped
		if err = d.raw.Delete(ctx, key); err == nil {
			err = bucket.ErrNotExist
		}
	}
	if err == nil || errors.Is(err, bucket.ErrNotExist) {
		_, err = d.raw.Swap(ctx, key, version, data)
	}
	if errors.Is(err, bucket.ErrMoved) {
		return nil
	}
	return d.failed(key, err)
}

// readNote reads the note.
func (d *Destination) readNote(ctx context.Context) (List, error) {
	list, err := d.readList(ctx, noteKey)
	if err == nil && (len(list.Sets) > 0 || len(list.Crypt) == 0) {
		err = d.failed(noteKey, corrupt("it is not a note"))
	}
	return list, err
}

// readList reads the copy of the list, or the note.
func (d *Destination) readList(ctx context.Context, key string) (List, error) {
	data, _, err := d.raw.Get(ctx, key)
	if errors.Is(err, bucket.ErrTooLarge) {
		err = corrupt("%v", err)
	}
	if err != nil {
		return List{}, d.failed(key, err)
	}
	list, err := DecodeList(data)
	return list, d.failed(key, err)
}

// readWithout is read for a list that is damaged, as cause says, or lost: then
// a copy, or a note, tells it from one that was never written. d.mu is held.
func (d *Destination) readWithout(ctx context.Context, cause error, version bucket.Version) error {
	known, err := d.readList(ctx, listCopyKey)
	if err != nil && isDamage(err) {
		switch note, nerr := d.readNote(ctx); {
		case nerr == nil:
			known, err = note, nil
		case !isDamage(nerr):
			return nerr
		}
	}
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
// the list stays empty. Of an encrypted destination the copy or the note is needed,
// of which Open makes it: they say how the manifests are encrypted.
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
	list.Rebuilt = d.opt.Now().Unix()
	data, err := EncodeList(list)
	if err == nil {
		err = d.write(ctx, listCopyKey, data)
	}
	if err != nil {
		return err
	}
	return d.swap(ctx, list, data)
}

// Adopt puts sets back into a list that was made again: those whose manifests could
// not be read at that time, and can be now, with their chains. It returns them.
func (d *Destination) Adopt(ctx context.Context) ([]Set, error) {
	list, err := d.Reload(ctx)
	if err != nil || list.Rebuilt == 0 {
		return nil, err
	}
	found, err := d.recover(ctx, list)
	if err != nil {
		return nil, err
	}
	var adopted []Set
	err = d.Update(ctx, func(l *List) error {
		adopted = adopted[:0]
		for _, s := range found.Sets {
			if _, listed := l.Find(s.Label); listed || !l.overlooked(s.Label) {
				continue
			}
			if base, ok := l.Find(s.Base); s.Base != "" && (!ok || !hasSet(found.Sets, base)) {
				continue
			}
			l.add(s)
			adopted = append(adopted, s)
		}
		return nil
	})
	return adopted, err
}

// hasSet reports whether sets have that one, of the same manifest.
func hasSet(sets []Set, s Set) bool {
	return slices.ContainsFunc(sets, func(o Set) bool { return o.Label == s.Label && o.Manifest == s.Manifest })
}

// overlooked reports whether a set may have been left out when the list was made
// again: one of before.
func (l List) overlooked(label Label) bool { return label.Time().Unix() <= l.Rebuilt }

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
		label, ok := LabelOf(info.Key)
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
			if err != nil && !keyless && !isDamage(err) || keyless && len(r.known.Sets) == 0 {
				return err // without the key it would be a list without any of the sets
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
	list := List{Version: listVersion, Repository: r.known.Repository, Crypt: r.known.Crypt, Rebuilt: r.known.Rebuilt}
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
