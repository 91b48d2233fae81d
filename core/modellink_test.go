package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// trained is a repository for tests of models, with a clock that moves a
// second with each look.
type trained struct {
	*testing.T
	*Repo
	ctx context.Context
	now *time.Time
}

func newTrained(t *testing.T) *trained {
	t.Helper()
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	env := Env{
		FS: vfs.OS, Now: func() time.Time { now = now.Add(time.Second); return now },
		Who: objects.Signature{Name: "Ada"}, Command: "test", Events: NoEvents{},
	}
	r, err := Init(t.Context(), env, InitOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &trained{t, r, t.Context(), &now}
}

// record writes files and commits them.
func (r *trained) record(files map[string]string, opt CommitOptions) objects.ID {
	r.Helper()
	for name, text := range files {
		full := filepath.Join(r.root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			r.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o666); err != nil {
			r.Fatal(err)
		}
	}
	opt.Message, opt.Kind = "data", KindAuto
	res, err := r.Commit(r.ctx, opt)
	if err != nil {
		r.Fatal(err)
	}
	return res.ID
}

// split gives the last commit's data a split table in a commit of their own.
func (r *trained) split(scheme string, table map[string]string) objects.ID {
	r.Helper()
	return r.splitWith(table, func(s *objects.Split) { s.Scheme = scheme })
}

// splitWith does the same for the scheme default; change may change what the
// commit says of it.
func (r *trained) splitWith(table map[string]string, change func(*objects.Split)) objects.ID {
	r.Helper()
	s, err := r.begin(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	c, err := r.commit(r.ctx, s.head.Commit)
	if err != nil {
		r.Fatal(err)
	}
	m, err := prolly.Build(r.ctx, r.store, sortedItems(table))
	if err != nil {
		r.Fatal(err)
	}
	made := objects.Split{Scheme: split.Default, Table: m.Root(), Rule: "a rule of a later version"}
	if made.Fingerprints, err = split.Fingerprints(r.ctx, r.store, made, split.Input{Files: r.samplesOf(c.Tree), Rows: splitRows}); err != nil {
		r.Fatal(err)
	}
	change(&made)
	c.Parents, c.Kind, c.Base = []objects.ID{s.head.Commit}, objects.Incremental, s.head.Commit
	c.Generation++
	c.Delta = objects.Delta{Files: c.Delta.Files, Bytes: c.Delta.Bytes}
	c.Splits = append(c.Splits, made)
	o, err := objects.EncodeCommit(c)
	if err != nil {
		r.Fatal(err)
	}
	id, err := r.store.Put(r.ctx, o)
	if err != nil {
		r.Fatal(err)
	}
	err = s.move(r.ctx, refs.Op{Moves: []refs.Move{{Name: s.head.Branch, Old: refs.Value{Commit: s.head.Commit}, New: refs.Value{Commit: id}}}})
	if err = errors.Join(err, s.end()); err != nil {
		r.Fatal(err)
	}
	return id
}

func sortedItems(table map[string]string) iter.Seq2[prolly.Item, error] {
	return func(yield func(prolly.Item, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(table)) {
			if !yield(prolly.Item{Key: []byte(key), Value: []byte(table[key])}, nil) {
				return
			}
		}
	}
}

func (r *trained) link(opt ModelLinkOptions) ModelInfo {
	r.Helper()
	m, err := r.LinkModel(r.ctx, opt)
	if err != nil {
		r.Fatal(err)
	}
	return m
}

func splitsOf(t *testing.T, texts ...string) []ModelSplit {
	t.Helper()
	var splits []ModelSplit
	for _, text := range texts {
		s, err := ParseModelSplit(text)
		if err != nil {
			t.Fatal(err)
		}
		splits = append(splits, s)
	}
	return splits
}

var linkVector = map[string]string{
	"mlvc.model":                                   "team/run-42",
	"mlvc.model.code":                              "8a2f0c",
	"mlvc.model.fingerprint.default/train":         "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
	"mlvc.model.fingerprint.five-fold/fold.1":      "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
	"mlvc.model.metric.f1":                         "0.91",
	"mlvc.model.metric.loss at end":                "",
	"mlvc.model.params":                            "lr: 0.1\n",
	"mlvc.model.splits":                            "test=five-fold/fold.1,train=default/train",
	"mlvc.model.weights":                           "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85 3 out/a model.bin",
	"another key that is none of a link's concern": "stays",
}

func TestModelLinkVector(t *testing.T) {
	abc := objects.ID(blake3.Sum256([]byte("abc")))
	hello, err := objects.ParseID("2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213")
	if err != nil {
		t.Fatal(err)
	}
	want := ModelLink{
		Model:   "team/run-42",
		Splits:  []ModelSplit{{"test", "five-fold", "fold.1"}, {"train", "default", "train"}},
		Weights: &ModelWeights{"out/a model.bin", 3, abc},
		Params:  "lr: 0.1\n", Metrics: map[string]string{"f1": "0.91", "loss at end": ""}, Code: "8a2f0c",
		Fingerprints: map[string]objects.ID{"default/train": hello, "five-fold/fold.1": abc},
	}
	got, err := ParseModelLink(linkVector)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	meta, err := got.Encode()
	own := maps.Clone(linkVector)
	delete(own, "another key that is none of a link's concern")
	if diff := cmp.Diff(own, meta); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
}

func TestModelLinkRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"no model":               {metaModel, ""},
		"splits out of order":    {metaModelSplits, "train=default/train,test=default/test"},
		"a split twice":          {metaModelSplits, "a=default/a,a=default/a"},
		"a scheme left out":      {metaModelSplits, "train=train"},
		"a split without role":   {metaModelSplits, "train"},
		"weights without a name": {metaModelWeights, "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85 3 "},
		"a size with a plus":     {metaModelWeights, "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85 +3 x"},
		"another hash":           {metaModelWeights, "sha256:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85 3 x"},
		"a print in capitals":    {metaModelFingerprint + "default/train", "2D3ADEDFF11B61F14C886E35AFA036736DCD87A74D27B5C1510225D0F592E213"},
		"a print of no split":    {metaModelFingerprint + "train", "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
		"a metric without name":  {metaModelMetric, "1"},
		"a control character":    {metaModelCode, "a\x1bb"},
		"empty params":           {metaModelParams, ""},
	} {
		meta := maps.Clone(linkVector)
		meta[change[0]] = change[1]
		if _, err := ParseModelLink(meta); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	meta := maps.Clone(linkVector)
	meta["mlvc.model.teacher"] = "run-1"
	if _, err := ParseModelLink(meta); !errors.Is(err, objects.ErrNewer) {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestModelLinkRoundTrip(t *testing.T) {
	word := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,5}`)
	line := rapid.StringMatching(`[ -~é]{0,8}`)
	id := rapid.Custom(func(t *rapid.T) objects.ID {
		return blake3.Sum256([]byte{rapid.Byte().Draw(t, "id")})
	})
	name := rapid.Custom(func(t *rapid.T) string { return word.Draw(t, "scheme") + "/" + word.Draw(t, "split") })
	rapid.Check(t, func(t *rapid.T) {
		l := ModelLink{Model: word.Draw(t, "model"), Params: rapid.String().Draw(t, "params"), Code: line.Draw(t, "code")}
		for range rapid.IntRange(0, 4).Draw(t, "splits") {
			l.Splits = append(l.Splits, ModelSplit{word.Draw(t, "role"), word.Draw(t, "scheme"), word.Draw(t, "split")})
		}
		if rapid.Bool().Draw(t, "weights") {
			l.Weights = &ModelWeights{"w" + line.Draw(t, "name"), rapid.Int64Min(0).Draw(t, "size"), id.Draw(t, "content")}
		}
		l.Metrics = rapid.MapOfN(word, line, 0, 3).Draw(t, "metrics")
		l.Fingerprints = rapid.MapOfN(name, id, 0, 3).Draw(t, "fingerprints")
		meta, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseModelLink(meta)
		slices.SortFunc(l.Splits, compareModelSplits)
		l.Splits = slices.Compact(l.Splits)
		if diff := cmp.Diff(l, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func TestLinkStandsForItsData(t *testing.T) {
	r := newTrained(t)
	data := r.record(map[string]string{"a": "1", "b": "2"}, CommitOptions{})
	m := r.link(ModelLinkOptions{Model: "run", Metrics: map[string]string{"f1": "0.9"}})
	if m.Commit != data || m.Link.IsZero() {
		t.Fatalf("linked to %v by %v", m.Commit, m.Link)
	}
	for _, rev := range []string{"model:run", m.Link.String(), m.Link.String()[:12]} {
		if got, err := r.Resolve(r.ctx, rev); err != nil || got.ID != data {
			t.Errorf("%s is %v, %v", rev, got.ID, err)
		}
	}
	if got, err := r.Resolve(r.ctx, "model:run:a"); err != nil || got.ID != data || got.Path != "a" {
		t.Errorf("model:run:a is %v:%s, %v", got.ID, got.Path, err)
	}
	later := r.record(map[string]string{"a": "3"}, CommitOptions{Models: []string{"model:now", "now"}})
	var seen []string
	for e, err := range r.Log(r.ctx, LogOptions{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprint(e.ID.Short(), e.Names, e.Models))
	}
	want := []string{
		fmt.Sprint(later.Short(), []refs.Name{"HEAD", "branch/main", "model/now"}, []string{"now"}),
		fmt.Sprint(data.Short(), []refs.Name{"model/run"}, []string(nil)),
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestLinkIsNeverSilentlyReplaced(t *testing.T) {
	r := newTrained(t)
	first := r.record(map[string]string{"a": "1"}, CommitOptions{Models: []string{"run"}})
	second := r.record(map[string]string{"a": "2"}, CommitOptions{})
	var exists *ModelExistsError
	_, err := r.LinkModel(r.ctx, ModelLinkOptions{Model: "run"})
	if !errors.As(err, &exists) || exists.Model.Commit != first {
		t.Fatalf("another commit: %v", err)
	}
	// A bare link to the same data may say more; from then on it is as it is.
	m := r.link(ModelLinkOptions{Model: "run", Rev: "HEAD~1", Metrics: map[string]string{"f1": "1"}})
	if again := r.link(ModelLinkOptions{Model: "run", Rev: "HEAD~1", Metrics: map[string]string{"f1": "1"}}); again.Link != m.Link {
		t.Errorf("the same link was made anew: %v, %v", m.Link, again.Link)
	}
	for _, opt := range []ModelLinkOptions{{Rev: "HEAD~1"}, {Rev: "HEAD~1", Metrics: map[string]string{"f1": "2"}}, {Metrics: map[string]string{"f1": "1"}}} {
		opt.Model = "run"
		if _, err := r.LinkModel(r.ctx, opt); !errors.As(err, &exists) {
			t.Errorf("%+v: %v", opt, err)
		}
	}
	os.WriteFile(filepath.Join(r.root, "a"), []byte("33"), 0o666)
	if _, err := r.Commit(r.ctx, CommitOptions{Message: "x", Kind: KindAuto, Models: []string{"run"}}); !errors.As(err, &exists) {
		t.Errorf("commit --model: %v", err)
	}
	if m := r.link(ModelLinkOptions{Model: "run", Force: true}); m.Commit != second {
		t.Errorf("forced to %v", m.Commit)
	}
	if _, err := r.Undo(r.ctx, UndoOptions{}); err != nil {
		t.Fatal(err)
	}
	if back, err := r.Model(r.ctx, "run"); err != nil || back.Link != m.Link {
		t.Errorf("after undo: %+v, %v", back, err)
	}
	var none *NoModelError
	if _, err := r.UnlinkModels(r.ctx, []string{"run", "none"}); !errors.As(err, &none) {
		t.Errorf("unlink: %v", err)
	}
	if gone, err := r.UnlinkModels(r.ctx, []string{"run"}); err != nil || len(gone) != 1 || gone[0].Commit != first {
		t.Errorf("unlink: %+v, %v", gone, err)
	}
	if _, err := r.Resolve(r.ctx, "model:run"); !errors.As(err, &none) {
		t.Errorf("after unlink: %v", err)
	}
}

func TestCommitRefusesForgedLinks(t *testing.T) {
	r := newTrained(t)
	var usage *UsageError
	if _, err := r.Commit(r.ctx, CommitOptions{Message: "x", Kind: KindAuto, Meta: map[string]string{metaModel: "run"}}); !errors.As(err, &usage) {
		t.Error(err)
	}
	r.record(map[string]string{"a": "1"}, CommitOptions{})
	if _, err := r.Commit(r.ctx, CommitOptions{Message: "x", Kind: KindAuto, Models: []string{"run"}}); !errors.As(err, &usage) {
		t.Errorf("nothing changed: %v", err)
	}
	for _, bad := range []string{"https://wandb.ai/run", "a b", "", "x..y"} {
		if _, err := r.LinkModel(r.ctx, ModelLinkOptions{Model: bad}); err == nil {
			t.Errorf("%q is an ID", bad)
		}
	}
}

func TestModelSplits(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"x/1": "one", "x/2": "two", "x/3": "three", "y/1": "one", "y/4": "four", "y/0": "", "x/0": ""}, CommitOptions{})
	data := r.split("default", map[string]string{"x/0": "train", "x/1": "train", "x/2": "train", "x/3": "val", "y/0": "test", "y/1": "test", "y/4": "test"})
	var none *NoSplitError
	if _, err := r.LinkModel(r.ctx, ModelLinkOptions{Model: "run", Splits: splitsOf(t, "train", "dev")}); !errors.As(err, &none) || none.Split != "dev" {
		t.Fatal(err)
	}
	m := r.link(ModelLinkOptions{Model: "run", Splits: splitsOf(t, "val", "train", "train")})
	r.link(ModelLinkOptions{Model: "tested", Splits: splitsOf(t, "test", "val")})
	r.link(ModelLinkOptions{Model: "whole", Rev: "HEAD"})
	if len(m.Splits) != 2 || len(m.Fingerprints) != 2 || m.Fingerprints["default/val"].IsZero() {
		t.Errorf("%+v", m.ModelLink)
	}

	// What saw the content of x/1, which y/1 has too?
	one := blake3.Sum256([]byte("one"))
	var saw []string
	for s, err := range r.ModelsOf(r.ctx, Sought{Contents: []objects.ID{one}}) {
		if err != nil {
			t.Fatal(err)
		}
		saw = append(saw, fmt.Sprint(s.Model, " ", s.Path, " ", s.Splits, " ", s.By))
	}
	want := []string{"run x/1 [train=train] content", "tested y/1 [test=test] content", "whole x/1 [] content", "whole y/1 [] content"}
	if diff := cmp.Diff(want, saw); diff != "" {
		t.Error(diff)
	}

	// Is the test split clean of what was trained on? Of x/1 it is not; empty
	// files are no leaks.
	res, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:test"})
	if err != nil {
		t.Fatal(err)
	}
	if res.Clean || len(res.Leaks) != 1 || res.Leaks[0].Evaluated.Path != "y/1" || res.Leaks[0].Trained.Path != "x/1" || res.Leaks[0].Trained.Split != "default/train" {
		t.Errorf("%+v", res)
	}
	if got := res.Methods[0]; got.Trained != 3 || got.Evaluated != 2 || got.Leaks != 1 || res.Trained.Files != 4 || res.Evaluated.Files != 3 {
		t.Errorf("%+v, %+v, %+v", got, res.Trained, res.Evaluated)
	}
	if res, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "tested", On: data.String() + ":train"}); err != nil || !res.Clean {
		t.Errorf("it saw val alone: %+v, %v", res, err)
	}
	if _, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:dev"}); !errors.As(err, &none) {
		t.Errorf("%v", err)
	}
}

func TestModelOfAPathThatChanged(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"a": "1", "b": "2"}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "old"})
	r.record(map[string]string{"a": "new"}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "young"})
	if err := os.Remove(filepath.Join(r.root, "a")); err != nil {
		t.Fatal(err)
	}
	sought, err := r.SoughtAt(r.ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	var saw []string
	for s, err := range r.ModelsOf(r.ctx, sought) {
		saw = append(saw, fmt.Sprint(s.Model, " ", s.By, " ", err))
	}
	if diff := cmp.Diff([]string{"old path <nil>", "young content <nil>"}, saw); diff != "" {
		t.Error(diff)
	}
}

func TestVerifyModel(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"a": "1"}, CommitOptions{})
	r.split("default", map[string]string{"a": "train"})
	weights := filepath.Join(r.root, "w.bin")
	if err := os.WriteFile(weights, []byte("weights"), 0o666); err != nil {
		t.Fatal(err)
	}
	r.link(ModelLinkOptions{Model: "run", Splits: splitsOf(t, "train"), Weights: weights, Code: "abc"})
	state := func() (parts []string) {
		list, err := r.VerifyModel(r.ctx, ModelVerifyOptions{Model: "run", Full: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			parts = append(parts, fmt.Sprint(p.Part, " ", p.OK, " ", p.Skipped))
		}
		return parts
	}
	if diff := cmp.Diff([]string{"data true false", "splits true false", "weights true false", "code true true"}, state()); diff != "" {
		t.Error(diff)
	}
	os.WriteFile(weights, []byte("WEIGHTS"), 0o666)
	if got := state()[2]; got != "weights false false" {
		t.Error(got)
	}
	os.Remove(weights)
	if got := state()[2]; got != "weights false false" {
		t.Error(got)
	}
}

// TestVerifyModelFindsCommittedWeights: weights that are kept with the data are
// there when the file is that of a later model, whether they came with the data
// or after them.
func TestVerifyModelFindsCommittedWeights(t *testing.T) {
	for _, opt := range []struct {
		name   string
		before bool // the link is made before the weights are committed
	}{{"with the data", false}, {"after the data", true}} {
		t.Run(opt.name, func(t *testing.T) {
			r := newTrained(t)
			r.record(map[string]string{"a": "1"}, CommitOptions{})
			link := ModelLinkOptions{Model: "run", Weights: filepath.Join(r.root, "w.bin")}
			if opt.before {
				os.WriteFile(link.Weights, []byte("weights"), 0o666)
				r.link(link)
			}
			has := r.record(map[string]string{"w.bin": "weights"}, CommitOptions{})
			if !opt.before {
				r.link(link)
			}
			r.record(map[string]string{"w.bin": "WEIGHTS"}, CommitOptions{})
			weights := func(opt ModelVerifyOptions) string {
				opt.Model = "run"
				list, err := r.VerifyModel(r.ctx, opt)
				if err != nil {
					t.Fatal(err)
				}
				return fmt.Sprint(list[2].OK, " ", list[2].Detail)
			}
			want := fmt.Sprintf("true w.bin as commit %s has it: 7 bytes, BLAKE3 %s", has.Short(), objects.Sum(objects.KindChunk, []byte("weights")))
			if got := weights(ModelVerifyOptions{}); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if got := weights(ModelVerifyOptions{Weights: link.Weights}); !strings.HasPrefix(got, "false ") {
				t.Errorf("of a file that was named: %s", got)
			}
		})
	}
}

// TestLinkedModelOutlivesItsBranch: whatever else is gone, gc keeps what a
// model needs to be reproduced.
func TestLinkedModelOutlivesItsBranch(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"a": "1"}, CommitOptions{})
	if _, err := r.CreateBranch(r.ctx, "gone", "", false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Switch(r.ctx, SwitchOptions{Branch: "gone"}); err != nil {
		t.Fatal(err)
	}
	large := string(make([]byte, 300<<10))
	r.record(map[string]string{"a": "2", "large": large}, CommitOptions{})
	data := r.split("default", map[string]string{"a": "train", "large": "train"})
	r.link(ModelLinkOptions{Model: "run", Splits: splitsOf(t, "train")})
	if _, err := r.Switch(r.ctx, SwitchOptions{Branch: "main"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.DeleteBranch(r.ctx, "gone", true); err != nil {
		t.Fatal(err)
	}
	_, err := r.CreateTag(r.ctx, "x", "main", false) // the view before is 40 days old
	if err != nil {
		t.Fatal(err)
	}
	*r.now = r.now.Add(40 * 24 * time.Hour)
	for range 2 {
		if _, err := r.GC(r.ctx, GCOptions{Grace: new(time.Duration)}); err != nil {
			t.Fatal(err)
		}
	}
	into := filepath.Join(t.TempDir(), "run")
	res, err := r.Reproduce(r.ctx, ReproduceOptions{Rev: "run", Into: into})
	if err != nil || res.Commit != data || res.Verified != 4 || res.Splits != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	if text, err := os.ReadFile(filepath.Join(into, "a")); err != nil || string(text) != "2" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(into + recordEnd); err != nil {
		t.Error(err)
	}
	if _, err := r.Reproduce(r.ctx, ReproduceOptions{Rev: "run", Into: into}); err != nil {
		t.Errorf("again: %v", err)
	}
}
