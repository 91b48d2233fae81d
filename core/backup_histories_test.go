package core_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// TestBackupHistories runs random edits, commits, backups, expiries, repairs,
// interruptions and moves to another machine, and checks after each step: every
// set that is listed restores as its commit was, and nothing is damaged. In the
// end the whole repository comes back, with every commit. MLVC_MODEL says how
// many histories, MLVC_SEED where to begin.
func TestBackupHistories(t *testing.T) {
	histories, steps := 2, 12
	if testing.Short() || core.UnderRace > 1 {
		histories = 1
	}
	if n, err := strconv.Atoi(os.Getenv("MLVC_MODEL")); err == nil {
		histories = n
	}
	first := uint64(time.Now().UnixNano() % 1e9)
	if n, err := strconv.ParseUint(os.Getenv("MLVC_SEED"), 10, 64); err == nil {
		first = n
	}
	for seed := first; seed < first+uint64(histories); seed++ {
		t.Run(fmt.Sprintf("MLVC_SEED=%d", seed), func(t *testing.T) {
			t.Parallel()
			m := newBackupModel(t, seed)
			defer func() {
				if t.Failed() {
					t.Log(strings.Join(m.log, "\n"))
				}
			}()
			for i := 0; i < steps && !t.Failed(); i++ {
				m.step()
				m.check()
			}
			for _, label := range m.labels() {
				if !m.tipOnly[label] && !t.Failed() {
					m.wholeRepo(label)
				}
			}
		})
	}
}

// backupModel knows what every set must hold.
type backupModel struct {
	*rotting
	rnd     *rand.Rand
	now     time.Time
	n       int
	commits known            // of this machine's repository
	order   []objects.ID     // the newest last
	had     map[string]known // the commits that there were when a set was made
	marked  map[string]bool  // by expiry
	tipOnly map[string]bool  // sets that leave contents out
	log     []string         // for a failure
}

func newBackupModel(t *testing.T, seed uint64) *backupModel {
	m := &backupModel{
		rnd: rand.New(rand.NewPCG(seed, 3)), now: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), commits: make(known),
		had: make(map[string]known), marked: make(map[string]bool), tipOnly: make(map[string]bool),
	}
	m.rotting = &rotting{data: newDataIn(t, fastDir(t)), place: buckettest.Memory(), want: make(map[string]picture)}
	m.env.Now = func() time.Time { m.now = m.now.Add(time.Second); return m.now }
	if m.rnd.IntN(3) == 0 {
		name := filepath.Join(fastDir(t), "identity")
		m.must(os.WriteFile(name, []byte(rotIdentity), 0o600))
		m.keys = core.BackupKeys{Recipients: []string{rotRecipient}, Identities: []string{name}}
	}
	m.edits()
	m.commitNow()
	m.create(m.place)
	return m
}

func (m *backupModel) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// step does one thing.
func (m *backupModel) step() {
	m.now = m.now.Add(time.Duration(m.rnd.IntN(30)) * time.Hour)
	for range m.rnd.IntN(3) {
		m.edits()
		m.commitNow()
	}
	switch m.rnd.IntN(8) {
	case 0, 1, 2:
		m.create(m.place)
	case 3:
		m.interrupted(func(b bucket.Bucket) error { _, err := m.tryCreate(b, m.drawCreate()); return err })
		m.create(m.place)
	case 4:
		m.interrupted(m.tryExpire)
		m.must(m.tryExpire(m.place))
	case 5:
		m.rots()
	case 6:
		m.drill()
	case 7:
		m.anotherMachine()
	}
}

// edits changes the working tree in every way.
func (m *backupModel) edits() {
	for range 1 + m.rnd.IntN(6) {
		m.n++
		name := fmt.Sprintf("d%d/f%02d", m.rnd.IntN(3), m.rnd.IntN(10))
		at := filepath.Join(m.root, name)
		st, err := os.Lstat(at)
		there := err == nil
		if there && st.IsDir() {
			m.remove(name)
			continue
		}
		switch kind := m.rnd.IntN(9); {
		case kind == 0:
			m.remove(name)
		case kind == 1 && there:
			m.must(os.Rename(at, fmt.Sprintf("%s-%d", at, m.n)))
		case kind == 2 && there && st.Mode().IsRegular():
			m.must(os.Chmod(at, st.Mode().Perm()^0o111))
		case kind == 3:
			m.must(os.MkdirAll(filepath.Join(m.root, fmt.Sprintf("d%d/empty%d", m.rnd.IntN(3), m.rnd.IntN(3))), 0o777))
		case kind == 4:
			m.remove(name)
			m.must(os.MkdirAll(filepath.Dir(at), 0o777))
			m.must(os.Symlink(fmt.Sprintf("f%02d", m.rnd.IntN(10)), at))
		case kind == 5 || kind == 6:
			m.write("large.bin", string(largeBytes(m.rnd.IntN(400))[:300<<10]))
		case kind == 7 && there: // becomes a folder
			m.remove(name)
			m.write(name+"/inside", fmt.Sprint(m.n))
		default:
			m.remove(name)
			m.write(name, noise(uint64(m.n), m.rnd.IntN(6000)))
		}
	}
}

func (m *backupModel) commitNow() {
	kind := []objects.CommitKind{core.KindAuto, objects.Full, objects.Incremental, objects.Differential}[m.rnd.IntN(4)]
	res := m.commit(core.CommitOptions{Kind: kind, Message: fmt.Sprint(m.n)})
	if res.ID.IsZero() {
		return // nothing has changed
	}
	m.note("commit %s, %s", res.ID.Short(), kind)
	if !slices.Contains(m.order, res.ID) {
		m.order = append(m.order, res.ID)
	}
	m.commits[res.ID] = takeDisk(m.t, m.root)
}

func (m *backupModel) drawCreate() core.BackupCreateOptions {
	opt := core.BackupCreateOptions{
		Kind:    []objects.CommitKind{core.KindAuto, objects.Full, objects.Incremental, objects.Differential}[m.rnd.IntN(4)],
		Parity:  []string{"", "4+2", core.ParityOff}[m.rnd.IntN(3)],
		TipOnly: m.rnd.IntN(6) == 0,
	}
	if m.rnd.IntN(4) == 0 {
		opt.Rev = m.order[m.rnd.IntN(len(m.order))].String()
	}
	return opt
}

func (m *backupModel) tryCreate(b bucket.Bucket, opt core.BackupCreateOptions) (core.BackupCreateResult, error) {
	res, err := rotAt(m.rotting, b, func(at *core.Backups) (core.BackupCreateResult, error) {
		return within(m.data, func(r *core.Repo) (core.BackupCreateResult, error) {
			return r.CreateBackup(m.t.Context(), at, opt)
		})
	})
	m.note("create %s of %q, parity %q, tip only %v: %s, %v", opt.Kind, opt.Rev, opt.Parity, opt.TipOnly, res.Label, err)
	return res, err
}

// create makes a set, and says what it must hold.
func (m *backupModel) create(b bucket.Bucket) {
	m.t.Helper()
	opt := m.drawCreate()
	res, err := m.tryCreate(b, opt)
	m.must(err)
	if m.commits[res.Commit] == nil {
		m.t.Fatalf("a set of %s, which nobody made", res.Commit)
	}
	if !res.Existed {
		m.know(res.BackupSet, opt.TipOnly)
	}
}

// know notes what a set must hold.
func (m *backupModel) know(s core.BackupSet, tipOnly bool) {
	m.want[s.Label], m.had[s.Label] = m.commits[s.Commit], maps.Clone(m.commits)
	m.tipOnly[s.Label] = tipOnly || m.tipOnly[s.Base]
}

// interrupted runs a verb that dies at the place; what it has done counts.
func (m *backupModel) interrupted(do func(bucket.Bucket) error) {
	plan := buckettest.Plan{At: 1 + m.rnd.IntN(25), Kind: buckettest.Kind(m.rnd.IntN(3)), Bytes: 50, Sticky: m.rnd.IntN(2) == 0}
	faulty := buckettest.NewFaulty(m.place, plan)
	if err := do(faulty); err != nil && !errors.Is(err, buckettest.ErrFault) {
		m.t.Errorf("%s: %v", faulty.Failed(), err)
	}
	m.note("died at %q", faulty.Failed())
	m.sync()
	m.check()
}

// sync takes up sets that a verb made, or took away, before it died.
func (m *backupModel) sync() {
	for _, s := range m.sets() {
		if m.want[s.Label] == nil {
			m.know(s, true) // who knows what it was asked for
		}
	}
}

func (m *backupModel) sets() []core.BackupSet {
	m.t.Helper()
	list, err := rotAt(m.rotting, m.place, func(b *core.Backups) ([]core.BackupSet, error) { return b.List(), nil })
	m.must(err)
	return list
}

// labels are those of the sets, by time.
func (m *backupModel) labels() []string {
	var list []string
	for _, s := range m.sets() {
		list = append(list, s.Label)
	}
	slices.SortFunc(list, func(a, b string) int { return backup.Label(a).Time().Compare(backup.Label(b).Time()) })
	return list
}

// tryExpire takes sets away, of which the model takes note.
func (m *backupModel) tryExpire(b bucket.Bucket) error {
	policy := backup.Policy{KeepFull: 1 + m.rnd.IntN(2), KeepDiff: m.rnd.IntN(3), KeepDaily: m.rnd.IntN(3), KeepFullDays: m.rnd.IntN(3)}
	grace := time.Duration(m.rnd.IntN(2)) * backup.DefaultGrace
	m.now = m.now.Add(time.Duration(m.rnd.IntN(30)) * time.Hour)
	before := m.sets()
	_, err := rotAt(m.rotting, b, func(at *core.Backups) (core.BackupExpired, error) {
		return at.Expire(m.t.Context(), core.BackupExpireOptions{Policy: policy, Grace: &grace}, core.BackupConfig{}, func(d core.BackupDecision) error {
			m.marked[d.Label] = m.marked[d.Label] || d.Action != core.BackupKept
			return nil
		})
	})
	m.note("expire %+v, %v: %v", policy, grace, err)
	after := m.sets()
	if len(after) == 0 {
		m.t.Errorf("expire took all of %d sets away", len(before))
	}
	for _, s := range before {
		if err == nil && !m.marked[s.Label] && !slices.ContainsFunc(after, func(o core.BackupSet) bool { return o.Label == s.Label }) {
			m.t.Errorf("set %s is gone, and was not to go", s.Label)
		}
	}
	return err
}

// rots damages something that repair can heal.
func (m *backupModel) rots() {
	m.keyed = nil
	for info, err := range m.place.List(m.t.Context(), "") {
		if m.must(err); !strings.HasPrefix(info.Key, "keys/") && !strings.HasSuffix(info.Key, ".pack") && info.Size > 0 {
			m.keyed = append(m.keyed, info.Key)
		}
	}
	d := m.damage(m.rnd)
	m.note("%s: %s", d.key, d.what)
	if strings.HasPrefix(d.key, "backup") {
		m.swapAway(m.place, d)
	} else {
		bucketReplace(m.t.(*testing.T), m.place, d.key, d.text)
	}
	res, err := m.repair(m.place, nil)
	if m.note("repair: %+v", res); err != nil || res.Left > 0 {
		m.t.Errorf("%s, %s: repair: %+v, %v", d.key, d.what, res, err)
	}
}

func (m *backupModel) drill() {
	labels := m.labels()
	opt := core.BackupDrillOptions{Label: labels[m.rnd.IntN(len(labels))], Percent: 1 + m.rnd.IntN(100), Scratch: m.scratch()}
	res, err := rotAt(m.rotting, m.place, func(b *core.Backups) (core.BackupDrill, error) { return b.Drill(m.t.Context(), opt) })
	if m.note("drill %s: %v", opt.Label, res.OK); err != nil || !res.OK {
		m.t.Errorf("drill %s: %+v, %v", opt.Label, res, err)
	}
}

// anotherMachine goes on with what a set brings back elsewhere.
func (m *backupModel) anotherMachine() {
	labels := m.labels()
	label := labels[len(labels)-1]
	if m.tipOnly[label] {
		return // it lacks contents, and a set of it would say so
	}
	m.note("another machine, by %s", label)
	m.wholeRepo(label)
	m.commits = maps.Clone(m.had[label])
	m.order = slices.DeleteFunc(m.order, func(id objects.ID) bool { return m.commits[id] == nil })
}

// wholeRepo brings the repository back that a set with all contents is of, and
// checks every commit.
// It is where the model lives from now on.
func (m *backupModel) wholeRepo(label string) {
	m.t.Helper()
	again := &data{t: m.t, root: filepath.Join(fastDir(m.t), "again"), env: m.env}
	res, err := rotAt(m.rotting, m.place, func(b *core.Backups) (core.BackupRepoResult, error) {
		return b.RestoreRepo(m.t.Context(), core.BackupRepoOptions{What: label, Dir: again.root})
	})
	m.must(err)
	if len(res.Lacking) > 0 {
		m.t.Errorf("%s: %v have no contents", label, res.Lacking)
	}
	r := again.open()
	m.had[label].check(m.t, r)
	m.must(r.Close())
	m.data = again
}

// check restores every set that is listed.
func (m *backupModel) check() {
	m.t.Helper()
	for _, label := range m.labels() {
		if m.want[label] == nil {
			m.t.Errorf("set %s, which nobody made", label)
			continue
		}
		m.restores(m.place, label, true)
	}
	if found := m.verify(m.place); len(found) > 0 {
		m.t.Errorf("verify: %s", cmp.Diff([]core.BackupDamage(nil), found))
	}
}
