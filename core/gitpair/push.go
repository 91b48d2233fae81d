package gitpair

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
)

// PushedRef is one ref that git is about to push.
type PushedRef struct {
	LocalRef   string
	Local      string // hash; empty: the remote's ref is deleted
	RemoteRef  string
	RemoteHash string // what the remote has; empty: nothing
}

// ParsePushed reads what git hands to pre-push on standard input.
func ParsePushed(stdin []byte) ([]PushedRef, error) {
	var list []PushedRef
	for line := range strings.Lines(string(stdin)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 4 || !isHash(words[1]) || !isHash(words[3]) {
			return nil, fmt.Errorf("not a line of pre-push: %q", line)
		}
		list = append(list, PushedRef{words[0], notZero(words[1]), words[2], notZero(words[3])})
	}
	return list, nil
}

func notZero(hash string) string {
	if strings.Trim(hash, "0") == "" {
		return ""
	}
	return hash
}

// PushedNaming is a commit of mlvc that a pushed commit of git names.
type PushedNaming struct {
	Naming
	Git string // the first of the pushed commits of git that does
}

// ForPush returns what the pointers of the git commits name that the push
// would publish: those reached from the refs and not from what the remote has
// (as the refs say, and the remote-tracking branches of the remote of that
// name; empty: of none). Each commit of mlvc once a pointer file, parents
// before children.
func (r *Repo) ForPush(ctx context.Context, cacheFile, remote string, refs []PushedRef) ([]PushedNaming, error) {
	g := r.loadGraph(cacheFile)
	var push, has []string
	for _, f := range refs {
		if f.Local != "" {
			push = append(push, f.Local)
		}
		if f.RemoteHash != "" {
			has = append(has, f.RemoteHash)
		}
	}
	tracking, err := r.tracking(ctx, remote)
	if err != nil {
		return nil, err
	}
	held, err := g.extend(ctx, append(has, tracking...), lenient)
	if err != nil {
		return nil, err
	}
	pushed, err := g.extend(ctx, push, strict)
	if err != nil {
		return nil, err
	}
	r.saveGraph(cacheFile, g)
	seen := make(map[string]bool)
	g.order(held, seen)
	var list []PushedNaming
	once := make(map[Naming]bool)
	for _, raw := range g.order(pushed, seen) {
		for _, n := range g.names(raw) {
			if !once[n] {
				once[n] = true
				list = append(list, PushedNaming{n, hex.EncodeToString([]byte(raw))})
			}
		}
	}
	return list, nil
}

func (r *Repo) tracking(ctx context.Context, remote string) ([]string, error) {
	if remote == "" {
		return nil, nil
	}
	refs, err := ask(r, func(rd reader) ([]ref, error) { return rd.refs(ctx) })
	var list []string
	for _, f := range refs {
		if strings.HasPrefix(f.name, "refs/remotes/"+remote+"/") {
			list = append(list, f.hash)
		}
	}
	return list, err
}
