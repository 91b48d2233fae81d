package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/bucket"
)

const (
	// sweepAfter is how long a folder that the list does not name is left
	// alone after the last write into it: its set may be under way.
	sweepAfter = 24 * time.Hour
	// resumeWithin is the time after the last write within which a set is gone on
	// with: well before anybody may begin to sweep it.
	resumeWithin = 20 * time.Hour
	planContext  = "mlvc 2026-11-26 backup plan v1"
	maxClaims    = 1000
)

// folder is the objects of one set.
type folder struct {
	keys     []string
	modified time.Time // of the newest
}

// hasManifest reports whether all of the set was written once.
func (f *folder) hasManifest() bool {
	return slices.ContainsFunc(f.keys, func(key string) bool {
		return strings.HasSuffix(key, recordSuffix) || strings.HasSuffix(key, copySuffix)
	})
}

// claim returns the label of the set that is about to be made. It is that of an
// interrupted try of the same set, or one that nobody has: of several who claim it at
// once one gets it.
func (d *Destination) claim(ctx context.Context, c choice, opt CreateOptions) (label Label, resumed bool, err error) {
	plan := planName(c, opt)
	list := d.List()
	folders, err := d.folders(ctx)
	if err != nil {
		return "", false, err
	}
	for l, f := range folders {
		if _, listed := list.Find(l); listed || l.Kind() != c.kind || c.base() != "" && l.Full() != c.base().Full() {
			continue
		}
		for _, key := range f.keys {
			if key == l.folder()+plan && d.opt.Now().Sub(f.modified) < resumeWithin && l > label {
				label = l
			}
		}
	}
	if label != "" {
		return label, true, nil
	}
	label, err = d.newLabel(ctx, c, list)
	if err == nil {
		err = d.put(ctx, label.folder()+plan, []byte(label))
	}
	return label, false, err
}

// planName says by a hash what is made, so that it shows without being read.
func planName(c choice, opt CreateOptions) string {
	parts := []string{opt.Repository, string(c.kind), string(c.base()), opt.Scheme, fmt.Sprint(opt.TipOnly)}
	if c.base() != "" {
		parts = append(parts, c.sets[len(c.sets)-1].Manifest.String())
	}
	return objects.Derive(planContext, opt.Commit[:], []byte(strings.Join(parts, " "))).String() + planSuffix
}

// newLabel claims a label that no set has or had.
func (d *Destination) newLabel(ctx context.Context, c choice, list List) (Label, error) {
	t := d.opt.Now().UTC().Truncate(time.Second)
	if base := c.base(); base != "" && !t.After(base.Time()) {
		t = base.Time().Add(time.Second) // clocks disagree; the order of the chain counts
	}
	for range maxClaims {
		label := newLabel(c.base(), c.kind, t)
		t = t.Add(time.Second)
		if slices.ContainsFunc(list.Sets, func(s Set) bool { return s.Label.Time().Equal(label.Time()) }) {
			continue // the newest is told by its time
		}
		key := label.folder() + claimName
		err := d.bucket.PutIfAbsent(ctx, key, strings.NewReader(string(label)), int64(len(label)))
		if err == nil {
			return label, nil
		}
		if !errors.Is(err, bucket.ErrExist) {
			return "", d.failed(key, err)
		}
	}
	return "", d.failed(setsPrefix, errors.New("no free label"))
}

// unclaim removes what only a set under way needs. That it fails does not
// matter: Sweep does it later.
func (d *Destination) unclaim(ctx context.Context, label Label) {
	for info, err := range d.bucket.List(ctx, label.folder()) {
		if err != nil {
			return
		}
		if isClaim(info.Key) {
			d.bucket.Delete(ctx, info.Key) //nolint:errcheck // see above
		}
	}
}

func isClaim(key string) bool {
	return strings.HasSuffix(key, "/"+claimName) || strings.HasSuffix(key, planSuffix)
}

// folders lists what lies at the destination, by set.
func (d *Destination) folders(ctx context.Context) (map[Label]*folder, error) {
	all := make(map[Label]*folder)
	for info, err := range d.bucket.List(ctx, setsPrefix) {
		if err != nil {
			return nil, d.failed(setsPrefix, err)
		}
		label, ok := LabelOf(info.Key)
		if !ok {
			continue // not ours
		}
		f := all[label]
		if f == nil {
			f = new(folder)
			all[label] = f
		}
		f.keys = append(f.keys, info.Key)
		if info.Modified.After(f.modified) {
			f.modified = info.Modified
		}
	}
	return all, nil
}

// Swept says what Sweep removed.
type Swept struct {
	Labels  []Label `json:"labels"`  // folders of sets that were never finished, or expired
	Objects int     `json:"objects"` // of these, and those that finished sets do not need
}

// Sweep removes what interrupted runs have left, once nobody has written into
// its folder for a day. Where the list was made again a folder that has a manifest
// stays: Adopt may bring its set back.
func (d *Destination) Sweep(ctx context.Context) (Swept, error) {
	var done Swept
	folders, err := d.folders(ctx) // before the list: what is entered meanwhile is in it
	if err != nil {
		return done, err
	}
	list, err := d.Reload(ctx)
	if err != nil {
		return done, err
	}
	for _, label := range slices.Sorted(maps.Keys(folders)) {
		f := folders[label]
		if d.opt.Now().Sub(f.modified) < sweepAfter {
			continue
		}
		needed := func(string) bool { return false }
		if set, ok := list.Find(label); ok {
			if needed, err = d.needs(ctx, set); err != nil {
				continue // a damaged or unreadable set is left as it is
			}
		} else if list.overlooked(label) && f.hasManifest() {
			continue
		} else {
			done.Labels = append(done.Labels, label)
		}
		for _, key := range deletionOrder(f.keys) {
			if needed(key) {
				continue
			}
			if err := d.bucket.Delete(ctx, key); err != nil {
				return done, d.failed(key, err)
			}
			done.Objects++
		}
	}
	return done, nil
}

// needs returns which objects of its folder a listed set needs.
func (d *Destination) needs(ctx context.Context, set Set) (func(key string) bool, error) {
	m, err := d.manifest(ctx, set.Label, set.Manifest)
	if err != nil {
		return nil, err
	}
	want := map[string]bool{set.Label.manifestKey(set.Manifest): true, set.Label.copyKey(set.Manifest): true}
	if x, ok := m.index(); ok {
		want[x.Key()] = true
	}
	shelf, err := d.openShelf(ctx, []Manifest{m}, "")
	if err != nil {
		return nil, err
	}
	defer shelf.Close() //nolint:errcheck // it was only read
	for _, p := range shelf.Packs() {
		want[remote.PackKey(m.Label.folder(), p.ID)] = true
		want[m.Label.parityKey(p.ID)] = true
	}
	// What a repair has left beside an object may be all that is sound of it.
	return func(key string) bool { return want[strings.TrimSuffix(key, healedSuffix)] }, nil
}
