package backupplan

import (
	"math"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// What the formats take beside the objects, in bytes.
const (
	footerRecord = 44   // of an object, in the footer of its pack
	indexRecord  = 44   // of an object, in the index of its set
	setBytes     = 4096 // manifest and footers of a set
)

// rule decides the kind of the set of commit i. The first is always full.
type rule func(s *simulation, i int) (objects.CommitKind, error)

func always(*simulation, int) (objects.CommitKind, error) { return objects.Full, nil }

// periodic is one kind, with a full again after so many sets.
func periodic(kind objects.CommitKind) rule {
	return func(s *simulation, i int) (objects.CommitKind, error) {
		if i-s.full >= max(1, s.opt.FullEvery) {
			return objects.Full, nil
		}
		return kind, nil
	}
}

// chosen gives what a commit would choose from, and does as it would.
func chosen(s *simulation, i int) (objects.CommitKind, error) {
	c, full := s.h.Commits[i], s.h.Commits[s.full]
	differs, err := s.h.Differs(s.full, i-1)
	if err != nil {
		return "", err
	}
	return s.opt.Choose(Facts{
		Now: c.Time, FullTime: full.Time, FullBytes: full.Tree, ChainLen: int(s.sets - 1), ChainBytes: s.beyond,
		Incremental: c.Held, Differential: min(differs, s.beyond) + c.Held,
	}), nil
}

// simulation is a destination that gets one set after another.
type simulation struct {
	h   History
	opt Options
	// total are Held and Objects of all commits up to one.
	total []Commit

	full   int   // the commit of the last full
	sets   int64 // in the chain of the last set
	beyond int64 // stored: what the chain's sets beside the full hold of their own commits

	fulls   int64
	kept    []int64 // bytes of each full that is kept and of all that stands on it
	stored  int64   // the sum of these
	written int64
	out     Outcome
}

// simulate backs up every commit of h, whose first n are the history and whose
// others are to come.
func simulate(h History, n int, opt Options, decide rule) (Outcome, error) {
	s := &simulation{h: h, opt: opt, total: totals(h.Commits)}
	var later int64 // of all backups of the history but the first
	for i := range h.Commits {
		kind := objects.Full
		if i > 0 {
			var err error
			if kind, err = decide(s, i); err != nil {
				return Outcome{}, err
			}
		}
		bytes, err := s.back(i, kind)
		if err != nil {
			return Outcome{}, err
		}
		if i > 0 && i < n {
			later += bytes
			s.out.Largest = max(s.out.Largest, bytes)
		}
		if i == n-1 {
			s.settle(later / int64(max(1, n-1)))
		}
	}
	s.out.StoredHorizon, s.out.WrittenHorizon = s.stored, s.written
	return s.out, nil
}

func totals(commits []Commit) []Commit {
	var sum Commit
	all := make([]Commit, 0, len(commits))
	for _, c := range commits {
		sum.Held += c.Held
		sum.Objects += c.Objects
		all = append(all, sum)
	}
	return all
}

// back writes the set of commit i and returns its bytes.
func (s *simulation) back(i int, kind objects.CommitKind) (int64, error) {
	base := i - 1
	switch kind {
	case objects.Full:
		base, s.full, s.sets, s.beyond = -1, i, 1, 0
		s.begin()
	case objects.Differential:
		differs, err := s.h.Differs(s.full, i)
		if err != nil {
			return 0, err
		}
		base, s.sets, s.beyond = s.full, 2, min(differs, s.total[i].Held-s.total[s.full].Held)
	default:
		s.sets++
		s.beyond += s.h.Commits[i].Held
	}
	bytes := s.size(i, base)
	s.kept[len(s.kept)-1] += bytes
	s.stored += bytes
	s.written += bytes
	s.out.MostSets = max(s.out.MostSets, s.sets)
	s.out.Points = append(s.out.Points, Point{Kind: kind, Stored: s.stored, Restore: s.restore(i), Sets: s.sets})
	return bytes, nil
}

// begin begins a chain. The oldest ones go that are more than are kept.
func (s *simulation) begin() {
	s.fulls++
	s.kept = append(s.kept, 0)
	if k := s.opt.KeepFull; k > 0 && len(s.kept) > k {
		s.stored -= s.kept[0]
		s.kept = s.kept[1:]
	}
}

// size is what the set of commit i on a base comes to; -1: no base.
func (s *simulation) size(i, base int) int64 {
	held, count := s.total[i].Held, s.total[i].Objects
	if base >= 0 {
		held, count = held-s.total[base].Held, count-s.total[base].Objects
	}
	packs := held + count*footerRecord
	return packs + int64(math.Ceil(float64(packs)*s.opt.Parity)) + count*indexRecord + setBytes
}

// restore is what a restore of commit i reads: its own bytes, and the indexes
// of its chain, which name every object of the history once.
func (s *simulation) restore(i int) int64 {
	return s.h.Commits[i].Tree + s.total[i].Objects*indexRecord + s.sets*setBytes
}

// settle notes how it stands at the end of the history, where a backup had
// mean bytes.
func (s *simulation) settle(mean int64) {
	o, at := &s.out, s.out.Points[len(s.out.Points)-1]
	o.Sets, o.Fulls, o.Stored, o.Written = int64(len(o.Points)), s.fulls, s.stored, s.written
	o.Backup, o.BackupTime, o.LargestTime = mean, s.takes(mean), s.takes(o.Largest)
	o.Restore, o.RestoreTime, o.RestoreSets = at.Restore, s.takes(at.Restore), at.Sets
}

func (s *simulation) takes(bytes int64) time.Duration {
	if s.opt.Rate <= 0 {
		return 0
	}
	return time.Duration(float64(bytes) / s.opt.Rate * float64(time.Second)).Round(time.Microsecond)
}
