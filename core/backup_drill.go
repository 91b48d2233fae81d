package core

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/backup"
)

// BackupDrillOptions say what is restored for a try.
type BackupDrillOptions struct {
	Label string // empty: the newest set
	// Percent of the files, at least a few, chosen at random; 0: 5. 100 is
	// the whole.
	Percent int
	// Scratch is a folder in which one is made, and removed again; absolute.
	Scratch string
}

// BackupDrill is what a drill found.
type BackupDrill struct {
	URL     string     `json:"url"`
	Label   string     `json:"label"`
	Commit  objects.ID `json:"commit"`
	Percent int        `json:"percent"`
	OK      bool       `json:"ok"`
	Files   int64      `json:"files"` // that were restored and compared
	Bytes   int64      `json:"bytes"`
	// Failed are paths that could not be restored, or came out as others.
	Failed []string       `json:"failed,omitempty"`
	Healed []BackupHealed `json:"healed,omitempty"`
	Took   time.Duration  `json:"took_ns"`
}

const (
	drillPercent = 5
	drillLeast   = 20     // files
	drillMost    = 10_000 // files of a sample, so that their names fit
)

// Drill restores a sample of a set's files into a folder, as Restore does, reads
// them back from the disk, compares their content IDs, and notes the result at
// the destination. A set that had to be healed passes; verify tells the damage.
func (b *Backups) Drill(ctx context.Context, opt BackupDrillOptions) (res BackupDrill, err error) {
	started := b.env.Now()
	s, err := b.set(opt.Label)
	if err != nil {
		return res, err
	}
	if res.Percent = opt.Percent; res.Percent <= 0 {
		res.Percent = drillPercent
	}
	res.URL, res.Label, res.Commit = b.url, string(s.Label), s.Commit
	folder := vfs.TempName(opt.Scratch)
	if err := vfs.MkdirAll(b.env.FS, folder, 0o777); err != nil {
		return res, err
	}
	err = b.drill(ctx, s, folder, &res)
	err = errors.Join(err, removeAll(b.env.FS, folder))
	if ctx.Err() != nil || err != nil && !isDamage(err) {
		return res, b.damaged(err)
	}
	res.OK = err == nil && len(res.Failed) == 0
	if err != nil {
		b.env.Events.Warn(Warning{Code: "drill_failed", Message: err.Error()})
	}
	b.noteDrill(ctx, s, res)
	res.Took = b.env.Now().Sub(started)
	return res, nil
}

// noteDrill notes the result where it can.
func (b *Backups) noteDrill(ctx context.Context, s backup.Set, res BackupDrill) {
	when := b.env.Now().Unix()
	err := b.note(ctx, []backup.Label{s.Label}, func(s *backup.Set) {
		s.Drilled = &backup.Check{When: when, OK: res.OK, Percent: min(res.Percent, 100)}
	})
	if err != nil {
		b.env.Events.Warn(Warning{Code: "not_noted", Message: "the drill could not be noted there: " + err.Error()})
	}
}

func (b *Backups) drill(ctx context.Context, s backup.Set, folder string, res *BackupDrill) (err error) {
	chosen, err := b.open(ctx, s, s.Commit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chosen.chain.Close()) }()
	opt := BackupRestoreOptions{To: folder, SkipDamaged: true, sealed: true}
	var done BackupRestoreResult
	res.Healed, err = b.healing(ctx, chosen.chain, func(again bool) error {
		if res.Percent < 100 && opt.Paths == nil {
			if opt.Paths, err = b.sample(ctx, chosen, res.Percent); err != nil {
				return err
			}
		}
		done = BackupRestoreResult{}
		return b.restoreFiles(ctx, chosen, opt, again, &done)
	})
	res.Failed = append(res.Failed, done.Damaged...)
	if err != nil {
		return err
	}
	return b.compare(ctx, chosen, opt.Paths, folder, res)
}

// sample chooses files of a set at random.
func (b *Backups) sample(ctx context.Context, chosen *chosenSet, percent int) ([]string, error) {
	m := chosen.chain.Manifest()
	want := min(max(m.Files*int64(percent)/100, drillLeast), drillMost)
	var paths []string // each of all with the same chance
	n := int64(0)
	for c, err := range treeDiffIn(ctx, chosen.chain, objects.ID{}, m.Tree) {
		if err != nil {
			return nil, err
		}
		n++
		if int64(len(paths)) < want {
			paths = append(paths, c.Path)
		} else if at := rand.Int64N(n); at < want {
			paths[at] = c.Path
		}
	}
	if paths == nil {
		paths = []string{"."}
	}
	slices.Sort(paths)
	return paths, nil
}

// compare reads what was written back from the disk.
func (b *Backups) compare(ctx context.Context, chosen *chosenSet, paths []string, folder string, res *BackupDrill) error {
	clean, err := cleanPaths(paths)
	if err != nil {
		return err
	}
	for c, err := range changesIn(ctx, chosen.chain, objects.ID{}, chosen.chain.Manifest().Tree, clean) {
		if err != nil {
			return err
		}
		if c.New == nil || slices.Contains(res.Failed, c.Path) {
			continue
		}
		err := verifyFile(ctx, b.env.FS, filepath.Join(folder, filepath.FromSlash(c.Path)), *c.New)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			res.Failed = append(res.Failed, c.Path)
			continue
		}
		res.Files++
		res.Bytes += c.New.Size
		if res.Files%progressStep == 0 {
			b.env.Events.Progress(Progress{Phase: PhaseVerify, Files: res.Files, Bytes: res.Bytes})
		}
	}
	return nil
}
