package core_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

const drawnRules = `
[splits]
ratios = { train = 80, val = 10, test = 10 }
seed = "1"
group = 'p(\d+)-'
stratify = "folder"

[splits.folders]
train = ["a/**"]
test = ["b/**"]

[checks]
content = "warn"
moved = "warn"
`

// outcome is what a commit says of its splits, and what was found in it.
type outcome struct {
	Schemes  []core.SchemeResult
	Findings []string
}

func outcomeOf(c *core.Consistency) outcome {
	out := outcome{Schemes: c.Schemes}
	for _, f := range c.Report.Findings {
		out.Findings = append(out.Findings, f.ID+" "+f.Message)
	}
	return out
}

func (d *data) forgetFacts() {
	d.t.Helper()
	if err := os.RemoveAll(filepath.Join(d.root, core.Dir, "cache", "facts")); err != nil {
		d.t.Fatal(err)
	}
}

func (d *data) record(tree files) outcome {
	d.t.Helper()
	d.set(tree)
	res := d.commit(core.CommitOptions{Message: "recorded", AllowEmpty: true})
	return outcomeOf(res.Consistency)
}

func (d *data) checkAt(rev string) outcome {
	d.t.Helper()
	res, err := within(d, func(r *core.Repo) (core.CheckResult, error) { return r.Check(d.t.Context(), rev) })
	if err != nil {
		d.t.Fatal(err)
	}
	return outcomeOf(res.Consistency)
}

// randomEdits changes a tree: files come, go, change, and get other names.
func randomEdits(rnd *rand.Rand, tree files) {
	name := func() string {
		return fmt.Sprintf("%c/p%02d-%d.bin", 'a'+rnd.IntN(3), rnd.IntN(30), rnd.IntN(9))
	}
	paths := slices.Sorted(maps.Keys(tree))
	for range 1 + rnd.IntN(25) {
		at := paths[rnd.IntN(len(paths))]
		switch rnd.IntN(4) {
		case 0, 1:
			tree[name()] = fmt.Sprint("content ", rnd.IntN(60))
		case 2:
			if at != core.RulesFile {
				delete(tree, at)
			}
		case 3:
			if text, ok := tree[at]; ok && at != core.RulesFile {
				delete(tree, at)
				tree[name()] = text
			}
		}
	}
}

// What is kept of earlier commits saves work and changes nothing: a repository
// that loses it before each commit, and a clone, come to the same.
func TestKeptChangesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	tree := files{core.RulesFile: drawnRules}
	for i := range 80 {
		tree[fmt.Sprintf("%c/p%02d-%d.bin", 'a'+i%3, i%30, i)] = fmt.Sprint("content ", i)
	}
	place := buckettest.Memory()
	kept, lost := newDataIn(t, fastDir(t)), newDataIn(t, fastDir(t))
	shareOpen(kept, place)
	_, err := within(kept, func(r *core.Repo) (core.RemoteInfo, error) { return r.AddRemote(t.Context(), "origin", "/place") })
	kept.must(err)
	var clone *data
	for round := range 7 {
		if round > 0 {
			randomEdits(rnd, tree)
		}
		if round == 5 { // another rule: what was drawn moves as little as it may
			tree[core.RulesFile] = strings.Replace(drawnRules, "train = 80", "train = 60", 1)
		}
		want := kept.record(tree)
		lost.forgetFacts()
		if diff := cmp.Diff(want, lost.record(tree)); diff != "" {
			t.Fatalf("round %d: without what was kept (- with):\n%s", round, diff)
		}
		if diff := cmp.Diff(want.Schemes, lost.checkAt("HEAD").Schemes); diff != "" {
			t.Fatalf("round %d: a check of the commit (- the commit):\n%s", round, diff)
		}
		if clone != nil {
			if diff := cmp.Diff(want, clone.record(tree)); diff != "" {
				t.Fatalf("round %d: a clone (- the original):\n%s", round, diff)
			}
		}
		if round == 2 {
			_, err := sharePush(kept)
			kept.must(err)
			clone = shareClone(t, kept.env, place)
		}
	}
}

const folderRules = "[splits]\ntrain = [\"train/**\"]\ntest = [\"test/**\"]\n"

// A merge is held to the rules as any commit is: each side may be clean, and
// both together leak.
func TestMergeIsHeld(t *testing.T) {
	base := files{core.RulesFile: folderRules, "train/a": "a", "test/b": "b"}
	with := func(extra files) files {
		all := maps.Clone(base)
		maps.Copy(all, extra)
		return all
	}
	d := parted(t, base, with(files{"train/leak": "the same"}), with(files{"test/leak": "the same"}))
	before := d.head()
	_, err := d.merge(core.MergeOptions{})
	refused, ok := errors.AsType[*core.RefusedError](err)
	if !ok || len(refused.Report.Findings) != 1 || byPaths(refused.Report.Findings[0]) != "test/leak train/leak" {
		t.Fatalf("the leak of two branches: %v", err)
	}
	if d.head() != before {
		t.Error("a refused merge moved the head")
	}
	if _, err := os.Stat(d.path("test", "leak")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused merge wrote files: %v", err)
	}
	if _, err := d.merge(core.MergeOptions{Waive: []core.Waive{{Rule: "content", Reason: "a logo"}}}); err != nil {
		t.Fatal(err)
	}
	shown, err := within(d, func(r *core.Repo) (core.Shown, error) { return r.Show(t.Context(), "HEAD") })
	if err != nil {
		t.Fatal(err)
	}
	if got := shown.Commit.Waivers; len(got) != 1 || got[0].Reason != "a logo" || d.head() == before {
		t.Errorf("the waiver of a merge: %+v", got)
	}

	d = parted(t, base, with(files{"train/a": "ours"}), with(files{"train/a": "theirs", "test/c": "c"}))
	if _, err := d.merge(core.MergeOptions{KeepBoth: true}); err != nil {
		t.Fatal(err)
	}
	splits := d.checkAt("HEAD").Schemes[0].Splits
	if len(splits) != 2 || splits[0].Files != 2 || splits[1].Files != 2 {
		t.Errorf("both kept: %+v", splits)
	}
}

// A leak that only the merge makes refuses it, and may be waived there; what
// makes no commit keeps no waiver.
func TestMergeWaives(t *testing.T) {
	base := files{core.RulesFile: folderRules, "train/a": "a", "test/b": "b"}
	ours, theirs := maps.Clone(base), maps.Clone(base)
	ours["train/leak"], theirs["test/leak"] = "the same", "the same"
	d := parted(t, base, ours, theirs)
	before := d.head()
	if _, err := d.merge(core.MergeOptions{}); !isRefused(err) || d.head() != before {
		t.Fatalf("%v, head moved: %v", err, d.head() != before)
	}
	waive := []core.Waive{{Rule: dataset.RuleContent, Reason: "it is a title page"}}
	if _, err := d.merge(core.MergeOptions{Waive: waive}); err != nil {
		t.Fatal(err)
	}
	res, err := within(d, func(r *core.Repo) (core.CheckResult, error) { return r.Check(t.Context(), "HEAD") })
	d.must(err)
	if len(res.Waivers) != 1 || res.Waivers[0].Reason != "it is a title page" || res.Report.Refused() {
		t.Errorf("the waiver: %+v", res.Waivers)
	}
	merged := d.head()
	d.goTo(before.String())
	if _, err := within(d, func(r *core.Repo) (core.MergeResult, error) {
		return r.Merge(t.Context(), core.MergeOptions{Rev: merged.String(), Waive: waive})
	}); err == nil || isRefused(err) || d.head() != before {
		t.Errorf("moving forward with a waiver: %v", err)
	}
}

// What either side drew stays drawn in a merge.
func TestMergeKeepsDraws(t *testing.T) {
	rules := "[splits]\nratios = { train = 2, test = 1 }\nseed = \"1\"\n\n[checks]\nmoved = \"off\"\n"
	base, more := files{core.RulesFile: rules}, files{}
	for i := range 30 {
		base[fmt.Sprintf("base-%d", i)] = fmt.Sprint("base ", i)
		more[fmt.Sprintf("theirs-%d", i)] = fmt.Sprint("theirs ", i)
	}
	ours, theirs := maps.Clone(base), maps.Clone(base)
	for i := range 30 {
		ours[fmt.Sprintf("ours-%d", i)] = fmt.Sprint("ours ", i)
	}
	maps.Copy(theirs, more)
	d := parted(t, base, ours, theirs)
	wantOurs, wantTheirs := d.checkAt("main"), d.checkAt("theirs")
	if _, err := d.merge(core.MergeOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := d.checkAt("HEAD").Schemes[0]; got.Samples != 90 {
		t.Errorf("the merge has %d samples", got.Samples)
	}
	// Without theirs it is ours again, and the reverse.
	for name, c := range map[string]struct {
		tree files
		want outcome
	}{"ours": {ours, wantOurs}, "theirs": {theirs, wantTheirs}} {
		merged := d.head()
		if diff := cmp.Diff(c.want.Schemes, d.record(c.tree).Schemes); diff != "" {
			t.Errorf("%s after the merge (- before):\n%s", name, diff)
		}
		if _, err := d.try(core.CheckoutOptions{Rev: merged.String()}); err != nil {
			t.Fatal(err)
		}
	}
}

// A refused commit moves nothing; a commit of some paths is held to what it
// holds; what was waived is undone with its commit.
func TestRefusedCommit(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	d.save(files{core.RulesFile: folderRules, "train/a": "a", "test/b": "b"})
	before := d.head()
	d.write("train/leak", "the same")
	d.write("test/leak", "the same")
	commit := func(opt core.CommitOptions) (core.CommitResult, error) {
		opt.Kind, opt.Message = core.KindAuto, "more"
		return within(d, func(r *core.Repo) (core.CommitResult, error) { return r.Commit(t.Context(), opt) })
	}
	if _, err := commit(core.CommitOptions{}); !isRefused(err) || d.head() != before {
		t.Fatalf("%v, head moved: %v", err, d.head() != before)
	}
	if res, err := commit(core.CommitOptions{Paths: []string{"train"}}); err != nil || res.Changes.Added != 1 {
		t.Fatalf("one side of the leak: %+v, %v", res.Changes, err)
	}
	if _, err := commit(core.CommitOptions{Waive: []core.Waive{{Rule: dataset.RuleGroups, Reason: "none"}}}); err == nil || isRefused(err) {
		t.Errorf("a waiver of nothing: %v", err)
	}
	if _, err := commit(core.CommitOptions{Waive: []core.Waive{{Rule: dataset.RuleContent, Reason: "it is a title page"}}}); err != nil {
		t.Fatal(err)
	}
	check := func() core.CheckResult {
		res, err := within(d, func(r *core.Repo) (core.CheckResult, error) { return r.Check(t.Context(), "HEAD") })
		d.must(err)
		return res
	}
	if res := check(); len(res.Waivers) != 1 || res.Report.Refused() {
		t.Errorf("the waiver: %+v", res.Waivers)
	}
	if _, err := d.undo(""); err != nil {
		t.Fatal(err)
	}
	if res := check(); len(res.Waivers) != 0 || len(res.Report.Findings) != 0 {
		t.Errorf("after undo: %+v", res.Report)
	}
}

func isRefused(err error) bool {
	_, ok := errors.AsType[*core.RefusedError](err)
	return ok
}

// Only what is new is hashed to be compared.
func TestHashedOnce(t *testing.T) {
	images, _ := fashion(t, 41)
	tree := files{core.RulesFile: folderRules}
	for i, img := range images[:40] {
		tree[fmt.Sprintf("%s/%d.png", []string{"train", "test"}[i%2], i)] = pngOf(img)
	}
	d := newDataIn(t, fastDir(t))
	hashed := func() int64 {
		d.set(tree)
		return d.commit(core.CommitOptions{Message: "images", AllowEmpty: true}).Hashed
	}
	for i, want := range []int64{40, 0, 1, 0} {
		switch i {
		case 2:
			tree["train/new.png"] = pngOf(images[40])
		case 3: // another name is no other image
			tree["train/other.png"] = tree["train/0.png"]
			delete(tree, "train/0.png")
		}
		if got := hashed(); got != want {
			t.Errorf("commit %d hashed %d images, want %d", i, got, want)
		}
	}
}

// What is not here is told, and is no failure.
func TestCheckOfPromised(t *testing.T) {
	images, _ := fashion(t, 6)
	tree := files{core.RulesFile: folderRules, "train/t.csv": "id,x\n1,2\n", "test/t.csv": "id,x\n3,4\n", "train/long.txt": strings.Repeat("word ", 100)}
	for i, img := range images {
		tree[fmt.Sprintf("%s/%d.png", []string{"train", "test"}[i%2], i)] = pngOf(img)
	}
	place := buckettest.Memory()
	d := newDataIn(t, fastDir(t))
	shareOpen(d, place)
	_, err := within(d, func(r *core.Repo) (core.RemoteInfo, error) { return r.AddRemote(t.Context(), "origin", "/place") })
	d.must(err)
	whole := d.record(tree)
	_, err = sharePush(d)
	d.must(err)
	c := &data{t: t, root: fastDir(t) + "/clone", env: d.env}
	shareOpen(c, place)
	if _, err := core.Clone(t.Context(), c.env, core.CloneOptions{URL: "/place", Dir: c.root, Paths: []string{"train/**"}}); err != nil {
		t.Fatal(err)
	}
	c.write("train/new.png", pngOf(brightened(images[0])))
	res := c.commit(core.CommitOptions{Message: "in a part"})
	if res.Consistency == nil || len(res.Schemes[0].Splits) != 2 || res.Schemes[0].Splits[0].Fingerprint != whole.Schemes[0].Splits[0].Fingerprint {
		t.Errorf("splits: %+v", res.Schemes)
	}
	var unread []string
	for _, u := range res.Report.Unread {
		unread = append(unread, u.Path)
	}
	slices.Sort(unread)
	if want := []string{"test/1.png", "test/3.png", "test/5.png", "test/t.csv"}; !slices.Equal(unread, want) {
		t.Errorf("not read: %v, want %v", res.Report.Unread, want)
	}
}

// Damage in a table is an error that names it, not a shorter table.
func TestCheckOfDamage(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	text := "id,x\n7461926,here lies the damage\n"
	d.record(files{core.RulesFile: folderRules, "train/t.csv": text, "test/t.csv": "id,x\n3,4\n"})
	d.forgetFacts()
	d.spoil(text)
	_, err := within(d, func(r *core.Repo) (core.CheckResult, error) { return r.Check(t.Context(), "HEAD") })
	if !errors.Is(err, objects.ErrCorrupt) || !strings.Contains(err.Error(), "train/t.csv") {
		t.Errorf("%v", err)
	}
}

// What cannot be read is warned of once, and not at all once it is waived.
func TestUnreadIsToldOnce(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	told := &warnings{}
	d.env.Events = told
	tree := files{core.RulesFile: folderRules, "train/t.csv": "id,x\n1,2\n", "test/b": "b"}
	times := func(want int, opt core.CommitOptions) {
		t.Helper()
		d.set(tree)
		told.list = nil
		opt.Message, opt.AllowEmpty = "broken", true
		d.commit(opt)
		told.list = slices.DeleteFunc(told.list, func(w string) bool { return !strings.Contains(w, "train/t.csv") })
		if len(told.list) != want {
			t.Errorf("warned of %q, want %d", told.list, want)
		}
	}
	times(0, core.CommitOptions{})
	tree["train/t.csv"] += "3,4,5\n"
	tree["test/t.csv"] = "id,x\n7,8\n"
	times(1, core.CommitOptions{})
	times(0, core.CommitOptions{Waive: []core.Waive{{Rule: dataset.RuleReadable, Reason: "known"}}})
	tree[core.RulesFile] = folderRules + "[checks]\nreadable = \"off\"\n"
	times(1, core.CommitOptions{})
}

// What no split need have is counted by none who tell what is in no split.
func TestUncoveredAreSamples(t *testing.T) {
	rules := folderRules + "[splits.rows]\ntable = \"t.csv\"\ncolumn = \"split\"\n"
	tree := files{
		core.RulesFile: rules, "train/a": "a", "test/b": "b", "README.md": "read", "license": "free", "t.csv": "id,split\n1,train\n2,\n", "other/README.md": "x",
	}
	d := newDataIn(t, fastDir(t))
	d.set(tree)
	assigned, err := within(d, func(r *core.Repo) (core.AssignResult, error) {
		return r.AssignSplits(t.Context(), core.AssignOptions{})
	})
	d.must(err)
	res := d.commit(core.CommitOptions{Message: "x"})
	for _, forget := range []bool{false, true} {
		if forget {
			d.forgetFacts()
		}
		shown, err := within(d, func(r *core.Repo) (core.SplitsResult, error) { return r.Splits(t.Context(), core.SplitsOptions{}) })
		d.must(err)
		for i, want := range []int64{1, 1} {
			one, then, committed := shown.Schemes[i], assigned.Schemes[i], res.Schemes[i]
			if one.Uncovered != want || then.Uncovered != want || one.Samples != then.Samples || one.Samples != committed.Samples {
				t.Errorf("%s: shown %+v, assigned %+v, committed %+v", one.Scheme, one, then, committed)
			}
		}
	}
	var found []string
	for _, f := range res.Report.Findings {
		found = append(found, f.Message)
	}
	if want := []string{"other/README.md is in no split", "t.csv row 2: in no split: its row names no split"}; len(found) != len(want) || found[0] != want[0] {
		t.Errorf("%q, want %q", found, want)
	}
	tree[core.RulesFile] = strings.Replace(rules, "test/**", "*.md", 1)
	if got := d.record(tree).Schemes[0].Splits[0]; got.Name != "test" || got.Files != 1 {
		t.Errorf("a readme that a glob names: %+v", got)
	}
}

// Of more findings than a report names, the others are counted.
func TestCountsBeyondTheNamed(t *testing.T) {
	const rows = dataset.MaxFindings + 10
	var table strings.Builder
	table.WriteString("id,split\n")
	for i := range rows {
		fmt.Fprintf(&table, "%d,\n", i)
	}
	d := newDataIn(t, fastDir(t))
	d.set(files{core.RulesFile: "[splits]\ntable = \"t.csv\"\ncolumn = \"split\"\n", "t.csv": table.String() + "0,train\n"})
	res := d.commit(core.CommitOptions{Message: "rows"})
	var found int64
	for _, c := range res.Report.Rules {
		if c.Rule == dataset.RuleCovered {
			found += c.Findings
		}
	}
	if found != rows || len(res.Report.Findings) != dataset.MaxFindings {
		t.Errorf("%d counted, %d named", found, len(res.Report.Findings))
	}
}

// An import records splits and tells what it finds; history is not refused.
func TestImportNotesSplits(t *testing.T) {
	dir := filepath.Join(importProject(t, "dvc3"), "project")
	env := importEnv()
	told := &warnings{}
	env.Events = told
	r, err := core.Init(t.Context(), env, core.InitOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(dir, core.RulesFile)
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "\n[splits]\ntrain = [\"**\"]\ntest = [\"**\"]\n"...)
	if err := os.WriteFile(rules, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := core.Import(t.Context(), env, core.ImportOptions{Dir: dir, From: "dvc", All: true}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(told.list, func(w string) bool { return strings.HasPrefix(w, "check_overlap: ") }) {
		t.Errorf("warned of %q", told.list)
	}
	d := &data{t: t, root: dir, env: env}
	n := 0
	r = d.open()
	for e, err := range r.Log(t.Context(), core.LogOptions{}) {
		if n++; err != nil || len(e.Commit.Splits) != 1 {
			t.Errorf("an imported commit has the splits %+v, %v", e.Commit.Splits, err)
		}
	}
	if n == 0 {
		t.Error("nothing was imported")
	}
}
