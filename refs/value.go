package refs

import (
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// Value is what a name holds: a commit, or, for HEAD alone, the branch that
// HEAD is attached to, which need not exist yet. The zero Value is no value:
// the name does not exist. Values are compared with ==.
type Value struct {
	Commit objects.ID
	Branch Name
}

// The tags that begin the encoding of a value.
const (
	tagCommit = 1 // 32 bytes: the commit's ID
	tagBranch = 2 // the branch's full name
)

// IsZero reports whether v is no value.
func (v Value) IsZero() bool { return v == Value{} }

// String returns v for people: the commit's first digits, the branch, or
// "nothing".
func (v Value) String() string {
	switch {
	case v.IsZero():
		return "nothing"
	case v.Branch != "":
		return string(v.Branch)
	}
	return v.Commit.Short()
}

// MarshalBinary returns the one encoding of v. It fails for the zero Value
// and for a Value that is both a commit and a branch.
func (v Value) MarshalBinary() ([]byte, error) {
	switch {
	case v.IsZero():
		return nil, fmt.Errorf("no value to encode")
	case v.Branch == "":
		return append([]byte{tagCommit}, v.Commit[:]...), nil
	case !v.Commit.IsZero():
		return nil, fmt.Errorf("value is both commit %s and %s", v.Commit, v.Branch)
	}
	if !v.Branch.IsBranch() {
		return nil, fmt.Errorf("%q is not a branch", v.Branch)
	}
	if err := v.Branch.Validate(); err != nil {
		return nil, err
	}
	return append([]byte{tagBranch}, v.Branch...), nil
}

// UnmarshalBinary reads what MarshalBinary writes. It fails with
// objects.ErrNewer for a tag that this version does not know, and with
// objects.ErrCorrupt for anything else.
func (v *Value) UnmarshalBinary(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: empty value", objects.ErrCorrupt)
	}
	var got Value
	switch b[0] {
	case tagCommit:
		if err := got.Commit.UnmarshalBinary(b[1:]); err != nil {
			return fmt.Errorf("%w: value: %w", objects.ErrCorrupt, err)
		}
		if got.Commit.IsZero() {
			return fmt.Errorf("%w: value names no commit", objects.ErrCorrupt)
		}
	case tagBranch:
		got.Branch = Name(b[1:])
		if err := got.Branch.Validate(); err != nil || !got.Branch.IsBranch() {
			return fmt.Errorf("%w: value names the branch %q", objects.ErrCorrupt, b[1:])
		}
	case 0:
		return fmt.Errorf("%w: value has tag 0", objects.ErrCorrupt)
	default:
		return fmt.Errorf("value with tag %d: %w", b[0], objects.ErrNewer)
	}
	*v = got
	return nil
}

// fits says whether a name may hold v: HEAD a branch or a commit, everything
// else a commit. HEAD always holds something.
func (v Value) fits(name Name) error {
	switch {
	case name == HEAD && v.IsZero():
		return fmt.Errorf("HEAD cannot be deleted")
	case name != HEAD && v.Branch != "":
		return fmt.Errorf("%s cannot hold a branch, only HEAD can", name)
	}
	return nil
}
