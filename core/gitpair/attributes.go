package gitpair

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitattributes"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
)

// Attributes are what the .gitattributes files of one commit say.
type Attributes struct{ matcher gitattributes.Matcher }

// Attributes reads every .gitattributes of a commit.
func (h *Revisions) Attributes(commit string) (*Attributes, error) {
	t, err := h.tree(commit)
	if err != nil || t == nil {
		return &Attributes{}, err
	}
	files, err := attributeFiles(t)
	if err != nil {
		return nil, fmt.Errorf("tree of git commit %s: %w", commit, err)
	}
	var stack []gitattributes.MatchAttribute
	for _, name := range files {
		f, err := t.File(name)
		if err != nil {
			return nil, fmt.Errorf("%s in git commit %s: %w", name, commit, err)
		}
		text, err := f.Contents()
		if err != nil {
			return nil, fmt.Errorf("%s in git commit %s: %w", name, commit, err)
		}
		var domain []string
		if dir := path.Dir(name); dir != "." {
			domain = strings.Split(dir, "/")
		}
		stack = append(stack, readAttributes(text, domain)...)
	}
	return &Attributes{gitattributes.NewMatcher(stack)}, nil
}

// readAttributes reads the lines of one .gitattributes. One that cannot be read
// says nothing, as with git.
func readAttributes(text string, domain []string) []gitattributes.MatchAttribute {
	var lines []gitattributes.MatchAttribute
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), `""`) {
			continue // no pattern, which the parser does not survive
		}
		a, err := gitattributes.ParseAttributesLine(line, domain, domain == nil)
		if err == nil && a.Name != "" {
			lines = append(lines, a)
		}
	}
	return lines
}

// attributeFiles lists the .gitattributes of a tree, those of outer folders
// first: what is further in has the last word.
func attributeFiles(t *gitobject.Tree) ([]string, error) {
	var files []string
	w := gitobject.NewTreeWalker(t, true, nil)
	defer w.Close()
	for {
		name, e, err := w.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if path.Base(name) == ".gitattributes" && isFile(e) {
			files = append(files, name)
		}
	}
	slices.SortStableFunc(files, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return files, nil
}

// Value returns the value of an attribute of a path, or "".
func (a *Attributes) Value(path, attribute string) string {
	if a.matcher == nil {
		return ""
	}
	found, _ := a.matcher.Match(strings.Split(path, "/"), []string{attribute})
	if v, ok := found[attribute]; ok && v.IsValueSet() {
		return v.Value()
	}
	return ""
}
