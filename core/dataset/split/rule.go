package split

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule returns the canonical text of the scheme: what mlvc.toml says of it, as
// one JSON object with sorted keys. Schemes that mean the same have the same
// text; names and numbers that are only written differently do not show.
func (s Scheme) Rule() string { return canonical(s.tree()) }

// draw is the rule without what only guards it: as long as it is the same,
// nothing that was assigned moves.
func (s Scheme) draw() string {
	tree := s.tree()
	delete(tree, "frozen")
	delete(tree, "sealed")
	return canonical(tree)
}

func canonical(tree map[string]any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		panic(err) // maps, texts and numbers always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ParseRule reads what Rule wrote: the rule of a split table in a commit. A
// text that this version would not write is an error.
func ParseRule(name, text string) (Scheme, error) {
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return Scheme{}, fmt.Errorf("rule of the scheme %s: %w", name, err)
	}
	s, err := parseScheme(name, "rule of "+name, tree)
	if err != nil {
		return Scheme{}, err
	}
	if s.Rule() != text {
		return Scheme{}, fmt.Errorf("rule of the scheme %s is not in canonical form", name)
	}
	return s, nil
}

// tree returns the scheme as mlvc.toml would have it.
func (s Scheme) tree() map[string]any {
	tree := make(map[string]any)
	put := func(key string, list []string) {
		if len(list) > 0 {
			list = slices.Clone(list)
			slices.Sort(list)
			tree[key] = slices.Compact(list)
		}
	}
	text := func(key, value string) {
		if value != "" {
			tree[key] = value
		}
	}
	put("of", s.Of)
	put("table", s.Table)
	put("frozen", s.Frozen)
	put("sealed", s.Sealed)
	for _, g := range s.Globs {
		put(g.Split, g.Patterns)
	}
	text("path", s.Path)
	text("column", s.Column)
	text("seed", s.Seed)
	if s.Group != nil {
		tree["group"] = s.Group.tree()
	}
	if s.Label != nil {
		tree["stratify"] = s.Label.tree()
	}
	if s.Time != nil {
		tree["time"] = s.Time.tree()
	}
	if s.Folds > 0 {
		tree["folds"] = s.Folds
	} else if len(s.Ratios) > 0 {
		ratios := make(map[string]int64)
		for _, r := range s.Ratios {
			ratios[r.Split] = r.Weight
		}
		tree["ratios"] = ratios
	}
	return tree
}

func (k Key) tree() any {
	switch {
	case k.Folder:
		return "folder"
	case k.Column != "":
		return map[string]string{"column": k.Column}
	}
	return map[string]string{"path": k.Path}
}

func (t Time) tree() map[string]any {
	until := make(map[string]string)
	for _, u := range t.Until {
		until[u.Split] = u.At.Format(time.RFC3339Nano)
	}
	tree := map[string]any{"until": until}
	for key, value := range map[string]string{"column": t.Column, "path": t.Path, "rest": t.Rest} {
		if value != "" {
			tree[key] = value
		}
	}
	return tree
}
