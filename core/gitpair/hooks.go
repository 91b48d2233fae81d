package gitpair

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Hook says what is installed of one hook.
type Hook struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// Installed: mlvc's block is there. Current: as this mlvc writes it.
	Installed bool `json:"installed"`
	Current   bool `json:"current"`
	// Tracked: the file is in the work tree, so that git versions it (husky).
	Tracked bool `json:"tracked,omitempty"`
	// Aside is where the user's hook was moved that is no shell script.
	Aside string `json:"aside,omitempty"`
}

// SharedHooksError is for hooks that all repositories of this user share:
// core.hooksPath in the settings of the user or the system. The way out is
// `git config --local core.hooksPath .git/hooks`, or InstallOptions.Shared.
type SharedHooksError struct{ Dir string }

func (e *SharedHooksError) Error() string {
	return fmt.Sprintf("git's hooks are in %s, which all of your repositories share", e.Dir)
}

// HookError is for a hook that cannot be installed or taken out without
// losing something of the user's; nothing was changed in it.
type HookError struct{ Path, What string }

func (e *HookError) Error() string { return e.Path + ": " + e.What }

// InstallOptions says how hooks call mlvc.
type InstallOptions struct {
	// Command is mlvc's program, absolute. Hooks look for it on the PATH if it
	// is not there any more, and hooks in tracked files always do.
	Command string
	// Shared writes into hooks that all repositories share.
	Shared bool
}

// hookDir returns the folder in which git looks for hooks.
func (r *Repo) hookDir(ctx context.Context, shared bool) (string, error) {
	out, err := r.git(ctx, "config", "--type=path", "--show-scope", "--get", "core.hooksPath")
	if err != nil && exitStatus(err) != 1 { // 1: not set
		return "", err
	}
	scope, dir, set := strings.Cut(strings.TrimRight(string(out), "\r\n"), "\t")
	if !set || dir == "" {
		return filepath.Join(r.common, "hooks"), nil
	}
	dir = within(r.root, dir)
	own := scope == "local" || scope == "worktree" || isWithin(r.root, dir) || isWithin(r.common, dir)
	if !own && !shared {
		return "", &SharedHooksError{dir}
	}
	return dir, nil
}

// hookFile is one hook that is to be installed or taken out.
type hookFile struct {
	fs    vfs.FS
	hook  string
	name  string // the file
	plain bool   // always a script of sh, executable or not (husky's)

	tracked bool
	command string
}

// hookFiles returns where each hook goes. Husky's folder `_` holds scripts of
// its own, which it makes anew; each calls the user's script one folder up.
func (r *Repo) hookFiles(dir string, opt InstallOptions) []hookFile {
	var list []hookFile
	for _, hook := range Hooks {
		h := hookFile{fs: r.fs, hook: hook, name: filepath.Join(dir, hook), command: filepath.ToSlash(opt.Command)}
		if filepath.Base(dir) == "_" {
			if text, st, err := h.read(h.name); err == nil && st.Type != 0 && !hasBlock(text) {
				h.name, h.plain = filepath.Join(filepath.Dir(dir), hook), true
			}
		}
		inTree := isWithin(r.root, h.name) && !isWithin(r.common, h.name)
		h.tracked = inTree && (h.plain || filepath.Base(dir) != "_") // husky has git ignore its folder
		if h.tracked {
			h.command = ""
		}
		list = append(list, h)
	}
	return list
}

func isWithin(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && filepath.IsLocal(rel)
}

// InstallHooks puts mlvc's block into every hook of Hooks, beside what the
// user has there, or brings it up to date. It may be called again after it
// failed or was interrupted.
func (r *Repo) InstallHooks(ctx context.Context, opt InstallOptions) ([]Hook, error) {
	dir, err := r.hookDir(ctx, opt.Shared)
	if err != nil {
		return nil, err
	}
	files := r.hookFiles(dir, opt)
	if err := sweepTemps(r.fs, files); err != nil {
		return nil, err
	}
	for _, h := range files {
		if err := h.install(); err != nil {
			return nil, err
		}
	}
	return r.HookState(ctx, opt)
}

// UninstallHooks takes out exactly what InstallHooks put in, also from git's
// own folder if core.hooksPath was set since.
func (r *Repo) UninstallHooks(ctx context.Context) error {
	dir, err := r.hookDir(ctx, true)
	if err != nil {
		return err
	}
	files := r.hookFiles(dir, InstallOptions{})
	if own := filepath.Join(r.common, "hooks"); own != dir {
		files = append(files, r.hookFiles(own, InstallOptions{})...)
	}
	errs := []error{sweepTemps(r.fs, files)}
	for _, h := range files {
		errs = append(errs, h.uninstall())
	}
	return errors.Join(errs...)
}

// HookState says what is installed.
func (r *Repo) HookState(ctx context.Context, opt InstallOptions) ([]Hook, error) {
	dir, err := r.hookDir(ctx, true)
	if err != nil {
		return nil, err
	}
	var list []Hook
	for _, h := range r.hookFiles(dir, opt) {
		text, st, err := h.read(h.name)
		if err != nil {
			return nil, err
		}
		_, b, ok := cutBlock(text)
		s := Hook{Name: h.hook, Path: h.name, Installed: ok && h.runs(st), Tracked: h.tracked}
		s.Current = s.Installed && strings.Join(b.lines, "\n") == strings.Join(h.lines(b.has(noteAside)), "\n")
		if ok && b.has(noteAside) {
			s.Aside = h.aside()
		}
		list = append(list, s)
	}
	return list, nil
}

// aside is beside the hook, for the script finds it from its own place.
func (h hookFile) aside() string { return filepath.Join(filepath.Dir(h.name), asideDir, h.hook) }

func (h hookFile) lines(aside bool) []string {
	list := hookBlock(h.hook, h.command)
	if aside {
		list = append(list, callAside(h.hook)...)
	}
	return list
}

// read returns the bytes of a file, or the target of a link; Type is zero if
// there is nothing.
func (h hookFile) read(name string) ([]byte, vfs.Stat, error) {
	st, err := h.fs.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, vfs.Stat{}, nil
	}
	if err != nil {
		return nil, st, err
	}
	switch st.Type {
	case vfs.TypeSymlink:
		target, err := h.fs.Readlink(name)
		return []byte(target), st, err
	case vfs.TypeRegular:
		text, err := vfs.ReadFile(h.fs, name)
		return text, st, err
	}
	return nil, st, &HookError{name, "is no file"}
}

// runs reports whether git runs a hook with these permissions.
func (h hookFile) runs(st vfs.Stat) bool {
	return h.plain || runtime.GOOS == "windows" || st.Perm&0o111 != 0
}

func (h hookFile) install() error {
	text, st, err := h.read(h.name)
	if err != nil {
		return err
	}
	if st.Type == 0 {
		if err := vfs.MkdirAll(h.fs, filepath.Dir(h.name), 0o777); err != nil {
			return err
		}
		return h.write([]byte(scriptHead), block{notes: noteMade, lines: h.lines(false)}, 0o755)
	}
	rest, b, found := text, block{}, false
	if st.Type == vfs.TypeRegular {
		rest, b, found = cutBlock(text)
	}
	if found {
		b.lines = h.lines(b.has(noteAside))
		return h.write(rest, b, st.Perm)
	}
	if st.Type == vfs.TypeSymlink || !h.runs(st) || !h.plain && !isShell(text) {
		if err := h.putAside(text, st); err != nil {
			return err
		}
		return h.write([]byte(scriptHead), block{notes: noteAside, lines: h.lines(true)}, 0o755)
	}
	return h.write(text, block{lines: h.lines(false)}, st.Perm)
}

// write replaces the hook by the text with the block put in, if it differs.
func (h hookFile) write(text []byte, b block, perm fs.FileMode) error {
	next := putBlock(text, blockPlace(text), b)
	if now, st, err := h.read(h.name); err == nil && st.Type == vfs.TypeRegular && bytes.Equal(now, next) && st.Perm == perm {
		return nil
	}
	return replaceFile(h.fs, h.name, next, perm)
}

// putAside copies the user's hook into the folder aside; the caller then
// replaces the hook itself, so that at no time there is none.
func (h hookFile) putAside(text []byte, st vfs.Stat) error {
	aside := h.aside()
	was, there, err := h.read(aside)
	if err != nil {
		return err
	}
	target := text
	if st.Type == vfs.TypeSymlink {
		target = []byte(deeper(string(text)))
	}
	if there.Type != 0 && !(there.Type == st.Type && bytes.Equal(was, target)) {
		return &HookError{h.name, fmt.Sprintf("is a hook of yours, and %s another that was moved aside before: remove the one that is not needed", aside)}
	}
	if there.Type != 0 {
		return nil
	}
	if err := vfs.MkdirAll(h.fs, filepath.Dir(aside), 0o777); err != nil {
		return err
	}
	return h.copyTo(aside, target, st)
}

// copyTo writes a file or a link; a link that is there is replaced.
func (h hookFile) copyTo(name string, text []byte, st vfs.Stat) error {
	if st.Type != vfs.TypeSymlink {
		return replaceFile(h.fs, name, text, st.Perm)
	}
	temp := vfs.TempName(filepath.Dir(name))
	if err := h.fs.Symlink(string(text), temp); err != nil {
		return err
	}
	if err := h.fs.Rename(temp, name); err != nil {
		return errors.Join(err, h.fs.Remove(temp))
	}
	return h.fs.SyncDir(filepath.Dir(name))
}

// deeper returns a link's target as it is from one folder further down.
func deeper(target string) string {
	if filepath.IsAbs(target) {
		return target
	}
	return "../" + target
}

func (h hookFile) uninstall() error {
	text, st, err := h.read(h.name)
	if err != nil || st.Type == 0 {
		return err
	}
	rest, b, found := cutBlock(text)
	bare := string(rest) == scriptHead
	switch {
	case st.Type != vfs.TypeRegular || !found:
		return h.dropCopy(text, st) // of an uninstall that was interrupted
	case b.has(noteAside) && !bare:
		return &HookError{h.name, fmt.Sprintf("has lines of yours beside mlvc's, and your hook of before is %s: put them together, and remove %s", h.aside(), asideDir)}
	case b.has(noteAside):
		return h.putBack()
	case b.has(noteMade) && bare:
		if err := h.fs.Remove(h.name); err != nil {
			return err
		}
		return h.fs.SyncDir(filepath.Dir(h.name))
	}
	return replaceFile(h.fs, h.name, rest, st.Perm)
}

// putBack restores the user's hook from aside, in the order that leaves it in
// one of both places at any time.
func (h hookFile) putBack() error {
	text, st, err := h.read(h.aside())
	if err != nil {
		return err
	}
	if st.Type == 0 {
		return &HookError{h.name, fmt.Sprintf("is mlvc's, and your hook of before is not in %s any more", h.aside())}
	}
	if st.Type == vfs.TypeSymlink {
		text = []byte(strings.TrimPrefix(string(text), "../"))
	}
	if err := h.copyTo(h.name, text, st); err != nil {
		return err
	}
	return h.dropCopy(text, st)
}

// dropCopy removes what is aside if the hook is the same.
func (h hookFile) dropCopy(text []byte, st vfs.Stat) error {
	was, there, err := h.read(h.aside())
	if err != nil || there.Type != st.Type {
		return err
	}
	if there.Type == vfs.TypeSymlink {
		was = []byte(strings.TrimPrefix(string(was), "../"))
	}
	if !bytes.Equal(was, text) {
		return nil
	}
	if err := h.fs.Remove(h.aside()); err != nil {
		return err
	}
	folder := filepath.Dir(h.aside())
	if err := h.fs.Remove(folder); err != nil {
		return h.fs.SyncDir(folder) // other hooks are in it
	}
	return h.fs.SyncDir(filepath.Dir(folder))
}

// sweepTemps removes what an interrupted run has left beside the hooks.
func sweepTemps(fsys vfs.FS, files []hookFile) error {
	dirs := make(map[string]bool)
	for _, h := range files {
		dirs[filepath.Dir(h.name)], dirs[filepath.Dir(h.aside())] = true, true
	}
	for dir := range dirs {
		if _, err := fsys.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		d, err := fsys.OpenDir(dir)
		if err != nil {
			return err
		}
		names, err := d.Names()
		d.Close()
		for _, n := range names {
			if err == nil && strings.HasPrefix(n.Name, vfs.TempPrefix) {
				err = fsys.Remove(filepath.Join(dir, n.Name))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
