package core

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
)

// dvcStage is what a dvc.yaml says of a stage. DVC leaves stages in dvc.lock
// that are gone from dvc.yaml, and outs that their stage no longer has; and what
// git itself holds, or nobody, is "cache: false" in dvc.yaml alone.
type dvcStage struct {
	wdir string
	keys []string // of the instances of a foreach; nil: not known
	// outs are the paths of the outs that DVC keeps. Parts in ${…} stand for
	// anything. open says that there are others, known only when it runs.
	outs []string
	open bool
	// uncached are the paths of the others.
	uncached []string
}

// keeps reports whether DVC keeps what the lock has as an out of the stage.
func (s dvcStage) keeps(out string) bool {
	is := func(pattern string) bool { return matchesTemplate(path.Clean(pattern), path.Clean(out)) }
	exactly := func(name string) bool { return path.Clean(name) == path.Clean(out) }
	switch {
	case slices.ContainsFunc(s.outs, exactly):
		return true
	case slices.ContainsFunc(s.uncached, is):
		return false
	}
	return s.open || slices.ContainsFunc(s.outs, is)
}

// has reports whether the stage has an instance: the part of its name in a
// lock after the @.
func (s dvcStage) has(key string) bool { return s.keys == nil || slices.Contains(s.keys, key) }

// matchesTemplate reports whether a word can come of a text with ${…} in it.
func matchesTemplate(pattern, word string) bool {
	head, rest, varies := strings.Cut(pattern, "${")
	if !varies {
		return pattern == word
	}
	word, ok := strings.CutPrefix(word, head)
	_, rest, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return false
	}
	for i := range len(word) + 1 {
		if matchesTemplate(rest, word[i:]) {
			return true
		}
	}
	return false
}

// stages reads the stages of a dvc.yaml of a commit; nil if it is not there.
func (p *dvcProject) stages(commit, name string) (map[string]dvcStage, error) {
	f, ok, err := p.history.File(commit, name)
	if err != nil || !ok {
		return nil, err
	}
	doc, err := p.document(name, f)
	if err != nil {
		return nil, err
	}
	params, err := p.params(commit, path.Join(path.Dir(name), paramsOfDVC))
	if err != nil {
		return nil, err
	}
	stages := make(map[string]dvcStage)
	all, _ := doc["stages"].(map[string]any)
	for stage, v := range all {
		m, _ := v.(map[string]any)
		keys := instances(m["foreach"], params)
		if do, ok := m["do"].(map[string]any); ok {
			m = do
		}
		stages[stage] = readStage(m, keys)
	}
	return stages, nil
}

// paramsOfDVC is where the templates of a dvc.yaml find their values, if it
// names no other file.
const paramsOfDVC = "params.yaml"

// params reads the parameters of a commit; what cannot be read has none.
func (p *dvcProject) params(commit, name string) (map[string]any, error) {
	f, ok, err := p.history.File(commit, name)
	if err != nil || !ok {
		return nil, err
	}
	doc, err := p.document(name, f)
	if _, ok := errors.AsType[*pointerTextError](err); ok {
		return nil, nil
	}
	return doc, err
}

func readStage(m map[string]any, keys []string) dvcStage {
	s := dvcStage{keys: keys}
	s.wdir, _ = m["wdir"].(string)
	for _, section := range []string{"outs", "metrics", "plots", "live"} {
		switch list := m[section].(type) {
		case nil:
		case map[string]any:
			s.add(list)
		case []any:
			for _, v := range list {
				switch v := v.(type) {
				case string:
					s.outs = append(s.outs, v)
				case map[string]any:
					s.add(v)
				}
			}
		default:
			s.open = true
		}
	}
	return s
}

// add adds outs with what is said of them.
func (s *dvcStage) add(outs map[string]any) {
	for name, v := range outs {
		if about, _ := v.(map[string]any); about["cache"] == "false" {
			s.uncached = append(s.uncached, name)
		} else {
			s.outs = append(s.outs, name)
		}
	}
}

// instances are the keys of a foreach; nil if they are not known.
func instances(foreach any, params map[string]any) []string {
	if text, ok := foreach.(string); ok {
		foreach = valueOf(text, params)
	}
	keys := []string{}
	switch all := foreach.(type) {
	case map[string]any:
		for key := range all {
			keys = append(keys, key)
		}
	case []any:
		// Where one of them is more than a word, all are numbered.
		numbered := slices.ContainsFunc(all, func(v any) bool { _, word := v.(string); return !word })
		for i, v := range all {
			if key, _ := v.(string); !numbered {
				keys = append(keys, key)
			} else {
				keys = append(keys, strconv.Itoa(i))
			}
		}
	default:
		return nil
	}
	if slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, "${") }) {
		return nil
	}
	return keys
}

// valueOf returns the parameter that a template is as a whole: "${a.b}".
func valueOf(text string, params map[string]any) any {
	name, ok := strings.CutPrefix(strings.TrimSpace(text), "${")
	name, closed := strings.CutSuffix(name, "}")
	if !ok || !closed {
		return nil
	}
	var v any = params
	for part := range strings.SplitSeq(strings.TrimSpace(name), ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}
