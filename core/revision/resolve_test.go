package revision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/refs/refstest"
)

// source is a small repository: commits a ← b ← c and the merge m of c and
// side, with their names moved at noon and every hour after it.
type source struct {
	*testing.T
	*objecttest.Store
	pointer refstest.MemPointer
	commits map[string]objects.ID
	ids     []objects.ID // what Commits finds; more than the store has
	clock   time.Time
}

func (s *source) Commits(_ context.Context, digits string, limit int) ([]objects.ID, error) {
	var found []objects.ID
	for _, id := range s.ids {
		if strings.HasPrefix(id.String(), digits) && len(found) < limit {
			found = append(found, id)
		}
	}
	return found, nil
}

func (s *source) commit(name string, parents ...string) {
	c := objects.Commit{Tree: objects.Sum(objects.KindNode, []byte(name)), Kind: objects.Full, Time: s.clock, Message: name}
	for _, p := range parents {
		c.Parents = append(c.Parents, s.commits[p])
	}
	o, err := objects.EncodeCommit(c)
	if err != nil {
		s.Fatal(err)
	}
	id, err := s.Put(s.Context(), o)
	if err != nil {
		s.Fatal(err)
	}
	s.commits[name] = id
	s.ids = append(s.ids, id)
}

// move moves a name from one commit to another, "" being none, "@" a branch.
func (s *source) move(name refs.Name, from, to string) {
	value := func(text string) refs.Value {
		if strings.HasPrefix(text, "@") {
			return refs.Value{Branch: refs.Branch(text[1:])}
		}
		return refs.Value{Commit: s.commits[text]}
	}
	op := refs.Op{When: s.clock, Moves: []refs.Move{{Name: name, Old: value(from), New: value(to)}}}
	if _, err := refs.Apply(s.Context(), s, &s.pointer, op); err != nil {
		s.Fatal(err)
	}
	s.clock = s.clock.Add(time.Hour)
}

func newSource(t *testing.T) *source {
	s := &source{
		T: t, Store: objecttest.NewStore(), commits: make(map[string]objects.ID),
		clock: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}
	s.commit("a")
	s.commit("b", "a")
	s.commit("c", "b")
	s.commit("side", "a")
	s.commit("m", "c", "side")
	s.move(refs.HEAD, "", "@main")            // 12:00
	s.move(refs.Branch("main"), "", "a")      // 13:00
	s.move(refs.Branch("main"), "a", "b")     // 14:00
	s.move(refs.Tag("v1"), "", "a")           // 15:00
	s.move(refs.Branch("gone"), "", "c")      // 16:00
	s.move(refs.Branch("gone"), "c", "")      // 17:00
	s.move(refs.Branch("main"), "b", "m")     // 18:00
	s.move("remote/origin/main", "", "c")     // 19:00
	s.move(refs.Branch("both"), "", "a")      // 20:00
	s.move(refs.Tag("both"), "", "b")         // 21:00
	s.move(refs.Branch("deadbeef"), "", "c")  // 22:00
	s.move(refs.Branch("new-dir/x"), "", "c") // 23:00
	return s
}

func (s *source) resolve(text string) (revision.Resolved, error) {
	rev, err := revision.Parse(text)
	if err != nil {
		return revision.Resolved{}, err
	}
	head, err := s.pointer.Load(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	r := revision.Resolver{Source: s, Op: head, Now: time.Date(2026, 11, 25, 18, 30, 0, 0, time.UTC)}
	return r.Resolve(s.Context(), rev)
}

func TestResolve(t *testing.T) {
	s := newSource(t)
	c := s.commits
	for text, want := range map[string]revision.Resolved{
		"HEAD":                          {ID: c["m"], Name: refs.HEAD},
		"@":                             {ID: c["m"], Name: refs.HEAD},
		"main":                          {ID: c["m"], Name: "branch/main"},
		"branch/main":                   {ID: c["m"], Name: "branch/main"},
		"v1":                            {ID: c["a"], Name: "tag/v1"},
		"origin/main":                   {ID: c["c"], Name: "remote/origin/main"},
		"remote/origin/main":            {ID: c["c"], Name: "remote/origin/main"},
		"branch/both":                   {ID: c["a"], Name: "branch/both"},
		"tag/both":                      {ID: c["b"], Name: "tag/both"},
		"deadbeef":                      {ID: c["c"], Name: "branch/deadbeef"},
		c["b"].String():                 {ID: c["b"]},
		c["b"].String()[:12]:            {ID: c["b"]},
		strings.ToUpper(c["b"].Short()): {ID: c["b"]},
		"main~0":                        {ID: c["m"]},
		"main~1":                        {ID: c["c"]},
		"main~3":                        {ID: c["a"]},
		"main^2":                        {ID: c["side"]},
		"main^2^":                       {ID: c["a"]},
		c["m"].Short() + "^0":           {ID: c["m"]},
		"main@{0}":                      {ID: c["m"]},
		"main@{1}":                      {ID: c["b"]},
		"main@{2}":                      {ID: c["a"]},
		"@{1}":                          {ID: c["b"]},
		"@{1}~1":                        {ID: c["a"]},
		"gone@{0}":                      {ID: c["c"]},
		"main@{yesterday}":              {ID: c["m"]},
		"main@{26 hours ago}":           {ID: c["b"]},
		"@{2026-11-24 13:59}":           {ID: c["a"]},
		"gone@{2026-11-24 16:30}":       {ID: c["c"]},
	} {
		got, err := s.resolve(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	s := newSource(t)
	for text, why := range map[string]string{
		"nothing":                 "no such revision",
		"gone":                    "no such revision",
		"mian":                    "did you mean main?",
		"MAIN":                    "did you mean main",
		"origin/mian":             "did you mean origin/main",
		"abc":                     "no such revision",
		strings.Repeat("0", 64):   "no such revision",
		strings.Repeat("0", 10):   "no such revision",
		"main~9":                  "has 3 first parents",
		"main^3":                  "has 2 parents",
		"v1^":                     "has 0 parents",
		"main@{3}":                "has 3 values of branch/main",
		"none@{1}":                "has no such name",
		"main@{2026-11-24 11:00}": "begins later",
		"gone@{yesterday}":        "no such name then",
	} {
		got, err := s.resolve(text)
		if !errors.Is(err, revision.ErrUnknown) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, %v, want it to say %s", text, got, err, why)
		}
	}
	var syntax *revision.SyntaxError
	if _, err := s.resolve("main@{soon}"); !errors.As(err, &syntax) {
		t.Errorf("got %v, want a *SyntaxError", err)
	}
	if _, err := s.resolve("@{2026-11-24 12:30}"); !errors.Is(err, revision.ErrUnborn) {
		t.Errorf("got %v, want ErrUnborn", err)
	}
}

func TestAmbiguityListsCandidates(t *testing.T) {
	s := newSource(t)
	_, err := s.resolve("both")
	var ambiguous *revision.AmbiguousError
	if !errors.As(err, &ambiguous) || !slices.Equal(ambiguous.Names, []refs.Name{"branch/both", "tag/both"}) {
		t.Fatalf("got %v", err)
	}
	twin := s.commits["a"]
	twin[31] ^= 1
	s.ids = append(s.ids, twin)
	_, err = s.resolve(twin.Short())
	if !errors.As(err, &ambiguous) || !slices.Equal(ambiguous.Commits, []objects.ID{s.commits["a"], twin}) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.resolve(twin.String()[:63]); !errors.As(err, &ambiguous) || !strings.Contains(err.Error(), twin.String()) {
		t.Fatalf("got %v", err)
	}
}

func TestNothingBeforeTheFirstOperation(t *testing.T) {
	s := &source{T: t, Store: objecttest.NewStore()}
	for _, text := range []string{"HEAD", "main", "main@{1}", "@{yesterday}"} {
		if _, err := s.resolve(text); !errors.Is(err, revision.ErrUnknown) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
