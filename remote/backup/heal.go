package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Healed says what Heal did.
type Healed struct {
	From  string // what it was made of
	Bytes int64
}

// Heal puts right what Verify found damaged or missing and the destination has
// twice or can make again: the list, its note, manifests, their copies, and indexes. ok says
// whether it was one of these. What an object is made of stays as it is, so
// that an interrupted Heal is done again.
func (d *Destination) Heal(ctx context.Context, damage Damage) (h Healed, ok bool, err error) {
	if damage.Key == listKey || damage.Key == listCopyKey {
		h.From = "the copy of the list, and the manifests"
		if damage.Key == listCopyKey {
			h.From = "the list"
		}
		h.Bytes, err = d.healList(ctx)
		return h, true, err
	}
	if damage.Key == noteKey {
		h.From = "the list"
		err = d.healNote(ctx)
		return h, true, err
	}
	s, found := d.List().Find(damage.Label)
	if !found {
		return h, false, nil
	}
	main, again := s.Label.manifestKey(s.Manifest), s.Label.copyKey(s.Manifest)
	switch damage.Key {
	case main:
		h.From = "its copy"
		h.Bytes, err = d.healManifest(ctx, s, again, main)
		return h, true, err
	case again:
		h.From = "the manifest"
		h.Bytes, err = d.healManifest(ctx, s, main, again)
		return h, true, err
	}
	m, err := d.manifest(ctx, s.Label, s.Manifest)
	if err != nil {
		return h, false, err
	}
	if x, has := m.index(); has && x.Key() == damage.Key {
		h.From = "its packs"
		h.Bytes, err = x.Size, d.healIndex(ctx, m, damage.Key)
		return h, true, err
	}
	return h, false, nil
}

// healList writes the list and its copy anew.
func (d *Destination) healList(ctx context.Context) (int64, error) {
	data, err := EncodeList(d.List())
	if err != nil {
		return 0, err
	}
	if d.Recovered() != nil {
		return int64(len(data)), d.Update(ctx, func(*List) error { return nil })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(data)), d.write(ctx, listCopyKey, data)
}

// healNote writes the note anew.
func (d *Destination) healNote(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writeNote(ctx, d.list)
}

// healManifest makes one of the two manifests like the other.
func (d *Destination) healManifest(ctx context.Context, s Set, from, to string) (int64, error) {
	_, data, err := d.readManifestAt(ctx, from, s.Label, s.Manifest)
	if err != nil {
		return 0, err
	}
	return int64(len(data)), d.replace(ctx, to, bytes.NewReader(data), int64(len(data)))
}

// healIndex makes an index anew.
func (d *Destination) healIndex(ctx context.Context, m Manifest, key string) error {
	name, err := d.rebuildIndex(ctx, m)
	if err != nil {
		return err
	}
	f, err := d.opt.FS.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.replace(ctx, key, f, m.Index.Size), f.Close())
}

// replace puts an object in the place of another, or of none. Interrupted, there is
// none.
func (d *Destination) replace(ctx context.Context, key string, r io.ReaderAt, size int64) error {
	if err := d.bucket.Delete(ctx, key); err != nil {
		return d.failed(key, err)
	}
	return d.failed(key, d.bucket.PutIfAbsent(ctx, key, r, size))
}
