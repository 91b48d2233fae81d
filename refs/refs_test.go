package refs_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/refs/refstest"
)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// repo is a store and a pointer in memory.
type repo struct {
	fataler
	*objecttest.Store
	pointer refstest.MemPointer
	clock   time.Time
}

func newRepo(t fataler) *repo {
	return &repo{fataler: t, Store: objecttest.NewStore(), clock: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
}

func (r *repo) head() objects.ID {
	r.Helper()
	id, err := r.pointer.Load(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	return id
}

// apply moves names, a minute after the operation before.
func (r *repo) apply(op refs.Op) (objects.ID, error) {
	r.clock = r.clock.Add(time.Minute)
	op.When, op.Reason = r.clock, "test"
	return refs.Apply(context.Background(), r, &r.pointer, op)
}

func (r *repo) must(moves ...refs.Move) objects.ID {
	r.Helper()
	id, err := r.apply(refs.Op{Moves: moves})
	if err != nil {
		r.Fatal(err)
	}
	return id
}

// names returns the view that an operation left as a plain map.
func (r *repo) names(op objects.ID, prefix string) map[refs.Name]refs.Value {
	r.Helper()
	view, err := refs.ViewAt(context.Background(), r, op)
	if err != nil {
		r.Fatal(err)
	}
	names := make(map[refs.Name]refs.Value)
	for ref, err := range view.List(context.Background(), prefix) {
		if err != nil {
			r.Fatal(err)
		}
		names[ref.Name] = ref.Value
	}
	return names
}

// machine applies random operations beside a plain map, and keeps what every
// operation should have left.
type machine struct {
	repo  *repo
	now   map[refs.Name]refs.Value
	log   []objects.ID // oldest first
	views []map[refs.Name]refs.Value
	times []time.Time
}

func (m *machine) done(t *rapid.T, id objects.ID, after map[refs.Name]refs.Value) {
	m.now = after
	m.log, m.views, m.times = append(m.log, id), append(m.views, after), append(m.times, m.repo.clock)
	if diff := cmp.Diff(after, m.repo.names(id, "")); diff != "" {
		t.Fatal(diff)
	}
}

func with(names map[refs.Name]refs.Value, moves []refs.Move) map[refs.Name]refs.Value {
	names = maps.Clone(names)
	for _, m := range moves {
		delete(names, m.Name)
		if !m.New.IsZero() {
			names[m.Name] = m.New
		}
	}
	return names
}

func clashes(names map[refs.Name]refs.Value, moves []refs.Move) bool {
	for _, m := range moves {
		for name := range names {
			if m.Old.IsZero() && (len(name) > len(m.Name) && name[:len(m.Name)+1] == m.Name+"/" ||
				len(m.Name) > len(name) && m.Name[:len(name)+1] == name+"/") {
				return true
			}
		}
	}
	return false
}

func (m *machine) Apply(t *rapid.T) {
	all := []refs.Name{"branch/a", "branch/a/b", "branch/a/b/c", "branch/ab", "branch/main", "tag/a", "remote/o/a", "git/a"}
	values := []refs.Value{at("1"), at("2"), at("3"), {}}
	var moves []refs.Move
	stale := rapid.IntRange(0, 9).Draw(t, "stale") == 0
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 4, rapid.ID[refs.Name]).Draw(t, "names") {
		move := refs.Move{Name: name, Old: m.now[name], New: rapid.SampledFrom(values).Draw(t, "new")}
		if move.Old != move.New {
			moves = append(moves, move)
		}
	}
	if rapid.Bool().Draw(t, "head") {
		value := rapid.SampledFrom([]refs.Value{at("1"), on("main"), on("unborn")}).Draw(t, "HEAD")
		if value != m.now[refs.HEAD] {
			moves = append(moves, refs.Move{Name: refs.HEAD, Old: m.now[refs.HEAD], New: value})
		}
	}
	if len(moves) == 0 {
		return
	}
	want := with(m.now, moves)
	if stale {
		moves[0].Old = at("stale")
	}
	before := m.repo.head()
	id, err := m.repo.apply(refs.Op{Moves: moves})
	var moved *refs.MovedError
	switch {
	case stale:
		mismatch := []refs.Mismatch{{Name: moves[0].Name, Want: at("stale"), Have: m.now[moves[0].Name]}}
		if !errors.Is(err, refs.ErrMoved) || !errors.As(err, &moved) || !cmp.Equal(moved.Names, mismatch) {
			t.Fatalf("got %v, want ErrMoved", err)
		}
	case clashes(want, moves):
		if !errors.Is(err, refs.ErrClash) {
			t.Fatalf("got %v, want ErrClash", err)
		}
	case err != nil:
		t.Fatal(err)
	default:
		m.done(t, id, want)
		return
	}
	if m.repo.head() != before {
		t.Fatal("the pointer moved")
	}
}

func (m *machine) Undo(t *rapid.T) {
	if len(m.log) == 0 {
		return // nothing to undo
	}
	i := rapid.IntRange(0, len(m.log)-1).Draw(t, "operation")
	op, err := refs.ReadOp(context.Background(), m.repo, m.log[i])
	if err != nil {
		t.Fatal(err)
	}
	possible := true
	want := maps.Clone(m.now)
	for _, move := range op.Moves {
		possible = possible && m.now[move.Name] == move.New && (move.Name != refs.HEAD || !move.Old.IsZero())
		delete(want, move.Name)
		if !move.Old.IsZero() {
			want[move.Name] = move.Old
		}
	}
	back, err := refs.Undo(context.Background(), m.repo, m.repo.head(), m.log[i])
	if (err == nil) != possible {
		t.Fatalf("undo: %v, possible %v", err, possible)
	}
	if err != nil {
		return
	}
	if back.Undoes != m.log[i] {
		t.Fatalf("undoes %s, want %s", back.Undoes, m.log[i])
	}
	id, err := m.repo.apply(back)
	if clashes(want, back.Moves) {
		if !errors.Is(err, refs.ErrClash) {
			t.Fatalf("got %v, want ErrClash", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.done(t, id, want)
}

func (m *machine) Restore(t *rapid.T) {
	if len(m.log) == 0 {
		return // nothing to restore
	}
	i := rapid.IntRange(0, len(m.log)-1).Draw(t, "operation")
	if m.now[refs.HEAD] != (refs.Value{}) && m.views[i][refs.HEAD] == (refs.Value{}) {
		return // HEAD cannot be deleted
	}
	ctx := context.Background()
	current, err := refs.ViewAt(ctx, m.repo, m.repo.head())
	if err != nil {
		t.Fatal(err)
	}
	target, err := refs.ViewAt(ctx, m.repo, m.log[i])
	if err != nil {
		t.Fatal(err)
	}
	moves, err := refs.RestoreMoves(ctx, current, target)
	if err != nil {
		t.Fatal(err)
	}
	if len(moves) == 0 {
		if diff := cmp.Diff(m.views[i], m.now); diff != "" {
			t.Fatal(diff)
		}
		return
	}
	id, err := m.repo.apply(refs.Op{Moves: moves})
	if err != nil {
		t.Fatal(err)
	}
	m.done(t, id, m.views[i])
}

func (m *machine) At(t *rapid.T) {
	when := m.repo.clock.Add(-time.Duration(rapid.IntRange(0, 1200).Draw(t, "seconds")) * time.Second)
	want := -1
	for i, made := range m.times {
		if !made.After(when) {
			want = i
		}
	}
	logged, err := refs.At(context.Background(), m.repo, m.repo.head(), when)
	if want < 0 {
		if !errors.Is(err, refs.ErrNoOperation) {
			t.Fatalf("got %v, want ErrNoOperation", err)
		}
		return
	}
	if err != nil || logged.ID != m.log[want] {
		t.Fatalf("at %v: %s, %v, want operation %d", when, logged.ID, err, want)
	}
}

// check follows every name back through the log.
func (m *machine) check(t *rapid.T) {
	var log []objects.ID
	for logged, err := range refs.Log(context.Background(), m.repo, m.repo.head()) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, logged.ID)
	}
	slices.Reverse(log)
	if diff := cmp.Diff(m.log, log); diff != "" {
		t.Fatal(diff)
	}
	for name, value := range m.now {
		m.checkReflog(t, name, value)
	}
	for _, prefix := range []string{"branch/", "branch/a", "tag/", "z"} {
		want := maps.Clone(m.now)
		maps.DeleteFunc(want, func(n refs.Name, _ refs.Value) bool { return len(n) < len(prefix) || string(n[:len(prefix)]) != prefix })
		if diff := cmp.Diff(want, m.repo.names(m.repo.head(), prefix)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func (m *machine) checkReflog(t *rapid.T, name refs.Name, value refs.Value) {
	for moved, err := range refs.Reflog(context.Background(), m.repo, m.repo.head(), name) {
		if err != nil {
			t.Fatal(err)
		}
		if moved.Move.New != value {
			t.Fatalf("%s went to %v, later found at %v", name, moved.Move.New, value)
		}
		value = moved.Move.Old
	}
	if !value.IsZero() {
		t.Fatalf("the log of %s begins at %v", name, value)
	}
}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{repo: newRepo(t), now: map[refs.Name]refs.Value{}}
		t.Repeat(map[string]func(*rapid.T){
			"apply": m.Apply, "apply more": m.Apply, "undo": m.Undo, "restore": m.Restore, "at": m.At,
		})
		m.check(t)
	})
}

func TestOneOfTwoAppliesWins(t *testing.T) {
	r := newRepo(t)
	first := r.must(refs.Move{Name: refs.HEAD, New: on("main")})
	const racers = 8
	errs := make([]error, racers)
	var prepared, wg sync.WaitGroup
	prepared.Add(racers)
	for i := range racers {
		wg.Go(func() {
			op := refs.Op{When: r.clock, Moves: []refs.Move{{Name: refs.Tag(fmt.Sprint(i)), New: at("a")}}}
			pending, err := refs.Prepare(t.Context(), r, first, op)
			prepared.Done()
			prepared.Wait()
			if err == nil {
				err = pending.Publish(t.Context(), r, &r.pointer)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			want := map[refs.Name]refs.Value{refs.HEAD: on("main"), refs.Tag(fmt.Sprint(i)): at("a")}
			if diff := cmp.Diff(want, r.names(r.head(), "")); diff != "" {
				t.Fatal(diff)
			}
		} else if !errors.Is(err, refs.ErrMoved) {
			t.Fatalf("got %v, want ErrMoved", err)
		}
	}
	if won != 1 {
		t.Fatalf("%d of %d won", won, racers)
	}
}

// syncFails is a store that cannot make anything durable.
type syncFails struct{ *objecttest.Store }

var errSync = errors.New("sync fails")

func (syncFails) Sync(context.Context) error { return errSync }

func TestPointerStaysWhenSyncFails(t *testing.T) {
	r := newRepo(t)
	_, err := refs.Apply(t.Context(), syncFails{r.Store}, &r.pointer, refs.Op{Moves: []refs.Move{{Name: "tag/a", New: at("a")}}})
	if !errors.Is(err, errSync) || !r.head().IsZero() {
		t.Fatalf("got %v, pointer at %s", err, r.head())
	}
}

func TestUndoNamesWhatMovedSince(t *testing.T) {
	r := newRepo(t)
	first := r.must(refs.Move{Name: "branch/main", New: at("a")})
	r.must(refs.Move{Name: "branch/main", Old: at("a"), New: at("b")})
	_, err := refs.Undo(t.Context(), r, r.head(), first)
	var moved *refs.MovedError
	want := []refs.Mismatch{{Name: "branch/main", Want: at("a"), Have: at("b")}}
	if !errors.As(err, &moved) || !cmp.Equal(moved.Names, want) {
		t.Fatalf("got %v", err)
	}
	if _, err := refs.Undo(t.Context(), r, first, r.head()); !errors.Is(err, refs.ErrNoOperation) {
		t.Fatalf("undo of what is not in the log: %v", err)
	}
}

func TestHistoryFollowsHEADThroughItsBranch(t *testing.T) {
	r := newRepo(t)
	r.must(refs.Move{Name: refs.HEAD, New: on("main")})
	r.must(refs.Move{Name: "branch/main", New: at("a")})
	r.must(refs.Move{Name: "branch/main", Old: at("a"), New: at("b")}, refs.Move{Name: "tag/v1", New: at("a")})
	r.must(refs.Move{Name: refs.HEAD, Old: on("main"), New: at("a")})
	r.must(refs.Move{Name: "branch/main", Old: at("b"), New: at("c")})
	r.must(refs.Move{Name: refs.HEAD, Old: at("a"), New: on("main")})
	for name, want := range map[refs.Name][]string{
		refs.HEAD: {"c", "a", "b", "a"}, "branch/main": {"c", "b", "a"}, "tag/v1": {"a"}, "tag/none": nil,
	} {
		var got, ids []objects.ID
		for id, err := range refs.History(t.Context(), r, r.head(), name) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, id)
		}
		for _, commit := range want {
			ids = append(ids, commitID(commit))
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDamageIsNamed(t *testing.T) {
	r := newRepo(t)
	first := r.must(refs.Move{Name: "tag/a", New: at("a")})
	second := r.must(refs.Move{Name: "tag/b", New: at("b")})
	op, err := refs.ReadOp(t.Context(), r, second)
	if err != nil {
		t.Fatal(err)
	}
	about := func(err error, id objects.ID, want error) {
		t.Helper()
		var e *objects.ObjectError
		if !errors.Is(err, want) || !errors.As(err, &e) || e.ID != id {
			t.Fatalf("got %v, want %v about %s", err, want, id)
		}
	}
	r.Damage(op.View)
	view, err := refs.ViewAt(t.Context(), r, second)
	if err != nil {
		t.Fatal(err)
	}
	_, err = view.Get(t.Context(), "tag/a")
	about(err, op.View, objects.ErrCorrupt)
	_, err = r.apply(refs.Op{Moves: []refs.Move{{Name: "tag/c", New: at("c")}}})
	about(err, op.View, objects.ErrCorrupt)

	r.Delete(first)
	var last error
	for _, last = range refs.Log(t.Context(), r, second) {
	}
	about(last, first, objects.ErrNotFound)
}

func TestRestoreMovesFromAndToNothing(t *testing.T) {
	r := newRepo(t)
	head := r.must(refs.Move{Name: "tag/a", New: at("a")}, refs.Move{Name: "tag/b", New: at("b")})
	view, err := refs.ViewAt(t.Context(), r, head)
	if err != nil {
		t.Fatal(err)
	}
	made, err := refs.RestoreMoves(t.Context(), refs.View{}, view)
	if diff := cmp.Diff([]refs.Move{{Name: "tag/a", New: at("a")}, {Name: "tag/b", New: at("b")}}, made); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	gone, err := refs.RestoreMoves(t.Context(), view, refs.View{})
	if diff := cmp.Diff([]refs.Move{{Name: "tag/a", Old: at("a")}, {Name: "tag/b", Old: at("b")}}, gone); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
}

// A view from elsewhere may hold anything under any name.
func TestForgedViewsAreDamage(t *testing.T) {
	r := newRepo(t)
	branch, err := on("main").MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	commit, err := at("a").MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, item := range map[string]struct {
		prolly.Item
		want error
	}{
		"bad name":        {prolly.Item{Key: []byte("branch/../x"), Value: commit}, objects.ErrCorrupt},
		"tag to a branch": {prolly.Item{Key: []byte("tag/x"), Value: branch}, objects.ErrCorrupt},
		"no value":        {prolly.Item{Key: []byte("tag/x")}, objects.ErrCorrupt},
		"later value":     {prolly.Item{Key: []byte("tag/x"), Value: []byte{3}}, objects.ErrNewer},
	} {
		m, err := prolly.Build(t.Context(), r, func(yield func(prolly.Item, error) bool) { yield(item.Item, nil) })
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, last = range refs.OpenView(r, m.Root()).List(t.Context(), "") {
		}
		if !errors.Is(last, item.want) {
			t.Errorf("%s: got %v, want %v", name, last, item.want)
		}
	}
}

func TestAnOperationHasAnEnd(t *testing.T) {
	op := sampleOp()
	op.Moves = nil
	for i := range 9000 {
		op.Moves = append(op.Moves, refs.Move{Name: refs.Branch(fmt.Sprintf("name-%06d", i)), Old: at("a"), New: at("b")})
	}
	o, err := refs.EncodeOp(op)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refs.DecodeOp(o); err != nil {
		t.Fatal(err)
	}
	for i := range 9000 {
		op.Moves = append(op.Moves, refs.Move{Name: refs.Branch(fmt.Sprintf("other-%06d", i)), Old: at("a"), New: at("b")})
	}
	if _, err := refs.EncodeOp(op); err == nil {
		t.Fatal("encoded more than one object may hold")
	}
}
