package check

import (
	"context"
	"time"

	"github.com/mlvc/mlvc/core/dataset"
)

// Run checks every scheme by every rule that is not off. An error is a failure
// to look; what cannot be read is part of the report.
func Run(ctx context.Context, in Input) (*dataset.Report, error) {
	r := &run{Input: in, out: newCollector(in.Config, in.Waivers)}
	for _, f := range in.Given {
		r.out.add(f)
	}
	for _, b := range in.Beyond {
		r.out.more(b.Rule, b.Scheme, b.N)
	}
	for i := range in.Schemes {
		if err := r.scheme(ctx, &in.Schemes[i]); err != nil {
			return nil, err
		}
	}
	if err := r.rule(ctx, dataset.RuleLabels, nil, r.labels); err != nil {
		return nil, err
	}
	if err := r.rule(ctx, dataset.RuleReadable, nil, r.readable); err != nil {
		return nil, err
	}
	return r.out.report(), nil
}

// run is one call of Run.
type run struct {
	Input
	out *collector
}

// looked is what became of one rule.
type looked struct {
	samples int64
	skipped string
}

// look looks at one scheme by one rule.
type look func(context.Context, *Scheme) (looked, error)

// scheme checks one scheme. Overlap, covered and content are found in one walk.
func (r *run) scheme(ctx context.Context, s *Scheme) error {
	if s.Name == "" {
		s.Name = "default"
	}
	w := &walk{run: r, scheme: s}
	steps := []struct {
		rule dataset.Rule
		do   look
	}{
		{dataset.RuleOverlap, w.overlap},
		{dataset.RuleContent, w.ofFiles(dataset.RuleContent, w.content)},
		{dataset.RuleGroups, w.groups},
		{dataset.RuleFrozen, w.frozen},
		{dataset.RuleMoved, w.moved},
		{dataset.RuleRows, w.rows},
		{dataset.RuleNear, w.ofFiles(dataset.RuleNear, w.near)},
		{dataset.RuleDrift, w.drift},
		{dataset.RuleCovered, w.covered},
	}
	for _, step := range steps {
		if err := r.rule(ctx, step.rule, s, step.do); err != nil {
			return err
		}
	}
	return nil
}

// errNotAsked is for a rule that mlvc.toml does not ask for: it is not even
// listed.
type errNotAsked struct{}

func (errNotAsked) Error() string { return "not asked for" }

func (r *run) rule(ctx context.Context, rule dataset.Rule, s *Scheme, do look) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := ""
	if s != nil {
		name = s.Name
	}
	level := r.Config.Level(rule)
	if level == dataset.Off {
		if r.Config.set(rule) {
			r.out.rule(dataset.Checked{Rule: rule, Scheme: name, Level: level})
		}
		return nil
	}
	start := r.now()
	saw, err := do(ctx, s)
	if _, not := err.(errNotAsked); not {
		return nil
	}
	if err != nil {
		return err
	}
	r.out.rule(dataset.Checked{
		Rule: rule, Scheme: name, Level: level, Samples: saw.samples, Skipped: saw.skipped, Took: r.now().Sub(start),
	})
	if r.Progress != nil {
		r.Progress(rule, name, saw.samples)
	}
	return nil
}

func (r *run) now() time.Time {
	if r.Now == nil {
		return time.Time{}
	}
	return r.Now()
}

// labels passes on what the reader of the labels found.
func (r *run) labels(context.Context, *Scheme) (looked, error) {
	if r.Labels == nil {
		if r.Config.set(dataset.RuleLabels) {
			return looked{skipped: "no labels of a known format were found"}, nil
		}
		return looked{}, errNotAsked{}
	}
	for _, f := range r.Labels.Findings {
		f.Rule = dataset.RuleLabels
		r.out.add(f)
	}
	r.out.more(dataset.RuleLabels, "", r.Labels.Beyond)
	r.out.unread(r.Labels.Unread...)
	return looked{samples: r.Labels.Samples}, nil
}

// readable makes a finding of everything that could not be read; it is the
// last rule.
func (r *run) readable(ctx context.Context, _ *Scheme) (looked, error) {
	r.out.unread(r.Unread...)
	for _, u := range r.out.unreads {
		sample := dataset.Sample{Path: u.Path}
		f, err := r.Files.Lookup(ctx, u.Path)
		if err != nil {
			return looked{}, err
		}
		about := u.Path
		if f != nil {
			sample.Content = f.Content
			about = f.Content.String()
		}
		r.out.add(dataset.Finding{
			ID:      dataset.FindingID(dataset.RuleReadable, "", about, clean(u.Place), clean(u.Why)),
			Rule:    dataset.RuleReadable,
			Message: (&UnreadError{u}).Error(),
			Samples: []dataset.Sample{sample},
		})
	}
	return looked{samples: int64(len(r.out.unreads))}, nil
}
