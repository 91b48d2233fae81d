package gitpair

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlvc/mlvc/objects"
)

// PointerVersion is the version of pointers that Format writes, and the newest
// that ParsePointer reads.
const PointerVersion = 1

// PointerSuffix ends the name of every pointer file.
const PointerSuffix = ".mlvc"

// MaxPointer is the most bytes that a pointer may have.
const MaxPointer = 1 << 20

const pointerMagic = "mlvc-pointer "

// Pointer is what git keeps in place of a dataset: which commit of it goes
// with a revision of the code. FORMAT.md describes its text.
type Pointer struct {
	// Path is the tracked path as mlvc.toml has it, "." for the whole folder.
	Path   string             `json:"path"`
	Commit objects.ID         `json:"commit"`
	Tree   objects.ID         `json:"tree"`
	Kind   objects.CommitKind `json:"kind"`
	Files  int64              `json:"files"` // of the whole commit
	Bytes  int64              `json:"bytes"` // of the whole commit
	Splits []SplitMark        `json:"splits,omitempty"`
	// Remote is the URL from which a clone gets the data; empty if there is
	// none. Without secrets.
	Remote string `json:"remote,omitempty"`
}

// SplitMark is the fingerprint of one split of the commit.
type SplitMark struct {
	Scheme      string     `json:"scheme"`
	Name        string     `json:"name"`
	Fingerprint objects.ID `json:"fingerprint"`
}

func (s SplitMark) key() string { return s.Scheme + "/" + s.Name }

// Format returns the text of the pointer: its one valid encoding. The order of
// Splits does not matter. It fails for a pointer that could not be read again.
func (p Pointer) Format() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("pointer: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d\npath %s\ncommit %s\ntree %s\nkind %s\nfiles %d\nbytes %d\n",
		pointerMagic, PointerVersion, quote(p.Path), p.Commit, p.Tree, p.Kind, p.Files, p.Bytes)
	for _, s := range sortedMarks(p.Splits) {
		fmt.Fprintf(&b, "split %s %s\n", quote(s.key()), s.Fingerprint)
	}
	if p.Remote != "" {
		fmt.Fprintf(&b, "remote %s\n", quote(p.Remote))
	}
	if b.Len() > MaxPointer {
		return nil, fmt.Errorf("pointer: more than %d bytes", MaxPointer)
	}
	return b.Bytes(), nil
}

func sortedMarks(list []SplitMark) []SplitMark {
	return slices.SortedFunc(slices.Values(list), func(a, b SplitMark) int { return strings.Compare(a.key(), b.key()) })
}

func (p Pointer) check() error {
	switch {
	case p.Path == "":
		return errors.New("no path")
	case p.Commit.IsZero() || p.Tree.IsZero():
		return errors.New("no commit or no tree")
	case !p.Kind.Valid():
		return fmt.Errorf("%q is no kind of commit", p.Kind)
	case p.Files < 0 || p.Bytes < 0:
		return errors.New("a negative number")
	case StripSecrets(p.Remote) != p.Remote:
		return errors.New("the remote's URL has a password in it")
	}
	last := ""
	for _, s := range sortedMarks(p.Splits) {
		if s.Scheme == "" || strings.Contains(s.Scheme, "/") || s.Fingerprint.IsZero() {
			return fmt.Errorf("split %q: bad scheme or no fingerprint", s.key())
		}
		if s.key() == last {
			return fmt.Errorf("split %q twice", last)
		}
		last = s.key()
	}
	return nil
}

// quote returns text as a pointer holds it: as it is, or as a quoted Go string
// where it would not stay in one line or not be read again as it was.
func quote(s string) string {
	plain := s != "" && utf8.ValidString(s) && s[0] != '"' && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
	if plain {
		return s
	}
	return strconv.Quote(s)
}

func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	return strconv.Unquote(s)
}

// ParsePointer reads the text of a pointer; name is for errors. It fails with
// a *ConflictMarkersError, a *NewerPointerError (objects.ErrNewer) or a
// *PointerError, and accepts nothing but what Format writes.
func ParsePointer(name string, data []byte) (Pointer, error) {
	if len(data) > MaxPointer {
		return Pointer{}, &PointerError{name, 1, fmt.Sprintf("more than %d bytes", MaxPointer)}
	}
	if err := findMarkers(name, data); err != nil {
		return Pointer{}, err
	}
	if err := checkVersion(name, data); err != nil {
		return Pointer{}, err
	}
	r := pointerReader{name: name, lines: strings.Split(string(data), "\n"), next: 1}
	p, err := r.read()
	if err != nil {
		return Pointer{}, err
	}
	again, err := p.Format()
	if err != nil {
		return Pointer{}, &PointerError{name, r.next, err.Error()}
	}
	if !bytes.Equal(again, data) {
		return Pointer{}, &PointerError{name, firstDifference(again, data), "not in the form in which mlvc writes it"}
	}
	return p, nil
}

func firstDifference(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return 1 + bytes.Count(a[:n], []byte("\n"))
}

func checkVersion(name string, data []byte) error {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	text, ok := strings.CutPrefix(strings.TrimSuffix(string(first), "\r"), pointerMagic)
	version, err := strconv.Atoi(text)
	switch {
	case !ok || err != nil || version < 1:
		return &PointerError{name, 1, `does not begin with "` + pointerMagic + strconv.Itoa(PointerVersion) + `"`}
	case version > PointerVersion:
		return &NewerPointerError{name, version}
	case bytes.Contains(data, []byte("\r")):
		line := 1 + bytes.Count(data[:bytes.IndexByte(data, '\r')], []byte("\n"))
		return &PointerError{name, line, "has line ends of Windows (CRLF), which git or an editor put there"}
	}
	return nil
}

// pointerReader takes the lines of a pointer in their order.
type pointerReader struct {
	name  string
	lines []string
	next  int // index of the line to take next; the line before it, counted from 1, was taken last
}

func (r *pointerReader) fail(what string, args ...any) error {
	return &PointerError{r.name, r.next, fmt.Sprintf(what, args...)}
}

// take returns the value of the next line, which has this key.
func (r *pointerReader) take(key string) (string, error) {
	line := r.lines[min(r.next, len(r.lines)-1)]
	r.next++
	value, ok := strings.CutPrefix(line, key+" ")
	if !ok {
		return "", r.fail("want %q here, not %q", key+" …", clip(line))
	}
	return value, nil
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func (r *pointerReader) text(key string, into *string) error {
	value, err := r.take(key)
	if err != nil {
		return err
	}
	if *into, err = unquote(value); err != nil {
		return r.fail("%s: %s is not a quoted text", key, clip(value))
	}
	return nil
}

func (r *pointerReader) id(key string, into *objects.ID) error {
	value, err := r.take(key)
	if err != nil {
		return err
	}
	if *into, err = objects.ParseID(value); err != nil {
		return r.fail("%s: %v", key, err)
	}
	return nil
}

func (r *pointerReader) number(key string, into *int64) error {
	value, err := r.take(key)
	if err != nil {
		return err
	}
	if *into, err = strconv.ParseInt(value, 10, 64); err != nil {
		return r.fail("%s: %q is not a number", key, clip(value))
	}
	return nil
}

func (r *pointerReader) split() (s SplitMark, err error) {
	value, err := r.take("split")
	if err != nil {
		return s, err
	}
	at := strings.LastIndexByte(value, ' ')
	if at < 0 {
		return s, r.fail("split: want SCHEME/NAME and a fingerprint")
	}
	key, err := unquote(value[:at])
	if err != nil {
		return s, r.fail("split: %s is not a quoted text", clip(value[:at]))
	}
	if s.Fingerprint, err = objects.ParseID(value[at+1:]); err != nil {
		return s, r.fail("split: %v", err)
	}
	var ok bool
	if s.Scheme, s.Name, ok = strings.Cut(key, "/"); !ok {
		return s, r.fail("split: want SCHEME/NAME, not %q", clip(key))
	}
	return s, nil
}

func (r *pointerReader) more(key string) bool {
	return r.next < len(r.lines) && strings.HasPrefix(r.lines[r.next], key+" ")
}

func (r *pointerReader) read() (p Pointer, err error) {
	kind := ""
	for _, step := range []func() error{
		func() error { return r.text("path", &p.Path) },
		func() error { return r.id("commit", &p.Commit) },
		func() error { return r.id("tree", &p.Tree) },
		func() error { return r.text("kind", &kind) },
		func() error { return r.number("files", &p.Files) },
		func() error { return r.number("bytes", &p.Bytes) },
	} {
		if err := step(); err != nil {
			return p, err
		}
	}
	p.Kind = objects.CommitKind(kind)
	for r.more("split") {
		s, err := r.split()
		if err != nil {
			return p, err
		}
		p.Splits = append(p.Splits, s)
	}
	if r.more("remote") {
		if err := r.text("remote", &p.Remote); err != nil {
			return p, err
		}
	}
	if rest := r.lines[min(r.next, len(r.lines)):]; len(rest) != 1 || rest[0] != "" {
		r.next++
		if len(rest) == 0 {
			return p, r.fail("the last line does not end")
		}
		return p, r.fail("unknown line %q", clip(rest[0]))
	}
	return p, nil
}
