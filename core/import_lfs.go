package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects/vfs"
)

const hashSHA256 = "sha256:"

// maxLFSPointer is the size that every git-lfs pointer is smaller than.
const maxLFSPointer = 1024

// lfsProject is a git repository that git-lfs keeps large files of.
type lfsProject struct {
	fs      vfs.FS
	history *gitpair.Revisions
	stores  []string // folders with objects as ab/cd/OID
	// attributes are those of the commits asked for last, a commit and its
	// parent: git-lfs keeps an empty file as an empty blob, which only they
	// tell from one of git's own.
	attributes map[string]*gitpair.Attributes
	events     Events
	warned     map[string]bool
}

var _ foreign = (*lfsProject)(nil)

// openLFS finds where the objects of a repository may lie.
func openLFS(env Env, h *gitpair.Revisions, from string) (*lfsProject, error) {
	p := &lfsProject{fs: env.FS, history: h, events: env.Events, attributes: make(map[string]*gitpair.Attributes), warned: make(map[string]bool)}
	urls, err := lfsURLs(env.FS, h)
	if err != nil {
		return nil, err
	}
	add := func(dir string) {
		for _, sub := range []string{"lfs/objects", ".git/lfs/objects", "objects", "."} {
			p.stores = append(p.stores, filepath.Join(dir, filepath.FromSlash(sub)))
		}
	}
	if from != "" {
		add(from)
	}
	if at := h.Setting("lfs", "", "storage"); at != "" {
		p.stores = append(p.stores, filepath.Join(absoluteIn(h.CommonDir(), at), "objects"))
	}
	p.stores = append(p.stores, filepath.Join(h.CommonDir(), "lfs", "objects"))
	for _, url := range append(urls, h.RemoteURLs()...) {
		if at, ok := folderOf(h.Root(), url); ok {
			add(at)
		}
	}
	p.stores = slices.Compact(p.stores)
	return p, nil
}

// lfsURLs are where git-lfs is told to look: in the configuration of git, or in
// the file that a project has for all its clones.
func lfsURLs(fsys vfs.FS, h *gitpair.Revisions) ([]string, error) {
	var urls []string
	for _, name := range []string{filepath.Join(h.CommonDir(), "config"), filepath.Join(h.Root(), ".lfsconfig")} {
		text, err := vfs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		settings := make(map[string]map[string]string)
		readINI(string(text), settings)
		for _, section := range slices.Sorted(maps.Keys(settings)) {
			if section == "lfs" {
				urls = append(urls, settings[section]["url"])
			}
			urls = append(urls, settings[section]["lfsurl"])
		}
	}
	return slices.DeleteFunc(urls, func(url string) bool { return url == "" }), nil
}

// Pointer implements foreign.
func (p *lfsProject) Pointer(path string, old, new *gitpair.RevisionFile) (string, error) {
	for _, f := range []*gitpair.RevisionFile{old, new} {
		if f == nil || f.Link {
			continue
		}
		size, err := p.history.BlobSize(f.Blob)
		if err != nil {
			return "", err
		}
		if size < maxLFSPointer {
			return path, nil
		}
	}
	return "", nil
}

// Outs implements foreign.
func (p *lfsProject) Outs(commit, pointer string, f *gitpair.RevisionFile) ([]foreignOut, error) {
	if f == nil || f.Link {
		return nil, nil
	}
	size, err := p.history.BlobSize(f.Blob)
	if err != nil || size >= maxLFSPointer {
		return nil, err
	}
	out := foreignOut{Path: pointer, Exec: f.Exec}
	if size == 0 {
		kept, err := p.keeps(commit, pointer)
		if err != nil || !kept {
			return nil, err
		}
		empty := sha256.New()
		out.Hash = hashSHA256 + hexOf(empty)
		return []foreignOut{out}, nil
	}
	text, err := p.history.Blob(f.Blob, maxLFSPointer)
	if err != nil {
		return nil, err
	}
	if !readLFSPointer(string(text), &out) {
		return nil, nil
	}
	// A text may just look like a pointer. One that no attribute gives to
	// git-lfs, which happens to real ones, must show that it is one.
	if p.held(out.Hash) {
		return []foreignOut{out}, nil
	}
	if kept, err := p.keeps(commit, pointer); err != nil || kept {
		return []foreignOut{out}, err
	}
	if key := f.Blob + pointer; !p.warned[key] {
		p.warned[key] = true
		p.events.Warn(Warning{Code: "loose_pointer", Path: pointer, Message: "not imported: it reads as a pointer of git-lfs, but no attribute says so in git commit " + commit[:10] + ", and its content is in no place"})
	}
	return nil, nil
}

// held reports whether a place has a file for a content.
func (p *lfsProject) held(hash string) bool {
	return slices.ContainsFunc(p.Places(hash), func(place string) bool {
		_, err := p.fs.Lstat(place)
		return err == nil
	})
}

// keeps reports whether the attributes of a commit give a path to git-lfs.
func (p *lfsProject) keeps(commit, path string) (bool, error) {
	a, ok := p.attributes[commit]
	if !ok {
		var err error
		if a, err = p.history.Attributes(commit); err != nil {
			return false, err
		}
		if len(p.attributes) > 1 {
			clear(p.attributes)
		}
		p.attributes[commit] = a
	}
	return a.Value(path, "filter") == "lfs", nil
}

// readLFSPointer reads the text of a pointer into out.
func readLFSPointer(text string, out *foreignOut) bool {
	lines := strings.Split(text, "\n")
	version, ok := strings.CutPrefix(lines[0], "version ")
	if !ok || version != "https://git-lfs.github.com/spec/v1" && version != "http://git-media.io/v/2" && version != "https://hawser.github.com/spec/v1" {
		return false
	}
	out.Size = -1
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(key, "ext-"):
			out.Wrong = "an extension of git-lfs transforms it"
		case key == "oid":
			out.Hash = value
		case key == "size":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				return false
			}
			out.Size = n
		}
	}
	digest, ok := strings.CutPrefix(out.Hash, hashSHA256)
	return ok && isHex(digest, 64) && out.Size >= 0
}

// Listing implements foreign: git-lfs keeps no folders.
func (p *lfsProject) Listing(context.Context, string) iter.Seq2[foreignFile, error] {
	return func(func(foreignFile, error) bool) {}
}

// Places implements foreign.
func (p *lfsProject) Places(hash string) []string {
	oid := strings.TrimPrefix(hash, hashSHA256)
	var places []string
	for _, dir := range p.stores {
		places = append(places, filepath.Join(dir, oid[:2], oid[2:4], oid))
	}
	return places
}

// Looked implements foreign.
func (p *lfsProject) Looked() []string { return p.stores }

// Check implements foreign.
func (p *lfsProject) Check(hash string) checker {
	return digestCheck{sha256.New(), strings.TrimPrefix(hash, hashSHA256)}
}
