package core

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/store"
)

// asidePath is the folder of packs that were damaged: what could be read in them
// was copied, and nobody looks there any more.
func (r *Repo) asidePath() string { return filepath.Join(r.dir, "damaged") }

func (d *doctor) checkPacks(ctx context.Context) error {
	st, err := d.repo.store.PackState(ctx)
	if errors.Is(err, kv.ErrDamaged) {
		d.find(SeverityError, "database_damaged", "mlvc doctor --rebuild", "%v; the packs can make it anew", err)
		return nil
	}
	if err != nil {
		return err
	}
	d.res.Packs, d.res.Bytes = st.Packs, st.Bytes
	if n := len(st.Unknown); n > 0 {
		d.find(SeverityInfo, "packs_unknown", "mlvc doctor --fix", "%s not in the database, as a crash leaves them; the next commit takes them up", count(n, "pack is", "packs are"))
	}
	ids := make([]objects.ID, 0, len(st.Missing))
	for id, chunks := range st.Missing {
		if chunks > 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b objects.ID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		d.find(SeverityError, "pack_missing",
			`put the file back from a copy; "mlvc fetch --contents" brings what was in it from a remote; "mlvc verify" names the files at stake; "mlvc commit --type full" stores again those that you still have`,
			"the pack %s is missing, and %s with it", id, count(int(st.Missing[id]), "chunk"))
	}
	return nil
}

// checkDamagedPacks looks for packs of which header or footer is damaged or, if
// asked for, anything.
func (d *doctor) checkDamagedPacks(ctx context.Context) error {
	do := "mlvc doctor --fix"
	if d.opt.Full {
		do += " --full"
	}
	full := d.opt.Full && !d.opt.Fix // salvage has just read every byte
	list, err := d.repo.store.DamagedPacks(ctx, full)
	for _, p := range list {
		d.find(SeverityError, "pack_damaged", do, "%v; %s can be read in it", p.Err, count(p.Objects, "object"))
	}
	return err
}

// salvage saves what damaged packs still have.
func (d *doctor) salvage(ctx context.Context, s *session) error {
	res, err := s.store.Salvage(ctx, store.SalvageOptions{
		Full: d.opt.Full, Aside: s.asidePath(), Unused: s.unused,
		Damaged: func(err error) {
			s.env.Events.Warn(Warning{Code: "damaged_object", Message: fmt.Sprintf("cannot be salvaged: %v", err)})
		},
	})
	for _, id := range res.Restored {
		d.find(SeverityError, "pack_damaged", "", "the pack %s was damaged, and was made what it was before", id).Fixed = true
	}
	for _, id := range res.Aside {
		d.find(SeverityError, "pack_damaged", "", "the pack %s was damaged; what can be read lies in new packs now, and the damaged one in .mlvc/damaged", id).Fixed = true
	}
	if n := len(res.Kept); n > 0 {
		d.find(SeverityWarning, "packs_read", "mlvc doctor --fix, when other commands have ended",
			"another mlvc may be reading %s still, which can go aside only then", count(n, "pack"))
	}
	if res.Rewritten > 0 {
		d.find(SeverityWarning, "metadata_unpacked", "", "no pack had %s any more that the database has; a new pack has them", count(res.Rewritten, "metadata object")).Fixed = true
	}
	return err
}

// maxLost is how many lost objects are kept, tellLost how many are told in words.
const maxLost, tellLost = 1000, 20

// checkAside names what damage took, as long as damaged packs lie aside.
func (d *doctor) checkAside(ctx context.Context) error {
	packs, err := d.aside()
	if err != nil || packs == 0 {
		return err
	}
	var files []string
	res, err := d.repo.Verify(ctx, VerifyOptions{}, func(lost Damage) error {
		if len(d.res.Lost) < maxLost {
			d.res.Lost = append(d.res.Lost, lost)
		}
		file := fmt.Sprintf("\n  %s in commit %s", lost.Path, lost.Commit.Short())
		if lost.Path != "" && len(files) < tellLost && !slices.Contains(files, file) {
			files = append(files, file)
		}
		return nil
	})
	if damagedObject(err) {
		return nil // checkPointer said so
	}
	if err != nil {
		return err
	}
	if d.res.LostObjects = res.Damaged; res.Damaged == 0 {
		d.find(SeverityInfo, "packs_aside", "nothing is missing: remove the folder when \"mlvc verify --full\" says so too",
			"%s in .mlvc/damaged", count(packs, "damaged pack lies", "damaged packs lie"))
		return nil
	}
	d.find(SeverityError, "objects_lost",
		`"mlvc fetch --contents" brings them from a remote; files that you have still, or that "mlvc backup restore" brings, are stored again by "mlvc commit --type full"; "mlvc verify" names all`,
		"damage took %s:%s", count(int(res.Damaged), "object"), strings.Join(files, ""))
	return nil
}

// aside counts the packs that lie aside.
func (d *doctor) aside() (int, error) {
	dir, err := d.env.FS.OpenDir(d.repo.asidePath())
	if isNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer dir.Close() //nolint:errcheck // it was only read
	names, err := dir.Names()
	return len(names), err
}
