package gitpair

import (
	"path"
	"slices"
	"strings"
	"unicode"
)

// Dataset says where one dataset is in a git work tree.
type Dataset struct {
	// Root is the folder that holds `.mlvc`, from the work tree's root with
	// slashes; "." is the root itself.
	Root string
	// Track is what its mlvc.toml tracks, cleaned, relative to Root.
	Track []string
}

// PointerPlace says where the pointer of one tracked path is.
type PointerPlace struct {
	Track string `json:"track"` // as in mlvc.toml
	Data  string `json:"data"`  // what it stands for, from the work tree's root
	Name  string `json:"name"`  // the pointer file, from the work tree's root
}

// Pointers returns where the pointers of the dataset are, sorted by Track. A
// path below another tracked path has none of its own. It fails with a
// *WholeTreeError or a *PathError.
func (d Dataset) Pointers() ([]PointerPlace, error) {
	var list []PointerPlace
	for _, t := range slices.Compact(slices.Sorted(slices.Values(d.Track))) {
		if slices.ContainsFunc(d.Track, func(above string) bool { return isBelow(t, above) }) {
			continue
		}
		data := path.Join(d.Root, t)
		if data == "." {
			return nil, &WholeTreeError{}
		}
		if strings.ContainsFunc(data, func(r rune) bool { return r == unicode.ReplacementChar || unicode.IsControl(r) }) {
			return nil, &PathError{data, "git's files cannot name a path with a control character or that is no text"}
		}
		list = append(list, PointerPlace{Track: t, Data: data, Name: data + PointerSuffix})
	}
	return list, nil
}

// isBelow reports whether a tracked path lies inside another one.
func isBelow(name, above string) bool {
	return name != above && (above == "." || strings.HasPrefix(name, above+"/"))
}

// isPointerName reports whether a path of git's is named as pointers are.
func isPointerName(name string) bool {
	base := path.Base(name)
	return strings.HasSuffix(base, PointerSuffix) && base != PointerSuffix
}
