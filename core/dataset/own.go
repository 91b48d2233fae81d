package dataset

import (
	"path"
	"slices"
	"strings"
)

// IsOwn reports whether a path is one of the dataset's own files, which say
// what belongs to it and are never samples: mlvc.toml in the root, and
// .mlvcignore in any folder.
func IsOwn(p string) bool { return p == "mlvc.toml" || path.Base(p) == ".mlvcignore" }

// IsAbout reports whether a path is a file in the root that describes the
// dataset to people and tools, such as README.md: it need not be in a split, and
// is a sample only where a split names it.
func IsAbout(p string) bool {
	name := strings.ToLower(p)
	if strings.Contains(name, "/") {
		return false
	}
	return name == "citation.cff" || name == "croissant.json" ||
		slices.ContainsFunc([]string{"readme", "license", "licence"}, func(word string) bool { return strings.HasPrefix(name, word) })
}
