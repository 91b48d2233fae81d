package core

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// misread refuses a scheme that assigns nothing because what it is read from
// cannot be read: a slip in mlvc.toml would empty all its splits.
func misread(s split.Scheme, a split.Assigned) error {
	if len(s.Table) == 0 || len(a.Unread) == 0 {
		return nil
	}
	for _, c := range a.Counts {
		if c.Files+c.Rows > 0 {
			return nil
		}
	}
	u := a.Unread[0]
	where := u.Path
	if u.Place != "" {
		where += ": " + u.Place
	}
	return &RulesError{RulesFile, fmt.Sprintf("scheme %s of [splits] can assign nothing: %s: %s", s.Name, where, u.Why)}
}

// ungrouped refuses an expression that finds the group of no sample: it would
// look like a check that holds.
func (e *examining) ungrouped() error {
	for i, s := range e.schemes {
		if s.Group == nil || s.Group.Path == "" || e.res.Schemes[i].Samples == 0 {
			continue
		}
		for _, c := range e.res.Report.Rules {
			if c.Rule == dataset.RuleGroups && c.Scheme == s.Name && c.Skipped == "" && c.Level != dataset.Off && c.Samples == 0 {
				return &RulesError{RulesFile, fmt.Sprintf("group of the scheme %s of [splits]: %q matches the path of no sample", s.Name, s.Group.Path)}
			}
		}
	}
	return nil
}

// sampleOf tells the files that a scheme should put into a split: not what
// describes the dataset, nor what it or another scheme is read from, unless it
// says which files are samples.
func (e *examining) sampleOf(s split.Scheme) func(path string) bool {
	return func(path string) bool {
		if dataset.IsAbout(path) {
			return false
		}
		if !s.IsSample(path) || len(s.Of) > 0 {
			return s.IsSample(path)
		}
		return !slices.ContainsFunc(e.schemes, func(other split.Scheme) bool { return other.Reads(path) })
	}
}

// ruleOf is what decides about a file by its path: the rule of a scheme, and
// those of all schemes, for sampleOf asks them too.
func (e *examining) ruleOf(rule string, schemes []split.Scheme) string {
	rules := []string{rule, "samples v3"}
	for _, s := range schemes {
		rules = append(rules, s.Name, s.Rule())
	}
	return strings.Join(rules, "\n")
}

func isGiven(s split.Scheme, rule dataset.Rule) bool {
	return s.OfRows() || rule == dataset.RuleReadable
}

// beyond counts what given would return if an assignment listed all.
func beyond(s split.Scheme, a split.Assigned) []check.Beyond {
	left := maps.Clone(a.Found)
	for _, f := range a.Findings {
		left[f.Rule]--
	}
	var list []check.Beyond
	for _, rule := range slices.Sorted(maps.Keys(left)) {
		if isGiven(s, rule) && left[rule] > 0 {
			list = append(list, check.Beyond{Rule: rule, Scheme: s.Name, N: left[rule]})
		}
	}
	return list
}

// given are the findings of an assignment that the checks do not make
// themselves. Of files they do, and know which are labels.
func given(s split.Scheme, findings []dataset.Finding) []dataset.Finding {
	var list []dataset.Finding
	for _, f := range findings {
		if !isGiven(s, f.Rule) {
			continue
		}
		at := f.Samples[0]
		where := at.Path
		if at.Row > 0 {
			where += fmt.Sprintf(" row %d", at.Row)
		}
		f.Message = where + ": " + f.Message
		list = append(list, f)
	}
	return list
}

// assign applies a scheme to the tree.
func (e *examining) assign(ctx context.Context, s split.Scheme) (out split.Assigned, err error) {
	in := split.Input{Files: e.files, Rows: rowsWithout(e.ignored(s)...), Watch: e.keepRows(s)}
	if before := splitOf(e.prior, s.Name); before != nil {
		in.Before, in.BeforeFiles = before, e.files.of(e.priorTree)
		if state, ok := e.recall(*before, e.priorTree); ok && !e.priorTree.IsZero() {
			in.State = state
			if in.Changes, err = e.files.changes(ctx, e.priorTree); err != nil {
				return split.Assigned{}, err
			}
		}
	}
	out, err = split.Assign(ctx, e.nodes, s, in)
	if err != nil {
		return out, err
	}
	told := e.leaveOut(s, &out)
	e.remember(out, told)
	return out, nil
}

// leaveOut takes out of what is in no split what sampleOf says is no sample. It
// reports whether that is certain: beyond the findings that are told, such files
// count as before.
func (e *examining) leaveOut(s split.Scheme, a *split.Assigned) bool {
	told, sample := int64(0), e.sampleOf(s)
	all := a.Found[dataset.RuleCovered]
	if s.OfRows() {
		return true
	}
	a.Findings = slices.DeleteFunc(a.Findings, func(f dataset.Finding) bool {
		if f.Rule != dataset.RuleCovered {
			return false
		}
		told++
		if sample(f.Samples[0].Path) {
			return false
		}
		a.Found[dataset.RuleCovered]--
		a.Samples--
		return true
	})
	return told == all
}

// parsedSchemes are the schemes of a commit whose rules can be read.
func parsedSchemes(splits []objects.Split) []split.Scheme {
	var schemes []split.Scheme
	for _, s := range splits {
		if scheme, err := split.ParseRule(s.Scheme, s.Rule); err == nil {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// splitOf finds the split of a scheme; nil: there is none.
func splitOf(splits []objects.Split, scheme string) *objects.Split {
	for i := range splits {
		if splits[i].Scheme == scheme {
			return &splits[i]
		}
	}
	return nil
}

func schemeResult(s split.Scheme, a split.Assigned) SchemeResult {
	res := SchemeResult{Scheme: s.Name, Rows: s.OfRows(), Samples: a.Samples}
	names := s.Names()
	for name := range a.Counts {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		res.Splits = append(res.Splits, SplitResult{
			Name: name, Count: a.Counts[name], Fingerprint: a.Fingerprints[name],
			Frozen: slices.Contains(s.Frozen, name), Sealed: slices.Contains(s.Sealed, name),
		})
	}
	return res
}

// groups are those that a scheme declares.
func (e *examining) groups(s split.Scheme, of objects.Split) *check.Groups {
	if s.Group == nil {
		return nil
	}
	if s.OfRows() && s.Draws() {
		return &check.Groups{Drawn: true}
	}
	g := &check.Groups{Key: splitKey(objects.Split{Scheme: s.Name, Rule: of.Rule}, objects.ID{})}
	if s.Group.Column == "" && !s.OfRows() {
		g.Of = s.GroupOf
		return g
	}
	g.All = func(ctx context.Context) iter.Seq2[check.Grouped, error] {
		return func(yield func(check.Grouped, error) bool) {
			for m, err := range split.Groups(ctx, e.nodes, s, of.Table, split.Input{Files: e.files, Rows: splitRows}) {
				if !yield(check.Grouped{Sample: m.Sample, Group: m.Group}, err) || err != nil {
					return
				}
			}
		}
	}
	return g
}
