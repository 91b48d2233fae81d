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
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/refs"
)

// TestModel runs random histories beside a plain model in memory and compares
// after every step: names, the tree of the head, the working tree, and what
// status says. MLVC_MODEL says how many histories, MLVC_SEED where to begin.
func TestModel(t *testing.T) {
	histories, steps := 4, 80
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
			m := newModel(t, seed)
			defer m.told()
			for i := 0; i < steps && !t.Failed(); i++ {
				m.step()
			}
			m.equations()
			m.verify(true)
		})
	}
}

// names is every name at one moment.
type names struct {
	branch   string     // that HEAD is on; empty: detached
	detached objects.ID // if detached
	branches map[string]objects.ID
	tags     map[string]objects.ID
}

func (n names) clone() names {
	n.branches, n.tags = maps.Clone(n.branches), maps.Clone(n.tags)
	return n
}

func (n names) head() objects.ID {
	if n.branch == "" {
		return n.detached
	}
	return n.branches[n.branch]
}

// modelCommit is what the model knows of a commit.
type modelCommit struct {
	tree    picture
	parents []objects.ID
	kind    objects.CommitKind
	base    objects.ID
}

// modelOp is one change of names.
type modelOp struct {
	before, after names
	files         bool // the files went with them
	undone, undo  bool
}

// model is the plain picture of what the repository should be.
type model struct {
	*data
	rnd     *rand.Rand
	r       *core.Repo
	names   names
	work    picture
	commits map[objects.ID]modelCommit
	order   []objects.ID // of commits, as they came to be known: IDs are others in every run
	ops     []modelOp
	sizes   map[string]int64 // look → size
	log     []string
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		data: newDataIn(t, fastDir(t)), rnd: rand.New(rand.NewPCG(seed, 3)),
		names:   names{branch: "main", branches: make(map[string]objects.ID), tags: make(map[string]objects.ID)},
		commits: make(map[objects.ID]modelCommit), sizes: make(map[string]int64),
	}
	m.r = m.open()
	m.edit()
	m.commit(core.CommitOptions{Kind: core.KindAuto})
	return m
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// told logs the steps of a history that failed.
func (m *model) told() {
	if m.t.Failed() {
		m.t.Logf("the steps:\n%s", strings.Join(m.log, "\n"))
	}
}

// step does one random thing and compares.
func (m *model) step() {
	if m.rnd.IntN(4) == 0 { // as another process does
		m.must(m.r.Close())
		m.r = m.open()
	}
	switch m.rnd.IntN(16) {
	case 0, 1, 2, 3:
		m.edit()
	case 4, 5:
		m.commit(core.CommitOptions{Kind: core.KindAuto})
	case 6:
		m.commit(core.CommitOptions{Kind: []objects.CommitKind{objects.Full, objects.Incremental, objects.Differential}[m.rnd.IntN(3)]})
	case 7:
		m.commitPaths()
	case 8:
		m.name()
	case 9, 10, 11:
		m.goSomewhere()
	case 12:
		m.merge()
	case 13:
		m.undo()
	case 14:
		m.opRestore()
	case 15:
		m.note("gc")
		_, err := m.r.GC(m.t.Context(), core.GCOptions{Grace: atOnce})
		m.must(err)
	}
	m.compare()
}

// edit does a few things to the user's files; the disk says what they come to.
func (m *model) edit() {
	for range 1 + m.rnd.IntN(4) {
		path := m.path()
		switch m.rnd.IntN(9) {
		case 0, 1, 2:
			m.put(path, fmt.Sprintf("content %d", m.rnd.IntN(30)))
		case 3:
			m.put(path, noise(m.rnd.Uint64N(3), 300_000+m.rnd.IntN(3)))
		case 4:
			m.note("remove %q", path)
			os.RemoveAll(filepath.Join(m.root, path)) // what is above it may be no folder
		case 5:
			m.clear(path)
			m.note("a link")
			m.must(os.Symlink(fmt.Sprintf("target%d", m.rnd.IntN(3)), filepath.Join(m.root, path)))
		case 6:
			m.clear(path)
			m.note("a folder")
			m.must(os.Mkdir(filepath.Join(m.root, path), 0o777))
		case 7:
			if st, err := os.Lstat(filepath.Join(m.root, path)); err == nil && st.Mode().IsRegular() {
				m.note("mode of %s", path)
				m.must(os.Chmod(filepath.Join(m.root, path), st.Mode()^0o111))
			}
		case 8:
			m.rename(path, m.path())
		}
	}
	m.look()
}

func (m *model) path() string {
	parts := []string{"a", "b", "é\xff", "a b", "a.txt", "\n"}
	path := parts[m.rnd.IntN(len(parts))]
	for m.rnd.IntN(3) == 0 {
		path += "/" + parts[m.rnd.IntN(len(parts))]
	}
	return path
}

// clear makes room for something at a path, whatever is there or above it.
func (m *model) clear(path string) {
	m.note("new %q", path)
	at := m.root
	parts := strings.Split(path, "/")
	for _, part := range parts[:len(parts)-1] {
		at = filepath.Join(at, part)
		if st, err := os.Lstat(at); err == nil && !st.IsDir() {
			m.must(os.Remove(at))
		}
	}
	m.must(os.MkdirAll(at, 0o777))
	m.remove(path)
}

func (m *model) put(path, text string) {
	m.clear(path)
	m.must(os.WriteFile(filepath.Join(m.root, path), []byte(text), 0o666))
}

func (m *model) rename(from, to string) {
	if strings.HasPrefix(to+"/", from+"/") || strings.HasPrefix(from+"/", to+"/") {
		return
	}
	if _, err := os.Lstat(filepath.Join(m.root, from)); err != nil {
		return
	}
	m.clear(to)
	m.note("from %q", from)
	if err := os.Rename(filepath.Join(m.root, from), filepath.Join(m.root, to)); err != nil && !errors.Is(err, os.ErrNotExist) {
		m.t.Fatal(err)
	}
}

// look takes the working tree as it is for what it should be, and the sizes.
func (m *model) look() {
	m.work = takeDisk(m.t, m.root)
	for path, look := range m.work {
		st, err := os.Lstat(filepath.Join(m.root, filepath.FromSlash(path)))
		m.must(err)
		m.sizes[look] = st.Size()
	}
	m.sizes[emptyFolder] = 0
}

func (m *model) tree() picture { return m.commits[m.names.head()].tree }

// moved logs an operation, if names have changed.
func (m *model) moved(before names, op modelOp) {
	if cmp.Equal(before, m.names, cmp.AllowUnexported(names{})) {
		return
	}
	op.before, op.after = before, m.names.clone()
	m.ops = append(m.ops, op)
}

// advance makes a new commit the head.
func (m *model) advance(id objects.ID, c modelCommit, op modelOp) {
	before := m.names.clone()
	m.know(id, c)
	if m.names.branch == "" {
		m.names.detached = id
	} else {
		m.names.branches[m.names.branch] = id
	}
	m.moved(before, op)
}

// know takes up what a commit is.
func (m *model) know(id objects.ID, c modelCommit) {
	if _, known := m.commits[id]; !known {
		m.order = append(m.order, id)
	}
	m.commits[id] = c
}

// anyCommit chooses one that is known: the same in every run of a seed.
func (m *model) anyCommit() objects.ID { return m.order[m.rnd.IntN(len(m.order))] }

func (m *model) commit(opt core.CommitOptions) {
	opt.Message = fmt.Sprintf("commit %d", len(m.commits))
	m.note("commit %s %q", opt.Kind, opt.Paths)
	res, err := m.r.Commit(m.t.Context(), opt)
	m.must(err)
	want := m.work
	if len(opt.Paths) > 0 {
		want = mixed(m.tree(), m.work, opt.Paths)
	}
	head := m.names.head()
	if maps.Equal(want, m.tree()) && opt.Kind != objects.Full && !head.IsZero() {
		if !res.ID.IsZero() {
			m.t.Errorf("nothing changed, yet a commit: %+v", res)
		}
		return
	}
	if res.ID.IsZero() {
		m.t.Error("no commit")
		return
	}
	c := modelCommit{tree: want, kind: res.Kind}
	if !head.IsZero() {
		c.parents = []objects.ID{head}
	}
	switch {
	case res.Kind == objects.Incremental:
		c.base = head
	case res.Kind == objects.Differential:
		c.base = m.lastFull(head)
	}
	if opt.Kind != core.KindAuto && res.Kind != opt.Kind {
		m.t.Errorf("a commit of kind %s, want %s (%s)", res.Kind, opt.Kind, res.Why)
	}
	if res.Base != c.base {
		m.t.Errorf("%s against %s, want %s", res.Kind, res.Base.Short(), c.base.Short())
	}
	m.advance(res.ID, c, modelOp{})
}

// mixed is one picture with another's paths; what these lie below goes.
func mixed(of, with picture, paths []string) picture {
	in := func(path, _ string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
	}
	of = maps.Clone(of)
	maps.DeleteFunc(of, in)
	for path, look := range with {
		if !in(path, look) {
			continue
		}
		of[path] = look
		for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
			delete(of, dir)
		}
	}
	return of
}

func (m *model) lastFull(id objects.ID) objects.ID {
	for m.commits[id].kind != objects.Full {
		id = m.commits[id].parents[0]
	}
	return id
}

// commitPaths commits a path of the working tree or of the head, or a folder
// above one.
func (m *model) commitPaths() {
	all := maps.Clone(m.work)
	maps.Copy(all, m.tree())
	paths := slices.Sorted(maps.Keys(all))
	path := paths[m.rnd.IntN(len(paths))]
	for m.rnd.IntN(3) == 0 && strings.Contains(path, "/") {
		path = filepath.Dir(path)
	}
	for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
		if strings.HasPrefix(m.work[dir], "link") {
			return // which is refused
		}
	}
	m.commit(core.CommitOptions{Kind: core.KindAuto, Paths: []string{path}})
}

// name makes or deletes a branch or a tag.
func (m *model) name() {
	name := fmt.Sprintf("n%d", m.rnd.IntN(4))
	before := m.names.clone()
	switch m.rnd.IntN(3) {
	case 0:
		m.note("branch %s", name)
		_, err := m.r.CreateBranch(m.t.Context(), name, "", true)
		if m.names.branch == name {
			return // whatever it says to that
		}
		m.must(err)
		m.names.branches[name] = m.names.head()
	case 1:
		name = "t" + name
		m.note("tag %s", name)
		_, err := m.r.CreateTag(m.t.Context(), name, "", true)
		m.must(err)
		m.names.tags[name] = m.names.head()
	case 2:
		if _, ok := m.names.branches[name]; !ok || m.names.branch == name {
			return
		}
		m.note("delete branch %s", name)
		_, err := m.r.DeleteBranch(m.t.Context(), name, true)
		m.must(err)
		delete(m.names.branches, name)
	}
	m.moved(before, modelOp{})
}

// goSomewhere switches to a branch, or checks out any commit.
func (m *model) goSomewhere() {
	to, rev := m.names.clone(), ""
	if branches := slices.Sorted(maps.Keys(to.branches)); m.rnd.IntN(3) > 0 {
		rev = branches[m.rnd.IntN(len(branches))]
		to.branch, to.detached = rev, objects.ID{}
	} else {
		to.branch, to.detached = "", m.anyCommit()
		rev = to.detached.String()
	}
	m.note("checkout %s", rev)
	m.take(to, m.commits[to.head()].tree, modelOp{files: true}, func() error {
		_, err := m.r.Checkout(m.t.Context(), core.CheckoutOptions{Rev: rev})
		return err
	})
}

// take does what goes to other names and takes the files along, and says
// whether it did.
func (m *model) take(to names, tree picture, op modelOp, do func() error) bool {
	clash, near := m.obstacles(tree)
	err := do()
	var refused *core.ObstaclesError
	if errors.As(err, &refused) {
		if !clash && !near {
			m.t.Errorf("refused without a reason: %v", err)
		}
		return false // compare finds whether anything was touched
	}
	m.must(err)
	before := m.names
	m.names = to
	m.moved(before, op)
	if near {
		m.kept(m.commits[before.head()].tree)
		m.look()
		return true
	}
	m.work = carriedTo(m.commits[before.head()].tree, tree, m.work)
	return true
}

// obstacles says whether a local change stands where the files have to change,
// and whether one stands above or below such a place.
func (m *model) obstacles(tree picture) (clash, near bool) {
	head := m.tree()
	changed := differ(head, tree)
	for path := range differ(head, m.work) {
		for other := range changed {
			switch {
			case path == other:
				clash = clash || m.work[path] != tree[path] && (m.work[path] != emptyFolder || tree[path] != "") && m.work[path] != ""
				near = true
			case strings.HasPrefix(path, other+"/"), strings.HasPrefix(other, path+"/"):
				near = true
			case filepath.Dir(path) == filepath.Dir(other), strings.HasPrefix(filepath.Dir(path)+"/", filepath.Dir(other)+"/"), strings.HasPrefix(filepath.Dir(other)+"/", filepath.Dir(path)+"/"):
				near = near || m.work[path] == "" || head[path] == "" // folders appear and go with their files
			}
		}
	}
	return clash, near
}

// kept checks that every local content is still in its place or in a commit.
func (m *model) kept(head picture) {
	now := takeDisk(m.t, m.root)
	held := make(map[string]bool)
	for _, c := range m.commits {
		for _, look := range c.tree {
			held[look] = true
		}
	}
	for path := range differ(head, m.work) {
		look := m.work[path]
		if look != "" && look != emptyFolder && now[path] != look && !held[look] {
			m.t.Errorf("lost %q", path)
		}
	}
}

// carriedTo is a working tree taken from one tree to another.
func carriedTo(from, to, work picture) picture {
	work = maps.Clone(work)
	for path := range differ(from, to) {
		delete(work, path)
		if look, ok := to[path]; ok {
			work[path] = look
		}
	}
	return work
}

// differ are the paths in which two pictures differ.
func differ(a, b picture) map[string]bool {
	d := make(map[string]bool)
	for path, look := range a {
		if b[path] != look {
			d[path] = true
		}
	}
	for path := range b {
		if _, ok := a[path]; !ok {
			d[path] = true
		}
	}
	return d
}

// merge merges a branch into the head; conflicts change nothing.
func (m *model) merge() {
	if !maps.Equal(m.work, m.tree()) {
		return // a merge carries local changes as a checkout does
	}
	branches := slices.Sorted(maps.Keys(m.names.branches))
	rev := branches[m.rnd.IntN(len(branches))]
	head, theirs := m.names.head(), m.names.branches[rev]
	base, ok, err := history.MergeBase(m.t.Context(), m.r.Store(), head, theirs)
	m.must(err)
	if !ok {
		return
	}
	m.note("merge %s", rev)
	want, conflict := merged(m.commits[base.ID].tree, m.tree(), m.commits[theirs].tree)
	opt := core.MergeOptions{Rev: rev}
	res, err := m.r.Merge(m.t.Context(), opt)
	var refused *core.ConflictError
	if conflict {
		if !errors.As(err, &refused) {
			m.t.Errorf("no conflict: %v", err)
		}
		m.compare() // nothing has changed
		m.note("merge, theirs")
		opt.Theirs = []string{"."}
		res, err = m.r.Merge(m.t.Context(), opt)
	}
	m.must(err)
	switch {
	case base.ID == theirs:
		if !res.UpToDate {
			m.t.Errorf("not up to date: %+v", res)
		}
		return
	case base.ID == head:
		m.advance(theirs, m.commits[theirs], modelOp{files: true})
		m.work = maps.Clone(m.tree())
		return
	}
	if conflict {
		want = takeCommit(m.t, m.r, res.Merge)
		for path, look := range m.commits[theirs].tree {
			if m.commits[base.ID].tree[path] != look && want[path] != look && look != emptyFolder {
				m.t.Errorf("theirs should have won at %q", path)
			}
		}
	}
	m.advance(res.Merge, modelCommit{tree: want, parents: []objects.ID{head, theirs}, kind: objects.Incremental, base: head}, modelOp{files: true})
	m.work = maps.Clone(want)
}

// merged merges three pictures path by path.
func merged(base, ours, theirs picture) (want picture, conflict bool) {
	want = make(picture)
	all := maps.Clone(ours)
	maps.Copy(all, theirs)
	for path := range all {
		b, o, t := base[path], ours[path], theirs[path]
		switch {
		case o == t, b == t:
			t = o
		case b != o:
			conflict = true
		}
		if t != "" {
			want[path] = t
		}
	}
	for path := range base {
		conflict = conflict || ours[path] != base[path] && theirs[path] != base[path] && ours[path] != theirs[path]
	}
	for path := range want {
		for at, i := path, strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(at, '/') {
			at = at[:i]
			switch want[at] {
			case "":
			case emptyFolder:
				delete(want, at)
			default:
				conflict = true // a file where a folder is needed
			}
		}
	}
	return want, conflict
}

// undo takes the last operation back that was not.
func (m *model) undo() {
	i := len(m.ops) - 1
	for ; i > 0 && (m.ops[i].undone || m.ops[i].undo); i-- {
	}
	if i <= 0 {
		return // not the first commit
	}
	op := m.ops[i]
	m.note("undo of operation %d of %d", i, len(m.ops))
	to := m.names.clone()
	if !invert(&to, op) {
		return
	}
	do := func() error {
		_, err := m.r.Undo(m.t.Context(), core.UndoOptions{})
		return err
	}
	if !op.files {
		m.must(do())
		before := m.names
		m.names = to
		m.moved(before, modelOp{undo: true})
		m.ops[i].undone = true
		return
	}
	n := len(m.ops)
	if m.take(to, m.commits[to.head()].tree, modelOp{files: true, undo: true}, do) && len(m.ops) > n {
		m.ops[i].undone = true
	}
}

// invert takes the moves of an operation back; false if that leaves no head.
func invert(n *names, op modelOp) bool {
	for _, space := range []struct{ now, before, after map[string]objects.ID }{
		{n.branches, op.before.branches, op.after.branches}, {n.tags, op.before.tags, op.after.tags},
	} {
		for name, id := range space.after {
			if old, ok := space.before[name]; !ok {
				delete(space.now, name)
			} else if old != id {
				space.now[name] = old
			}
		}
		for name, id := range space.before {
			if _, ok := space.after[name]; !ok {
				space.now[name] = id
			}
		}
	}
	if op.before.branch != op.after.branch || op.before.detached != op.after.detached {
		n.branch, n.detached = op.before.branch, op.before.detached
	}
	return !n.head().IsZero()
}

// opRestore goes back to a moment of the log.
func (m *model) opRestore() {
	var list []core.OpInfo
	for op, err := range m.r.OpLog(m.t.Context()) {
		m.must(err)
		list = append(list, op)
	}
	if len(list) != len(m.ops) {
		m.t.Errorf("%d operations, want %d", len(list), len(m.ops))
		return
	}
	i := m.rnd.IntN(len(m.ops))
	to := m.ops[i].after.clone()
	if cmp.Equal(to, m.names, cmp.AllowUnexported(names{})) {
		return
	}
	m.note("restore of operation %d of %d", i, len(m.ops))
	m.take(to, m.commits[to.head()].tree, modelOp{files: true}, func() error {
		_, err := m.r.OpRestore(m.t.Context(), core.UndoOptions{Op: list[len(list)-1-i].ID.String()})
		return err
	})
}

// compare compares the repository with the model.
func (m *model) compare() {
	t := m.t
	t.Helper()
	if diff := cmp.Diff(m.work, takeDisk(t, m.root)); diff != "" {
		t.Errorf("working tree: %s", diff)
	}
	status := make(map[string]bool)
	st, err := m.r.Status(t.Context(), nil, func(e core.StatusEntry) error {
		status[e.Path] = true
		return nil
	})
	m.must(err)
	if st.Head != m.names.head() || st.Branch != m.names.branch {
		t.Errorf("head is %s on %q, want %s on %q", st.Head.Short(), st.Branch, m.names.head().Short(), m.names.branch)
		return
	}
	if diff := cmp.Diff(differ(m.tree(), m.work), status); diff != "" {
		t.Errorf("status: %s", diff)
	}
	if diff := cmp.Diff(m.tree(), takeCommit(t, m.r, st.Head)); diff != "" {
		t.Errorf("tree of the head: %s", diff)
	}
	branches, err := m.r.Branches(t.Context())
	m.must(err)
	tags, err := m.r.Tags(t.Context())
	m.must(err)
	for space, list := range map[string][]core.NameInfo{refs.Branches: branches, refs.Tags: tags} {
		want := m.names.branches
		if space == refs.Tags {
			want = m.names.tags
		}
		got := make(map[string]objects.ID)
		for _, n := range list {
			got[n.Name] = n.Commit
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", space, diff)
		}
	}
}

// equations restores every commit by what its kind says: D_t = B_t of a full,
// D_(t-1) + B_t of an incremental, D_(t0) + B_t of a differential. B_t comes
// from the trees of the repository, and what it counts is compared too.
func (m *model) equations() {
	for id, want := range m.commits {
		if diff := cmp.Diff(want.tree, m.restored(id)); diff != "" {
			m.t.Errorf("%s %s: %s", want.kind, id.Short(), diff)
		}
		c, err := history.Read(m.t.Context(), m.r.Store(), id)
		m.must(err)
		if c.Kind != want.kind || c.Base != want.base || !slices.Equal(c.Parents, want.parents) {
			m.t.Errorf("%s: %s against %s, want %s against %s", id.Short(), c.Kind, c.Base.Short(), want.kind, want.base.Short())
		}
		if diff := cmp.Diff(m.delta(m.commits[want.base].tree, want.tree), c.Delta); diff != "" {
			m.t.Errorf("%s %s holds: %s", c.Kind, id.Short(), diff)
		}
		var parent picture
		if len(want.parents) > 0 {
			parent = m.commits[want.parents[0]].tree
		}
		if diff := cmp.Diff(m.delta(parent, want.tree), c.Changes()); diff != "" {
			m.t.Errorf("%s changes: %s", id.Short(), diff)
		}
	}
}

// restored is D_t by the equations.
func (m *model) restored(id objects.ID) picture {
	c, err := history.Read(m.t.Context(), m.r.Store(), id)
	m.must(err)
	d, base := make(picture), prolly.Map{}
	if c.Kind != objects.Full {
		d = m.restored(c.Base)
		b, err := history.Read(m.t.Context(), m.r.Store(), c.Base)
		m.must(err)
		base = prolly.Open(b.Tree)
	}
	for change, err := range prolly.Diff(m.t.Context(), m.r.Store(), base, prolly.Open(c.Tree)) {
		m.must(err)
		delete(d, string(change.Key))
		if change.New != nil {
			e, err := objects.DecodeEntry(change.New)
			m.must(err)
			d[string(change.Key)] = lookOfEntry(m.t, m.r.Store(), string(change.Key), e)
		}
	}
	return d
}

// delta counts what one picture has beyond another.
func (m *model) delta(base, tree picture) objects.Delta {
	d := objects.Delta{Files: int64(len(tree))}
	for _, look := range tree {
		d.Bytes += m.size(look)
	}
	for path := range differ(base, tree) {
		old, inBase := base[path]
		look, inTree := tree[path]
		switch {
		case !inBase:
			d.Added++
			d.AddedBytes += m.size(look)
		case !inTree:
			d.Removed++
			d.RemovedBytes += m.size(old)
		default:
			d.Changed++
			d.ChangedBytes += m.size(look)
		}
	}
	return d
}

func (m *model) size(look string) int64 {
	if look == emptyFolder {
		return 0
	}
	return m.sizes[look]
}

func (m *model) verify(full bool) {
	_, err := m.r.Verify(m.t.Context(), core.VerifyOptions{Full: full}, func(damage core.Damage) error {
		m.t.Errorf("damage: %+v", damage)
		return nil
	})
	m.must(err)
}
