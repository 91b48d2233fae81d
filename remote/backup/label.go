package backup

import (
	"fmt"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// Label names a set at its destination and shows its chain: a full set is
// "20261123-041900F", and a set based on it, directly or not, adds its own part,
// "20261123-041900F_20261124-040000I" or "…D". Times are UTC and begin the set.
type Label string

const (
	labelTime = "20060102-150405"
	partLen   = len(labelTime) + 1
	labelLen  = 2*partLen + 1
)

var letters = map[objects.CommitKind]string{objects.Full: "F", objects.Incremental: "I", objects.Differential: "D"}

// newLabel returns the label of a set begun at t. full is the full set of its
// chain, and empty for a full set.
func newLabel(full Label, kind objects.CommitKind, t time.Time) Label {
	own := Label(t.UTC().Format(labelTime) + letters[kind])
	if kind == objects.Full {
		return own
	}
	return full.Full() + "_" + own
}

// ParseLabel reads a label. It fails for anything that String would not print.
func ParseLabel(s string) (Label, error) {
	l := Label(s)
	ok := len(s) == partLen && l.Kind() == objects.Full ||
		len(s) == labelLen && s[partLen] == '_' && Label(s[:partLen]).Kind() == objects.Full && (l.Kind() == objects.Incremental || l.Kind() == objects.Differential)
	if ok {
		for part := range strings.SplitSeq(s, "_") {
			t, err := time.Parse(labelTime, part[:len(labelTime)])
			ok = ok && err == nil && t.Format(labelTime) == part[:len(labelTime)]
		}
	}
	if !ok {
		return "", fmt.Errorf("%.60q is not the label of a backup set (such as 20261123-041900F)", s)
	}
	return l, nil
}

// Kind returns what kind of set it is, empty for what is no label.
func (l Label) Kind() objects.CommitKind {
	for kind, letter := range letters {
		if strings.HasSuffix(string(l), letter) {
			return kind
		}
	}
	return ""
}

// Full returns the full set that the chain begins with.
func (l Label) Full() Label {
	full, _, _ := strings.Cut(string(l), "_")
	return Label(full)
}

// Time returns when the set was begun, to the second.
func (l Label) Time() time.Time {
	if len(l) < partLen {
		return time.Time{}
	}
	t, _ := time.Parse(labelTime, string(l[len(l)-partLen:len(l)-1])) //nolint:errcheck // it was parsed
	return t
}

// folder returns where the set's objects lie: keys are lower case.
func (l Label) folder() string { return setsPrefix + strings.ToLower(string(l)) + "/" }

// LabelOf returns the label of the set that a key lies in.
func LabelOf(key string) (Label, bool) {
	name, _, ok := strings.Cut(strings.TrimPrefix(key, setsPrefix), "/")
	if !ok || !strings.HasPrefix(key, setsPrefix) {
		return "", false
	}
	l, err := ParseLabel(strings.ToUpper(name))
	return l, err == nil && l.folder() == setsPrefix+name+"/"
}

const (
	setsPrefix   = "sets/"
	packSuffix   = ".pack"
	indexSuffix  = ".idx"
	paritySuffix = ".parity"
	healedSuffix = ".healed" // behind a key: sound bytes that wait to take its place
	recordSuffix = ".manifest"
	copySuffix   = ".copy" // the manifest again
	planSuffix   = ".plan"
	claimName    = "begun"
)

// IsRecord reports whether an object says what a set is and what it has: a
// manifest, its copy or an index.
func IsRecord(key string) bool {
	key = strings.TrimSuffix(key, healedSuffix)
	return strings.HasSuffix(key, recordSuffix) || strings.HasSuffix(key, copySuffix) || strings.HasSuffix(key, indexSuffix)
}

// IsSealed reports whether an object goes through Options.Wrap, and so is
// encrypted at an encrypted destination: all of a set but parity.
func IsSealed(key string) bool {
	return strings.HasPrefix(key, setsPrefix) && !strings.HasSuffix(strings.TrimSuffix(key, healedSuffix), paritySuffix)
}

func (l Label) manifestKey(id objects.ID) string { return l.folder() + id.String() + recordSuffix }

// copyKey is where the second copy of a manifest lies.
func (l Label) copyKey(id objects.ID) string { return l.folder() + id.String() + copySuffix }

func (l Label) parityKey(pack objects.ID) string { return l.folder() + pack.String() + paritySuffix }
