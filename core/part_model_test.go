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
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

// TestPartModel runs random edits, parts, checkouts, merges and losses of the
// index, and checks after each: what lies outside of the part is in every
// commit as in its parent, the part is on the disk as in the commit, and no
// content that no commit holds is gone. MLVC_MODEL says how many histories,
// MLVC_SEED where to begin.
func TestPartModel(t *testing.T) {
	histories, steps := 6, 80
	if testing.Short() || core.UnderRace > 1 {
		histories = 2
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
			m := &partModel{model: newModel(t, seed)}
			defer m.told()
			m.rnd = rand.New(rand.NewPCG(seed, 5))
			m.split()
			for i := 0; i < steps && !t.Failed(); i++ {
				m.step()
			}
			m.takeAll()
			m.verify(true)
		})
	}
}

// split declares splits, of which one is sealed; the first commit has none.
func (m *partModel) split() {
	m.write(core.RulesFile, `track = ["."]

[splits]
train = ["a/**", "a b/**", "a b"]
test = ["b/**", "**/a.txt"]

[splits.s]
hold = ["*/b", "a b"]
free = ["a/a"]
sealed = ["hold"]

[checks]
content = "off"
overlap = "off"
covered = "off"
frozen = "off"
moved = "off"
`)
	m.record()
}

// partModel knows the trees of commits; the names it asks the repository for.
type partModel struct {
	*model
	unseals int // that were logged
}

// state is what the disk and the repository say.
type partState struct {
	head   objects.ID
	branch string
	part   core.Part
	disk   picture
}

func (m *partModel) now() partState {
	m.t.Helper()
	part, err := m.r.Part(m.t.Context())
	m.must(err)
	st, err := m.r.Status(m.t.Context(), []string{core.RulesFile}, func(core.StatusEntry) error { return nil })
	m.must(err)
	return partState{st.Head, st.Branch, part, takeDisk(m.t, m.root)}
}

func (m *partModel) treeOf(id objects.ID) picture {
	c, ok := m.commits[id]
	if !ok {
		c = modelCommit{tree: takeCommit(m.t, m.r, id)}
		m.know(id, c)
	}
	return c.tree
}

func partHas(p core.Part, path, look string) bool {
	if look == emptyFolder {
		return p.HasFolder(path)
	}
	return p.Has(path)
}

// in is what of a picture belongs to the part.
func in(p core.Part, of picture) picture {
	of = maps.Clone(of)
	maps.DeleteFunc(of, func(path, look string) bool { return !partHas(p, path, look) })
	return of
}

func (m *partModel) step() {
	if m.rnd.IntN(3) == 0 {
		m.must(m.r.Close())
		m.r = m.open()
	}
	if m.rnd.IntN(4) == 0 {
		m.note("the index is lost")
		m.must(os.RemoveAll(filepath.Join(m.root, core.Dir, "index")))
	}
	switch m.rnd.IntN(10) {
	case 0, 1, 2:
		m.edit()
	case 3, 4:
		m.record()
	case 5, 6:
		m.choose()
	case 7:
		m.goTo()
	case 8:
		m.mergeAny()
	case 9:
		m.tidy()
	}
}

// record commits, and compares with the parent and the disk.
func (m *partModel) record() {
	kind := []objects.CommitKind{core.KindAuto, objects.Full, objects.Incremental, objects.Differential}[m.rnd.IntN(4)]
	before := m.now()
	m.note("commit %s", kind)
	_, err := m.r.Commit(m.t.Context(), core.CommitOptions{Message: "m", Kind: kind})
	m.must(err)
	after := m.now()
	if diff := cmp.Diff(before.disk, after.disk); diff != "" {
		m.t.Errorf("commit changed files: %s", diff)
	}
	m.keptOutside(before, after)
	old, tree := m.treeOf(before.head), m.treeOf(after.head)
	for path, look := range in(after.part, after.disk) {
		if tree[path] != look && !outsideAbove(after.part, old, path) {
			m.t.Errorf("%q is %q on the disk, %q in the commit", path, look, tree[path])
		}
	}
	for path, look := range in(after.part, tree) {
		if after.disk[path] != look && !(look == emptyFolder && m.stands(path)) {
			m.t.Errorf("%q is %q in the commit, %q on the disk", path, look, after.disk[path])
		}
	}
	m.isTree(tree)
	st, err := m.r.Status(m.t.Context(), nil, func(e core.StatusEntry) error {
		if e.Status != core.StatusOutside {
			m.t.Errorf("after a commit: %+v", e)
		}
		return nil
	})
	m.must(err)
	if !st.Clean {
		m.t.Error("not clean after a commit")
	}
}

// stands: a folder is an empty one for the commit if it holds but what is
// outside of the part.
func (m *partModel) stands(path string) bool {
	st, err := os.Lstat(filepath.Join(m.root, filepath.FromSlash(path)))
	return err == nil && st.IsDir()
}

// keptOutside compares what lies outside in a commit and its parent.
func (m *partModel) keptOutside(before, after partState) {
	m.t.Helper()
	outside := func(id objects.ID) picture {
		tree := maps.Clone(m.treeOf(id))
		maps.DeleteFunc(tree, func(path, look string) bool { return partHas(before.part, path, look) })
		return tree
	}
	if diff := cmp.Diff(outside(before.head), outside(after.head)); diff != "" {
		m.t.Errorf("outside of %s the commit changed: %s", before.part, diff)
	}
}

// outsideAbove reports whether a tree has something outside of the part at a
// path, above or below it.
func outsideAbove(p core.Part, tree picture, path string) bool {
	for other, look := range tree {
		if !partHas(p, other, look) && (other == path || strings.HasPrefix(path, other+"/") || strings.HasPrefix(other, path+"/")) {
			return true
		}
	}
	return false
}

// isTree checks that nothing lies below a file or an empty folder.
func (m *partModel) isTree(tree picture) {
	for path := range tree {
		for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
			if look, ok := tree[dir]; ok {
				m.t.Errorf("%q lies below %q, a %s", path, dir, look)
			}
		}
	}
}

// choose changes the part.
func (m *partModel) choose() {
	patterns := []string{"a", "b", "**/a", "a/**", "*/b", "a.txt", "**/*.txt", "é\xff/**", "a b", "mlvc.toml"}
	var some []string
	for range 1 + m.rnd.IntN(2) {
		some = append(some, patterns[m.rnd.IntN(len(patterns))])
	}
	opt := core.CheckoutOptions{Force: m.rnd.IntN(8) == 0}
	splits := [][]string{{"train"}, {"test"}, {"train,test"}, {"s:free"}, {"train", "s:free"}, {"s:hold"}, {"nosuch"}}
	if m.rnd.IntN(3) == 0 {
		opt.Unseal = "why"
	}
	switch m.rnd.IntN(6) {
	case 0:
		opt.All = true
	case 1:
		opt.AddPart = some
	case 2:
		opt.Part = some
		fallthrough
	case 3:
		opt.Splits = splits[m.rnd.IntN(len(splits))]
	default:
		opt.Part = some
	}
	if m.rnd.IntN(4) == 0 {
		opt.Rev = m.anyCommit().String()
	}
	m.take(opt)
}

func (m *partModel) goTo() {
	opt := core.CheckoutOptions{Rev: m.anyCommit().String()}
	if branches, err := m.r.Branches(m.t.Context()); err == nil && m.rnd.IntN(2) == 0 {
		opt.Rev = branches[m.rnd.IntN(len(branches))].Name
	}
	m.take(opt)
}

// take checks out and compares.
func (m *partModel) take(opt core.CheckoutOptions) {
	before := m.now()
	m.note("checkout %+v", opt)
	_, err := m.r.Checkout(m.t.Context(), opt)
	m.moved(before, err, opt.Force)
}

// moved compares after a verb that moves files: refused, nothing was touched;
// else no content that no commit holds is gone, and where the disk was as the
// commit it is so again.
func (m *partModel) moved(before partState, err error, force bool) {
	m.t.Helper()
	after := m.now()
	var obstacles *core.ObstaclesError
	var unmatched *core.UnmatchedError
	var unknown *core.NoSplitError
	var sealed *core.SealedError
	refused := errors.As(err, &obstacles) || errors.As(err, &unmatched) || errors.As(err, &unknown) || errors.As(err, &sealed)
	if refused || err == core.ErrNothingSealed {
		if diff := cmp.Diff(before.disk, after.disk); diff != "" || before.head != after.head || before.part.String() != after.part.String() {
			m.t.Errorf("refused (%v), yet: %s", err, diff)
		}
		return
	}
	m.must(err)
	m.withoutSealed(before, after)
	held := make(map[string]bool)
	for id := range m.commits {
		for _, look := range m.treeOf(id) {
			held[look] = true
		}
	}
	for path, look := range before.disk {
		if look != emptyFolder && !held[look] && after.disk[path] != look && !force {
			m.t.Errorf("lost %q", path)
		}
	}
	if maps.Equal(before.disk, in(before.part, m.treeOf(before.head))) {
		if diff := cmp.Diff(in(after.part, m.treeOf(after.head)), after.disk); diff != "" {
			m.t.Errorf("the part is not as in the commit: %s", diff)
		}
	}
	for path, look := range before.disk {
		// Force replaces even these where a folder of the part is needed.
		if !force && look != emptyFolder && !partHas(before.part, path, look) && !partHas(after.part, path, look) && after.disk[path] != look {
			m.t.Errorf("%q lies outside, and was touched", path)
		}
	}
}

// withoutSealed checks by the names alone that nothing sealed was written while
// no call said why.
func (m *partModel) withoutSealed(before, after partState) {
	m.t.Helper()
	unseals := 0
	for _, err := range m.r.Unseals(m.t.Context()) {
		m.must(err)
		unseals++
	}
	was := m.unseals
	if m.unseals = unseals; unseals != was {
		return
	}
	names, err := m.r.SplitNames(m.t.Context(), after.head.String())
	m.must(err)
	if len(names) == 0 {
		return
	}
	tree := m.treeOf(after.head)
	for path, look := range after.disk {
		if first, last, ok := strings.Cut(path, "/"); (path == "a b" || ok && first != "" && last == "b") &&
			look != emptyFolder && !strings.HasPrefix(look, "link ") && tree[path] == look && before.disk[path] != look {
			m.t.Errorf("%q is sealed, and was written", path)
		}
	}
}

// mergeAny makes a branch and merges it later, theirs winning.
func (m *partModel) mergeAny() {
	name := fmt.Sprintf("n%d", m.rnd.IntN(3))
	before := m.now()
	branches, err := m.r.Branches(m.t.Context())
	m.must(err)
	at := slices.IndexFunc(branches, func(b core.NameInfo) bool { return b.Name == name })
	if at < 0 {
		m.note("branch %s", name)
		_, err := m.r.CreateBranch(m.t.Context(), name, "", false)
		m.must(err)
		return
	}
	m.note("merge %s", name)
	base, ok, err := history.MergeBase(m.t.Context(), m.r.Store(), before.head, branches[at].Commit)
	m.must(err)
	if !ok {
		return
	}
	want, conflict := merged(m.treeOf(base.ID), m.treeOf(before.head), m.treeOf(branches[at].Commit))
	_, err = m.r.Merge(m.t.Context(), core.MergeOptions{Rev: name, Theirs: []string{"."}})
	m.moved(before, err, false)
	if after := m.now(); err == nil && !conflict && base.ID != branches[at].Commit {
		if diff := cmp.Diff(want, m.treeOf(after.head)); diff != "" {
			m.t.Errorf("merged: %s", diff)
		}
		m.isTree(m.treeOf(after.head))
	}
}

// tidy makes the disk the part of the head again, by hand.
func (m *partModel) tidy() {
	m.note("tidy")
	list, err := os.ReadDir(m.root)
	m.must(err)
	for _, e := range list {
		if e.Name() != core.Dir {
			m.must(os.RemoveAll(filepath.Join(m.root, e.Name())))
		}
	}
	_, err = m.r.Restore(m.t.Context(), core.RestoreOptions{Paths: []string{"."}, Force: true})
	m.must(err)
	now := m.now()
	if diff := cmp.Diff(in(now.part, m.treeOf(now.head)), now.disk); diff != "" {
		m.t.Errorf("restored: %s", diff)
	}
	st, err := m.r.Status(m.t.Context(), nil, func(e core.StatusEntry) error {
		m.t.Errorf("restored, yet: %+v", e)
		return nil
	})
	m.must(err)
	if p := st.Part; p != nil && (p.Files != int64(len(now.disk)) || p.TotalFiles != int64(len(m.treeOf(now.head)))) {
		m.t.Errorf("%d files of %d, want %d of %d", p.Files, p.TotalFiles, len(now.disk), len(m.treeOf(now.head)))
	}
}

// takeAll ends the part.
func (m *partModel) takeAll() {
	m.tidy()
	opt := core.CheckoutOptions{All: true}
	names, err := m.r.SplitNames(m.t.Context(), "")
	m.must(err)
	if len(names) > 0 {
		opt.Unseal = "all"
	}
	m.take(opt)
	if now := m.now(); !m.t.Failed() && !now.part.All {
		m.t.Error("still a part")
	}
}
