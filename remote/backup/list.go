package backup

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
)

const (
	listKey     = "backup"
	listVersion = 1
	listContext = "mlvc 2026-11-26 backup list v1"
	// maxSets keeps a list below what a bucket swaps.
	maxSets  = 3000
	maxCrypt = 64 << 10
)

// List is the one mutable object of a destination: the sets that it has. It is
// readable without a key, so it says no more than it must. Values do not change.
type List struct {
	Version    int    `cbor:"version"`
	Repository string `cbor:"repository"` // whose sets these are: 32 hexadecimal digits
	// Crypt is what the encryption needs to know, such as the wrapped key;
	// empty if the destination is not encrypted.
	Crypt []byte `cbor:"crypt,omitempty"`
	Sets  []Set  `cbor:"sets,omitempty"` // by the time in the label, then by label
	// Rebuilt is when the list was last made again of other objects, in seconds since
	// 1970, so that it may lack sets of before; 0: never.
	Rebuilt int64 `cbor:"rebuilt,omitempty"`
}

// Set is a set as the list names it.
type Set struct {
	Label Label `cbor:"label"`
	Base  Label `cbor:"base,omitempty"` // the set that it adds to; empty for a full
	// Manifest is the ID of the set's manifest.
	Manifest objects.ID `cbor:"manifest"`
	Commit   objects.ID `cbor:"commit"`
	Bytes    int64      `cbor:"bytes"` // that the set added to the destination
	// Expiring is when the set was marked to go, in seconds since 1970; 0: it stays.
	Expiring int64  `cbor:"expiring,omitempty"`
	Verified *Check `cbor:"verified,omitempty"` // the last verification
	Drilled  *Check `cbor:"drilled,omitempty"`  // the last drill
}

// Check is what a verification or a drill found.
type Check struct {
	When int64 `cbor:"when"` // seconds since 1970
	OK   bool  `cbor:"ok,omitempty"`
	// Percent of the packs, or of the files, that were read; 100 is all.
	Percent int `cbor:"percent"`
}

// Time returns when it was.
func (c Check) Time() time.Time { return time.Unix(c.When, 0) }

// Kind returns the kind of the set.
func (s Set) Kind() objects.CommitKind { return s.Label.Kind() }

// Damaged reports whether the last verification found damage.
func (s Set) Damaged() bool { return s.Verified != nil && !s.Verified.OK }

// Find returns the set of that label.
func (l List) Find(label Label) (Set, bool) {
	for _, s := range l.Sets {
		if s.Label == label {
			return s, true
		}
	}
	return Set{}, false
}

// Chain returns the sets that a restore of one reads, the full first; nil if the
// list does not have them all.
func (l List) Chain(label Label) []Set {
	var chain []Set
	for label != "" {
		s, ok := l.Find(label)
		if !ok {
			return nil
		}
		chain = append(chain, s)
		label = s.Base
	}
	slices.Reverse(chain)
	return chain
}

// Dependents returns the sets that need one, the newest first.
func (l List) Dependents(label Label) []Set {
	need := map[Label]bool{label: true}
	var list []Set
	for _, s := range l.Sets { // a base comes before what is based on it
		if need[s.Base] {
			need[s.Label] = true
			list = append(list, s)
		}
	}
	slices.Reverse(list)
	return list
}

// clone returns a list that may be changed.
func (l List) clone() List {
	l.Sets = slices.Clone(l.Sets)
	return l
}

// change replaces a set; it does nothing if the list does not have it.
func (l *List) change(label Label, fn func(*Set)) {
	for i := range l.Sets {
		if l.Sets[i].Label == label {
			fn(&l.Sets[i])
		}
	}
}

func (l *List) add(s Set) {
	l.Sets = append(l.Sets, s)
	slices.SortFunc(l.Sets, compareSets)
}

func (l *List) remove(label Label) {
	l.Sets = slices.DeleteFunc(l.Sets, func(s Set) bool { return s.Label == label })
}

func compareSets(a, b Set) int {
	if c := a.Label.Time().Compare(b.Label.Time()); c != 0 {
		return c
	}
	return bytes.Compare([]byte(a.Label), []byte(b.Label))
}

// EncodeList returns the record followed by its checksum. It fails for one
// that DecodeList would refuse.
func EncodeList(l List) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	record, err := objects.MarshalRecord(l, nil)
	if err != nil {
		return nil, fmt.Errorf("encode the list of sets: %w", err)
	}
	if len(record)+objects.IDSize > bucket.MaxSmall {
		return nil, fmt.Errorf("list of %d sets: %w", len(l.Sets), bucket.ErrTooLarge)
	}
	return objects.Seal(listContext, record), nil
}

// DecodeList reads exactly what EncodeList writes. It fails with
// objects.ErrNewer for a later version, else with objects.ErrCorrupt.
func DecodeList(data []byte) (l List, err error) {
	if len(data) > bucket.MaxSmall {
		return List{}, corrupt("%d bytes", len(data))
	}
	record, err := objects.Unseal(listContext, data)
	if err != nil {
		return List{}, err
	}
	err = objects.DecodeRecord(record, listVersion, &l, func() ([]byte, error) {
		if err := l.check(); err != nil {
			return nil, err
		}
		return objects.MarshalRecord(l, nil)
	})
	if err != nil {
		return List{}, err
	}
	return l, nil
}

// check refuses what no destination says of itself.
func (l List) check() error {
	switch {
	case l.Version != listVersion:
		return corrupt("version %d", l.Version)
	case !validRepository(l.Repository):
		return corrupt("repository ID")
	case len(l.Crypt) > maxCrypt || len(l.Sets) > maxSets || l.Rebuilt < 0:
		return corrupt("%d sets, %d bytes about encryption, made again at %d", len(l.Sets), len(l.Crypt), l.Rebuilt)
	}
	seen := make(map[Label]bool)
	for i, s := range l.Sets {
		if i > 0 && compareSets(l.Sets[i-1], s) >= 0 {
			return corrupt("set %.40q is out of order", s.Label)
		}
		if err := s.check(); err != nil {
			return err
		}
		if s.Base != "" && !seen[s.Base] {
			return corrupt("set %s is based on %.40q, which is not there", s.Label, s.Base)
		}
		seen[s.Label] = true
	}
	return nil
}

func (s Set) check() error {
	if _, err := ParseLabel(string(s.Label)); err != nil {
		return corrupt("%v", err)
	}
	if err := checkBase(s.Label, s.Base); err != nil {
		return err
	}
	if s.Manifest.IsZero() || s.Commit.IsZero() || s.Bytes < 0 || s.Expiring < 0 || !s.Verified.valid() || !s.Drilled.valid() {
		return corrupt("set %s", s.Label)
	}
	return nil
}

// checkBase refuses a base that a set of that label cannot have.
func checkBase(label, base Label) error {
	ok := base != "" && base != label && base.Full() == label.Full()
	switch label.Kind() {
	case objects.Full:
		ok = base == ""
	case objects.Differential:
		ok = base == label.Full()
	}
	if !ok {
		return corrupt("set %s is based on %.40q", label, base)
	}
	return nil
}

func (c *Check) valid() bool { return c == nil || c.When > 0 && c.Percent >= 0 && c.Percent <= 100 }

func validRepository(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == id
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", objects.ErrCorrupt, fmt.Sprintf(format, args...))
}
