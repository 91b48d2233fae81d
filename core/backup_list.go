package core

import (
	"context"
	"path/filepath"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
)

// BackupCheck is what a verification or a drill of a set found.
type BackupCheck struct {
	Time    time.Time `json:"time"`
	OK      bool      `json:"ok"`
	Percent int       `json:"percent"` // of the packs, or the files, that were read
}

// BackupSet is one set of a destination.
type BackupSet struct {
	Label  string             `json:"label"`
	Base   string             `json:"base,omitempty"` // the set that it adds to
	Full   string             `json:"full"`           // the one that its chain begins with
	Kind   objects.CommitKind `json:"kind"`
	Commit objects.ID         `json:"commit"`
	Time   time.Time          `json:"time"`  // when it was begun
	Bytes  int64              `json:"bytes"` // that it added to the destination
	// Restore is how much a restore of all of it may read, Sets from how many
	// sets.
	Restore  int64        `json:"restore_bytes"`
	Sets     int          `json:"restore_sets"`
	Expiring *time.Time   `json:"expiring,omitempty"` // since when it is marked to go
	Verified *BackupCheck `json:"verified,omitempty"`
	Drilled  *BackupCheck `json:"drilled,omitempty"`
}

// newBackupSet describes a set of a list.
func newBackupSet(list backup.List, s backup.Set) BackupSet {
	set := describeSet(s)
	for _, c := range list.Chain(s.Label) {
		set.Restore += c.Bytes
		set.Sets++
	}
	return set
}

// describeSet says all of a set but what its chain comes to.
func describeSet(s backup.Set) BackupSet {
	set := BackupSet{
		Label: string(s.Label), Base: string(s.Base), Full: string(s.Label.Full()), Kind: s.Kind(),
		Commit: s.Commit, Time: s.Label.Time(), Bytes: s.Bytes,
		Verified: newBackupCheck(s.Verified), Drilled: newBackupCheck(s.Drilled),
	}
	if s.Expiring != 0 {
		since := time.Unix(s.Expiring, 0).UTC()
		set.Expiring = &since
	}
	return set
}

func newBackupCheck(c *backup.Check) *BackupCheck {
	if c == nil {
		return nil
	}
	return &BackupCheck{Time: c.Time().UTC(), OK: c.OK, Percent: c.Percent}
}

// List returns the sets, each after its base, the oldest full first.
func (b *Backups) List() []BackupSet {
	all := make(map[backup.Label]BackupSet)      // of each set
	chains := make(map[backup.Label][]BackupSet) // of each full, what stands on it
	var fulls []backup.Label
	for _, s := range b.dest.List().Sets { // a base comes before what is based on it
		set := describeSet(s)
		base := all[s.Base]
		set.Restore, set.Sets = base.Restore+s.Bytes, base.Sets+1
		all[s.Label] = set
		full := s.Label.Full()
		if s.Base == "" {
			fulls = append(fulls, full)
		}
		chains[full] = append(chains[full], set)
	}
	sets := []BackupSet{}
	for _, full := range fulls {
		sets = append(sets, chains[full]...)
	}
	return sets
}

// BackupDetail is all that a set says of itself.
type BackupDetail struct {
	BackupSet
	URL        string     `json:"url"`
	Repository string     `json:"repository"`
	Chain      []string   `json:"chain"` // the full first, the set itself last
	Dependents []string   `json:"dependents"`
	Tree       objects.ID `json:"tree"`
	Files      int64      `json:"files"`
	Content    int64      `json:"content_bytes"`
	Operation  objects.ID `json:"operation,omitzero"`
	TipOnly    bool       `json:"tip_only,omitempty"`
	Parity     string     `json:"parity,omitempty"`
	// Tip is what holds contents of the commit itself, Rest those of other
	// commits, and metadata.
	Tip  BackupCount `json:"tip"`
	Rest BackupCount `json:"rest"`
}

// BackupCount sums up packs.
type BackupCount struct {
	Objects int64 `json:"objects"`
	Packs   int64 `json:"packs"`
	Bytes   int64 `json:"bytes"`
}

// Show reads what a set says of itself.
func (b *Backups) Show(ctx context.Context, label string) (BackupDetail, error) {
	s, err := b.set(label)
	if err != nil {
		return BackupDetail{}, err
	}
	m, err := b.dest.Manifest(ctx, s.Label)
	if err != nil {
		return BackupDetail{}, b.damaged(err)
	}
	list := b.dest.List()
	d := BackupDetail{
		BackupSet: newBackupSet(list, s), URL: b.url, Repository: m.Repository, Chain: []string{}, Dependents: []string{},
		Tree: m.Tree, Files: m.Files, Content: m.Content, Operation: m.Operation, TipOnly: m.TipOnly, Parity: m.Parity,
		Tip: BackupCount(m.Tip), Rest: BackupCount(m.Rest),
	}
	for _, c := range list.Chain(s.Label) {
		d.Chain = append(d.Chain, string(c.Label))
	}
	for _, c := range list.Dependents(s.Label) {
		d.Dependents = append(d.Dependents, string(c.Label))
	}
	return d, nil
}

// seen reports whether the place had sets when it was seen from here before.
func (b *Backups) seen() bool {
	if b.memory.Newest != "" {
		return true
	}
	d, err := b.env.FS.OpenDir(filepath.Join(b.place.Cache, "manifests"))
	if err != nil {
		return false
	}
	defer d.Close() //nolint:errcheck // it was only read
	names, err := d.Names()
	return err == nil && len(names) > 0
}
