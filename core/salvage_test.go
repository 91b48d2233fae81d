package core_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// shelved is what lies in the packs of a sound repository.
type shelved struct {
	ids     []objects.ID // of packs, sorted
	sizes   map[objects.ID]int64
	records map[objects.ID][]pack.Record
}

func (d *data) shelves() shelved {
	d.t.Helper()
	p := shelved{sizes: make(map[objects.ID]int64), records: make(map[objects.ID][]pack.Record)}
	names, err := filepath.Glob(d.path("packs", "*.pack"))
	d.must(err)
	for _, name := range names {
		id, err := objects.ParseID(strings.TrimSuffix(filepath.Base(name), ".pack"))
		d.must(err)
		r, err := pack.Open(vfs.OS, name, id)
		d.must(err)
		x, err := r.Index(d.t.Context())
		d.must(err)
		p.ids = append(p.ids, id)
		p.sizes[id] = x.Size
		p.records[id] = slices.Collect(x.Records())
		r.Close()
	}
	return p
}

// hit returns the objects that lie in those bytes of a pack, and all deltas
// built on them.
func (p shelved) hit(in objects.ID, from, to int64) map[objects.ID]bool {
	lost := make(map[objects.ID]bool)
	at := make(map[pack.Place]objects.ID) // by pack and offset
	for id, records := range p.records {
		for _, rec := range records {
			at[pack.Place{Pack: id, Offset: rec.Offset}] = rec.ID
			if id == in && rec.Offset < to && from < rec.Offset+int64(rec.Length) {
				lost[rec.ID] = true
			}
		}
	}
	for more := true; more; {
		more = false
		for id, records := range p.records {
			for _, rec := range records {
				if !lost[rec.ID] && p.builtOn(id, rec, lost) {
					lost[rec.ID], more = true, true
				}
			}
		}
	}
	return lost
}

func (p shelved) builtOn(id objects.ID, rec pack.Record, lost map[objects.ID]bool) bool {
	for _, base := range rec.Bases {
		in := base.Pack
		if in.IsZero() {
			in = id
		}
		for _, b := range p.records[in] {
			if b.Offset < base.Offset+int64(base.Length) && base.Offset < b.Offset+int64(b.Length) && lost[b.ID] {
				return true
			}
		}
	}
	return false
}

// harm damages a file of that size and says which bytes of it were hit.
type harm struct {
	name string
	do   func(f *os.File, size int64) (from, to int64, err error)
}

func zeros(from, to func(size int64) int64) func(*os.File, int64) (int64, int64, error) {
	return func(f *os.File, size int64) (int64, int64, error) {
		a, b := max(0, from(size)), min(size, to(size))
		_, err := f.WriteAt(make([]byte, b-a), a)
		return a, b, err
	}
}

func cut(at func(size int64) int64) func(*os.File, int64) (int64, int64, error) {
	return func(f *os.File, size int64) (int64, int64, error) {
		n := min(size-1, at(size))
		return n, size, f.Truncate(n)
	}
}

func harms() []harm {
	at := func(n int64) func(int64) int64 { return func(int64) int64 { return n } }
	end := func(n int64) func(int64) int64 { return func(size int64) int64 { return size - n } }
	part := func(n, of int64) func(int64) int64 { return func(size int64) int64 { return size * n / of } }
	list := []harm{
		{"trailer", zeros(end(80), end(0))},
		{"last byte", zeros(end(1), end(0))},
		{"header", zeros(at(0), at(16))},
		{"first bytes", zeros(at(0), at(100))},
		{"first block", zeros(at(0), at(4096))},
		{"last block", zeros(end(4096), end(0))},
		{"middle", zeros(part(1, 2), func(size int64) int64 { return size/2 + 4096 })},
		{"junk behind", func(f *os.File, size int64) (int64, int64, error) {
			_, err := f.WriteAt([]byte("junk"), size)
			return size, size, err
		}},
		{"empty", cut(at(0))},
		{"cut in the trailer", cut(end(20))},
	}
	for n := range int64(4) {
		list = append(list, harm{fmt.Sprintf("cut at %d/4", n), cut(func(size int64) int64 { return size * n / 4 / 4096 * 4096 })})
	}
	return list
}

func (d *data) copyTo(dir string) *data {
	d.t.Helper()
	c := &data{t: d.t, root: filepath.Join(dir, "copy"), env: d.env}
	d.must(os.CopyFS(c.root, os.DirFS(d.root)))
	return c
}

func (d *data) harm(id objects.ID, h harm) (from, to int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.path("packs", id.String()+".pack"), os.O_RDWR, 0)
	d.must(err)
	defer f.Close()
	st, err := f.Stat()
	d.must(err)
	from, to, err = h.do(f, st.Size())
	d.must(err)
	return from, to
}

// readable tells of every object whether it can be read.
func (d *data) readable(p shelved) map[objects.ID]bool {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	can := make(map[objects.ID]bool)
	for _, records := range p.records {
		for _, rec := range records {
			o, err := r.Store().Get(d.t.Context(), rec.ID)
			if err != nil && !errors.Is(err, objects.ErrCorrupt) && !errors.Is(err, objects.ErrNotFound) {
				d.t.Fatal(err)
			}
			if can[rec.ID] = err == nil; err == nil && o.ID() != rec.ID {
				d.t.Fatal("wrong bytes handed out")
			}
		}
	}
	return can
}

// Whatever is damaged in whichever pack, with and without the database, what is
// lost is what was hit, before and after it was salvaged.
func TestSalvage(t *testing.T) {
	t.Parallel()
	sound := fourCommits(t)
	p := sound.shelves()
	if deltas := p.deltas(); len(p.ids) < 8 || deltas < 3 {
		t.Fatalf("%d packs with %d deltas try too little", len(p.ids), deltas)
	}
	for i, h := range harms() {
		t.Run(h.name, func(t *testing.T) { // one after the other: they share a clock
			for j, id := range p.ids {
				if every := min(8, 3*core.UnderRace); os.Getenv("MLVC_SWEEP") == "" && (i+j)%every > 0 {
					continue
				}
				d := (&data{t: t, root: sound.root, env: sound.env}).copyTo(fastDir(t))
				d.salvaged(p, id, h, (i+j/2)%2 == 0)
			}
		})
	}
}

func (p shelved) deltas() (n int) {
	for _, records := range p.records {
		for _, rec := range records {
			if rec.Encoding == pack.EncDelta {
				n++
			}
		}
	}
	return n
}

// salvaged damages a pack and has doctor salvage it.
func (d *data) salvaged(p shelved, id objects.ID, h harm, withDatabase bool) {
	t := d.t
	t.Helper()
	about := fmt.Sprintf("%s of pack %s, database %v", h.name, id.Short(), withDatabase)
	from, to := d.harm(id, h)
	lost := p.hit(id, from, to)
	if withDatabase {
		maps.DeleteFunc(lost, func(id objects.ID, _ bool) bool { return p.isMeta(id) })
	} else if err := os.RemoveAll(d.path("db")); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for id, can := range d.readable(p) {
			if can == lost[id] {
				t.Fatalf("%s, %s: object %s: readable %v", about, when, id.Short(), can)
			}
		}
	}
	check("at once")
	if res := d.doctor(core.DoctorOptions{Full: true}); withDatabase && !strings.Contains(codes(res), "pack_damaged") {
		t.Fatalf("%s: doctor does not tell: %s", about, codes(res))
	}
	res := d.doctor(core.DoctorOptions{Fix: true, Full: true})
	check("salvaged")
	aside, _ := filepath.Glob(d.path("damaged", "*"))
	if len(lost) > 0 && len(aside) == 0 || len(p.hit(id, from, to)) == 0 && len(aside) > 0 {
		t.Fatalf("%s: aside: %v, %+v", about, aside, res.Findings)
	}
	if len(lost) == 0 && res.Bad() > 0 {
		t.Fatalf("%s: %+v", about, res.Findings)
	}
	if again := d.doctor(core.DoctorOptions{Full: true}); strings.Contains(codes(again), "pack_damaged") {
		t.Fatalf("%s: damaged still: %s", about, codes(again))
	}
	if len(lost) == 0 {
		d.gc(core.GCOptions{Grace: atOnce})
		d.works()
	}
	// What was salvaged is in the packs, not only in the database.
	if err := os.RemoveAll(d.path("db")); err != nil {
		t.Fatal(err)
	}
	check("database made anew")
}

func (p shelved) isMeta(id objects.ID) bool {
	for _, records := range p.records {
		for _, rec := range records {
			if rec.ID == id {
				return rec.Kind.IsMeta()
			}
		}
	}
	return false
}

// gc does not stop at a damaged pack, nor at one that it is built on, and says so.
func TestGCLeavesDamagedPacks(t *testing.T) {
	t.Parallel()
	sound := fourCommits(t)
	sound.config("gc.keep_days", "0")
	p := sound.shelves()
	kept := sound.copyTo(fastDir(t))
	kept.gc(core.GCOptions{Grace: atOnce})
	keeps := kept.readable(p)
	for i, h := range harms()[:3] {
		for j, id := range p.ids {
			if (i+j)%4 > 0 {
				continue
			}
			d := sound.copyTo(fastDir(t))
			d.harm(id, h)
			events := &warnings{}
			d.env.Events = events
			d.gc(core.GCOptions{Grace: atOnce})
			if !strings.Contains(strings.Join(events.list, "\n"), id.String()) {
				t.Errorf("%s: gc does not tell: %v", h.name, events.list)
			}
			if _, err := os.Lstat(d.path("packs", id.String()+".pack")); err != nil {
				t.Errorf("%s: %v", h.name, err)
			}
			for id, can := range d.readable(p) {
				if keeps[id] && !can {
					t.Errorf("%s: gc took %s", h.name, id.Short())
				}
			}
		}
	}
}

// What a damaged pack took is named with a file and its commit, and a full
// commit of the file brings it back.
func TestSalvageNamesWhatIsLost(t *testing.T) {
	t.Parallel()
	d := newDataIn(t, fastDir(t))
	for i := range 4 {
		d.write(fmt.Sprintf("pictures/%d", i), noise(uint64(i), 50_000))
	}
	d.commit(core.CommitOptions{Message: "first"})
	p := d.shelves()
	largest := slices.MaxFunc(p.ids, func(a, b objects.ID) int { return int(p.sizes[a] - p.sizes[b]) })
	// The last of four is cut off.
	d.harm(largest, harm{do: cut(func(size int64) int64 { return size - 20_000 })})
	res := d.doctor(core.DoctorOptions{Fix: true})
	if res.LostObjects != 1 || len(res.Lost) != 1 || !strings.HasPrefix(res.Lost[0].Path, "pictures/") || res.Lost[0].Commit.IsZero() {
		t.Fatalf("%+v", res)
	}
	if !strings.Contains(codes(res), "objects_lost") || res.Bad() != 1 {
		t.Fatalf("%+v", res.Findings)
	}
	again := d.doctor(core.DoctorOptions{})
	if again.LostObjects != 1 {
		t.Fatalf("told once only: %+v", again)
	}
	d.commit(core.CommitOptions{Message: "heal", Kind: objects.Full})
	res = d.doctor(core.DoctorOptions{})
	if res.Bad() != 0 || codes(res) != "packs_aside" {
		t.Fatalf("%+v", res.Findings)
	}
	d.verify(true)
	d.gc(core.GCOptions{Grace: atOnce})
	d.works()
}

// While somebody may be reading by the old places, damaged packs stay.
func TestSalvageWaitsForReaders(t *testing.T) {
	t.Parallel()
	d := fourCommits(t)
	p := d.shelves()
	id := slices.MaxFunc(p.ids, func(a, b objects.ID) int { return int(p.sizes[a] - p.sizes[b]) })
	lost := p.hit(id, 3*4096, p.sizes[id])
	r := d.open()
	if _, err := r.Verify(t.Context(), core.VerifyOptions{}, func(core.Damage) error { return nil }); err != nil {
		t.Fatal(err)
	}
	d.harm(id, harm{do: cut(func(int64) int64 { return 3 * 4096 })})
	if got := codes(d.doctor(core.DoctorOptions{Fix: true})); !strings.Contains(got, "packs_read") {
		t.Fatalf("beside a reader: %s", got)
	}
	if _, err := os.Lstat(d.path("packs", id.String()+".pack")); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if got := codes(d.doctor(core.DoctorOptions{Fix: true})); strings.Contains(got, "packs_read") {
		t.Fatalf("without readers: %s", got)
	}
	if _, err := os.Lstat(d.path("packs", id.String()+".pack")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for id, can := range d.readable(p) {
		if !can && !lost[id] {
			t.Fatalf("object %s was lost", id.Short())
		}
	}
}

// Whatever operation of the repair fails, nothing more is lost, and the next
// one ends the work.
func TestSalvageInterrupted(t *testing.T) {
	t.Parallel()
	sound := fourCommits(t)
	p := sound.shelves()
	for _, h := range harms() {
		if h.name != "trailer" && h.name != "cut at 2/4" {
			continue
		}
		for _, plan := range []faultfs.Plan{{Kind: faultfs.EIO}, {Kind: faultfs.ShortWrite, Sticky: true}} {
			total := salvageWith(t, sound, p, h, faultfs.Plan{})
			first, step := stride(max(1, total/5))
			for plan.At = first; plan.At <= total; plan.At += step {
				salvageWith(t, sound, p, h, plan)
			}
		}
	}
}

// salvageWith damages every second data pack of a copy and has it salvaged on
// a failing disk, and then on a sound one.
func salvageWith(t *testing.T, from *data, p shelved, h harm, plan faultfs.Plan) int {
	t.Helper()
	d := from.copyTo(fastDir(t))
	lost := make(map[objects.ID]bool)
	for i, id := range p.ids {
		if i%2 == 0 {
			continue
		}
		a, b := d.harm(id, h)
		maps.Copy(lost, p.hit(id, a, b))
	}
	maps.DeleteFunc(lost, func(id objects.ID, _ bool) bool { return p.isMeta(id) })
	fsys := faultfs.New(vfs.OS, plan)
	d.env.FS = fsys
	_, err := core.Doctor(t.Context(), d.env, d.root, core.DoctorOptions{Fix: true})
	if plan.At == 0 && err != nil {
		t.Fatal(err)
	}
	d.env.FS = vfs.OS
	check := func(when string) {
		t.Helper()
		for id, can := range d.readable(p) {
			if can == lost[id] {
				t.Fatalf("%s: operation %d (%s), %s: object %s: readable %v", h.name, plan.At, fsys.Failed(), when, id.Short(), can)
			}
		}
	}
	check("interrupted")
	d.doctor(core.DoctorOptions{Fix: true})
	check("salvaged")
	if got := codes(d.doctor(core.DoctorOptions{Full: true})); strings.Contains(got, "pack_damaged") || strings.Contains(got, "pack_missing") {
		t.Fatalf("%s: operation %d (%s): %s", h.name, plan.At, fsys.Failed(), got)
	}
	d.must(os.RemoveAll(d.path("db")))
	check("database made anew")
	return fsys.Count()
}

// Where the current operation itself is lost, doctor names the newest one that
// is whole, and goes back to it only when told to.
func TestDoctorGoesBack(t *testing.T) {
	t.Parallel()
	d := fourCommits(t)
	p := d.shelves()
	now, err := os.ReadFile(d.path("current"))
	d.must(err)
	d.must(os.RemoveAll(d.path("db")))
	for _, id := range p.ids { // the pack that has the operation that is current
		for _, rec := range p.records[id] {
			if rec.Kind == objects.KindOperation && strings.Contains(string(now), rec.ID.String()) {
				d.harm(id, harm{do: cut(func(int64) int64 { return 20 })})
			}
		}
	}
	res := d.doctor(core.DoctorOptions{Fix: true})
	if !strings.Contains(codes(res), "operation_damaged") || res.Bad() == 0 {
		t.Fatalf("%+v", res.Findings)
	}
	var operation objects.ID
	for _, f := range res.Findings {
		if f.Code == "operation_damaged" {
			words := strings.Fields(f.Do)
			operation, err = objects.ParseID(words[len(words)-1])
			d.must(err)
		}
	}
	res = d.doctor(core.DoctorOptions{Fix: true, Operation: operation})
	if res.Bad() > 0 {
		t.Fatalf("%+v", res.Findings)
	}
	if got := d.verify(true); got.Commits != 3 {
		t.Fatalf("%d commits", got.Commits)
	}
	d.commit(core.CommitOptions{Message: "again"})
	d.works()
}
