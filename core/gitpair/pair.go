package gitpair

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Pairing is what Pair found or made.
type Pairing struct {
	Pointers []PointerPlace `json:"pointers"`
	// Changed are files in the work tree that were changed and belong into
	// git, from its root.
	Changed []string `json:"changed"`
	Hooks   []Hook   `json:"hooks"`
	// Tracked is data that git has itself; git keeps it until `git rm --cached`.
	Tracked []string `json:"tracked,omitempty"`
	// Ignored are files that belong into git and that the user's own lines
	// keep out.
	Ignored []string `json:"ignored,omitempty"`
}

// Pair puts into the git repository what makes git and mlvc work as one: the
// lines of .gitignore and .gitattributes at the work tree's root, the drivers,
// the name of the dataset in git's settings, and the hooks. It needs the git
// program (2.30 or newer), does not touch the index, and may be called again:
// to finish what was interrupted, after the tracked paths have changed, or to
// install for a fresh clone.
func (r *Repo) Pair(ctx context.Context, d Dataset, opt InstallOptions) (Pairing, error) {
	places, err := d.Pointers()
	if err != nil {
		return Pairing{}, err
	}
	p := Pairing{Pointers: places}
	if _, err := r.hookDir(ctx, opt.Shared); err != nil { // before anything is written
		return p, err
	}
	if err := r.addSetting(ctx, "mlvc.dataset", d.Root); err != nil {
		return p, err
	}
	if err := r.installDrivers(ctx, opt.Command); err != nil {
		return p, err
	}
	if p.Hooks, err = r.InstallHooks(ctx, opt); err != nil {
		return p, err
	}
	for _, h := range p.Hooks {
		if rel, ok := r.Rel(h.Path); ok && h.Tracked {
			p.Changed = append(p.Changed, rel)
		}
	}
	for file, lines := range map[string][]string{ignoreFile: ignoreLines(d, places), attributesFile: attributeLines(d, places)} {
		changed, err := r.setGroup(file, d.Root, lines)
		if err != nil {
			return p, err
		}
		if changed {
			p.Changed = append(p.Changed, file)
		}
	}
	if err := vfs.MkdirAll(r.fs, filepath.Dir(r.excludeFile()), 0o777); err != nil {
		return p, err
	}
	if _, err := r.setGroup(r.excludeFile(), d.Root, ignoreLines(d, places)); err != nil {
		return p, err
	}
	slices.Sort(p.Changed)
	return p, r.lookAtPaths(ctx, d, &p)
}

// lookAtPaths finds what would not be as the user expects.
func (r *Repo) lookAtPaths(ctx context.Context, d Dataset, p *Pairing) (err error) {
	ours := []string{joinSlash(d.Root, "mlvc.toml"), joinSlash(d.Root, ".mlvcignore")}
	var data []string
	for _, at := range p.Pointers {
		ours = append(ours, at.Name)
		data = append(data, at.Data)
	}
	if p.Tracked, err = r.tracked(ctx, data, ours); err != nil {
		return err
	}
	p.Ignored, err = r.Ignored(ctx, ours...)
	return err
}

// tracked returns those of the names that are files of the index, or folders
// that hold some besides those left out.
func (r *Repo) tracked(ctx context.Context, names, without []string) ([]string, error) {
	var specs []string
	for _, n := range names {
		specs = append(specs, ":(top,literal)"+n)
	}
	found := make(map[string]bool)
	_, err := r.indexEntries(ctx, func(file string) bool {
		for _, n := range names {
			if (file == n || strings.HasPrefix(file, n+"/")) && !slices.Contains(without, file) {
				found[n] = true
			}
		}
		return false
	}, specs...)
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !found[n] }), err
}

func joinSlash(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// Unpair takes out what Pair put in for the dataset of that root; with the
// last dataset also hooks and drivers. Pointer files stay: they are git's. It
// may be called again after it was interrupted.
func (r *Repo) Unpair(ctx context.Context, root string) error {
	all, err := r.Datasets()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(other string) bool { return other != root }) {
		if err := r.UninstallHooks(ctx); err != nil {
			return err
		}
		if err := r.removeDrivers(ctx); err != nil {
			return err
		}
	}
	for _, file := range []string{ignoreFile, attributesFile, r.excludeFile()} {
		if _, err := r.setGroup(file, root, nil); err != nil {
			return err
		}
	}
	_, err = r.git(ctx, "config", "--local", "--fixed-value", "--unset-all", "mlvc.dataset", root)
	if exitStatus(err) == exitNotSet {
		return nil
	}
	return err
}

// exitNotSet is how `git config` ends when what is to be removed is not there.
const exitNotSet = 5

// addSetting adds a value to a setting of several, once.
func (r *Repo) addSetting(ctx context.Context, key, value string) error {
	_, err := r.git(ctx, "config", "--local", "--fixed-value", "--get", key, value)
	if err == nil || exitStatus(err) != 1 {
		return err
	}
	_, err = r.git(ctx, "config", "--local", "--add", key, value)
	return err
}

// drivers are the settings that make git call mlvc for pointers. What the
// textconv prints is not kept (cachetextconv): it says more once the data are
// there.
func drivers(command string) [][2]string {
	find := "mlvc=" + shellQuote(filepath.ToSlash(command)) + `; [ -x "$mlvc" ] || mlvc=mlvc; "$mlvc" git `
	return [][2]string{
		{"merge.mlvc.name", "merge the datasets that two pointers name"},
		{"merge.mlvc.driver", find + "merge-driver %O %A %B %P"},
		{"diff.mlvc.textconv", find + "textconv"},
	}
}

func (r *Repo) installDrivers(ctx context.Context, command string) error {
	for _, d := range drivers(command) {
		if _, err := r.git(ctx, "config", "--local", "--replace-all", d[0], d[1]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repo) removeDrivers(ctx context.Context) error {
	var errs []error
	for _, d := range drivers("") {
		if _, err := r.git(ctx, "config", "--local", "--unset-all", d[0]); exitStatus(err) != exitNotSet {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// DriversInstalled reports whether git's settings name mlvc's drivers.
func (r *Repo) DriversInstalled(ctx context.Context) (bool, error) {
	for _, d := range drivers("") {
		_, err := r.git(ctx, "config", "--local", "--get", d[0])
		if exitStatus(err) == 1 {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("drivers: %w", err)
		}
	}
	return true, nil
}
