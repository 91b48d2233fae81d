// Package dataset has the words that splits, checks and models share: files
// and rows as samples, findings, and the report that they make. The work is
// done in the packages below it.
package dataset

import (
	"context"
	"io"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// File is one regular file of a tree.
type File struct {
	Path string // '/'-separated, from the root
	objects.Entry
}

// Files are the files of a commit, or of a working tree as a commit would
// record it. Safe for concurrent use.
type Files interface {
	// All yields the regular files in path order, without the dataset's own
	// rules (mlvc.toml, .mlvcignore), which are never samples.
	All(ctx context.Context) iter.Seq2[File, error]
	// Lookup finds one regular file, the rules included; nil: there is none.
	Lookup(ctx context.Context, path string) (*File, error)
	// Open opens the content of a file. Every byte that it hands out was
	// checked against the file's IDs. Where contents may be left elsewhere, it
	// fails with an *AbsentError.
	Open(ctx context.Context, f File) (Content, error)
}

// Content is the open content of a file. Reading it at several places at once
// is allowed.
type Content interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// AbsentError is of Files.Open: the file is known, and its content is not here.
type AbsentError struct{ Path string }

func (e *AbsentError) Error() string { return e.Path + ": its content is not here" }

// Facts keep what was derived from a content, such as a perceptual hash, so
// that it is derived once. A kind's name has its version in it ("dhash64-v1").
// What is kept may be lost at any time. Safe for concurrent use.
type Facts interface {
	Get(kind string, id objects.ID) ([]byte, bool)
	Put(kind string, id objects.ID, data []byte)
}

// Sample names one sample: a file, or a row of a table.
type Sample struct {
	Path string `json:"path"`
	// Row is the row's number in its table, from 1, a header not counted; 0 is
	// the file.
	Row   int64  `json:"row,omitempty"`
	Split string `json:"split,omitempty"`
	// Content is the ID of the file's content, or of the canonical row.
	Content objects.ID `json:"content,omitzero"`
}
