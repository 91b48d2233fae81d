package worktree

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlvc/mlvc/objects/vfs"
)

// ErrUnsafePath is for a path that no tree may hold, because writing it could
// reach outside the working tree or into a repository's own folder.
var ErrUnsafePath = errors.New("unsafe path")

// CheckPath reports whether a path read from a tree may be touched in a
// working tree: relative, components separated by '/', none of them empty,
// "." or "..", none that any file system may take for .mlvc or .git, none
// with the prefix of temporary names, no NUL. Names need not be UTF-8. The
// error wraps ErrUnsafePath and names the path.
//
// What is checked does not depend on the system that it runs on, so that a
// path which one machine commits no other refuses for its safety.
func CheckPath(path string) error {
	if path == "" {
		return unsafePath(path, "it is empty")
	}
	if strings.IndexByte(path, 0) >= 0 {
		return unsafePath(path, "it holds a NUL")
	}
	for rest, more := path, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if why := checkName(name); why != "" {
			return unsafePath(path, why)
		}
	}
	return nil
}

func unsafePath(path, why string) error {
	return fmt.Errorf("%q: %w: %s", path, ErrUnsafePath, why)
}

// checkName returns why one component is refused, or "".
func checkName(name string) string {
	switch name {
	case "":
		return "a component is empty"
	case ".", "..":
		return "a component is " + name
	}
	if !suspicious(name) {
		return ""
	}
	bare := plainName(name)
	switch bare {
	case ".mlvc", ".git", "git~1", "mlvc~1":
		return fmt.Sprintf("%q may stand for a repository's folder", name)
	case "", ".", "..":
		return fmt.Sprintf("%q may stand for a folder above", name)
	}
	if strings.HasPrefix(bare, vfs.TempPrefix) {
		return fmt.Sprintf("names that begin with %s are reserved", vfs.TempPrefix)
	}
	return ""
}

// suspicious is the fast path of checkName: a name that begins otherwise can
// not stand for a reserved one on any disk.
func suspicious(name string) bool {
	switch name[0] {
	case '.', ' ', 'g', 'G', 'm', 'M':
		return true
	}
	return name[0] >= utf8.RuneSelf
}

// plainName is the name as the most lenient file system reads it: HFS+ drops
// ignorable code points, NTFS drops trailing dots and spaces and takes what
// follows a colon for a stream; both fold case.
func plainName(name string) string {
	name = strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return r
	}, name)
	if stream := strings.IndexByte(name, ':'); stream > 0 {
		name = name[:stream]
	}
	if trimmed := strings.TrimRight(name, ". "); trimmed != "" {
		name = trimmed
	} else {
		name = strings.TrimRight(name, " ")
	}
	return fold(name)
}

// ignorable are the code points that HFS+ leaves out when it compares names.
func ignorable(r rune) bool {
	switch {
	case r >= 0x200C && r <= 0x200F, r >= 0x202A && r <= 0x202E,
		r >= 0x206A && r <= 0x206F, r == 0xFEFF:
		return true
	}
	return false
}

// baseName is a path's last component.
func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// fold maps names that differ in case only to one: each letter becomes the
// first of those that fold together, in lower case if it is ASCII. Bytes that
// are not UTF-8 stay as they are.
func fold(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if r == utf8.RuneError && size == 1 {
			b.WriteByte(name[i])
		} else {
			b.WriteRune(foldRune(r))
		}
		i += size
	}
	return b.String()
}

func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

// Disk is what the file system that holds a working tree makes of names.
type Disk struct {
	// Folds: two names that differ in case, or in how an accent is composed,
	// are one.
	Folds bool
	// Windows: the rules of Windows for names hold.
	Windows bool
}

// Probe finds out what the disk makes of names by making two empty files in
// dir and removing them again; their names are reserved ones.
func Probe(fsys vfs.FS, dir string, windows bool) (Disk, error) {
	disk := Disk{Windows: windows}
	// Always the same name, so that what a crash leaves the next probe removes.
	token := vfs.TempPrefix + "probe"
	for _, pair := range [][2]string{{"-case", "-CASE"}, {"-\u00e9", "-e\u0301"}} {
		same, err := sameName(fsys, filepath.Join(dir, token+pair[0]), filepath.Join(dir, token+pair[1]))
		if err != nil {
			return Disk{}, fmt.Errorf("probe the names of %s: %w", dir, err)
		}
		disk.Folds = disk.Folds || same
	}
	return disk, nil
}

func sameName(fsys vfs.FS, made, asked string) (bool, error) {
	f, err := fsys.OpenFile(made, os.O_WRONLY|os.O_CREATE|vfs.NoFollow, 0o600)
	if err != nil {
		return false, err
	}
	closing := f.Close()
	_, err = fsys.Lstat(asked)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
		asked = ""
	}
	removing := fsys.Remove(made)
	if errors.Is(removing, fs.ErrNotExist) {
		removing = nil // by another probe
	}
	return asked != "", errors.Join(err, closing, removing)
}

// randomName is a reserved name for a temporary file.
func randomName() string { return fmt.Sprintf("%s%016x", vfs.TempPrefix, rand.Uint64()) }

// Holds reports whether the disk can hold a path's names as they are.
func (d Disk) Holds(path string) bool {
	if !d.Windows {
		return true
	}
	for name := range strings.SplitSeq(path, "/") {
		if !windowsHolds(name) {
			return false
		}
	}
	return true
}

// windowsHolds is Microsoft's "Naming Files, Paths, and Namespaces". A name
// that is not UTF-8 has no UTF-16 form of its own.
func windowsHolds(name string) bool {
	if !utf8.ValidString(name) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		return false
	}
	for _, r := range name {
		if r < 0x20 || strings.ContainsRune(`<>:"|?*\`, r) {
			return false
		}
	}
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return false
	}
	port, isPort := strings.CutPrefix(base, "COM")
	if !isPort {
		port, isPort = strings.CutPrefix(base, "LPT")
	}
	return !isPort || utf8.RuneCountInString(port) != 1 || !strings.Contains("0123456789¹²³", port)
}
