package core_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

func (d *data) doctor(opt core.DoctorOptions) core.DoctorResult {
	d.t.Helper()
	res, err := core.Doctor(d.t.Context(), d.env, d.root, opt)
	if err != nil {
		d.t.Fatal(err)
	}
	return res
}

func codes(r core.DoctorResult) string {
	var list []string
	for _, f := range r.Findings {
		if f.Code != "clock_skew" { // the tests' clock is not the disk's
			list = append(list, f.Code)
		}
	}
	return strings.Join(list, " ")
}

// fourCommits makes a repository of a few commits with deltas.
func fourCommits(t *testing.T) *data {
	d := newDataIn(t, fastDir(t))
	table := []byte(noise(5, 700_000))
	for i := range 4 {
		table[i*1000] = 'x'
		d.write("table.csv", string(table))
		d.write("notes/"+string(rune('a'+i)), noise(uint64(i), 3000))
		d.commit(core.CommitOptions{Message: "more"})
	}
	return d
}

func (d *data) path(parts ...string) string {
	return filepath.Join(append([]string{d.root, ".mlvc"}, parts...)...)
}

// works runs what a user does: look, change, commit, verify.
func (d *data) works() {
	d.t.Helper()
	r := d.open()
	st, err := r.Status(d.t.Context(), nil, func(core.StatusEntry) error { return nil })
	if err != nil || !st.Clean {
		d.t.Fatalf("status: %+v, %v", st, err)
	}
	r.Close()
	d.write("notes/new", noise(uint64(len(d.root)), 2000))
	if d.commit(core.CommitOptions{Message: "after"}).ID.IsZero() {
		d.t.Fatal("no commit")
	}
	d.verify(true)
}

func TestDoctorFindsNothing(t *testing.T) {
	d := fourCommits(t)
	if got := codes(d.doctor(core.DoctorOptions{})); got != "" {
		t.Errorf("a sound repository: %s", got)
	}
	if got := codes(newData(t).doctor(core.DoctorOptions{})); got != "" {
		t.Errorf("an empty repository: %s", got)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	d := fourCommits(t)
	d.write("mlvc.toml", "tracks = 1\n")
	d.write(".mlvcignore", "a[\n")
	d.write(".mlvc/index", "not an index")
	d.write(".mlvc/tmp/left", "")
	d.write(".mlvc/unfinished", "{")
	if err := os.Truncate(firstTable(t, d), 100); err != nil {
		t.Fatal(err)
	}
	got := codes(d.doctor(core.DoctorOptions{}))
	for _, code := range []string{"rules", "index_damaged", "leftovers", "unfinished", "database_damaged"} {
		if !strings.Contains(got, code) {
			t.Errorf("%s is missing in: %s", code, got)
		}
	}
}

func firstTable(t *testing.T, d *data) string {
	t.Helper()
	tables, err := filepath.Glob(d.path("db", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal("no tables", err)
	}
	return tables[0]
}

// Whatever happens to the database, every verb goes on.
func TestDatabaseDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, d *data) error{
		"gone":       func(_ *testing.T, d *data) error { return os.RemoveAll(d.path("db")) },
		"cut table":  func(t *testing.T, d *data) error { return os.Truncate(firstTable(t, d), 100) },
		"lost table": func(t *testing.T, d *data) error { return os.Remove(firstTable(t, d)) },
		"damaged block": func(t *testing.T, d *data) error {
			text, err := os.ReadFile(firstTable(t, d))
			if err != nil {
				return err
			}
			text[len(text)/3] ^= 1
			return os.WriteFile(firstTable(t, d), text, 0o666)
		},
		"no manifest": func(_ *testing.T, d *data) error { return os.Remove(d.path("db", "MANIFEST")) },
		"between renames": func(_ *testing.T, d *data) error {
			return errors.Join(os.CopyFS(d.path("db.new"), os.DirFS(d.path("db"))), os.Rename(d.path("db"), d.path("db.old")))
		},
		"every second record": func(t *testing.T, d *data) error {
			r := d.open()
			defer r.Close()
			return r.LoseRecords(t.Context(), 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := fourCommits(t)
			if err := damage(t, d); err != nil {
				t.Fatal(err)
			}
			d.works()
			d.gc(core.GCOptions{Grace: atOnce})
			d.verify(true)
		})
	}
}

// The database made anew answers as the old one did.
func TestRebuild(t *testing.T) {
	d := fourCommits(t)
	answers := func() map[objects.ID]string {
		r := d.open()
		defer r.Close()
		all, err := r.Answers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := answers()
	res := d.doctor(core.DoctorOptions{Rebuild: true})
	if res.Rebuilt == 0 || res.Bad() > 0 {
		t.Fatalf("%+v", res)
	}
	after := answers()
	if len(before) < 20 || len(before) != len(after) {
		t.Fatalf("%d answers, %d before", len(after), len(before))
	}
	for id, answer := range before {
		if after[id] != answer {
			t.Fatalf("object %s has another answer", id)
		}
	}
	for _, name := range []string{"db.new", "db.old"} {
		if _, err := os.Lstat(d.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left", name)
		}
	}
	d.works()
}

func TestPointerLost(t *testing.T) {
	for _, damage := range []string{"missing", "torn"} {
		d := fourCommits(t)
		was, err := os.ReadFile(d.path("current"))
		if err != nil {
			t.Fatal(err)
		}
		if damage == "torn" {
			err = os.Truncate(d.path("current"), 20)
		} else {
			err = os.Remove(d.path("current"))
		}
		if err != nil {
			t.Fatal(err)
		}
		r := d.open()
		if _, err := r.Commit(t.Context(), core.CommitOptions{Message: "no", Kind: core.KindAuto}); !errors.Is(err, core.ErrPointerLost) {
			t.Fatalf("%s: commit: %v", damage, err)
		}
		if _, err := r.GC(t.Context(), core.GCOptions{Grace: atOnce}); !errors.Is(err, core.ErrPointerLost) {
			t.Fatalf("%s: gc: %v", damage, err)
		}
		r.Close()
		if res := d.doctor(core.DoctorOptions{}); res.Bad() != 1 || !strings.Contains(codes(res), "pointer_lost") {
			t.Fatalf("%s: %+v", damage, res)
		}
		if res := d.doctor(core.DoctorOptions{Fix: true}); res.Bad() != 0 {
			t.Fatalf("%s: %+v", damage, res)
		}
		if now, err := os.ReadFile(d.path("current")); err != nil || string(now) != string(was) {
			t.Fatalf("%s: current is %s, %v", damage, now, err)
		}
		d.works()
	}
}

// largestPack returns the file of the largest pack.
func (d *data) largestPack() string {
	packs, _ := filepath.Glob(d.path("packs", "*.pack"))
	return slices.MaxFunc(packs, func(a, b string) int {
		sa, _ := os.Stat(a)
		sb, _ := os.Stat(b)
		return int(sa.Size() - sb.Size())
	})
}

// What a lost pack held is stored again by a full commit, as far as the
// working tree has it.
func TestFullCommitHealsLostPack(t *testing.T) {
	d := newData(t)
	d.write("table.csv", noise(5, 700_000))
	d.write("small", noise(6, 5000))
	d.commit(core.CommitOptions{Message: "first"})
	if err := os.Remove(d.largestPack()); err != nil {
		t.Fatal(err)
	}
	if res := d.doctor(core.DoctorOptions{}); codes(res) != "pack_missing" {
		t.Fatalf("%+v", res)
	}
	if paths := d.damagedPaths(false); !slices.Contains(paths, "small") || !slices.Contains(paths, "table.csv") {
		t.Fatalf("damage found: %v", paths)
	}
	r := d.open()
	var damaged *core.DamagedError
	if _, err := r.GC(t.Context(), core.GCOptions{Grace: atOnce}); !errors.As(err, &damaged) {
		t.Fatalf("gc of a damaged repository: %v", err)
	}
	r.Close()
	d.commit(core.CommitOptions{Message: "heal", Kind: objects.Full})
	d.verify(true)
	d.gc(core.GCOptions{Grace: atOnce})
	d.verify(true)
}

func (d *data) damagedPaths(repair bool) []string {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	var paths []string
	if _, err := r.Verify(d.t.Context(), core.VerifyOptions{Full: true, Repair: repair}, func(damage core.Damage) error {
		if damage.Path != "" {
			paths = append(paths, damage.Path)
		}
		if _, err := json.Marshal(damage); err != nil {
			return err
		}
		return nil
	}); err != nil {
		d.t.Fatal(err)
	}
	return paths
}

// One damaged place costs the file that it lies in, is named, and heals.
func TestVerifyRepairsDamage(t *testing.T) {
	d := newData(t)
	for _, name := range []string{"a", "b", "c"} {
		d.write(name, noise(uint64(name[0]), 40_000))
	}
	d.commit(core.CommitOptions{Message: "first"})
	f, err := os.OpenFile(d.largestPack(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), 5000); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if paths := d.damagedPaths(true); len(paths) != 1 {
		t.Fatalf("damaged: %v", paths)
	}
	d.commit(core.CommitOptions{Message: "heal", Kind: objects.Full})
	r := d.open()
	defer r.Close()
	res, err := r.Verify(t.Context(), core.VerifyOptions{Full: true}, func(damage core.Damage) error {
		if damage.Path != "" {
			t.Errorf("still damaged: %+v", damage)
		}
		return nil
	})
	if err != nil || res.Damaged == 0 {
		t.Fatalf("the pack itself is damaged still: %+v, %v", res, err)
	}
}
