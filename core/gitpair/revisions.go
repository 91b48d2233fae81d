package gitpair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Revisions reads the commits, trees and blobs of a git repository. It changes
// nothing, and takes no lock. Not safe for concurrent use. Close it.
type Revisions struct {
	repo    *git.Repository
	storage *filesystem.Storage
	root    string
	common  string
	shallow map[plumbing.Hash]bool
}

// RevisionCommit is a git commit. Text is as git has it, in whatever encoding.
type RevisionCommit struct {
	ID      string // 40 hexadecimal digits
	Parents []string
	Author  string
	Email   string
	Time    time.Time // when it was authored
	Message string
}

// RevisionRef is a branch or a tag, and the commit that it leads to.
type RevisionRef struct {
	Name   string // without refs/heads/ and the like
	Tag    bool
	Commit string
}

// RevisionFile is a file of a git tree: its blob.
type RevisionFile struct {
	Blob string
	Exec bool
	Link bool // a symbolic link
}

// OpenRevisions opens the repository whose work tree dir (absolute) is in, also
// from a linked work tree.
func OpenRevisions(dir string) (*Revisions, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return nil, fmt.Errorf("%w: neither %s nor a folder above it has a .git", ErrNoRepository, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the git repository of %s: %w", dir, err)
	}
	work, err := repo.Worktree()
	if errors.Is(err, git.ErrIsBareRepository) {
		return nil, &BareError{Dir: dir}
	}
	if err != nil {
		return nil, err
	}
	h := &Revisions{root: work.Filesystem.Root(), shallow: make(map[plumbing.Hash]bool)}
	if h.common, err = commonDirOf(repo); err != nil {
		return nil, err
	}
	if err := h.keepOpen(repo, work); err != nil {
		return nil, err
	}
	cut, err := h.repo.Storer.Shallow()
	for _, id := range cut {
		h.shallow[id] = true
	}
	if err != nil {
		err = errors.Join(err, h.Close())
	}
	return h, err
}

// maxKept bounds the bytes of git objects that are kept in memory.
const maxKept = 32 << 20

// keepOpen opens the repository once more so that its packs stay open: a
// history is read object by object.
func (h *Revisions) keepOpen(repo *git.Repository, work *git.Worktree) error {
	s, ok := repo.Storer.(*filesystem.Storage)
	if !ok {
		return errors.New("the git repository is not in files")
	}
	h.storage = filesystem.NewStorageWithOptions(s.Filesystem(), cache.NewObjectLRU(maxKept), filesystem.Options{
		KeepDescriptors: true, AlternatesFS: osfs.New(filepath.VolumeName(h.common) + string(filepath.Separator)),
	})
	var err error
	if h.repo, err = git.Open(h.storage, work.Filesystem); err != nil {
		return errors.Join(fmt.Errorf("open the git repository of %s: %w", h.root, err), h.Close())
	}
	return nil
}

// Close lets go of the files of the repository.
func (h *Revisions) Close() error { return h.storage.Close() }

// commonDirOf is the .git that all linked work trees share.
func commonDirOf(repo *git.Repository) (string, error) {
	s, ok := repo.Storer.(*filesystem.Storage)
	if !ok {
		return "", errors.New("the git repository is not in files")
	}
	dir := s.Filesystem().Root()
	f, err := s.Filesystem().Open("commondir")
	if err != nil {
		// Where there is no such file, or none that can be read, the folder
		// is the common one itself.
		return dir, nil //nolint:nilerr // see above
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return "", err
	}
	common := strings.TrimSpace(string(text))
	if !filepath.IsAbs(common) {
		common = filepath.Join(dir, common)
	}
	return common, nil
}

// Root is the folder of the work tree.
func (h *Revisions) Root() string { return h.root }

// CommonDir is the folder of the git repository itself.
func (h *Revisions) CommonDir() string { return h.common }

// Setting returns a value of the repository's own configuration, such as
// ("remote", "origin", "url"), or "". The user's and the system's are not
// looked at.
func (h *Revisions) Setting(section, subsection, key string) string {
	cfg, err := h.repo.Config()
	if err != nil || cfg.Raw == nil {
		return ""
	}
	s := cfg.Raw.Section(section)
	if subsection == "" {
		return s.Option(key)
	}
	return s.Subsection(subsection).Option(key)
}

// RemoteURLs are the URLs of all remotes, sorted.
func (h *Revisions) RemoteURLs() []string {
	cfg, err := h.repo.Config()
	if err != nil {
		return nil
	}
	var urls []string
	for _, r := range cfg.Remotes {
		urls = append(urls, r.URLs...)
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// Head returns the branch that HEAD is on, "" when it is detached, and its
// commit, "" on a branch without commits.
func (h *Revisions) Head() (branch, commit string, err error) {
	ref, err := h.repo.Storer.Reference(plumbing.HEAD)
	if err != nil {
		return "", "", fmt.Errorf("git's HEAD: %w", err)
	}
	if ref.Type() == plumbing.SymbolicReference {
		branch = ref.Target().Short()
	}
	at, err := h.repo.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return branch, "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("git's HEAD: %w", err)
	}
	return branch, at.Hash().String(), nil
}

// Refs returns all branches and tags, sorted by name, branches first. A branch
// that only a remote has counts as one of that name, as git switch has it; if
// several remotes have it, the first by name. Tags of what is no commit are
// left out.
func (h *Revisions) Refs() ([]RevisionRef, error) {
	all, err := h.repo.References()
	if err != nil {
		return nil, err
	}
	defer all.Close()
	var local, remote, tags []RevisionRef
	err = all.ForEach(func(ref *plumbing.Reference) error {
		name := ref.Name()
		if ref.Type() != plumbing.HashReference || !name.IsBranch() && !name.IsRemote() && !name.IsTag() {
			return nil
		}
		commit, ok, err := h.peel(ref.Hash())
		if err != nil || !ok {
			return err
		}
		r := RevisionRef{Name: name.Short(), Commit: commit, Tag: name.IsTag()}
		switch {
		case r.Tag:
			tags = append(tags, r)
		case name.IsBranch():
			local = append(local, r)
		default:
			remote = append(remote, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("git's branches and tags: %w", err)
	}
	byName := func(a, b RevisionRef) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(remote, byName)
	for _, r := range remote {
		_, r.Name, _ = strings.Cut(r.Name, "/")
		if !slices.ContainsFunc(local, func(l RevisionRef) bool { return l.Name == r.Name }) {
			local = append(local, r)
		}
	}
	slices.SortFunc(local, byName)
	slices.SortFunc(tags, byName)
	return append(local, tags...), nil
}

// peel follows annotated tags to a commit; ok is false if there is none.
func (h *Revisions) peel(id plumbing.Hash) (commit string, ok bool, err error) {
	for range 10 {
		tag, err := h.repo.TagObject(id)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
		if err != nil {
			return "", false, err
		}
		id = tag.Target
	}
	_, err = h.repo.CommitObject(id)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return "", false, nil
	}
	return id.String(), err == nil, err
}

// Walk returns the commits that tips reach, each once, parents before their
// children and first parents' histories first. Memory is some hundred bytes a
// commit.
func (h *Revisions) Walk(ctx context.Context, tips []string) ([]string, error) {
	var order []string
	seen := make(map[string]bool)
	type visit struct {
		id      string
		parents []string
	}
	var stack []visit
	enter := func(id string) error {
		if seen[id] {
			return nil
		}
		seen[id] = true
		c, err := h.Commit(id)
		if err != nil {
			return err
		}
		stack = append(stack, visit{id, c.Parents})
		return ctx.Err()
	}
	for _, tip := range tips {
		if err := enter(tip); err != nil {
			return nil, err
		}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.parents) == 0 {
				order = append(order, top.id)
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.parents[0]
			top.parents = top.parents[1:]
			if err := enter(next); err != nil {
				return nil, err
			}
		}
	}
	return order, nil
}

// Commit reads a commit. One at which a shallow clone was cut has no parents.
func (h *Revisions) Commit(id string) (RevisionCommit, error) {
	c, err := h.commit(id)
	if err != nil {
		return RevisionCommit{}, err
	}
	hc := RevisionCommit{
		ID: id, Author: c.Author.Name, Email: c.Author.Email, Time: c.Author.When, Message: c.Message,
	}
	if !h.shallow[c.Hash] {
		for _, p := range c.ParentHashes {
			hc.Parents = append(hc.Parents, p.String())
		}
	}
	return hc, nil
}

func (h *Revisions) commit(id string) (*gitobject.Commit, error) {
	c, err := h.repo.CommitObject(plumbing.NewHash(id))
	if err != nil {
		return nil, fmt.Errorf("git commit %s: %w", id, err)
	}
	return c, nil
}

// tree returns the tree of a commit; nil for "".
func (h *Revisions) tree(commit string) (*gitobject.Tree, error) {
	if commit == "" {
		return nil, nil
	}
	c, err := h.commit(commit)
	if err != nil {
		return nil, err
	}
	t, err := c.Tree()
	if err != nil {
		return nil, fmt.Errorf("tree of git commit %s: %w", commit, err)
	}
	return t, nil
}

// File returns what a commit has at a path, '/'-separated; ok is false if it
// has no file there.
func (h *Revisions) File(commit, path string) (f RevisionFile, ok bool, err error) {
	t, err := h.tree(commit)
	if err != nil || t == nil {
		return RevisionFile{}, false, err
	}
	e, err := t.FindEntry(path)
	if errors.Is(err, gitobject.ErrEntryNotFound) || errors.Is(err, gitobject.ErrDirectoryNotFound) {
		return RevisionFile{}, false, nil
	}
	if err != nil {
		return RevisionFile{}, false, fmt.Errorf("%s in git commit %s: %w", path, commit, err)
	}
	return fileOf(*e), isFile(*e), nil
}

func fileOf(e gitobject.TreeEntry) RevisionFile {
	return RevisionFile{Blob: e.Hash.String(), Exec: e.Mode == filemode.Executable, Link: e.Mode == filemode.Symlink}
}

func isFile(e gitobject.TreeEntry) bool {
	return e.Mode == filemode.Regular || e.Mode == filemode.Executable || e.Mode == filemode.Deprecated || e.Mode == filemode.Symlink
}

// Diff calls fn for every file that differs between two commits ("": nothing
// at all), nil where a side has none, in no certain order. Folders that both
// have alike are not read.
func (h *Revisions) Diff(ctx context.Context, from, to string, fn func(path string, old, new *RevisionFile) error) error {
	a, err := h.tree(from)
	if err != nil {
		return err
	}
	b, err := h.tree(to)
	if err != nil {
		return err
	}
	return h.diff(ctx, "", a, b, fn)
}

func (h *Revisions) diff(ctx context.Context, prefix string, a, b *gitobject.Tree, fn func(string, *RevisionFile, *RevisionFile) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sides := make(map[string][2]*gitobject.TreeEntry)
	for i, t := range []*gitobject.Tree{a, b} {
		if t == nil {
			continue
		}
		for j := range t.Entries {
			e := &t.Entries[j]
			both := sides[e.Name]
			both[i] = e
			sides[e.Name] = both
		}
	}
	for name, both := range sides {
		if both[0] != nil && both[1] != nil && both[0].Hash == both[1].Hash && both[0].Mode == both[1].Mode {
			continue
		}
		if err := h.diffEntry(ctx, prefix+name, both, fn); err != nil {
			return err
		}
	}
	return nil
}

func (h *Revisions) diffEntry(ctx context.Context, path string, both [2]*gitobject.TreeEntry, fn func(string, *RevisionFile, *RevisionFile) error) error {
	var files [2]*RevisionFile
	var trees [2]*gitobject.Tree
	for i, e := range both {
		switch {
		case e == nil:
		case e.Mode == filemode.Dir:
			t, err := h.repo.TreeObject(e.Hash)
			if err != nil {
				return fmt.Errorf("git tree of %s: %w", path, err)
			}
			trees[i] = t
		case isFile(*e):
			f := fileOf(*e)
			files[i] = &f
		}
	}
	if files[0] != nil || files[1] != nil {
		if err := fn(path, files[0], files[1]); err != nil {
			return err
		}
	}
	if trees[0] == nil && trees[1] == nil {
		return nil
	}
	return h.diff(ctx, path+"/", trees[0], trees[1], fn)
}

// BlobSize returns the bytes that a blob has.
func (h *Revisions) BlobSize(id string) (int64, error) {
	n, err := h.repo.Storer.EncodedObjectSize(plumbing.NewHash(id))
	if err != nil {
		return 0, fmt.Errorf("git blob %s: %w", id, err)
	}
	return n, nil
}

// Blob reads a blob of at most max bytes; a larger one is an error.
func (h *Revisions) Blob(id string, max int64) ([]byte, error) {
	b, err := h.repo.BlobObject(plumbing.NewHash(id))
	if err != nil {
		return nil, fmt.Errorf("git blob %s: %w", id, err)
	}
	if b.Size > max {
		return nil, fmt.Errorf("git blob %s has %d bytes, more than %d", id, b.Size, max)
	}
	r, err := b.Reader()
	if err != nil {
		return nil, fmt.Errorf("git blob %s: %w", id, err)
	}
	defer r.Close() //nolint:errcheck // it was only read
	return io.ReadAll(r)
}
