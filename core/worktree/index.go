package worktree

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// ErrIndexLost is for an index that is missing, damaged or of a version that
// this build does not read. Nothing is lost with it but time: FromTree makes
// a new one from the base tree, and every file is read again.
var ErrIndexLost = errors.New("the index is lost")

// Index is an open index: what is known of the files of a working tree, in
// path order. It is a snapshot, that a later index does not change. Safe for
// concurrent use.
type Index struct {
	file  vfs.File
	size  int64
	base  objects.ID
	after func() error // nil: nothing
}

// OpenIndex opens the index at name and checks it: it fails with ErrIndexLost
// if it is missing, torn or damaged anywhere.
func OpenIndex(fsys vfs.FS, name string) (*Index, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrIndexLost, err)
	}
	if err != nil {
		return nil, err
	}
	x := &Index{file: f}
	st, err := f.Stat()
	if err == nil {
		x.size = st.Size
		if x.base, err = checkIndex(f, st.Size); err == nil {
			return x, nil
		}
	}
	return nil, errors.Join(err, f.Close())
}

// checkIndex compares every checksum and returns the base tree's root. That
// costs a few milliseconds for a million records; what they say is not
// decoded.
func checkIndex(f vfs.File, size int64) (objects.ID, error) {
	d := indexDecoder{r: bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 256<<10)}
	if err := d.header(); err != nil {
		return objects.ID{}, err
	}
	for !d.ended {
		if err := d.nextBlock(); err != nil {
			return objects.ID{}, err
		}
	}
	return d.base, nil
}

// decoder starts to read from the beginning.
func (x *Index) decoder() (*indexDecoder, error) {
	return newIndexDecoder(bufio.NewReaderSize(io.NewSectionReader(x.file, 0, x.size), 256<<10))
}

// Base returns the root of the tree that Record.InTree speaks of.
func (x *Index) Base() objects.ID { return x.base }

// Records returns the records in path order; each use reads the file anew. It
// ends at the first error, which wraps ErrIndexLost: what came before it must
// not be relied on either.
func (x *Index) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		d, err := x.decoder()
		for err == nil {
			var r *Record
			if r, err = d.record(); err == nil && (r == nil || !yield(*r, nil)) {
				return
			}
		}
		yield(Record{}, err)
	}
}

// AfterClose makes Close end with a call of fn, such as one that removes an
// index that was made for one use.
func (x *Index) AfterClose(fn func() error) { x.after = fn }

// Close closes the file.
func (x *Index) Close() error {
	err := x.file.Close()
	if x.after != nil {
		err = errors.Join(err, x.after())
	}
	return err
}

// IndexWriter writes a new index and puts it in the place of the old one.
// Nothing is synced: after a crash the index may be the old one, the new one
// or torn, and a torn one is found out when it is read.
type IndexWriter struct {
	fs         vfs.FS
	name, temp string
	file       vfs.File
	enc        *indexEncoder
}

// CreateIndex begins an index for name. It is written to a temporary file in
// folder tmp, on the same file system.
func CreateIndex(fsys vfs.FS, name, tmp string) (*IndexWriter, error) {
	temp := vfs.TempName(tmp)
	f, err := fsys.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|vfs.NoFollow, 0o666)
	if err != nil {
		return nil, err
	}
	w := &IndexWriter{fs: fsys, name: name, temp: temp, file: f}
	if w.enc, err = newIndexEncoder(f); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	return w, nil
}

// Add appends a record. Paths must ascend.
func (w *IndexWriter) Add(r Record) error { return w.enc.add(&r) }

// Commit ends the index, whose base tree has the given root, and puts it in
// place. After an error the old index is as it was.
func (w *IndexWriter) Commit(base objects.ID) error {
	if err := w.enc.close(base); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.file.Close(); err != nil {
		return errors.Join(err, w.fs.Remove(w.temp))
	}
	if err := w.fs.Rename(w.temp, w.name); err != nil {
		return errors.Join(err, w.fs.Remove(w.temp))
	}
	return nil
}

// Abort takes back what was written.
func (w *IndexWriter) Abort() error {
	return errors.Join(w.file.Close(), w.fs.Remove(w.temp))
}

// Update is a change of one path of an index: its new record, or nil when the
// path goes.
type Update struct {
	Path   string
	Record *Record
}

// Merge adds to w the old records with the updates, both in path order. It
// neither commits nor aborts w.
func Merge(w *IndexWriter, old iter.Seq2[Record, error], updates iter.Seq2[Update, error]) error {
	next, stop := iter.Pull2(updates)
	defer stop()
	u, err, more := next()
	add := func() error { // the update at hand, and on to the next
		if err == nil && u.Record != nil {
			if u.Record.Path != u.Path {
				return fmt.Errorf("index: record of %q as an update of %q", u.Record.Path, u.Path)
			}
			err = w.enc.add(u.Record)
		}
		if err != nil {
			return err
		}
		u, err, more = next()
		return err
	}
	for r, oldErr := range old {
		if oldErr != nil {
			return oldErr
		}
		replaced := false
		for more && u.Path <= r.Path {
			replaced = u.Path == r.Path
			if err := add(); err != nil {
				return err
			}
		}
		if replaced {
			continue
		}
		if err := w.enc.add(&r); err != nil {
			return err
		}
	}
	for more {
		if err := add(); err != nil {
			return err
		}
	}
	return nil
}

// TreeEntry is one path of a tree.
type TreeEntry struct {
	Path  string
	Entry objects.Entry
}

// FromTree returns the records of an index that knows the base tree alone:
// every file has to be read.
func FromTree(entries iter.Seq2[TreeEntry, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for e, err := range entries {
			if !yield(Record{Path: e.Path, Entry: e.Entry, InTree: true}, err) || err != nil {
				return
			}
		}
	}
}

// Clock returns the file system's idea of now, in nanoseconds since 1970: the
// time it gives to a file that is written now. dir is a folder for temporary
// files on the file system of the working tree; a small file stays there, to
// be written again by the next call.
func Clock(fsys vfs.FS, dir string) (int64, error) {
	f, err := fsys.OpenFile(filepath.Join(dir, "clock"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|vfs.NoFollow, 0o666)
	if err != nil {
		return 0, err
	}
	st, err := tick(f)
	return st.Mtime, errors.Join(err, f.Close())
}

func tick(f vfs.File) (vfs.Stat, error) {
	if _, err := f.Write([]byte{0}); err != nil {
		return vfs.Stat{}, err
	}
	return f.Stat()
}
