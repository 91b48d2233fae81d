package gitpair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Options says how a git repository is opened. What git tells its hooks in the
// environment (GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE) arrives here; relative
// paths are relative to the folder given to Open.
type Options struct {
	// FS is where files are written. Required.
	FS vfs.FS
	// GitDir is used in place of searching for `.git`. WorkTree is then the
	// work tree's root; empty: the folder given to Open.
	GitDir, WorkTree string
	// IndexFile is used in place of the repository's index.
	IndexFile string
	// Environ is what the git program gets; nil: what this process has. The
	// repository that it works on is set in either case.
	Environ []string
	// NoProgram does without the git program even where there is one.
	NoProgram bool
}

// Repo is a git repository and one of its work trees. Safe for concurrent use.
type Repo struct {
	root   string // of the work tree, absolute
	gitDir string // of this work tree, absolute
	common string // shared by all work trees, absolute
	index  string // absolute
	fs     vfs.FS

	program *program // nil: not found
	readers []reader // in the order in which they are asked
}

// Open opens the git repository that dir is in. It fails with ErrNoRepository
// or a *BareError. Close it.
func Open(ctx context.Context, dir string, opt Options) (*Repo, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	r := &Repo{fs: opt.FS}
	if opt.GitDir != "" {
		r.gitDir, r.root = within(dir, opt.GitDir), within(dir, opt.WorkTree)
	} else if r.root, r.gitDir, err = discover(dir); err != nil {
		return nil, err
	}
	if r.common, err = commonDir(r.gitDir); err != nil {
		return nil, err
	}
	r.index = filepath.Join(r.gitDir, "index")
	if opt.IndexFile != "" {
		r.index = within(dir, opt.IndexFile)
	}
	if err := r.open(ctx, opt); err != nil {
		return nil, err
	}
	return r, nil
}

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// open finds out who can read the repository.
func (r *Repo) open(ctx context.Context, opt Options) error {
	config, err := r.readConfig()
	if err != nil {
		return err
	}
	if config.bare() && r.gitDir == r.common && opt.WorkTree == "" {
		return &BareError{r.gitDir}
	}
	if !opt.NoProgram {
		r.program = findProgram(r, opt)
	}
	special := config.special(r.common)
	if special == "" {
		r.readers = append(r.readers, openGoGit(r.gitDir, r.common))
	}
	if r.program != nil {
		r.readers = append(r.readers, r.program)
	}
	if len(r.readers) == 0 {
		return fmt.Errorf("%s: %s: %w", r.gitDir, special, ErrNoProgram)
	}
	return nil
}

// Close ends what Open started.
func (r *Repo) Close() error {
	var errs []error
	for _, rd := range r.readers {
		errs = append(errs, rd.close())
	}
	return errors.Join(errs...)
}

// Root is the work tree's root folder, absolute.
func (r *Repo) Root() string { return r.root }

// GitDir is the git folder of this work tree, absolute: `.git`, or a folder
// below the common one in a linked work tree.
func (r *Repo) GitDir() string { return r.gitDir }

// CommonDir is the git folder that all work trees share, absolute.
func (r *Repo) CommonDir() string { return r.common }

// Linked reports whether this is a linked work tree (`git worktree add`).
func (r *Repo) Linked() bool { return r.gitDir != r.common }

// Rel returns a path of the system as git has it: from the work tree's root,
// with slashes; "." for the root itself. ok is false outside the work tree.
func (r *Repo) Rel(name string) (rel string, ok bool) {
	rel, err := filepath.Rel(r.root, name)
	if err != nil {
		return "", false
	}
	rel = filepath.ToSlash(rel)
	return rel, rel != ".." && !strings.HasPrefix(rel, "../")
}

// discover finds the work tree that dir is in, and its git folder.
func discover(dir string) (root, gitDir string, err error) {
	for at := dir; ; at = filepath.Dir(at) {
		name := filepath.Join(at, ".git")
		st, err := os.Stat(name)
		switch {
		case err == nil && st.IsDir():
			if isGitDir(name) {
				return at, name, nil
			}
		case err == nil:
			gitDir, err := gitFile(name)
			return at, gitDir, err
		case !errors.Is(err, fs.ErrNotExist):
			return "", "", err
		}
		if isGitDir(at) {
			return "", "", &BareError{at}
		}
		if at == filepath.Dir(at) {
			return "", "", fmt.Errorf("%s: %w", dir, ErrNoRepository)
		}
	}
}

// isGitDir asks what git asks: HEAD, objects and refs (of the common folder).
func isGitDir(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "HEAD")); err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(dir, "commondir")); err == nil {
		return true
	}
	objects, err := os.Stat(filepath.Join(dir, "objects"))
	if err != nil || !objects.IsDir() {
		return false
	}
	refs, err := os.Stat(filepath.Join(dir, "refs"))
	return err == nil && refs.IsDir()
}

// gitFile reads a file `.git`, which linked work trees and submodules have in
// place of the folder.
func gitFile(name string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(string(text), "gitdir: ")
	if !ok {
		return "", fmt.Errorf("%s does not name a git folder", name)
	}
	dir := within(filepath.Dir(name), strings.TrimRight(target, "\r\n"))
	if !isGitDir(dir) {
		return "", fmt.Errorf("%s names %s, which is no git folder: %w", name, dir, ErrNoRepository)
	}
	return dir, nil
}

func commonDir(gitDir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if errors.Is(err, fs.ErrNotExist) {
		return gitDir, nil
	}
	if err != nil {
		return "", err
	}
	return within(gitDir, strings.TrimRight(string(text), "\r\n")), nil
}
