package gitpair

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// maxObject is the most bytes of a git object that are read: trees and commits
// are small, and a larger blob is no pointer.
const maxObject = 64 << 20

// reader reads git's objects and refs. Objects are raw, so that everything
// above is the same whoever reads, and whatever hash names them.
type reader interface {
	// object returns the object of that name in hexadecimal; ErrMissing. One
	// above maxObject is an error.
	object(ctx context.Context, hash string) (object, error)
	// refs returns every ref below refs/, in no order, without symbolic ones.
	refs(ctx context.Context) ([]ref, error)
	// head returns what HEAD of this work tree says.
	head(ctx context.Context) (Head, error)
	// resolve returns the hash of what a revision names, in git's grammar.
	resolve(ctx context.Context, rev string) (string, error)
	close() error
}

type object struct {
	kind string // commit, tree, blob, tag
	data []byte
}

type ref struct{ name, hash string }

// ask asks the readers one after the other, until one knows.
func ask[T any](r *Repo, fn func(reader) (T, error)) (T, error) {
	var first error
	for _, rd := range r.readers {
		v, err := fn(rd)
		if err == nil {
			return v, nil
		}
		if first == nil {
			first = err
		}
	}
	var none T
	return none, first
}

func (r *Repo) object(ctx context.Context, hash string) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	return ask(r, func(rd reader) (object, error) { return rd.object(ctx, hash) })
}

// gitCommit is what is used of a commit of git.
type gitCommit struct {
	tree    string
	parents []string
	time    int64 // of the committer, seconds since 1970
}

func parseCommit(data []byte) (c gitCommit, err error) {
	head, _, _ := bytes.Cut(data, []byte("\n\n"))
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		key, value, _ := bytes.Cut(line, []byte(" "))
		switch string(key) {
		case "tree":
			c.tree = string(value)
		case "parent":
			c.parents = append(c.parents, string(value))
		case "committer":
			if at := bytes.LastIndexByte(value, '>'); at >= 0 {
				seconds, _, _ := bytes.Cut(bytes.TrimSpace(value[at+1:]), []byte(" "))
				c.time, _ = strconv.ParseInt(string(seconds), 10, 64) // git reads a bad date as 0, too
			}
		}
	}
	if !isHash(c.tree) {
		return c, errors.New("a damaged commit of git")
	}
	return c, nil
}

type treeEntry struct {
	name string
	tree bool
	file bool // a regular file
	hash string
}

func parseTree(data []byte, hashLen int) ([]treeEntry, error) {
	var list []treeEntry
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, ok2 := bytes.Cut(head, []byte(" "))
		if !ok || !ok2 || len(rest) < hashLen {
			return nil, errors.New("a damaged tree of git")
		}
		m := string(mode)
		list = append(list, treeEntry{
			name: string(name), tree: m == "40000" || m == "040000", file: m == "100644" || m == "100755" || m == "100664",
			hash: hex.EncodeToString(rest[:hashLen]),
		})
		data = rest[hashLen:]
	}
	return list, nil
}

func isHash(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// peel follows tags to what they name. kind is that of what is returned.
func (r *Repo) peel(ctx context.Context, hash string) (string, object, error) {
	for range 20 {
		o, err := r.object(ctx, hash)
		if err != nil || o.kind != "tag" {
			return hash, o, err
		}
		line, _, _ := bytes.Cut(o.data, []byte("\n"))
		target, ok := bytes.CutPrefix(line, []byte("object "))
		if !ok || !isHash(string(target)) {
			return hash, o, fmt.Errorf("%s: a damaged tag of git", hash)
		}
		hash = string(target)
	}
	return hash, object{}, fmt.Errorf("%s: too many tags of tags", hash)
}

func (r *Repo) commit(ctx context.Context, hash string) (gitCommit, error) {
	o, err := r.object(ctx, hash)
	if err != nil {
		return gitCommit{}, err
	}
	if o.kind != "commit" {
		return gitCommit{}, fmt.Errorf("%s is a %s, not a commit", hash, o.kind)
	}
	return parseCommit(o.data)
}

func (r *Repo) tree(ctx context.Context, hash string) ([]treeEntry, error) {
	o, err := r.object(ctx, hash)
	if err != nil {
		return nil, err
	}
	if o.kind != "tree" {
		return nil, fmt.Errorf("%s is a %s, not a tree", hash, o.kind)
	}
	return parseTree(o.data, len(hash)/2)
}

func (r *Repo) blob(ctx context.Context, hash string) ([]byte, error) {
	o, err := r.object(ctx, hash)
	return o.data, err
}

// Head is where HEAD of the work tree is.
type Head struct {
	Branch string // its short name; empty: detached
	Commit string // hexadecimal; empty: nothing was committed yet
}

// Head returns where HEAD is.
func (r *Repo) Head(ctx context.Context) (Head, error) {
	return ask(r, func(rd reader) (Head, error) { return rd.head(ctx) })
}

// Resolve returns the hash of the commit that a revision in git's grammar
// names; a *RevisionError if it names none.
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) {
	hash := rev
	var err error
	switch {
	case rev == "HEAD":
		var h Head
		if h, err = r.Head(ctx); err == nil && h.Commit == "" {
			err = &RevisionError{rev}
		}
		hash = h.Commit
	case !isHash(rev):
		if hash, err = r.resolve(ctx, rev); err != nil && ctx.Err() == nil {
			err = &RevisionError{rev}
		}
	}
	if err != nil {
		return "", err
	}
	hash, o, err := r.peel(ctx, hash)
	if errors.Is(err, ErrMissing) || (err == nil && o.kind != "commit") {
		return "", &RevisionError{rev}
	}
	return hash, err
}

// resolve asks git itself where it can, for it alone knows all of its grammar.
func (r *Repo) resolve(ctx context.Context, rev string) (string, error) {
	if r.program != nil {
		return r.program.resolve(ctx, rev)
	}
	return ask(r, func(rd reader) (string, error) { return rd.resolve(ctx, rev) })
}
