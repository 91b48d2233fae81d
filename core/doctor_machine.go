package core

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (d *doctor) checkFormat() bool {
	_, err := readFormat(d.env.FS, d.dir)
	switch {
	case err == nil:
		return true
	case errors.Is(err, objects.ErrNewer):
		d.find(SeverityError, "newer", "use a newer mlvc", "%v", err)
	default:
		d.find(SeverityError, "format", "restore .mlvc/format from a copy", "%v", err)
	}
	return false
}

func (d *doctor) checkConfig() {
	text, err := (&Repo{env: d.env, dir: d.dir}).readConfig()
	if err == nil {
		d.config, err = decodeConfig(text)
	}
	if err != nil {
		d.find(SeverityError, "config", "correct .mlvc/config", "%v", err)
	}
}

func (d *doctor) checkRules(root string) {
	if _, err := readRules(d.env.FS, root); err != nil {
		d.find(SeverityError, "rules", "correct mlvc.toml; commit refuses until then", "%v", err)
	}
	text, err := vfs.ReadFile(d.env.FS, filepath.Join(root, IgnoreFile))
	if err != nil && !isNotExist(err) {
		d.find(SeverityWarning, "ignore", "", "%v", err)
	}
	_, problems := worktree.ParseIgnore(text)
	for _, p := range problems {
		d.find(SeverityWarning, "ignore_pattern", "correct .mlvcignore", "%s line %d: %s", IgnoreFile, p.Line, p.Reason)
	}
}

// checkLock says whether a writer is at work. A dead one holds no lock.
func (d *doctor) checkLock() bool {
	path := filepath.Join(d.dir, "lock")
	if _, err := d.env.FS.Lstat(path); isNotExist(err) {
		return false
	}
	l := flock.New(path, flock.SetFlag(os.O_RDWR))
	ok, err := l.TryLock()
	defer l.Close() //nolint:errcheck // a lock file holds no data
	if err != nil {
		d.find(SeverityError, "lock", "locks must work where the repository lies", "cannot lock %s: %v", path, err)
		return false
	}
	if !ok {
		d.find(SeverityInfo, "locked", "", "%v is writing", readHolder(path))
	}
	return !ok
}

const (
	lowSpace  = 1 << 30
	coarse    = time.Second
	clockSkew = 2 * time.Second
)

// checkMachine looks at the file system that holds the repository.
func (d *doctor) checkMachine(root string) {
	if free, err := d.env.FS.Free(d.dir); err == nil && free < lowSpace {
		d.find(SeverityWarning, "low_space", "make room; nothing is written below 64 MiB", "%d MiB are free", free>>20)
	}
	if kind := d.mountType(root); network[kind] {
		d.find(SeverityWarning, "network_fs", "keep the repository on a local disk, and push from there",
			"the repository lies on a network file system (%s): locks and durability depend on the server", kind)
	}
	tmp := filepath.Join(d.dir, "tmp")
	probe := vfs.TempName(tmp)
	if err := vfs.WriteFile(d.env.FS, probe+"a", nil, 0o666); err != nil {
		d.find(SeverityWarning, "read_only", "check who owns .mlvc", "cannot write to %s: %v", tmp, err)
		return
	}
	if _, err := d.env.FS.Lstat(probe + "A"); err == nil {
		d.find(SeverityInfo, "case_insensitive", "", "the disk does not tell upper from lower case: names that differ only in that cannot both be checked out")
	}
	d.env.FS.Remove(probe + "a") //nolint:errcheck // the next run sweeps it
	if err := d.env.FS.Symlink("x", probe+"l"); err != nil {
		d.find(SeverityInfo, "no_symlinks", "", "the disk has no symbolic links: %v", err)
	} else {
		d.env.FS.Remove(probe + "l") //nolint:errcheck // the next run sweeps it
	}
	d.checkClock(tmp)
}

func (d *doctor) checkClock(tmp string) {
	at, err := worktree.Clock(d.env.FS, tmp)
	if err != nil {
		return
	}
	if at%int64(coarse) == 0 {
		if again, err := worktree.Clock(d.env.FS, tmp); err == nil && again%int64(coarse) == 0 {
			d.find(SeverityInfo, "coarse_times", "", "the disk keeps times to the second: files changed within one are read again")
		}
	}
	if skew := d.env.Now().Sub(time.Unix(0, at)); skew.Abs() > clockSkew {
		d.find(SeverityWarning, "clock_skew", "set the clocks", "the disk's clock and this machine's differ by %v", skew.Round(time.Second))
	}
}

var network = map[string]bool{
	"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "smbfs": true, "9p": true, "afs": true, "ceph": true,
	"glusterfs": true, "lustre": true, "fuse.sshfs": true, "fuse.rclone": true, "fuse.s3fs": true, "fuse.glusterfs": true,
}

// mountType returns the type of the file system that holds a folder, where the
// system tells.
func (d *doctor) mountType(dir string) string {
	text, err := vfs.ReadFile(d.env.FS, "/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	longest, kind := -1, ""
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(rest) < 1 {
			continue
		}
		at := strings.ReplaceAll(fields[4], `\040`, " ")
		if under := at == "/" || dir == at || strings.HasPrefix(dir, at+"/"); under && len(at) >= longest {
			longest, kind = len(at), rest[0]
		}
	}
	return kind
}

// checkRest looks at the files that may be lost.
func (d *doctor) checkRest(locked bool) error {
	switch u, err := d.repo.Unfinished(); {
	case err != nil:
		d.find(SeverityError, "unfinished", "use the mlvc that began it, or remove .mlvc/unfinished when the files are as you want them", "%v", err)
	case u != nil:
		d.find(SeverityWarning, "unfinished", fmt.Sprintf("mlvc %s, or mlvc checkout --abort", u.Command), "%q was interrupted and is not finished", u.Command)
	}
	index, err := worktree.OpenIndex(d.env.FS, d.repo.indexPath())
	if err == nil {
		for _, rerr := range index.Records() {
			err = rerr
		}
		index.Close() //nolint:errcheck // it was only read
	}
	if errors.Is(err, worktree.ErrIndexLost) && !isNotExist(err) {
		d.find(SeverityInfo, "index_damaged", "", "the stat cache is damaged: the next command makes it anew and reads every file")
	}
	if locked {
		return nil
	}
	return d.checkTemp()
}

func (d *doctor) checkTemp() error {
	dir, err := d.env.FS.OpenDir(d.repo.tempPath())
	if err != nil {
		d.find(SeverityError, "no_tmp", "make the folder .mlvc/tmp", "%v", err)
		return nil
	}
	defer dir.Close() //nolint:errcheck // it was only read
	names, err := dir.Names()
	left := 0
	for _, n := range names {
		// Stat caches of one run stay until the next, which is as it should be.
		if n.Name != "clock" && !strings.HasPrefix(n.Name, "index-") {
			left++
		}
	}
	if left > 0 {
		d.find(SeverityInfo, "leftovers", "", "%s in .mlvc/tmp left by an interrupted command; the next that writes removes them", count(left, "file"))
	}
	return err
}
