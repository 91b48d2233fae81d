package gitpair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
)

// smallIndex is the size in bytes up to which go-git reads an index sooner
// than the git program starts; about 10,000 files.
const smallIndex = 1 << 20

type indexEntry struct {
	name, hash string
	stage      int // 0: merged; 1 to 3: base, ours and theirs of a conflict
}

// PointersInIndex returns every pointer of the index, sorted by name.
func (r *Repo) PointersInIndex(ctx context.Context) ([]PointerFile, error) {
	entries, err := r.indexEntries(ctx, isPointerName, ":(top,glob)**/*"+PointerSuffix)
	if err != nil {
		return nil, err
	}
	var list []PointerFile
	for _, e := range settle(entries) {
		text, err := r.blob(ctx, e.hash)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		p := newPointerFile(e.name, text)
		p.Unmerged = e.stage != 0
		list = append(list, p)
	}
	return list, nil
}

// FilesInIndex returns the bytes that the files of these names have in the
// index; those that it does not have, or has in conflict, are left out.
func (r *Repo) FilesInIndex(ctx context.Context, names ...string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	if len(names) == 0 {
		return files, nil
	}
	var specs []string
	for _, n := range names {
		specs = append(specs, ":(top,literal)"+n)
	}
	entries, err := r.indexEntries(ctx, func(name string) bool { return slices.Contains(names, name) }, specs...)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.stage != 0 {
			continue
		}
		if files[e.name], err = r.blob(ctx, e.hash); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return files, nil
}

// settle leaves one entry a name: of a conflict ours, else theirs, else the base.
func settle(entries []indexEntry) []indexEntry {
	rank := func(e indexEntry) int { return []int{0, 3, 1, 2}[e.stage&3] }
	slices.SortFunc(entries, func(a, b indexEntry) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return rank(a) - rank(b)
	})
	return slices.CompactFunc(entries, func(a, b indexEntry) bool { return a.name == b.name })
}

// indexEntries returns the files of the index that want wants; specs are the
// same as pathspecs for git. Forms of the index that go-git does not know
// (split, sparse, without checksum) are read by the program.
func (r *Repo) indexEntries(ctx context.Context, want func(string) bool, specs ...string) ([]indexEntry, error) {
	st, err := os.Stat(r.index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain := len(r.readers) > 0 && r.readers[0] != reader(r.program)
	if r.program == nil || plain && st.Size() <= smallIndex {
		list, err := r.decodeIndex(want)
		if err == nil || r.program == nil {
			return list, err
		}
	}
	return r.listIndex(ctx, want, specs)
}

func (r *Repo) decodeIndex(want func(string) bool) ([]indexEntry, error) {
	f, err := os.Open(r.index)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var idx index.Index
	if err := index.NewDecoder(f).Decode(&idx); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(r.index), err)
	}
	var list []indexEntry
	for _, e := range idx.Entries {
		if want(e.Name) && (e.Mode == filemode.Regular || e.Mode == filemode.Executable) && !e.IntentToAdd {
			list = append(list, indexEntry{e.Name, e.Hash.String(), int(e.Stage)})
		}
	}
	return list, nil
}

func (r *Repo) listIndex(ctx context.Context, want func(string) bool, specs []string) ([]indexEntry, error) {
	args := append([]string{"ls-files", "--stage", "-z", "--full-name", "--"}, specs...)
	out, err := r.program.runEnv(ctx, nil, []string{"GIT_INDEX_FILE=" + r.index}, args...)
	if err != nil {
		return nil, err
	}
	var list []indexEntry
	for line := range strings.SplitSeq(string(out), "\x00") {
		head, name, ok := strings.Cut(line, "\t")
		words := strings.Fields(head)
		if !ok || len(words) != 3 || !want(name) || !strings.HasPrefix(words[0], "100") {
			continue
		}
		stage, err := strconv.Atoi(words[2])
		if err != nil {
			return nil, fmt.Errorf("git ls-files: %q", line)
		}
		list = append(list, indexEntry{name, words[1], stage})
	}
	return list, nil
}

// Stage puts the files as they are in the work tree into the index, ignored or
// not, and takes those out that are not there. While git makes a commit of
// some files only, it works on an index of its own; then they are also put
// into the index that stays.
func (r *Repo) Stage(ctx context.Context, names ...string) error {
	if r.program == nil {
		return fmt.Errorf("staging: %w", ErrNoProgram)
	}
	stdin := []byte(strings.Join(names, "\x00") + "\x00")
	args := append(slices.Clone(noHooks), "update-index", "--add", "--remove", "-z", "--stdin")
	for _, index := range r.stagedBeside() {
		if _, err := r.program.runEnv(ctx, stdin, []string{"GIT_INDEX_FILE=" + index}, args...); err != nil {
			return err
		}
	}
	return nil
}

// stagedBeside returns the index, and during `git commit FILE` also the one
// that git will leave, which lies ready under the name of its lock.
func (r *Repo) stagedBeside() []string {
	list := []string{r.index}
	if base := filepath.Base(r.index); strings.HasPrefix(base, "next-index-") {
		stays := filepath.Join(r.gitDir, "index.lock")
		if _, err := os.Lstat(stays); err == nil {
			list = append(list, stays)
		}
	}
	return list
}
