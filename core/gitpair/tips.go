package gitpair

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
)

// tips are where git's history begins to be read. Hashes in hexadecimal.
type tips struct {
	refs   []string // branches, tags, remotes, notes and HEAD of this work tree: what must be whole
	others []string // stashes, reflogs, and what git keeps while it works: may be gone
	trees  []string // of merges that are not settled
	loose  []objects.ID
}

func (r *Repo) tips(ctx context.Context) (tips, error) {
	var t tips
	refs, err := ask(r, func(rd reader) ([]ref, error) { return rd.refs(ctx) })
	if err != nil {
		return t, err
	}
	for _, f := range refs {
		if f.name == "refs/stash" {
			t.others = append(t.others, f.hash)
		} else {
			t.refs = append(t.refs, f.hash)
		}
	}
	head, err := r.Head(ctx)
	if err != nil {
		return t, err
	}
	if head.Commit != "" {
		t.refs = append(t.refs, head.Commit)
	}
	others := make(map[string]bool)
	for _, dir := range r.gitDirs() {
		if err := r.tipsOf(ctx, dir, others, &t); err != nil {
			return t, err
		}
	}
	if err := r.reflogTable(ctx, others); err != nil {
		return t, err
	}
	t.others = slices.AppendSeq(t.others, maps.Keys(others))
	return t, nil
}

// gitDirs returns the git folders of all work trees, the common one first.
func (r *Repo) gitDirs() []string {
	list := []string{r.common}
	linked, _ := os.ReadDir(filepath.Join(r.common, "worktrees")) //nolint:errcheck // there may be none
	for _, e := range linked {
		list = append(list, filepath.Join(r.common, "worktrees", e.Name()))
	}
	return list
}

// tipsOf adds what one git folder names besides refs: HEAD and its like
// (MERGE_HEAD, ORIG_HEAD, …), work in progress, reflogs, own refs of a linked
// work tree, and what is staged.
func (r *Repo) tipsOf(ctx context.Context, dir string, into map[string]bool, t *tips) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch n := e.Name(); {
		case !e.IsDir() && !e.Type().IsRegular():
		case n == "AUTO_MERGE":
			trees := make(map[string]bool)
			err = hashesIn(name, trees)
			t.trees = slices.AppendSeq(t.trees, maps.Keys(trees))
		case !e.IsDir() && (strings.HasSuffix(n, "HEAD") || n == "MERGE_AUTOSTASH"):
			err = hashesIn(name, into)
		case n == "rebase-merge" || n == "rebase-apply" || n == "sequencer" || n == "logs" || n == "refs" && dir != r.common:
			err = filepath.WalkDir(name, func(name string, e fs.DirEntry, err error) error {
				if err != nil || !e.Type().IsRegular() {
					return ignoreGone(err)
				}
				return hashesIn(name, into)
			})
		}
		if err != nil {
			return err
		}
	}
	beside := *r
	beside.index = filepath.Join(dir, "index")
	if dir == r.gitDir {
		beside.index = r.index
	}
	staged, err := beside.PointersInIndex(ctx)
	for _, p := range staged {
		t.loose = append(t.loose, CommitsNamed(p.Text)...)
	}
	return err
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// hashesIn adds the hashes that begin the lines of a file; of a line of a
// reflog both.
func hashesIn(name string, into map[string]bool) error {
	f, err := os.Open(name)
	if err != nil {
		return ignoreGone(err)
	}
	defer f.Close()
	rd := bufio.NewReader(f)
	for {
		line, err := rd.ReadSlice('\n')
		first, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		second, _, _ := strings.Cut(rest, " ")
		for _, hash := range []string{first, second} {
			if isHash(hash) && strings.Trim(hash, "0") != "" {
				into[hash] = true
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			_, err = rd.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reflogTable adds what reflogs name that are not kept in files.
func (r *Repo) reflogTable(ctx context.Context, into map[string]bool) error {
	s, err := r.readConfig()
	if err != nil {
		return err
	}
	if f := s.raw.Section("extensions").Option("refstorage"); f == "" || strings.EqualFold(f, "files") {
		return nil
	}
	out, err := r.git(ctx, "rev-list", "--no-walk", "--reflog")
	for _, hash := range strings.Fields(string(out)) {
		into[hash] = true
	}
	return err
}
