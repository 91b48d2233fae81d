package core

import (
	"reflect"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/revision"
)

// meant suggests the word of mlvc.toml that was meant, to be added to what is
// wrong; empty: it is like none.
func meant(word string, known []string) string {
	near := revision.Nearest(word, known)
	if len(near) == 0 || near[0] == word {
		return ""
	}
	return "; did you mean " + near[0] + "?"
}

// meantOption finds the slip of an option of [splits] that may be behind an
// error: such a word is read as the name of a scheme or of a split. Looked at
// are the words of the key that the error names, and those beside it.
func meantOption(tree map[string]any, key string) string {
	options := split.Options()
	words := strings.Split(strings.TrimPrefix(key, "splits."), ".")
	for _, word := range words {
		beside, _ := tree[word].(map[string]any)
		if text := meantAmong([]string{word}, options); text != "" {
			return text
		}
		if beside == nil || slices.Contains(options, word) {
			break
		}
		tree = beside
	}
	var names []string
	for name, value := range tree {
		if _, scheme := value.(map[string]any); !scheme {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return meantAmong(names, options)
}

func meantAmong(words, options []string) string {
	for _, word := range words {
		if text := meant(word, options); text != "" && !slices.Contains(options, word) {
			return strings.Replace(text, "; did you mean ", "; "+word+": did you mean ", 1)
		}
	}
	return ""
}

// rulesKeys are the words that a table of mlvc.toml may have, as Rules has
// them.
func rulesKeys(above []string) []string {
	at := reflect.TypeFor[Rules]()
	for _, word := range above {
		for i := range at.NumField() {
			if f := at.Field(i); f.Tag.Get("toml") == word && f.Type.Kind() == reflect.Struct {
				at = f.Type
				break
			}
		}
	}
	var words []string
	for i := range at.NumField() {
		if word := at.Field(i).Tag.Get("toml"); word != "" && word != "-" {
			words = append(words, word)
		}
	}
	return words
}
