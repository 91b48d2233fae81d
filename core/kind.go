package core

import (
	"fmt"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// KindAuto lets the rules choose the kind of a commit.
const KindAuto objects.CommitKind = "auto"

// kindFacts are what the kind of a commit is decided from.
type kindFacts struct {
	Rules  KindRules
	Now    time.Time
	Parent objects.ID // zero: first commit
	Full   objects.ID // the last full ancestor by first parents; zero: none that can be used
	// FullBytes is what that full holds, as stored, like all bytes here about;
	// FullTime is when it was made.
	FullBytes int64
	FullTime  time.Time
	// ChainLen counts the commits since the full, ChainBytes what they hold.
	ChainLen   int
	ChainBytes int64
	// Incremental and Differential are the bytes that the new commit would
	// hold as either.
	Incremental  int64
	Differential int64
}

// kindChoice is a kind, the base that goes with it, and why in one line.
type kindChoice struct {
	Kind objects.CommitKind
	Base objects.ID
	Why  string
	// Instead is the kind that was asked for and could not be had.
	Instead objects.CommitKind
}

// chooseKind decides by the written rules of DESIGN ("The kinds"); it reads
// nothing. asked is KindAuto or one of the three.
func chooseKind(asked objects.CommitKind, f kindFacts) kindChoice {
	if f.Parent.IsZero() {
		return f.full(asked, "the first commit")
	}
	if f.Full.IsZero() && asked != objects.Full {
		return f.full(asked, "there is no full commit to build on")
	}
	switch asked {
	case objects.Full:
		return kindChoice{Kind: objects.Full, Why: "asked for"}
	case objects.Incremental:
		return kindChoice{Kind: objects.Incremental, Base: f.Parent, Why: "asked for"}
	case objects.Differential:
		return kindChoice{Kind: objects.Differential, Base: f.Full, Why: "asked for"}
	}
	return f.auto()
}

func (f kindFacts) full(asked objects.CommitKind, why string) kindChoice {
	c := kindChoice{Kind: objects.Full, Why: why}
	if asked == objects.Incremental || asked == objects.Differential {
		c.Instead = asked
	}
	return c
}

func (f kindFacts) auto() kindChoice {
	k := f.Rules
	full := func(format string, args ...any) kindChoice {
		return kindChoice{Kind: objects.Full, Why: fmt.Sprintf(format, args...)}
	}
	chain := f.ChainLen + 1
	if float64(f.ChainBytes+f.Incremental) > k.MaxChainRatio*float64(f.FullBytes) {
		return full("the chain would hold more than %g times the last full", k.MaxChainRatio)
	}
	if chain > k.MaxChain {
		return full("the chain would be longer than %d", k.MaxChain)
	}
	if age := f.Now.Sub(f.FullTime); k.MaxFullAgeDays > 0 && age > time.Duration(k.MaxFullAgeDays)*24*time.Hour {
		return full("the last full is older than %d days", k.MaxFullAgeDays)
	}
	differential := kindChoice{Kind: objects.Differential, Base: f.Full}
	if chain > k.DifferentialAfter {
		differential.Why = fmt.Sprintf("the chain is longer than %d", k.DifferentialAfter)
		return differential
	}
	if f.Full != f.Parent && float64(f.Differential) <= k.DifferentialRatio*float64(f.Incremental) {
		differential.Why = fmt.Sprintf("it holds at most %g times what an incremental would", k.DifferentialRatio)
		return differential
	}
	return kindChoice{Kind: objects.Incremental, Base: f.Parent, Why: "the chain is short and only what changed is held"}
}
