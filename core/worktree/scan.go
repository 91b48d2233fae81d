package worktree

import (
	"context"
	"iter"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Kind is how a path of the working tree stands to the index.
type Kind uint8

// The kinds.
const (
	// KindClean is a path that still is what the base tree says. Only with All.
	KindClean Kind = iota
	// KindNoted is a path that is what its record says, which the base tree does
	// not: it need not be read again.
	KindNoted
	// KindNew is a path without a record.
	KindNew
	// KindModified is a path whose stat is not its record's, or whose record has
	// none, or an executable bit that changed. Only reading it tells more.
	KindModified
	// KindTypeChanged is a path that is another of file, symbolic link and empty
	// folder than its record.
	KindTypeChanged
	// KindMissing is a record whose path is not there. With Paths so is that of
	// a file or an empty folder above them if what is asked for lies below it now.
	KindMissing
	// KindLeft is a record whose path is no part of the dataset any more: not
	// tracked, or ignored. It may well be on the disk.
	KindLeft
	// KindSkipped is a special or unreadable path. Of an unreadable folder the
	// records below it are not yielded: nothing is known of them.
	KindSkipped
	// KindOutside is a path on the disk of which WalkOptions.Outside says that it
	// is none of the working tree's, or a folder of such, unless it takes the
	// place of what is: that is missing. Or it is one whose record is InTree, and
	// Outside says it of that: what the base tree has there stays as it is.
	KindOutside
)

// String returns the kind as people read it.
func (k Kind) String() string {
	names := [...]string{"clean", "noted", "new", "modified", "type changed", "missing", "left", "skipped", "outside"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Item is one path of a scan.
type Item struct {
	Path   string
	Kind   Kind
	Mode   objects.Mode // on the disk; 0 if KindMissing, KindLeft, KindSkipped or KindOutside
	Stat   vfs.Stat     // on the disk; zero likewise, but for its Type if KindOutside
	Record *Record      // the index's, a copy; nil if it has none
	Skip   Skip         // of KindSkipped
	Err    error        // of KindSkipped, if SkipUnreadable
}

// Tally counts files, symbolic links and empty folders, and their bytes.
type Tally struct{ Files, Bytes int64 }

// ScanOptions is what to scan.
type ScanOptions struct {
	WalkOptions
	// Index is what is known; nil is nothing.
	Index *Index
	// All yields also what is KindClean.
	All bool
	// Clean, if not nil, counts what is KindClean, yielded or not.
	Clean *Tally
}

// Scan compares the working tree with the index and yields in tree order
// what differs. It reads no file but ignore files. With Paths, records of
// other paths are not yielded, but those that gave way to them. An error ends it, and what was yielded before
// must then not be relied on: after ErrIndexLost make a new index from the
// base tree and scan again.
func Scan(ctx context.Context, opt ScanOptions) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		s, err := newScanner(opt, yield)
		if err != nil {
			yield(Item{}, err)
			return
		}
		for f, err := range Walk(ctx, opt.WalkOptions) {
			if err == nil {
				err = s.found(ctx, &f)
			}
			if err != nil || s.stopped {
				s.fail(err)
				return
			}
		}
		s.fail(s.absent(ctx, ""))
	}
}

// scanner joins the stream of found paths and that of records.
type scanner struct {
	ScanOptions
	yield   func(Item, error) bool
	stopped bool // by the consumer
	track   *selection
	limit   *selection // nil: none

	records *indexDecoder // nil: none
	record  *Record       // the next one; nil at the end
	shadows []shadow
}

// shadow is a folder whose records are not missing, although the walk does
// not come by them. Those that hold at once are nested prefixes of one
// another, since other names lie between "a" and "a/": a stack.
type shadow struct {
	prefix string // the folder's path and a slash
	skip   Skip
}

func newScanner(opt ScanOptions, yield func(Item, error) bool) (*scanner, error) {
	s := &scanner{ScanOptions: opt, yield: yield}
	if s.Clean == nil {
		s.Clean = &Tally{}
	}
	var err error
	if s.track, err = newTracked(opt.Track); err != nil {
		return nil, err
	}
	if len(opt.Paths) > 0 {
		if s.limit, err = newSelection(opt.Paths); err != nil {
			return nil, err
		}
	}
	if opt.Index != nil {
		if s.records, err = opt.Index.decoder(); err != nil {
			return nil, err
		}
	}
	return s, s.advance()
}

// advance reads the next record.
func (s *scanner) advance() (err error) {
	if s.records != nil {
		s.record, err = s.records.record()
	}
	return err
}

func (s *scanner) fail(err error) {
	if err != nil && !s.stopped {
		s.yield(Item{}, err)
	}
}

// found joins one found path.
func (s *scanner) found(ctx context.Context, f *Found) error {
	if err := s.absent(ctx, f.Path); err != nil || s.stopped {
		return err
	}
	if f.Skip == SkipUnreadable || f.Skip == SkipIgnored && f.Stat.Type == vfs.TypeDir {
		s.shadows = append(s.shadows, shadow{prefix: f.Path + "/", skip: f.Skip})
	}
	r := s.record
	if r == nil || r.Path != f.Path {
		s.judge(f, nil)
		return nil
	}
	s.judge(f, r)
	return s.advance()
}

// judge yields what a found path is, if its record or nil is to be believed.
func (s *scanner) judge(f *Found, r *Record) {
	item := Item{Path: f.Path}
	switch {
	case f.Skip == SkipOutside && r != nil && r.InTree && !s.isOutside(r):
		item.Kind = KindMissing
	case f.Skip == SkipOutside, s.isOutside(r):
		item.Kind, item.Stat.Type = KindOutside, f.Stat.Type
	case f.Skip == SkipIgnored:
		if r == nil {
			return
		}
		item.Kind = KindLeft
	case f.Skip != SkipNone:
		item.Kind, item.Skip, item.Err = KindSkipped, f.Skip, f.Err
	default:
		item.Mode, item.Stat, item.Kind = r.modeOf(f.Stat), f.Stat, kindOf(f, r)
	}
	if item.Kind == KindClean {
		s.Clean.Files++
		s.Clean.Bytes += r.Entry.Size
		if !s.All {
			return
		}
	}
	s.emit(item, r)
}

// isOutside reports whether a record is of what the base tree has and the
// working tree does not hold. One that is not InTree says nothing of that.
func (s *scanner) isOutside(r *Record) bool {
	return s.Outside != nil && r != nil && r.InTree && s.Outside(r.Path, r.Entry.Mode == objects.ModeDir)
}

func kindOf(f *Found, r *Record) Kind {
	switch {
	case r == nil:
		return KindNew
	case r.Holds(f.Stat) && r.InTree:
		return KindClean
	case r.Holds(f.Stat):
		return KindNoted
	}
	mode := r.modeOf(f.Stat)
	if mode == r.Entry.Mode || mode.IsRegular() && r.Entry.Mode.IsRegular() {
		return KindModified
	}
	return KindTypeChanged
}

// emit yields an item with copies of its path and record, which else would
// keep those of many neighbours alive.
func (s *scanner) emit(item Item, r *Record) {
	item.Path = strings.Clone(item.Path)
	if r != nil {
		own := *r
		own.Path = item.Path
		item.Record = &own
	}
	s.stopped = !s.yield(item, nil)
}

// absent joins the records before a found path, or with "" all that are left:
// the walk did not come by these.
func (s *scanner) absent(ctx context.Context, until string) error {
	for r := s.record; r != nil && (until == "" || r.Path < until); r = s.record {
		kind, told, err := s.absentKind(ctx, r)
		if err != nil {
			return err
		}
		if told {
			s.emit(Item{Path: r.Path, Kind: kind}, r)
			if s.stopped {
				return nil
			}
		}
		if err := s.advance(); err != nil {
			return err
		}
	}
	return nil
}

// absentKind says what a record is whose path the walk did not come by, and
// whether to tell of it at all.
func (s *scanner) absentKind(ctx context.Context, r *Record) (kind Kind, told bool, err error) {
	path := r.Path
	if s.isOutside(r) {
		return 0, false, nil
	}
	if s.limit != nil && !s.limit.covers(path) {
		if gone, err := s.gaveWay(ctx, path); !gone || err != nil {
			return 0, false, err
		}
	}
	if !s.track.covers(path) {
		return KindLeft, true, nil
	}
	for n := len(s.shadows); n > 0; n-- {
		top := s.shadows[n-1]
		if strings.HasPrefix(path, top.prefix) {
			return KindLeft, top.skip == SkipIgnored, nil
		}
		if path < top.prefix {
			break
		}
		s.shadows = s.shadows[:n-1] // what it covers has been
	}
	return KindMissing, true, nil
}

// gaveWay reports whether a path that is not asked for is now a folder with
// something below it that is.
func (s *scanner) gaveWay(ctx context.Context, path string) (bool, error) {
	if _, leads := s.limit.steps[path]; !leads {
		return false, nil
	}
	opt := s.WalkOptions
	opt.Paths, opt.Folder, opt.Problem = nil, nil, nil
	for p := range s.limit.whole {
		if below(p, path) {
			opt.Paths = append(opt.Paths, p)
		}
	}
	for f, err := range Walk(ctx, opt) {
		if err != nil || f.Skip == SkipNone {
			return err == nil, err
		}
	}
	return false, nil
}
