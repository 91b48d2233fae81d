package export

import (
	"regexp"
	"strings"
)

// isVersion is a version with one to three numbers, as people write it in tags.
// The beginning of an ID is longer, and -11-26 the rest of a date.
var isVersion = regexp.MustCompile(`^[vV]?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(-[0-9A-Za-z.-]*[A-Za-z][0-9A-Za-z.-]*)?(\+[0-9A-Za-z.-]+)?$`)

// isSemantic is the grammar of semantic versioning.
var isSemantic = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

// IsVersion reports whether a tag is a version: v1, 1.2 or 1.2.3-beta, but not
// 2026-11-26 or baseline.
func IsVersion(tag string) bool { return !strings.HasPrefix(semantic(tag), unversioned) }

// unversioned is what has no version.
const unversioned = "0.0.0+"

// semantic is a version as semantic versioning writes it. Of what is none, such
// as the name baseline, it is the build of a version 0.0.0.
func semantic(version string) string {
	if isSemantic.MatchString(version) {
		return version
	}
	if m := isVersion.FindStringSubmatch(version); m != nil {
		numbers := m[1:4]
		for i, n := range numbers {
			if numbers[i] = strings.TrimLeft(n, "0"); numbers[i] == "" {
				numbers[i] = "0"
			}
		}
		if v := strings.Join(numbers, ".") + m[4] + m[5]; isSemantic.MatchString(v) {
			return v
		}
	}
	build := strings.Trim(notBuild.ReplaceAllString(version, "-"), ".")
	if build == "" {
		build = "unknown"
	}
	return unversioned + dots.ReplaceAllString(build, ".")
}

var (
	notBuild = regexp.MustCompile(`[^0-9A-Za-z.-]+`)
	dots     = regexp.MustCompile(`\.{2,}`)
)
