package core

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	SeverityInfo    Severity = "info"    // nothing need be done
	SeverityWarning Severity = "warning" // something does not work as it might
	SeverityError   Severity = "error"   // something does not work
)

// Finding is one thing that doctor found.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	What     string   `json:"what"`
	Do       string   `json:"do,omitempty"` // the command, or what else helps
	Fixed    bool     `json:"fixed,omitempty"`
}

// DoctorOptions say what doctor may change.
type DoctorOptions struct {
	// Rebuild makes the database anew from the packs.
	Rebuild bool
	// Fix writes a lost pointer, takes up unknown packs, records again what the
	// database lost, and salvages damaged packs.
	Fix bool
	// Full reads every byte of every pack, not only their headers and footers.
	Full bool
	// Operation is the one that a lost pointer is to name, where more than one
	// comes into question.
	Operation objects.ID
}

// DoctorResult is what doctor found in one repository.
type DoctorResult struct {
	Root     string    `json:"root"`
	Findings []Finding `json:"findings"`
	Packs    int       `json:"packs"`
	Bytes    int64     `json:"bytes"`             // of packs
	Rebuilt  int       `json:"rebuilt,omitempty"` // packs that the new database was made from
	// Lost are the first objects that damage took, each with a commit and a path
	// that it belongs to, and LostObjects how many there are. They are looked for
	// while damaged packs lie in `.mlvc/damaged`.
	Lost        []Damage `json:"lost,omitempty"`
	LostObjects int64    `json:"lost_objects,omitempty"`
}

// Bad returns how many findings are errors that were not fixed.
func (r DoctorResult) Bad() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == SeverityError && !f.Fixed {
			n++
		}
	}
	return n
}

// Doctor looks what is wrong with the repository that dir is in and with the
// machine, and says what to do. It opens even what Open refuses. It changes
// only what the options allow, and returns an error only if it cannot look.
func Doctor(ctx context.Context, env Env, dir string, opt DoctorOptions) (DoctorResult, error) {
	root, err := findRoot(env.FS, dir)
	if err != nil {
		return DoctorResult{}, err
	}
	d := &doctor{env: env, opt: opt, dir: filepath.Join(root, Dir), res: DoctorResult{Root: root, Findings: []Finding{}}}
	if !d.checkFormat() {
		return d.res, nil
	}
	d.checkConfig()
	d.checkRules(root)
	d.checkMachine(root)
	r := &Repo{env: env, root: root, dir: d.dir, config: d.config}
	if err := r.openStore(); err != nil {
		return d.res, err
	}
	r.pointer = refs.NewFilePointer(env.FS, r.pointerPath())
	d.repo = r
	err = d.repository(ctx)
	return d.res, errors.Join(err, r.Close())
}

// doctor is one examination.
type doctor struct {
	env    Env
	opt    DoctorOptions
	dir    string
	config Config
	repo   *Repo
	res    DoctorResult
}

func (d *doctor) find(severity Severity, code, do, what string, args ...any) *Finding {
	d.res.Findings = append(d.res.Findings, Finding{Severity: severity, Code: code, Do: do, What: fmt.Sprintf(what, args...)})
	return &d.res.Findings[len(d.res.Findings)-1]
}

// repository examines what is in `.mlvc`, and repairs it as far as allowed.
func (d *doctor) repository(ctx context.Context) (err error) {
	locked := d.checkLock()
	if d.opt.Fix || d.opt.Rebuild {
		l, err := acquireLock(ctx, d.env, d.dir)
		if err != nil {
			return err
		}
		defer func() { err = firstError(err, l.release()) }()
		s := &session{Repo: d.repo, lock: l}
		if err := s.sweepTemp(); err != nil {
			return err
		}
		if d.opt.Rebuild {
			if d.res.Rebuilt, err = s.rebuild(ctx); err != nil {
				return err
			}
		}
		if d.opt.Fix {
			if err := d.mend(ctx, s); err != nil {
				return err
			}
		}
	}
	sound, err := d.checkDatabase(ctx)
	if err != nil {
		return err
	}
	if err := d.checkDamagedPacks(ctx); err != nil {
		return err
	}
	if sound {
		if err := d.checkPacks(ctx); err != nil {
			return err
		}
	}
	if err := d.checkPointer(ctx); err != nil {
		return err
	}
	if sound {
		if err := d.checkAside(ctx); err != nil {
			return err
		}
	}
	return d.checkRest(locked)
}

// mend makes the database right.
func (d *doctor) mend(ctx context.Context, s *session) error {
	if err := s.adoptLost(ctx); err != nil {
		return err
	}
	n, err := s.store.Mend(ctx, nil)
	if errors.Is(err, kv.ErrDamaged) {
		d.res.Rebuilt, err = s.rebuild(ctx)
	}
	if err == nil && n > 0 {
		d.find(SeverityWarning, "records_lost", "", "the database had lost %s; the packs have them", count(n, "object")).Fixed = true
	}
	if err != nil {
		return err
	}
	return d.salvage(ctx, s)
}

func (d *doctor) checkDatabase(ctx context.Context) (bool, error) {
	const rebuild = "mlvc doctor --rebuild"
	err := d.repo.db.View(ctx, func(r kv.Reader) error {
		return r.Scan(nil, nil, func(_, _ []byte) (bool, error) { return false, ctx.Err() })
	})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, kv.ErrDamaged):
		d.find(SeverityError, "database_damaged", rebuild, "%v; the packs can make it anew", err)
	case errors.Is(err, kv.ErrBusy):
		d.find(SeverityWarning, "database_busy", "wait until the other mlvc has ended", "%v", err)
	case errors.Is(err, vfs.ErrNoSpace):
		d.find(SeverityError, "disk_full", "make room on the disk", "%v", err)
	case ctx.Err() != nil:
		return false, ctx.Err()
	default:
		d.find(SeverityError, "database_unreadable", rebuild, "%v", err)
	}
	return false, nil
}

// checkPointer looks for the current operation and, where it is lost, for those
// that it may have been.
func (d *doctor) checkPointer(ctx context.Context) error {
	_, _, _, err := d.repo.current(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrPointerLost):
		return d.recoverPointer(ctx, err)
	case damagedObject(err):
		return d.goBack(ctx, err)
	case errors.Is(err, objects.ErrNewer):
		d.find(SeverityError, "newer", "use a newer mlvc", "%v", err)
		return nil
	}
	return err
}

func (d *doctor) recoverPointer(ctx context.Context, lost error) error {
	heads, err := d.heads(ctx, false)
	if err != nil {
		return err
	}
	if len(heads) == 0 {
		d.find(SeverityError, "pointer_lost", "restore .mlvc/current from a copy", "%v, and no pack holds an operation", lost)
		return nil
	}
	choice := heads[0].ID
	do := "mlvc doctor --fix"
	if !d.opt.Operation.IsZero() {
		choice = d.opt.Operation
	}
	if len(heads) > 1 && d.opt.Operation.IsZero() {
		do = "mlvc doctor --fix --operation ID, most likely " + choice.String()
	}
	f := d.find(SeverityError, "pointer_lost", do, "%v; it was one that no other operation follows:%s", lost, listOperations(heads))
	if !d.opt.Fix || !hasOperation(heads, choice) || len(heads) > 1 && d.opt.Operation.IsZero() {
		return nil
	}
	return d.point(ctx, choice, f)
}

// goBack says which operations can be gone back to where the current one is
// damaged. That gives up what came after, so it is done only for one that is
// named.
func (d *doctor) goBack(ctx context.Context, damage error) error {
	heads, err := d.heads(ctx, true)
	if err != nil {
		return err
	}
	if len(heads) == 0 {
		d.find(SeverityError, "operation_damaged", "mlvc verify --full", "what the current operation names cannot be read: %v", damage)
		return nil
	}
	f := d.find(SeverityError, "operation_damaged",
		"bring the packs back from a copy; else \"mlvc doctor --fix --operation ID\" goes back to one that is whole, and gives up what came after, most likely "+heads[0].ID.String(),
		"what the current operation names cannot be read: %v; whole are:%s", damage, listOperations(heads))
	if !d.opt.Fix || !hasOperation(heads, d.opt.Operation) {
		return nil
	}
	// The stat cache names a tree that may be lost.
	if err := d.env.FS.Remove(d.repo.indexPath()); err != nil && !isNotExist(err) {
		return err
	}
	return d.point(ctx, d.opt.Operation, f)
}

func hasOperation(list []refs.Logged, id objects.ID) bool {
	return slices.ContainsFunc(list, func(l refs.Logged) bool { return l.ID == id })
}

func listOperations(ops []refs.Logged) string {
	text := ""
	for _, l := range ops {
		text += fmt.Sprintf("\n  %s  %s  %s", l.ID, l.Op.When.Format("2006-01-02 15:04:05"), l.Op.Reason)
	}
	return text
}

// point makes an operation the current one.
func (d *doctor) point(ctx context.Context, choice objects.ID, f *Finding) error {
	if err := d.env.FS.Remove(d.repo.pointerPath()); err != nil && !isNotExist(err) {
		return err
	}
	if err := d.repo.pointer.Swap(ctx, objects.ID{}, choice); err != nil {
		return err
	}
	f.Fixed = true
	return d.repo.born()
}

// heads returns the operations that no other follows and whose view can be
// read, newest first. After damage, what follows counts only if it can be read.
func (d *doctor) heads(ctx context.Context, damaged bool) ([]refs.Logged, error) {
	ids, err := d.repo.store.OfKind(ctx, objects.KindOperation)
	if err != nil {
		return nil, err
	}
	followed := make(map[objects.ID]bool)
	var list []refs.Logged
	for _, id := range ids {
		op, err := refs.ReadOp(ctx, d.repo.store, id)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue
		}
		l := refs.Logged{ID: id, Op: op}
		if !damaged || d.readable(ctx, l) {
			followed[op.Prev] = true
			list = append(list, l)
		}
	}
	list = slices.DeleteFunc(list, func(l refs.Logged) bool {
		return followed[l.ID] || !d.readable(ctx, l)
	})
	slices.SortFunc(list, func(a, b refs.Logged) int {
		if c := b.Op.When.Compare(a.Op.When); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	return slices.CompactFunc(list, func(a, b refs.Logged) bool { return a.ID == b.ID }), nil
}

// readable reports whether the commit that HEAD stands on can be read.
func (d *doctor) readable(ctx context.Context, l refs.Logged) bool {
	_, err := d.repo.headIn(ctx, refs.OpenView(d.repo.store, l.Op.View))
	return err == nil
}
