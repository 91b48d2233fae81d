package gitpair

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects/vfs"
)

// The files at the root of the git work tree into which pairing writes lines.
const (
	ignoreFile     = ".gitignore"
	attributesFile = ".gitattributes"
)

// excludeFile says of every revision what to ignore: one from before the
// pairing has no lines of ours, and "git add -A" there would take `.mlvc` into
// git, which then deletes it on the way back.
func (r *Repo) excludeFile() string { return filepath.Join(r.common, "info", "exclude") }

// groupMark begins the line above the lines of one dataset in a block.
const groupMark = "# dataset "

// ignoreLines keep the data and `.mlvc` out of git, and what is reviewed
// beside the code in it.
func ignoreLines(d Dataset, places []PointerPlace) []string {
	in := func(name string) string { return ignorePattern(path.Join("/", d.Root, name)) }
	if len(places) == 1 && places[0].Track == "." {
		return []string{in("") + "/*", "!" + in("mlvc.toml"), "!" + in(".mlvcignore")}
	}
	list := []string{in(".mlvc") + "/"}
	for _, p := range places {
		list = append(list, in(p.Track))
	}
	return list
}

// ignorePattern escapes what gitignore reads as something else.
func ignorePattern(name string) string {
	var b strings.Builder
	for _, c := range name {
		if strings.ContainsRune(`\*?[`, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	s := b.String()
	if strings.HasSuffix(s, " ") {
		s = s[:len(s)-1] + `\ `
	}
	return s
}

// attributeLines name the drivers of pointers, and keep git from changing
// line ends of what mlvc reads byte by byte.
func attributeLines(d Dataset, places []PointerPlace) []string {
	var list []string
	for _, p := range places {
		list = append(list, attributePattern(path.Join("/", p.Name))+" -text merge=mlvc diff=mlvc")
	}
	for _, name := range []string{"mlvc.toml", ".mlvcignore"} {
		list = append(list, attributePattern(path.Join("/", d.Root, name))+" -text")
	}
	return list
}

// attributePattern quotes as C does a pattern with a blank or a quote.
func attributePattern(name string) string {
	pattern := ignorePattern(name)
	if !strings.ContainsAny(pattern, " \"") {
		return pattern
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(pattern) + `"`
}

// setGroup replaces the lines of one dataset in the block of a file, makes
// the block or the file if it is missing, and takes either out with the last
// lines (the file only if mlvc made it and it holds nothing else). It reports
// whether the file has changed.
func (r *Repo) setGroup(file, dataset string, lines []string) (bool, error) {
	name := within(r.root, file)
	st, err := r.fs.Lstat(name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return false, err
	}
	if !missing && st.Type != vfs.TypeRegular {
		return false, &PathError{file, "is no file, so no lines can be written into it"}
	}
	var text []byte
	if !missing {
		if text, err = vfs.ReadFile(r.fs, name); err != nil {
			return false, err
		}
	}
	rest, b, found := cutBlock(text)
	if !found && missing {
		b.notes = noteMade
	}
	b.lines = replaceGroup(b.lines, dataset, lines)
	switch {
	case len(b.lines) == 0 && !found:
		return false, nil
	case len(b.lines) == 0 && b.has(noteMade) && len(rest) == 0:
		if err := r.fs.Remove(name); err != nil {
			return false, err
		}
		return true, r.fs.SyncDir(filepath.Dir(name))
	case len(b.lines) == 0:
		return true, replaceFile(r.fs, name, rest, st.Perm)
	}
	after := len(rest)
	if found { // where it was, before what the user wrote below it
		after = len(rest) - len(tail(text))
	}
	next := putBlock(rest, after, b)
	if string(next) == string(text) {
		return false, nil
	}
	perm := st.Perm
	if missing {
		perm = 0o666
	}
	return true, replaceFile(r.fs, name, next, perm)
}

// tail returns what follows the block of a text.
func tail(text []byte) []byte {
	_, _, to, _ := findBlock(text)
	return text[to:]
}

// replaceGroup returns the lines of a block in which those of one dataset are
// replaced; none: taken out.
func replaceGroup(block []string, dataset string, lines []string) []string {
	var out []string
	ours := false
	for _, line := range block {
		if strings.HasPrefix(line, groupMark) {
			ours = line == groupMark+dataset
		}
		if !ours {
			out = append(out, line)
		}
	}
	if len(lines) == 0 {
		return out
	}
	return slices.Concat(out, []string{groupMark + dataset}, lines)
}

// replaceFile replaces a file as vfs.WriteFile does, and gives it exactly
// these permissions before it has its name; where none are given (0o666) the
// system's default.
func replaceFile(fsys vfs.FS, name string, data []byte, perm fs.FileMode) (err error) {
	dir := filepath.Dir(name)
	temp := vfs.TempName(dir)
	f, err := fsys.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|vfs.NoFollow, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			fsys.Remove(temp) //nolint:errcheck // err says what failed
		}
	}()
	_, err = f.Write(data)
	if err == nil && perm != 0o666 {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err = fsys.Rename(temp, name); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}
