package cli

import (
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset/split"
)

// ruleWordsOf says in words how a scheme divides.
func ruleWordsOf(s core.SplitScheme) string {
	if s.Parsed == nil {
		return "by a rule of a later mlvc"
	}
	p := *s.Parsed
	parts := []string{whatOf(p) + " " + wayOf(p)}
	if p.Group != nil {
		parts = append(parts, "groups by "+keyWords(*p.Group))
	}
	if p.Label != nil {
		parts = append(parts, "stratified by "+keyWords(*p.Label))
	}
	if p.Seed != "" {
		parts = append(parts, "seed "+quoted(p.Seed))
	}
	return strings.Join(parts, ", ")
}

// whatOf names the samples.
func whatOf(p split.Scheme) string {
	switch {
	case p.OfRows():
		return "rows of " + strings.Join(p.Table, ", ")
	case len(p.Of) > 0:
		return "files " + strings.Join(p.Of, ", ")
	}
	return "files"
}

// wayOf says what divides them.
func wayOf(p split.Scheme) string {
	by := ""
	switch {
	case p.Folds > 0:
		by = "drawn into " + strconv.Itoa(p.Folds) + " folds"
	case p.Draws():
		var shares []string
		for _, r := range p.Ratios {
			shares = append(shares, r.Split+" "+strconv.FormatInt(r.Weight, 10))
		}
		by = "drawn " + strings.Join(shares, " : ")
	case p.Column != "":
		by = "by the column " + quoted(p.Column)
	case p.Time != nil:
		var until []string
		for _, u := range p.Time.Until {
			until = append(until, u.Split+" before "+u.At.Format("2006-01-02 15:04"))
		}
		if p.Time.Rest != "" {
			until = append(until, "then "+p.Time.Rest)
		}
		by = "by time, " + strings.ReplaceAll(strings.Join(until, ", "), " 00:00", "")
	default:
		var globs []string
		for _, g := range p.Globs {
			globs = append(globs, g.Split+" = "+strings.Join(g.Patterns, ", "))
		}
		by = "by name: " + strings.Join(globs, "; ")
	}
	if p.Path != "" {
		by += ", listed in " + strings.Join(p.Table, ", ")
	}
	return by
}

func keyWords(k split.Key) string {
	switch {
	case k.Folder:
		return "folder"
	case k.Column != "":
		return "the column " + quoted(k.Column)
	}
	return "the path, " + k.Path
}
