package objects

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// CommitKind is the backup kind of a commit: what it read again, and what its
// backup set holds.
type CommitKind string

// The kinds of commit.
const (
	Full         CommitKind = "full"
	Incremental  CommitKind = "incremental"
	Differential CommitKind = "differential"
)

// Valid reports whether k is one of the three kinds.
func (k CommitKind) Valid() bool {
	return k == Full || k == Incremental || k == Differential
}

// Signature is who did something.
type Signature struct {
	Name  string `cbor:"name" json:"name"`
	Email string `cbor:"email,omitempty" json:"email,omitempty"`
}

// String returns "Name <email>", or the name alone.
func (s Signature) String() string {
	if s.Email == "" {
		return s.Name
	}
	return s.Name + " <" + s.Email + ">"
}

// Delta sums up what one tree has beyond another: counts of paths and bytes of
// content, as D_t − D_base and back.
type Delta struct {
	Added        int64 `cbor:"added,omitempty" json:"added"`
	Changed      int64 `cbor:"changed,omitempty" json:"changed"`
	Removed      int64 `cbor:"removed,omitempty" json:"removed"`
	AddedBytes   int64 `cbor:"added_bytes,omitempty" json:"added_bytes"`
	ChangedBytes int64 `cbor:"changed_bytes,omitempty" json:"changed_bytes"` // sizes after the change
	RemovedBytes int64 `cbor:"removed_bytes,omitempty" json:"removed_bytes"`
	Files        int64 `cbor:"files,omitempty" json:"files"` // entries of the whole tree
	Bytes        int64 `cbor:"bytes,omitempty" json:"bytes"` // content of the whole tree
}

// Stored sums up, about, what contents take in packs.
type Stored struct {
	Grown int64 `cbor:"grown,omitempty" json:"grown"` // by the contents that the repository did not have before
	Held  int64 `cbor:"held,omitempty" json:"held"`   // by those beyond the base, with the commits between; of a full, all of the tree
}

// Split names one split table of a commit: a sorted map from path to split
// name, the rule that made it, and a fingerprint of each split.
type Split struct {
	Scheme       string        `cbor:"scheme"`
	Table        ID            `cbor:"table"`
	Rule         string        `cbor:"rule,omitempty"`
	Fingerprints map[string]ID `cbor:"fingerprints,omitempty"`
}

// Git is the state of the git repository that a commit was made beside.
type Git struct {
	Revision string `cbor:"revision"`
	Branch   string `cbor:"branch,omitempty"`
	Remote   string `cbor:"remote,omitempty"`
	Dirty    bool   `cbor:"dirty,omitempty"`
}

// Waiver lets named findings of one rule stand, with a reason.
type Waiver struct {
	Rule     string   `cbor:"rule"`
	Reason   string   `cbor:"reason"`
	Findings []string `cbor:"findings,omitempty"`
}

// Commit is one recorded state of the dataset. Values do not change once
// encoded. Fields that this version does not know are kept in Unknown and
// written back, so that an older build can carry a newer build's commits.
type Commit struct {
	Version int  `cbor:"version"`
	Tree    ID   `cbor:"tree"`
	Parents []ID `cbor:"parents,omitempty"`
	// Generation is one more than the greatest of the parents', and 1 without
	// parents: it orders commits whatever the clocks said. 0 is not known, as
	// is that of every commit made on such a one.
	Generation int               `cbor:"generation,omitempty"`
	Kind       CommitKind        `cbor:"kind"`
	Base       ID                `cbor:"base,omitzero"`                      // zero for a full
	Delta      Delta             `cbor:"delta"`                              // beyond the base; of a full, everything
	Change     *Delta            `cbor:"change,omitempty"`                   // beyond the first parent, where that is not Delta
	Stored     *Stored           `cbor:"stored,omitempty" json:",omitempty"` // nil: not known
	Author     Signature         `cbor:"author"`
	Time       time.Time         `cbor:"time"` // to the second, with its zone offset
	Message    string            `cbor:"message"`
	Meta       map[string]string `cbor:"meta,omitempty"`
	Splits     []Split           `cbor:"splits,omitempty"`
	Models     []string          `cbor:"models,omitempty"`
	Git        *Git              `cbor:"git,omitempty"`
	Waivers    []Waiver          `cbor:"waivers,omitempty"`
	// Moving names paths that were changing while they were read, recorded
	// because the user allowed it. A path need not be text.
	Moving []cbor.ByteString `cbor:"moving,omitempty"`

	Unknown map[string]cbor.RawMessage `cbor:"-"`
}

// Changes returns what the commit changed beyond its first parent.
func (c Commit) Changes() Delta {
	if c.Change != nil {
		return *c.Change
	}
	return c.Delta
}

// Held returns about how many bytes of contents the commit holds beyond its
// base: as stored where that is known, else the sizes of files.
func (c Commit) Held() int64 {
	if c.Stored != nil {
		return c.Stored.Held
	}
	if c.Kind == Full {
		return c.Delta.Bytes
	}
	return c.Delta.AddedBytes + c.Delta.ChangedBytes
}

// CommitVersion is the version of the encoding that EncodeCommit writes.
const CommitVersion = 1

// ErrNewer is for an object whose encoding is newer than this build reads.
var ErrNewer = errors.New("written by a newer mlvc")

// EncodeCommit returns the canonical encoding: a map in deterministic CBOR
// (RFC 8949, 4.2.1), fields at their zero value left out.
func EncodeCommit(c Commit) (Object, error) {
	c.Version = CommitVersion
	c.Time = c.Time.Truncate(time.Second)
	data, err := MarshalRecord(c, c.Unknown)
	if err != nil {
		return Object{}, fmt.Errorf("encode commit: %w", err)
	}
	return Object{Kind: KindCommit, Data: data}, nil
}

// DecodeCommit reads a commit. It fails with ErrNewer for a version that this
// build does not know, and with ErrCorrupt for anything that is not the one
// valid encoding.
func DecodeCommit(o Object) (Commit, error) {
	if o.Kind != KindCommit {
		return Commit{}, fmt.Errorf("%w: a %v where a commit should be", ErrCorrupt, o.Kind)
	}
	if v := RecordVersion(o.Data); v > CommitVersion {
		return Commit{}, fmt.Errorf("commit of version %d (this mlvc reads up to %d): %w", v, CommitVersion, ErrNewer)
	}
	var c Commit
	unknown, err := UnmarshalRecord(o.Data, &c)
	if err != nil {
		return Commit{}, fmt.Errorf("commit: %w", err)
	}
	c.Unknown = unknown
	if c.Version < 1 || !c.Kind.Valid() || (c.Kind == Full) != c.Base.IsZero() {
		return Commit{}, fmt.Errorf("%w: commit of kind %q, version %d", ErrCorrupt, c.Kind, c.Version)
	}
	again, err := EncodeCommit(c)
	if err != nil || !bytes.Equal(again.Data, o.Data) {
		return Commit{}, fmt.Errorf("%w: commit is not in canonical form", ErrCorrupt)
	}
	return c, nil
}
