package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/bucket"
)

// DefaultRemote is the remote that clone makes, and that verbs mean when none
// is named.
const DefaultRemote = "origin"

// RemoteConfig is what `.mlvc/config` says of a remote.
type RemoteConfig struct {
	// URL is an absolute path or a URL. It has no secrets.
	URL string `toml:"url"`
}

// RemoteInfo is a remote of this repository.
type RemoteInfo struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Default bool   `json:"default,omitempty"` // meant where none is named
}

// NoRemoteError is for a remote that is not in the settings.
type NoRemoteError struct {
	Name  string   // empty: none was named, and which is meant cannot be told
	Known []string // sorted
}

func (e *NoRemoteError) Error() string {
	switch {
	case e.Name != "":
		return fmt.Sprintf("there is no remote %q", e.Name)
	case len(e.Known) == 0:
		return "this repository has no remote"
	}
	return fmt.Sprintf("none of the remotes %s is called %s, so name one", strings.Join(e.Known, ", "), DefaultRemote)
}

// RemoteExistsError is for a remote that is there already.
type RemoteExistsError struct{ Name, URL string }

func (e *RemoteExistsError) Error() string {
	return fmt.Sprintf("there is a remote %s already: %s", e.Name, e.URL)
}

// SecretError refuses a URL that has a password in it. It does not repeat it.
type SecretError struct{ Where string }

func (e *SecretError) Error() string {
	return e.Where + ": the URL has a password in it, and settings do not keep secrets"
}

// PlaceError says that a remote place could not be reached or used.
type PlaceError struct {
	Remote string // its name, if it has one
	URL    string // without secrets
	Err    error
}

func (e *PlaceError) Error() string {
	if e.Remote == "" {
		return fmt.Sprintf("%s: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("remote %s (%s): %v", e.Remote, e.URL, e.Err)
}

func (e *PlaceError) Unwrap() error { return e.Err }

// checkRemoteName says what is wrong with the name of a remote.
func checkRemoteName(name string) error {
	if strings.ContainsAny(name, "./") {
		return fmt.Errorf("%w: remote %q: a remote is one word without . and /", refs.ErrBadName, name)
	}
	return tracking(name, refs.Branch("x")).Validate()
}

// checkURL refuses what cannot be a place, or should not be written down.
func checkURL(where, url string) error {
	switch {
	case url == "":
		return &UsageError{What: where + ": the URL is empty", Hint: "give the absolute path of a folder, or a URL such as file:///mnt/share/faces"}
	case strings.ContainsFunc(url, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &UsageError{What: where + ": the URL has control characters in it", Hint: "give the path of a folder, or a URL"}
	}
	scheme, rest, isURL := cutScheme(url)
	if !isURL {
		if !filepath.IsAbs(url) {
			return &UsageError{What: fmt.Sprintf("%s: %s is not an absolute path", where, url), Hint: "settings hold for every folder that mlvc is called in, so give the whole path"}
		}
		return nil
	}
	authority, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 && strings.Contains(authority[:at], ":") {
		return &SecretError{Where: where}
	}
	if scheme == "" {
		return &UsageError{What: fmt.Sprintf("%s: %s names no kind of place", where, url), Hint: "give the path of a folder, or a URL such as file:///mnt/share/faces"}
	}
	return nil
}

// cutScheme splits SCHEME://REST, and says whether the text has that form.
func cutScheme(url string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(url, "://")
	if ok && strings.ContainsAny(scheme, `/\`) {
		return "", "", false // a path with :// somewhere in it
	}
	return scheme, rest, ok
}

// checkRemotes checks the remotes of the settings.
func (c Config) checkRemotes() error {
	for _, name := range slices.Sorted(maps.Keys(c.Remotes)) {
		where := "remote." + name
		err := checkRemoteName(name)
		if err == nil {
			err = checkURL(where+".url", c.Remotes[name].URL)
		}
		if err != nil {
			return &RulesError{".mlvc/config", err.Error()}
		}
	}
	return nil
}

// Remotes lists the remotes, sorted by name.
func (r *Repo) Remotes() []RemoteInfo {
	standard, _ := r.remote("")
	list := []RemoteInfo{}
	for _, name := range slices.Sorted(maps.Keys(r.config.Remotes)) {
		list = append(list, RemoteInfo{Name: name, URL: r.config.Remotes[name].URL, Default: name == standard.Name})
	}
	return list
}

// remote finds a remote by its name. Without one it is origin, or the only
// one.
func (r *Repo) remote(name string) (RemoteInfo, error) {
	known := slices.Sorted(maps.Keys(r.config.Remotes))
	if name == "" {
		switch _, ok := r.config.Remotes[DefaultRemote]; {
		case ok:
			name = DefaultRemote
		case len(known) == 1:
			name = known[0]
		default:
			return RemoteInfo{}, &NoRemoteError{Known: known}
		}
	}
	c, ok := r.config.Remotes[name]
	if !ok {
		return RemoteInfo{}, &NoRemoteError{Name: name, Known: known}
	}
	return RemoteInfo{Name: name, URL: c.URL}, nil
}

// AddRemote notes a remote in the settings. The place is not looked at, and
// need not exist yet. It fails with a *RemoteExistsError, a *SecretError or a
// *UsageError.
func (r *Repo) AddRemote(ctx context.Context, name, url string) (info RemoteInfo, err error) {
	if err := checkRemoteName(name); err != nil {
		return info, err
	}
	if err := checkURL("remote "+name, url); err != nil {
		return info, err
	}
	s, err := r.begin(ctx)
	if err != nil {
		return info, err
	}
	defer func() { err = firstError(err, s.end()) }()
	if old, ok := r.config.Remotes[name]; ok && old.URL != url {
		return info, &RemoteExistsError{Name: name, URL: old.URL}
	}
	if err := r.SetConfig("remote."+name+".url", &url); err != nil {
		return info, err
	}
	s.renewPointers(ctx)
	return r.remote(name)
}

// RemoveRemote forgets a remote, and the names that were fetched from it. The
// place itself is not touched.
func (r *Repo) RemoveRemote(ctx context.Context, name string) (info RemoteInfo, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return info, err
	}
	defer func() { err = firstError(err, s.end()) }()
	if info, err = r.remote(name); err != nil {
		return info, err
	}
	if err := r.checkNeeded(name); err != nil {
		return info, err
	}
	var moves []refs.Move
	for ref, err := range s.view.List(ctx, string(refs.Remotes)+name+"/") {
		if err != nil {
			return info, err
		}
		moves = append(moves, refs.Move{Name: ref.Name, Old: ref.Value})
	}
	// The names first: without the remote nothing would ever remove them.
	if len(moves) > 0 {
		if err := s.move(ctx, refs.Op{Moves: moves}); err != nil {
			return info, err
		}
	}
	err = r.editConfig("remote."+name, func(tree map[string]any) {
		if remotes, ok := tree["remote"].(map[string]any); ok {
			delete(remotes, name)
		}
	})
	if err == nil {
		s.forgotten = info.URL
		s.renewPointers(ctx)
	}
	return info, err
}

// RemoteNeededError refuses to forget a remote that has contents which are
// not here.
type RemoteNeededError struct{ Name string }

func (e *RemoteNeededError) Error() string {
	return fmt.Sprintf("remote %s has contents that are not in this repository", e.Name)
}

// checkNeeded refuses to forget where missing contents are.
func (r *Repo) checkNeeded(name string) error {
	part, err := r.readPart()
	if err == nil && part.Promised && part.Remote == name {
		err = &RemoteNeededError{Name: name}
	}
	return err
}

// tracking is the name under which what a name stands for at a remote is kept
// here.
func tracking(remote string, name refs.Name) refs.Name {
	return refs.Name(refs.Remotes + remote + "/" + strings.TrimPrefix(string(name), refs.Branches))
}

// tracks reports whether a name says where a remote was seen.
func tracks(name refs.Name) bool { return strings.HasPrefix(string(name), refs.Remotes) }

func (r *Repo) cachePath() string { return filepath.Join(r.dir, "cache") }

// errNoPlaces is for an Env that knows no places.
var errNoPlaces = errors.New("no remote places are known here")

// place is an open remote place.
type place struct {
	RemoteInfo
	bucket bucket.Bucket
	depot  *remote.Depot
}

// openPlace looks at a remote place. Errors are a *PlaceError.
func (r *Repo) openPlace(ctx context.Context, info RemoteInfo) (*place, error) {
	if r.env.OpenBucket == nil {
		return nil, &PlaceError{info.Name, info.URL, errNoPlaces}
	}
	cache := filepath.Join(r.cachePath(), info.Name)
	if err := vfs.MkdirAll(r.env.FS, cache, 0o777); err != nil {
		return nil, err
	}
	b, err := r.env.OpenBucket(ctx, info.URL)
	if err != nil {
		return nil, unreached(ctx, info.Name, info.URL, err)
	}
	d, err := remote.OpenDepot(ctx, b, remote.DepotOptions{FS: r.env.FS, Cache: cache, Now: r.env.Now})
	if err != nil {
		return nil, unreached(ctx, info.Name, b.String(), errors.Join(err, b.Close()))
	}
	return &place{RemoteInfo: info, bucket: b, depot: d}, nil
}

// unreached blames a place for an error, unless it was an interruption.
func unreached(ctx context.Context, name, url string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return &PlaceError{name, url, err}
}

// LostPlaceError is for a remote that had a repository when it was last seen,
// and has none now: as a mount point has whose disk is not mounted.
type LostPlaceError struct{ Remote, URL string }

func (e *LostPlaceError) Error() string {
	return fmt.Sprintf("remote %s (%s) has no repository any more, though it had one when it was last seen", e.Remote, e.URL)
}

// check fails with a *LostPlaceError for a place that lost what it had.
func (p *place) check(ctx context.Context, view refs.View) error {
	if !p.depot.Operation().IsZero() {
		return nil
	}
	for _, err := range view.List(ctx, refs.Remotes+p.Name+"/") {
		return firstError(err, &LostPlaceError{Remote: p.Name, URL: p.bucket.String()})
	}
	return nil
}

func (p *place) Close() error { return errors.Join(p.depot.Close(), p.bucket.Close()) }

// failed names the place in an error of a transfer.
func (p *place) failed(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrNoSpace) {
		return &PlaceError{p.Name, p.bucket.String(), err}
	}
	return fmt.Errorf("remote %s (%s): %w", p.Name, p.bucket.String(), err)
}
