package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote"
)

const (
	manifestVersion = 1
	manifestContext = "mlvc 2026-11-26 backup manifest v1"
	maxManifest     = 1 << 20
)

// Manifest says what a set is, and by hashes all that it is made of: its index
// names its packs, and its chain the manifests of the sets before it.
type Manifest struct {
	Version    int                `cbor:"version"`
	Label      Label              `cbor:"label"`
	Repository string             `cbor:"repository"`
	Kind       objects.CommitKind `cbor:"kind"`
	Chain      []Link             `cbor:"chain,omitempty"` // the full first; empty for a full
	Commit     objects.ID         `cbor:"commit"`
	Tree       objects.ID         `cbor:"tree"`
	Files      int64              `cbor:"files,omitempty"`   // entries of the tree
	Content    int64              `cbor:"content,omitempty"` // bytes of the files
	// Operation is the current one of the repository when the set was made:
	// it names the view and all earlier operations. Zero if there was none.
	Operation objects.ID `cbor:"operation,omitzero"`
	TipOnly   bool       `cbor:"tip_only,omitempty"` // without the contents of earlier commits
	Parity    string     `cbor:"parity,omitempty"`   // as in "10+1"; each pack has a parity object
	// Index is that of the set's packs; nil if the chain had everything.
	Index *IndexRef `cbor:"index,omitempty"`
	Tip   Count     `cbor:"tip"`  // packs with contents of the commit itself
	Rest  Count     `cbor:"rest"` // those with contents of other commits, and with metadata
}

// Link is a set of the chain.
type Link struct {
	Label    Label      `cbor:"label"`
	Manifest objects.ID `cbor:"manifest"`
}

// IndexRef names the index segment of a set.
type IndexRef struct {
	ID      objects.ID `cbor:"id"`
	Size    int64      `cbor:"size"` // bytes
	Records int64      `cbor:"records"`
}

// Count sums up packs.
type Count struct {
	Objects int64 `cbor:"objects,omitempty"`
	Packs   int64 `cbor:"packs,omitempty"`
	Bytes   int64 `cbor:"bytes,omitempty"`
}

func counted(c remote.Copied) Count { return Count{c.Objects, c.Packs, c.Bytes} }

// Base returns the set that it adds to; empty for a full.
func (m Manifest) Base() Label {
	if len(m.Chain) == 0 {
		return ""
	}
	return m.Chain[len(m.Chain)-1].Label
}

// index returns where the set's index lies; not ok if it has none.
func (m Manifest) index() (remote.Index, bool) {
	if m.Index == nil {
		return remote.Index{}, false
	}
	return remote.Index{Folder: m.Label.folder(), ID: m.Index.ID, Size: m.Index.Size, Records: m.Index.Records}, true
}

// EncodeManifest returns the canonical encoding, and its ID. It fails for one
// that DecodeManifest would refuse.
func EncodeManifest(m Manifest) ([]byte, objects.ID, error) {
	if err := m.check(); err != nil {
		return nil, objects.ID{}, err
	}
	data, err := objects.MarshalRecord(m, nil)
	if err == nil && len(data) > maxManifest {
		err = fmt.Errorf("%d bytes", len(data))
	}
	if err != nil {
		return nil, objects.ID{}, fmt.Errorf("encode the manifest of %s: %w", m.Label, err)
	}
	return data, objects.Derive(manifestContext, data), nil
}

// DecodeManifest reads exactly what EncodeManifest writes; its ID is id. It
// fails with objects.ErrNewer for a later version, else with objects.ErrCorrupt.
func DecodeManifest(data []byte, id objects.ID) (Manifest, error) {
	if len(data) > maxManifest || objects.Derive(manifestContext, data) != id {
		return Manifest{}, corrupt("it is not what its name says")
	}
	var m Manifest
	err := objects.DecodeRecord(data, manifestVersion, &m, func() ([]byte, error) {
		again, _, err := EncodeManifest(m)
		return again, err
	})
	if err != nil {
		return Manifest{}, err
	}
	return m, nil
}

func (m Manifest) check() error {
	if _, err := ParseLabel(string(m.Label)); err != nil {
		return corrupt("%v", err)
	}
	if err := checkBase(m.Label, m.Base()); err != nil {
		return err
	}
	switch {
	case m.Version != manifestVersion:
		return corrupt("version %d", m.Version)
	case !validRepository(m.Repository) || m.Kind != m.Label.Kind() || m.Commit.IsZero() || m.Tree.IsZero():
		return corrupt("repository, kind or commit")
	case m.Files < 0 || m.Content < 0 || len(m.Parity) > 16 || !m.Tip.valid() || !m.Rest.valid():
		return corrupt("counts")
	case m.Index != nil && (m.Index.ID.IsZero() || m.Index.Size <= 0 || m.Index.Records <= 0):
		return corrupt("index")
	}
	var base Label
	for _, l := range m.Chain {
		if _, err := ParseLabel(string(l.Label)); err != nil || l.Manifest.IsZero() {
			return corrupt("chain")
		}
		if err := checkBase(l.Label, base); err != nil {
			return err
		}
		base = l.Label
	}
	return nil
}

func (c Count) valid() bool { return c.Objects >= 0 && c.Packs >= 0 && c.Bytes >= 0 }

// manifest reads the manifest of a set, from the cache if it is there: that is
// what a machine goes by which may write to an encrypted destination and not
// read from it.
func (d *Destination) manifest(ctx context.Context, label Label, id objects.ID) (Manifest, error) {
	if data, err := vfs.ReadFile(d.opt.FS, d.manifestFile(id)); err == nil {
		if m, err := DecodeManifest(data, id); err == nil && m.Label == label {
			return m, nil
		}
	}
	m, data, err := d.readManifest(ctx, label, id)
	if err != nil {
		return Manifest{}, err
	}
	d.keepManifest(id, data)
	return m, nil
}

// readManifest reads it from the destination, and where it is damaged or lost
// its copy.
func (d *Destination) readManifest(ctx context.Context, label Label, id objects.ID) (Manifest, []byte, error) {
	m, data, err := d.readManifestAt(ctx, label.manifestKey(id), label, id)
	if err != nil && isDamage(err) {
		if m, data, cerr := d.readManifestAt(ctx, label.copyKey(id), label, id); cerr == nil {
			return m, data, nil
		}
	}
	return m, data, err
}

// readManifestAt reads one of the two.
func (d *Destination) readManifestAt(ctx context.Context, key string, label Label, id objects.ID) (Manifest, []byte, error) {
	r, err := d.bucket.GetRange(ctx, key, 0, -1)
	if err != nil {
		return Manifest{}, nil, d.failed(key, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return Manifest{}, nil, d.failed(key, err)
	}
	m, err := DecodeManifest(data, id)
	if err == nil && m.Label != label {
		err = corrupt("it is the manifest of %s", m.Label)
	}
	return m, data, d.failed(key, err)
}

func (d *Destination) manifestFile(id objects.ID) string {
	return filepath.Join(d.opt.Cache, "manifests", id.String()+recordSuffix)
}

// keepManifest puts a manifest into the cache; that it fails does not matter.
func (d *Destination) keepManifest(id objects.ID, data []byte) {
	name := d.manifestFile(id)
	if vfs.MkdirAll(d.opt.FS, filepath.Dir(name), 0o777) == nil {
		vfs.WriteFile(d.opt.FS, name, data, 0o666) //nolint:errcheck // see above
	}
}
