package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Dir is the name of the folder that makes a folder a repository.
const Dir = ".mlvc"

// InitOptions say where a repository is made.
type InitOptions struct {
	Dir   string   // absolute; made if it does not exist
	Track []string // relative to Dir; empty: everything
}

// ExistsError is for an init inside a repository that is already there.
type ExistsError struct{ Root string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("there is already a repository at %s", e.Root)
}

// DefaultBranch is the branch that HEAD names in a new repository.
const DefaultBranch = "main"

// Init makes a repository: `.mlvc`, and mlvc.toml and .mlvcignore where they
// are not there yet. `.mlvc` appears complete or not at all.
func Init(ctx context.Context, env Env, opt InitOptions) (*Repo, error) {
	if root, err := findRoot(env.FS, opt.Dir); err == nil {
		return nil, &ExistsError{Root: root}
	} else if !errors.Is(err, ErrNoRepository) {
		return nil, err
	}
	track, err := cleanTrack(env.FS, opt)
	if err != nil {
		return nil, err
	}
	if err := vfs.MkdirAll(env.FS, opt.Dir, 0o777); err != nil {
		return nil, err
	}
	if err := makeRepository(env.FS, opt.Dir, nil); err != nil {
		return nil, fmt.Errorf("make %s: %w", filepath.Join(opt.Dir, Dir), err)
	}
	for name, text := range map[string]string{RulesFile: rulesText(track), IgnoreFile: ignoreText} {
		file := filepath.Join(opt.Dir, name)
		if _, err := env.FS.Lstat(file); errors.Is(err, fs.ErrNotExist) {
			if err := vfs.WriteFile(env.FS, file, []byte(text), 0o666); err != nil {
				return nil, err
			}
		}
	}
	return Open(ctx, env, opt.Dir)
}

// makeRepository builds `.mlvc` of a new repository, with those further files,
// under a temporary name and renames it.
func makeRepository(fsys vfs.FS, root string, files map[string][]byte) error {
	return makeRepositoryOf(fsys, root, newFormat(), files)
}

// makeRepositoryOf is makeRepository for one that has its ID already.
func makeRepositoryOf(fsys vfs.FS, root string, f format, files map[string][]byte) error {
	temp := filepath.Join(root, vfs.TempPrefix+"init")
	if err := removeAll(fsys, temp); err != nil {
		return err
	}
	for _, dir := range []string{temp, filepath.Join(temp, "packs"), filepath.Join(temp, "tmp"), filepath.Join(temp, "readers")} {
		if err := fsys.Mkdir(dir, 0o777); err != nil {
			return err
		}
	}
	if err := vfs.WriteFile(fsys, filepath.Join(temp, "format"), f.encode(), 0o666); err != nil {
		return err
	}
	if err := vfs.WriteFile(fsys, filepath.Join(temp, unbornFile), nil, 0o666); err != nil {
		return err
	}
	for name, data := range files {
		if err := vfs.WriteFile(fsys, filepath.Join(temp, name), data, 0o666); err != nil {
			return err
		}
	}
	if err := fsys.Rename(temp, filepath.Join(root, Dir)); err != nil {
		return err
	}
	return fsys.SyncDir(root)
}

// removeAll removes a folder and what is in it, if it is there.
func removeAll(fsys vfs.FS, name string) error {
	st, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Type == vfs.TypeDir {
		d, err := fsys.OpenDir(name)
		if err != nil {
			return err
		}
		names, err := d.Names()
		d.Close() //nolint:errcheck // it was only read
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := removeAll(fsys, filepath.Join(name, n.Name)); err != nil {
				return err
			}
		}
	}
	return fsys.Remove(name)
}

func cleanTrack(fsys vfs.FS, opt InitOptions) ([]string, error) {
	var track []string
	for _, t := range opt.Track {
		clean := path.Clean(filepath.ToSlash(t))
		if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
			return nil, &UsageError{What: fmt.Sprintf("--track %s: not a path below %s", t, opt.Dir), Hint: "name files and folders relative to the repository's folder"}
		}
		if _, err := fsys.Lstat(filepath.Join(opt.Dir, filepath.FromSlash(clean))); errors.Is(err, fs.ErrNotExist) {
			return nil, &UsageError{What: fmt.Sprintf("--track %s: there is no such file or folder in %s", t, opt.Dir), Hint: "make it first, or correct the name"}
		} else if err != nil {
			return nil, err
		}
		track = append(track, clean)
	}
	if len(track) == 0 {
		track = []string{"."}
	}
	slices.Sort(track)
	return slices.Compact(track), nil
}

func rulesText(track []string) string {
	list, err := toml.Marshal(struct {
		Track []string `toml:"track"`
	}{track})
	if err != nil {
		panic(err) // strings always encode
	}
	return "# The rules of this dataset. This file is versioned with the data.\n\n" +
		"# Files and folders that are the dataset, relative to this file; \".\" is everything.\n" +
		string(list) + rulesComment
}

const rulesComment = `
# Which samples are for training, and which for evaluation ("mlvc help splits"). Every commit
# is then checked for leaks between them ("mlvc help checks").
# [splits]
# train = ["train/**"]
# test  = ["test/**"]
# frozen = ["test"]           # the test set may not change
#
# [splits.drawn]              # or drawn, so that new samples never move old ones
# ratios = { train = 80, val = 10, test = 10 }
# group  = 'patient-(\d+)'    # what never crosses splits

# When "mlvc commit" chooses the kind of a commit itself (the values shown are the defaults):
# [kinds]
# max_chain_ratio = 2.0       # full when the chain holds more than this many times the full's bytes
# max_chain = 30              # full when the chain would be longer
# max_full_age_days = 0       # full when the last full is older; 0: never for its age
# differential_ratio = 1.5    # differential when it costs at most this many times the incremental
# differential_after = 7      # differential when the chain is longer
`

const ignoreText = `# What is not part of the dataset, in the syntax of .gitignore.
# Examples:
# *.tmp
# /cache/
`
