package core

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // it is what DVC names contents by
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/internal/yaml"
	"github.com/mlvc/mlvc/objects/vfs"
)

// The kinds of hash. DVC before version 3 hashed text with its line ends made
// those of Unix, and says nothing in its pointers; later ones say "hash: md5".
const (
	hashMD5  = "md5:"
	hashDOS  = "md5-dos2unix:"
	dirOfDVC = ".dir"
)

// maxPointer is how large a pointer file or a dvc.lock may be.
const maxPointer = 64 << 20

// dvcProject is a project that DVC keeps the data of.
type dvcProject struct {
	fs      vfs.FS
	history *gitpair.Revisions
	stores  []string // caches and folder remotes
	lists   map[string]dvcListing
}

// dvcListing is what is known of the listing of a folder.
type dvcListing struct {
	file   string // that holds it
	sorted bool
	err    error // *notHeldError, or why it cannot be read
}

var _ foreign = (*dvcProject)(nil)

// openDVC finds the project that dir is in and where its contents may lie.
func openDVC(fsys vfs.FS, h *gitpair.Revisions, dir, from string) (*dvcProject, string, error) {
	root, err := findDVC(fsys, dir, h.Root())
	if err != nil {
		return nil, "", err
	}
	p := &dvcProject{fs: fsys, history: h, lists: make(map[string]dvcListing)}
	if from != "" {
		p.stores = append(p.stores, from)
	}
	cache, remotes, err := dvcStores(fsys, filepath.Join(root, ".dvc"))
	if err != nil {
		return nil, "", err
	}
	p.stores = append(append(p.stores, cache), remotes...)
	return p, root, nil
}

func findDVC(fsys vfs.FS, dir, top string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		st, err := fsys.Lstat(filepath.Join(at, ".dvc"))
		if err == nil && st.Type == vfs.TypeDir {
			return at, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if at == top || filepath.Dir(at) == at {
			return "", &UsageError{What: fmt.Sprintf("%s is in no DVC project: there is no folder .dvc", dir), Hint: "go into the project, or name it with -C DIR"}
		}
	}
}

// dvcStores reads .dvc/config and .dvc/config.local: the folder of the cache,
// and of the remotes those that are folders, the default one first.
func dvcStores(fsys vfs.FS, dir string) (cache string, remotes []string, err error) {
	settings := make(map[string]map[string]string)
	for _, name := range []string{"config", "config.local"} {
		text, err := vfs.ReadFile(fsys, filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		readINI(string(text), settings)
	}
	cache = filepath.Join(dir, "cache")
	if at := settings["cache"]["dir"]; at != "" {
		cache = absoluteIn(dir, at)
	}
	first := `remote "` + settings["core"]["remote"] + `"`
	for _, section := range slices.Sorted(maps.Keys(settings)) {
		if !strings.HasPrefix(section, "remote ") {
			continue
		}
		if at, ok := folderOf(dir, settings[section]["url"]); ok && section == first {
			remotes = slices.Insert(remotes, 0, at)
		} else if ok {
			remotes = append(remotes, at)
		}
	}
	return cache, remotes, nil
}

// readINI adds what the text of a configuration says: section → key → value.
func readINI(text string, to map[string]map[string]string) {
	section := ""
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.Trim(strings.TrimSuffix(name, "]"), "'")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || line[0] == '#' || line[0] == ';' {
			continue
		}
		if to[section] == nil {
			to[section] = make(map[string]string)
		}
		to[section][strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
}

// folderOf returns the folder that a URL is, relative ones to dir.
func folderOf(dir, url string) (string, bool) {
	if at, ok := strings.CutPrefix(url, "file://"); ok {
		return absoluteIn(dir, strings.TrimPrefix(at, "localhost")), true
	}
	if url == "" || strings.Contains(url, "://") || isSCP(url) {
		return "", false
	}
	return absoluteIn(dir, url), true
}

// isSCP reports whether a URL is git's host:path.
func isSCP(url string) bool {
	host, _, ok := strings.Cut(url, ":")
	return ok && len(host) > 1 && !strings.ContainsAny(host, `/\`)
}

func absoluteIn(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// Pointer implements foreign. What the stages in a dvc.lock are is said by the
// dvc.yaml and the parameters beside it.
func (p *dvcProject) Pointer(name string, _, _ *gitpair.RevisionFile) (string, error) {
	dir, base := path.Split(name)
	switch {
	case base == "dvc.lock" || base == "dvc.yaml" || base == paramsOfDVC:
		return dir + "dvc.lock", nil
	case strings.HasSuffix(base, ".dvc") && base != ".dvc":
		return name, nil
	}
	return "", nil
}

// Outs implements foreign. A pointer that cannot be read is an out that cannot
// be had: a revision may have the marks of a conflict in it.
func (p *dvcProject) Outs(commit, pointer string, file *gitpair.RevisionFile) ([]foreignOut, error) {
	outs, err := p.read(commit, pointer, file)
	if e, ok := errors.AsType[*pointerTextError](err); ok {
		return []foreignOut{{Path: pointer, Size: -1, Wrong: e.Error()}}, nil
	}
	return outs, err
}

func (p *dvcProject) read(commit, pointer string, file *gitpair.RevisionFile) ([]foreignOut, error) {
	if file == nil {
		f, ok, err := p.history.File(commit, pointer)
		if err != nil || !ok {
			return nil, err
		}
		file = &f
	}
	doc, err := p.document(pointer, *file)
	if err != nil {
		return nil, err
	}
	dir := path.Dir(pointer)
	if path.Base(pointer) != "dvc.lock" {
		wdir, _ := doc["wdir"].(string)
		return p.outsOf(doc, path.Join(dir, wdir)), nil
	}
	stages, err := p.stages(commit, path.Join(dir, "dvc.yaml"))
	if err != nil {
		return nil, err
	}
	return p.locked(doc, stages, commit, pointer)
}

// locked returns the outs of a dvc.lock that the stages of its dvc.yaml have.
func (p *dvcProject) locked(doc map[string]any, stages map[string]dvcStage, commit, pointer string) ([]foreignOut, error) {
	locks, _ := doc["stages"].(map[string]any)
	if locks == nil {
		locks = doc // as the first versions wrote it
	}
	var outs []foreignOut
	for _, name := range slices.Sorted(maps.Keys(locks)) {
		lock, _ := locks[name].(map[string]any)
		base, key, _ := strings.Cut(name, "@")
		stage, ok := stages[base]
		if !ok || !stage.has(key) {
			continue
		}
		if strings.Contains(stage.wdir, "${") {
			return nil, &pointerTextError{pointer, fmt.Errorf("the stage %s works in a folder that is only known when it runs: %s", name, stage.wdir)}
		}
		kept := map[string]any{"outs": keptOuts(lock, stage)}
		for _, out := range p.outsOf(kept, path.Join(path.Dir(pointer), stage.wdir)) {
			// What git itself holds is "cache: false", whether or not that can
			// be read.
			_, inGit, err := p.history.File(commit, out.Path)
			if err != nil {
				return nil, err
			}
			if !inGit {
				outs = append(outs, out)
			}
		}
	}
	return outs, nil
}

func keptOuts(lock map[string]any, stage dvcStage) []any {
	list, _ := lock["outs"].([]any)
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		m, _ := v.(map[string]any)
		name, _ := m["path"].(string)
		return !stage.keeps(name)
	})
}

// pointerTextError is for a pointer file, or what it needs, that cannot be read.
type pointerTextError struct {
	path string
	err  error
}

func (e *pointerTextError) Error() string {
	return fmt.Sprintf("what it names cannot be known: %s: %v", e.path, e.err)
}

func (e *pointerTextError) Unwrap() error { return e.err }

// document reads a YAML file; nil if it is no mapping.
func (p *dvcProject) document(name string, file gitpair.RevisionFile) (map[string]any, error) {
	text, err := p.history.Blob(file.Blob, maxPointer)
	if err != nil {
		return nil, err
	}
	v, err := yaml.Parse(text)
	if err != nil {
		return nil, &pointerTextError{name, err}
	}
	doc, _ := v.(map[string]any)
	return doc, nil
}

// outsOf reads the list of outs of a .dvc file or of a stage of a lock.
func (p *dvcProject) outsOf(doc map[string]any, dir string) []foreignOut {
	list, _ := doc["outs"].([]any)
	var outs []foreignOut
	for _, v := range list {
		m, _ := v.(map[string]any)
		name, _ := m["path"].(string)
		if name == "" || m["cache"] == "false" {
			continue
		}
		outs = append(outs, dvcOut(m, name, dir))
	}
	return outs
}

func dvcOut(m map[string]any, name, dir string) foreignOut {
	out := foreignOut{Path: path.Join(dir, name), Exec: m["isexec"] == "true", Size: -1}
	digest, _ := m["md5"].(string)
	if size, ok := m["size"].(string); ok {
		if n, err := strconv.ParseInt(size, 10, 64); err == nil {
			out.Size = n
		}
	}
	digest, out.Dir = strings.CutSuffix(digest, dirOfDVC)
	kind := hashDOS
	if m["hash"] == "md5" {
		kind = hashMD5
	}
	out.Hash = kind + digest
	switch _, listed := m["files"]; {
	case path.IsAbs(name) || strings.Contains(name, "://"):
		out.Path, out.Wrong = name, "it lies outside of the project"
	case listed:
		out.Wrong = "its files are listed in the pointer itself, as for a version-aware remote"
	case !isHex(digest, 32):
		out.Wrong = "it has no MD5, as what was never downloaded"
	}
	return out
}

// Places implements foreign: DVC 3 has files/md5/ab/…, earlier ones ab/….
func (p *dvcProject) Places(hash string) []string { return p.places(hash, "") }

func (p *dvcProject) places(hash, suffix string) []string {
	kind, digest, _ := strings.Cut(hash, ":")
	name := filepath.Join(digest[:2], digest[2:]+suffix)
	var places []string
	for _, dir := range p.stores {
		now, before := filepath.Join(dir, "files", "md5", name), filepath.Join(dir, name)
		if kind+":" == hashDOS {
			now, before = before, now
		}
		places = append(places, now, before)
	}
	return places
}

// Looked implements foreign.
func (p *dvcProject) Looked() []string { return p.stores }

// Check implements foreign.
func (p *dvcProject) Check(hash string) checker {
	digest, isPlain := strings.CutPrefix(hash, hashMD5)
	if isPlain {
		return digestCheck{md5.New(), digest} //nolint:gosec // see the import
	}
	digest = strings.TrimPrefix(hash, hashDOS)
	return &dosCheck{plain: digestCheck{md5.New(), digest}, unix: digestCheck{md5.New(), digest}} //nolint:gosec // see the import
}

// dosBlock is how many bytes DVC reads at once; line ends are made those of
// Unix within such a block alone.
const dosBlock = 1 << 20

// dosCheck checks what DVC before version 3 named: MD5 of the bytes, or, if it
// took them for text, of them with the line ends of Unix.
type dosCheck struct {
	plain, unix digestCheck
	block       []byte
}

func (c *dosCheck) Write(b []byte) (int, error) {
	c.plain.Write(b) //nolint:errcheck // a hash takes everything
	for rest := b; len(rest) > 0; {
		n := min(len(rest), dosBlock-len(c.block))
		c.block, rest = append(c.block, rest[:n]...), rest[n:]
		if len(c.block) == dosBlock {
			c.flush()
		}
	}
	return len(b), nil
}

func (c *dosCheck) flush() {
	c.unix.Write(bytes.ReplaceAll(c.block, []byte("\r\n"), []byte("\n"))) //nolint:errcheck // a hash takes everything
	c.block = c.block[:0]
}

func (c *dosCheck) Matches() bool {
	c.flush()
	return c.plain.Matches() || c.unix.Matches()
}

// dvcItem is one file of the listing of a folder.
type dvcItem struct {
	MD5    string `json:"md5"`
	Path   string `json:"relpath"`
	IsExec bool   `json:"isexec"`
}

// Listing implements foreign.
func (p *dvcProject) Listing(ctx context.Context, hash string) iter.Seq2[foreignFile, error] {
	return func(yield func(foreignFile, error) bool) {
		l := p.listing(ctx, hash)
		if l.err != nil {
			yield(foreignFile{}, l.err)
			return
		}
		kind, _, _ := strings.Cut(hash, ":")
		send := func(item dvcItem) bool {
			f := foreignFile{Path: item.Path, Hash: kind + ":" + item.MD5, Size: -1, Exec: item.IsExec}
			if !isHex(item.MD5, 32) {
				f.Wrong = "its listing has no MD5 for it"
			}
			return yield(f, nil)
		}
		if l.sorted {
			if err := p.readListing(l.file, io.Discard, send); err != nil {
				yield(foreignFile{}, err)
			}
			return
		}
		var all []dvcItem
		err := p.readListing(l.file, io.Discard, func(item dvcItem) bool { all = append(all, item); return true })
		if err != nil {
			yield(foreignFile{}, err)
			return
		}
		slices.SortFunc(all, func(a, b dvcItem) int { return strings.Compare(a.Path, b.Path) })
		for i, item := range all {
			if i > 0 && item.Path == all[i-1].Path {
				continue
			}
			if !send(item) {
				return
			}
		}
	}
}

// listing finds the file that holds a listing, and checks it against its MD5.
func (p *dvcProject) listing(ctx context.Context, hash string) dvcListing {
	if l, ok := p.lists[hash]; ok {
		return l
	}
	l := dvcListing{err: &notHeldError{"the listing of the folder is missing"}}
	for _, file := range p.places(hash, dirOfDVC) {
		if ctx.Err() != nil {
			return dvcListing{err: ctx.Err()}
		}
		check, sorted, last := p.Check(hash), true, ""
		err := p.readListing(file, check, func(item dvcItem) bool {
			sorted, last = sorted && (last == "" || last < item.Path), item.Path
			return true
		})
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil && !errors.Is(err, errNoListing) {
			return dvcListing{err: err} // what cannot be read may yet be whole
		}
		if err == nil && check.Matches() {
			l = dvcListing{file: file, sorted: sorted}
			break
		}
		l.err = &notHeldError{fmt.Sprintf("the listing of the folder is damaged: %s", file)}
	}
	p.lists[hash] = l
	return l
}

// errNoListing is for a file that can be read and is no listing of a folder.
var errNoListing = errors.New("it is no listing of a folder")

// failedReader keeps the error that reading ended with, if it did not end
// with the file.
type failedReader struct {
	io.Reader
	err error
}

func (r *failedReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// readListing calls each for the items of a listing, and copies its bytes. An
// errNoListing says that the file was read and holds something else.
func (p *dvcProject) readListing(file string, copyTo io.Writer, each func(dvcItem) bool) error {
	f, err := p.fs.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	from := &failedReader{Reader: f}
	in := io.TeeReader(from, copyTo)
	d := json.NewDecoder(in)
	no := func(err error) error {
		if from.err != nil {
			return fmt.Errorf("%s: %w", file, from.err)
		}
		return fmt.Errorf("%s: %w: %w", file, errNoListing, err)
	}
	if t, err := d.Token(); err != nil {
		return no(err)
	} else if t != json.Delim('[') {
		return no(fmt.Errorf("it begins with %v", t))
	}
	for d.More() {
		var item dvcItem
		if err := d.Decode(&item); err != nil {
			return no(err)
		}
		if !each(item) {
			return nil
		}
	}
	if _, err := d.Token(); err != nil {
		return no(err)
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
