package refs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

func commitID(name string) objects.ID { return objects.Sum(objects.KindCommit, []byte(name)) }

func at(name string) refs.Value { return refs.Value{Commit: commitID(name)} }

func on(branch string) refs.Value { return refs.Value{Branch: refs.Branch(branch)} }

func sampleOp() refs.Op {
	return refs.Op{
		Version: 1,
		Prev:    objects.Sum(objects.KindOperation, []byte("prev")),
		View:    objects.Sum(objects.KindNode, []byte("view")),
		When:    time.Date(2026, 11, 24, 5, 0, 0, 0, time.FixedZone("", 3600)),
		Who:     objects.Signature{Name: "Ada", Email: "ada@example.org"},
		Reason:  "commit -m 'more rows'",
		Moves: []refs.Move{
			{Name: refs.HEAD, Old: at("a"), New: on("main")},
			{Name: refs.Branch("main"), Old: at("a"), New: at("b")},
			{Name: refs.Branch("old"), Old: at("a")},
			{Name: refs.Tag("v1"), New: at("b")},
		},
		Undoes: objects.Sum(objects.KindOperation, []byte("undone")),
	}
}

var cmpTimes = cmp.Comparer(time.Time.Equal)

func TestOpRoundTrip(t *testing.T) {
	want := sampleOp()
	want.Unknown = map[string]cbor.RawMessage{"zz_later": {0x01}}
	o, err := refs.EncodeOp(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := refs.DecodeOp(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpTimes); diff != "" {
		t.Fatal(diff)
	}
	again, err := refs.EncodeOp(got)
	if err != nil || again.ID() != o.ID() {
		t.Fatalf("re-encoding changed the operation: %v", err)
	}
}

func TestOpOrderOfMovesDoesNotMatter(t *testing.T) {
	op := sampleOp()
	a, err := refs.EncodeOp(op)
	if err != nil {
		t.Fatal(err)
	}
	op.Moves[0], op.Moves[3] = op.Moves[3], op.Moves[0]
	b, err := refs.EncodeOp(op)
	if err != nil || a.ID() != b.ID() {
		t.Fatalf("%s and %s, %v", a.ID(), b.ID(), err)
	}
}

func TestOpRefusesBadMoves(t *testing.T) {
	for name, moves := range map[string][]refs.Move{
		"none":              nil,
		"twice":             {{Name: "tag/a", New: at("a")}, {Name: "tag/a", New: at("b")}},
		"to the same":       {{Name: "tag/a", Old: at("a"), New: at("a")}},
		"nothing":           {{Name: "tag/a"}},
		"bad name":          {{Name: "tag/a..b", New: at("a")}},
		"HEAD deleted":      {{Name: refs.HEAD, Old: at("a")}},
		"tag to a branch":   {{Name: "tag/a", New: on("main")}},
		"HEAD to a tag":     {{Name: refs.HEAD, New: refs.Value{Branch: "tag/a"}}},
		"commit and branch": {{Name: refs.HEAD, New: refs.Value{Branch: "branch/a", Commit: commitID("a")}}},
	} {
		op := sampleOp()
		op.Moves = moves
		if _, err := refs.EncodeOp(op); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestOpRefusesForms(t *testing.T) {
	good, err := refs.EncodeOp(sampleOp())
	if err != nil {
		t.Fatal(err)
	}
	edit := func(fn func(fields map[string]any)) objects.Object {
		var fields map[string]any
		if err := cbor.Unmarshal(good.Data, &fields); err != nil {
			t.Fatal(err)
		}
		fn(fields)
		data, err := objects.MarshalRecord(fields, nil)
		if err != nil {
			t.Fatal(err)
		}
		return objects.Object{Kind: objects.KindOperation, Data: data}
	}
	move := func(value []byte) func(map[string]any) {
		return func(fields map[string]any) {
			fields["moves"] = []any{map[string]any{"name": "tag/a", "new": value}}
		}
	}
	for name, c := range map[string]struct {
		o    objects.Object
		want error
	}{
		"other kind":     {objects.Object{Kind: objects.KindCommit, Data: good.Data}, objects.ErrCorrupt},
		"later version":  {edit(func(f map[string]any) { f["version"] = 3 }), objects.ErrNewer},
		"higher version": {edit(func(f map[string]any) { f["version"] = 2 }), objects.ErrCorrupt},
		"no version":     {edit(func(f map[string]any) { delete(f, "version") }), objects.ErrCorrupt},
		"no view":        {edit(func(f map[string]any) { f["view"] = make([]byte, 32) }), objects.ErrCorrupt},
		"later value":    {edit(move([]byte{9, 1})), objects.ErrNewer},
		"short value":    {edit(move([]byte{1, 2})), objects.ErrCorrupt},
		"zero value":     {edit(move(make([]byte, 33))), objects.ErrCorrupt},
		"empty value":    {edit(move([]byte{})), objects.ErrCorrupt},
		"bad branch":     {edit(move([]byte("\x02branch/a..b"))), objects.ErrCorrupt},
		"trailing bytes": {objects.Object{Kind: objects.KindOperation, Data: append([]byte(string(good.Data)), 0)}, objects.ErrCorrupt},
	} {
		if _, err := refs.DecodeOp(c.o); !errors.Is(err, c.want) || errors.Is(err, objects.ErrNewer) != (c.want == objects.ErrNewer) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzDecodeOp(f *testing.F) {
	o, err := refs.EncodeOp(sampleOp())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(o.Data)
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, data []byte) {
		op, err := refs.DecodeOp(objects.Object{Kind: objects.KindOperation, Data: data})
		if err != nil {
			return
		}
		again, err := refs.EncodeOp(op)
		if err != nil || string(again.Data) != string(data) {
			t.Fatalf("accepted bytes encode differently: %v", err)
		}
	})
}

func FuzzDecodeValue(f *testing.F) {
	for _, v := range []refs.Value{at("a"), on("main")} {
		data, err := v.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v refs.Value
		if v.UnmarshalBinary(data) != nil {
			return
		}
		again, err := v.MarshalBinary()
		if err != nil || string(again) != string(data) {
			t.Fatalf("accepted bytes encode differently: %v", err)
		}
	})
}

// A sealed split that was read is an operation that may move nothing.
func TestUnsealOp(t *testing.T) {
	want := sampleOp()
	want.Version, want.Moves = refs.OpUnsealVersion, []refs.Move{}
	want.Unseals = []refs.Unseal{{Scheme: "default", Split: "holdout", Commit: commitID("a"), Why: "the paper"}}
	o, err := refs.EncodeOp(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := refs.DecodeOp(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpTimes); diff != "" {
		t.Fatal(diff)
	}
	none := want
	none.Moves = nil
	if again, err := refs.EncodeOp(none); err != nil || again.ID() != o.ID() {
		t.Errorf("no moves have two encodings: %v", err)
	}
	for name, spoil := range map[string]func(u *refs.Unseal){
		"scheme": func(u *refs.Unseal) { u.Scheme = "" }, "split": func(u *refs.Unseal) { u.Split = "" },
		"commit": func(u *refs.Unseal) { u.Commit = objects.ID{} }, "why": func(u *refs.Unseal) { u.Why = "" },
	} {
		bad := want
		bad.Unseals = []refs.Unseal{want.Unseals[0]}
		spoil(&bad.Unseals[0])
		if _, err := refs.EncodeOp(bad); err == nil {
			t.Errorf("encoded without %s", name)
		}
	}
}

// An unseal is logged, and leaves the view as it is.
func TestUnsealIsLogged(t *testing.T) {
	r := newRepo(t)
	before := r.must(refs.Move{Name: refs.Branch("main"), New: at("a")})
	id, err := r.apply(refs.Op{Unseals: []refs.Unseal{{Scheme: "default", Split: "holdout", Commit: commitID("a"), Why: "the paper"}}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.names(before, ""), r.names(id, "")); diff != "" || r.head() != id {
		t.Error(diff)
	}
	after := r.must(refs.Move{Name: refs.Branch("main"), Old: at("a"), New: at("b")})
	if diff := cmp.Diff(map[refs.Name]refs.Value{refs.Branch("main"): at("b")}, r.names(after, "")); diff != "" {
		t.Error(diff)
	}
	if _, err := r.apply(refs.Op{}); err == nil {
		t.Error("an operation of nothing")
	}
}
