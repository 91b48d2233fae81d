package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"sync/atomic"

	"github.com/mlvc/mlvc/core/internal/ordered"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/badgerkv"
	"github.com/mlvc/mlvc/objects/vfs"
)

// importContents knows, of every hash of the other tool, the entry that its
// content has here, or why it could not be had. A few are held in memory, the
// rest in a database of its own in `.mlvc/tmp`, which is gone after the import.
type importContents struct {
	*importing
	dir     string
	db      kv.DB
	written bool
	recent  map[string][]byte // not yet in the database

	filesRead, bytesRead atomic.Int64
}

// maxRecent bounds what is held in memory: some 300 bytes each.
const maxRecent = 50_000

// importBatch is how many files are looked up together.
const importBatch = 1024

func newImportContents(im *importing) (*importContents, error) {
	c := &importContents{importing: im, dir: filepath.Join(im.tempPath(), "import"), recent: make(map[string][]byte)}
	opt := im.dbOptions()
	opt.LockDir = im.tempPath() // nobody else opens it
	var err error
	c.db, err = badgerkv.Open(c.dir, opt)
	return c, err
}

func (c *importContents) close() {
	// What is left is swept by the next run.
	_ = c.db.Close()
	_ = removeAll(c.env.FS, c.dir)
}

// resolvedFile is a file of a listing and what its content became here.
type resolvedFile struct {
	foreignFile
	entry objects.Entry // of mode 0 if the content could not be had
	known bool          // it was looked for
}

// lookUp fills in what is known of files; nil ones are passed over.
func (c *importContents) lookUp(ctx context.Context, files []*resolvedFile) error {
	var rest []*resolvedFile
	for _, f := range files {
		switch {
		case f == nil:
		case f.Wrong != "":
			f.known = true
		default:
			if v, ok := c.recent[f.Hash]; ok {
				if err := f.fill(v); err != nil {
					return err
				}
			} else {
				rest = append(rest, f)
			}
		}
	}
	if len(rest) == 0 || !c.written {
		return nil
	}
	return c.db.View(ctx, func(r kv.Reader) error {
		for _, f := range rest {
			v, err := r.Get([]byte(f.Hash))
			if errors.Is(err, kv.ErrNotFound) {
				continue
			}
			if err == nil {
				err = f.fill(v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// fill reads a record: an entry, or a zero and the reason why there is none.
func (f *resolvedFile) fill(v []byte) (err error) {
	f.known = true
	if v[0] == 0 {
		f.Wrong = string(v[1:])
		return nil
	}
	f.entry, err = objects.DecodeEntry(v)
	if f.Exec {
		f.entry.Mode = objects.ModeExec
	}
	return err
}

func (c *importContents) note(ctx context.Context, hash string, v []byte) error {
	if c.recent[hash] = v; len(c.recent) < maxRecent {
		return nil
	}
	return c.flush(ctx)
}

func (c *importContents) flush(ctx context.Context) error {
	err := c.db.Update(ctx, func(w kv.Writer) error {
		for hash, v := range c.recent {
			if err := w.Set([]byte(hash), v); err != nil {
				return err
			}
		}
		return nil
	})
	clear(c.recent)
	c.written = true
	return err
}

// resolvedChange is a change of a path with what both contents became here.
type resolvedChange struct {
	path     string
	old, new *resolvedFile
}

// resolve looks up the files of changes, and gets contents not looked for yet
// if fetch says so.
func (c *importContents) resolve(ctx context.Context, changes iter.Seq2[foreignChange, error], fetch bool) iter.Seq2[resolvedChange, error] {
	return func(yield func(resolvedChange, error) bool) {
		var batch []resolvedChange
		send := func() bool {
			err := c.resolveBatch(ctx, batch, fetch)
			if err != nil {
				return yield(resolvedChange{}, err) && false
			}
			for _, r := range batch {
				if !yield(r, nil) {
					return false
				}
			}
			batch = nil
			return true
		}
		for ch, err := range changes {
			if err != nil {
				yield(resolvedChange{}, err)
				return
			}
			r := resolvedChange{path: ch.path}
			if ch.old != nil {
				r.old = &resolvedFile{foreignFile: *ch.old}
			}
			if ch.new != nil {
				r.new = &resolvedFile{foreignFile: *ch.new}
			}
			if batch = append(batch, r); len(batch) == importBatch && !send() {
				return
			}
		}
		send()
	}
}

func (c *importContents) resolveBatch(ctx context.Context, batch []resolvedChange, fetch bool) error {
	var files, news []*resolvedFile
	for _, r := range batch {
		files, news = append(files, r.old, r.new), append(news, r.new)
	}
	if err := c.lookUp(ctx, files); err != nil || !fetch {
		return err
	}
	type job struct {
		file *resolvedFile
		prev objects.Entry
	}
	var jobs []job
	taken := make(map[string]bool)
	for _, r := range batch {
		if r.new == nil || r.new.known || taken[r.new.Hash] {
			continue
		}
		taken[r.new.Hash] = true
		j := job{file: r.new}
		if r.old != nil {
			j.prev = r.old.entry
		}
		jobs = append(jobs, j)
	}
	if len(jobs) == 0 {
		return nil
	}
	all := func(yield func(job, error) bool) {
		for _, j := range jobs {
			if !yield(j, nil) {
				return
			}
		}
	}
	at := 0
	work := func(ctx context.Context, j job) ([]byte, error) { return c.fetch(ctx, j.file.foreignFile, j.prev) }
	for v, err := range ordered.Map(ctx, all, c.env.workers(), func(j job) int64 { return max(j.file.Size, 1<<12) }, work) {
		if err != nil {
			return err
		}
		if err := c.note(ctx, jobs[at].file.Hash, v); err != nil {
			return err
		}
		at++
	}
	return c.lookUp(ctx, news)
}

// fetch finds a content in one of its places, checks and stores it, and
// returns the record of it.
func (c *importContents) fetch(ctx context.Context, f foreignFile, prev objects.Entry) ([]byte, error) {
	why := "missing"
	for _, place := range c.project.Places(f.Hash) {
		e, err := c.take(ctx, place, f, prev)
		if err == nil {
			c.env.Events.Progress(Progress{Phase: PhaseRead, Files: c.filesRead.Add(1), Bytes: c.bytesRead.Add(e.Size)})
			return e.Append(nil), nil
		}
		damage, ok := errors.AsType[*notHeldError](err)
		switch {
		case ok:
			why = damage.Why
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if why == "missing" && c.project.Check(f.Hash).Matches() {
		// An empty content need not be in any place.
		e, _, err := content.Write(ctx, c.store, content.Bytes(nil), objects.Entry{}, 1)
		e.Mode = objects.ModeFile
		return e.Append(nil), err
	}
	return append([]byte{0}, why...), nil
}

// take stores the content of one file, hashing it on the way.
func (c *importContents) take(ctx context.Context, place string, f foreignFile, prev objects.Entry) (objects.Entry, error) {
	in, err := c.env.FS.Open(place)
	if err != nil {
		return objects.Entry{}, err
	}
	defer in.Close() //nolint:errcheck // it was only read
	st, err := in.Stat()
	if err != nil {
		return objects.Entry{}, err
	}
	if st.Type != vfs.TypeRegular {
		return objects.Entry{}, &notHeldError{fmt.Sprintf("damaged: %s is no file", place)}
	}
	if f.Size >= 0 && st.Size != f.Size {
		return objects.Entry{}, &notHeldError{fmt.Sprintf("damaged: %s has %d bytes instead of %d", place, st.Size, f.Size)}
	}
	src := &hashedSource{Source: content.Sized(in, st.Size), check: c.project.Check(f.Hash)}
	e, _, err := content.Write(ctx, c.store, src, prev, 1)
	if err != nil {
		return objects.Entry{}, fmt.Errorf("%s: %w", place, err)
	}
	ok, err := src.matches()
	if err != nil {
		return objects.Entry{}, fmt.Errorf("%s: %w", place, err)
	}
	if !ok {
		return objects.Entry{}, &notHeldError{fmt.Sprintf("damaged: %s has other bytes than its name says", place)}
	}
	e.Mode = objects.ModeFile
	return e, nil
}

// hashedSource hashes a source while it is read from the front to the end.
type hashedSource struct {
	content.Source
	check checker
	next  int64 // up to where it is hashed
}

// NextData says that all is data, so that all is read.
func (s *hashedSource) NextData(offset int64) (start, end int64, err error) {
	return offset, s.Size(), nil
}

func (s *hashedSource) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Source.ReadAt(p, off)
	if off <= s.next && off+int64(n) > s.next {
		s.check.Write(p[s.next-off : n]) //nolint:errcheck // a hash takes everything
		s.next = off + int64(n)
	}
	return n, err
}

// matches reads what is left and reports whether it is the content.
func (s *hashedSource) matches() (bool, error) {
	_, err := io.Copy(io.Discard, io.NewSectionReader(s, s.next, s.Size()-s.next))
	return err == nil && s.next == s.Size() && s.check.Matches(), err
}

// each yields the hashes of all contents that are held, with their entries.
func (c *importContents) each(ctx context.Context) iter.Seq2[resolvedFile, error] {
	return func(yield func(resolvedFile, error) bool) {
		for hash, v := range c.recent {
			if !c.yieldHeld(hash, v, yield) {
				return
			}
		}
		if !c.written {
			return
		}
		type record struct{ hash, value []byte }
		for from := []byte(nil); ; {
			var page []record
			err := c.db.View(ctx, func(r kv.Reader) error {
				return r.Scan(nil, from, func(key, value []byte) (bool, error) {
					page = append(page, record{bytes.Clone(key), bytes.Clone(value)})
					return len(page) < importBatch, nil
				})
			})
			if err != nil {
				yield(resolvedFile{}, err)
				return
			}
			for _, r := range page {
				if !c.yieldHeld(string(r.hash), r.value, yield) {
					return
				}
			}
			if len(page) < importBatch {
				return
			}
			from = append(page[len(page)-1].hash, 0)
		}
	}
}

func (c *importContents) yieldHeld(hash string, v []byte, yield func(resolvedFile, error) bool) bool {
	f := resolvedFile{foreignFile: foreignFile{Hash: hash}}
	err := f.fill(v)
	if err == nil && f.Wrong != "" {
		return true
	}
	return yield(f, err)
}
