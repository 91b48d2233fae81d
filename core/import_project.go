package core

import (
	"context"
	"hash"
	"io"
	"iter"
	"strings"

	"github.com/mlvc/mlvc/core/gitpair"
)

// foreignKind says from which tool a dataset is imported.
type foreignKind string

const (
	fromDVC foreignKind = "dvc"
	fromLFS foreignKind = "lfs"
)

// foreign is a project whose data another tool keeps: pointers in git, and
// the bytes in a cache or a folder remote.
type foreign interface {
	// Pointer returns the path of the pointer that a changed file of git
	// belongs to; "" if it has no part in any. Either side may be nil.
	Pointer(path string, old, new *gitpair.RevisionFile) (string, error)
	// Outs returns what a pointer names in a git commit. file is nil if the
	// caller does not know what git has there.
	Outs(commit, pointer string, file *gitpair.RevisionFile) ([]foreignOut, error)
	// Listing yields the files of a folder, sorted, with paths relative to
	// it. One that cannot be had is a *notHeldError.
	Listing(ctx context.Context, hash string) iter.Seq2[foreignFile, error]
	// Places are the files that may hold a content, the likeliest first.
	Places(hash string) []string
	// Check returns what is written a content to, to know if it is that.
	Check(hash string) checker
	// Looked names the folders in which contents are looked for.
	Looked() []string
}

// foreignOut is a file or a folder that a pointer names. Its hash is the
// tool's name of the content, with the kind of hash before a colon.
type foreignOut struct {
	Path string // relative to git's work tree
	Hash string
	Dir  bool
	Exec bool
	Size int64 // -1: not known
	// Wrong says why it cannot be imported, if so.
	Wrong string
}

// span is what begins the keys of an out in a tree.
func (o foreignOut) span() string {
	if o.Dir {
		return o.Path + "/"
	}
	return o.Path
}

// foreignFile is one file of the dataset as the tool names it.
type foreignFile struct {
	Path  string // relative to the repository's root
	Hash  string
	Size  int64 // -1: not known
	Exec  bool
	Wrong string
}

// notHeldError is for a content that no place holds whole.
type notHeldError struct{ Why string }

func (e *notHeldError) Error() string { return e.Why }

// checker takes the bytes of a content.
type checker interface {
	io.Writer
	// Matches reports whether what was written is the content.
	Matches() bool
}

// digestCheck compares one digest.
type digestCheck struct {
	hash.Hash
	want string // as hexadecimal digits
}

func (c digestCheck) Matches() bool { return hexOf(c.Hash) == c.want }

func hexOf(h hash.Hash) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, x := range h.Sum(nil) {
		b.WriteByte(digits[x>>4])
		b.WriteByte(digits[x&15])
	}
	return b.String()
}

// isHex reports whether s is n lower-case hexadecimal digits: what may be made
// part of a file's name.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
