package core

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// ModelLinkOptions say what is tied to what.
type ModelLinkOptions struct {
	Model  string
	Rev    string       // the data; empty: HEAD
	Splits []ModelSplit // that it saw; none: all of the data
	// Weights and Params are files, absolute; empty: none. Params is text.
	Weights, Params string
	Metrics         map[string]string
	// Code is a git revision, kept as its full hash where the git repository
	// around the dataset knows it. While paired it has to.
	Code string
	// Force replaces another link of the model.
	Force bool
}

// LinkModel ties a model to the data of a commit. A model that is linked
// already is refused with a *ModelExistsError, unless that is the same link,
// or one to the same data that says nothing else.
func (r *Repo) LinkModel(ctx context.Context, opt ModelLinkOptions) (m ModelInfo, err error) {
	name, err := modelName(opt.Model)
	if err != nil {
		return ModelInfo{}, err
	}
	link, err := r.describeModel(ctx, modelID(name), opt)
	if err != nil {
		return ModelInfo{}, err
	}
	s, err := r.begin(ctx)
	if err != nil {
		return ModelInfo{}, err
	}
	defer func() { err = firstError(err, s.end()) }()
	target, err := s.resolveCommit(ctx, orHead(opt.Rev))
	if err != nil {
		return ModelInfo{}, err
	}
	return s.linkModel(ctx, name, link, target.ID, opt.Force)
}

// describeModel gathers what a link says, without the writer lock: weights
// are large.
func (r *Repo) describeModel(ctx context.Context, id string, opt ModelLinkOptions) (ModelLink, error) {
	link := ModelLink{Model: id, Splits: opt.Splits, Metrics: opt.Metrics, Code: opt.Code}
	if len(link.Metrics) == 0 {
		link.Metrics = nil
	}
	if opt.Params != "" {
		text, err := r.readParams(opt.Params)
		if err != nil {
			return link, err
		}
		link.Params = text
	}
	if err := link.check(); err != nil {
		return link, err
	}
	if opt.Weights != "" {
		hash, err := Hash(ctx, r.env.FS, opt.Weights)
		if err != nil {
			return link, err
		}
		link.Weights = &ModelWeights{Name: r.weightsName(opt.Weights), Size: hash.Size, Content: hash.Content}
	}
	if opt.Code == "" {
		return link, nil
	}
	var err error
	link.Code, err = r.codeRevision(ctx, opt.Code)
	return link, err
}

func (r *Repo) readParams(name string) (string, error) {
	f, err := r.env.FS.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	// One byte more than may be: a link then says that it is too long.
	text, err := io.ReadAll(io.LimitReader(f, MaxModelParams+1))
	return string(text), err
}

// weightsName is how a link names a file: below the root relative to it, as
// others have it too.
func (r *Repo) weightsName(name string) string {
	rel, err := filepath.Rel(r.root, name)
	if err != nil || !inside(r.root, name) {
		return filepath.ToSlash(name)
	}
	return filepath.ToSlash(rel)
}

// weightsFile is where a file that a link names is.
func (r *Repo) weightsFile(name string) string {
	name = filepath.FromSlash(name)
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.root, name)
}

// codeRevision finds the full hash of a git revision, for names move. A dataset
// that is not paired may have its code in another repository, so that what the
// one around it does not know is kept as it was said.
func (r *Repo) codeRevision(ctx context.Context, rev string) (string, error) {
	paired, err := r.Paired()
	if err != nil {
		return "", err
	}
	git, err := openGit(ctx, r.env, r.root)
	if err == nil {
		defer git.close()
		rev, err = resolvedCode(ctx, git, rev)
	}
	if paired || err == nil || ctx.Err() != nil {
		return rev, err
	}
	if strings.HasPrefix(rev, "HEAD") || strings.HasPrefix(rev, "@") {
		return "", &UsageError{
			What: fmt.Sprintf("%s says nothing of the code, for there is no git repository around the dataset that has it", rev),
			Hint: `name the full hash of the code ("git rev-parse HEAD" prints it)`,
		}
	}
	return rev, nil
}

// resolvedCode is the full hash of a revision; with an error the revision.
func resolvedCode(ctx context.Context, git *gitPlace, rev string) (string, error) {
	hash, err := git.Resolve(ctx, rev)
	if err != nil {
		return rev, err
	}
	return hash, nil
}

// linkModel records a link to a data commit.
func (s *session) linkModel(ctx context.Context, name refs.Name, link ModelLink, at objects.ID, force bool) (ModelInfo, error) {
	data, err := s.commit(ctx, at)
	if err != nil {
		return ModelInfo{}, err
	}
	if len(link.Splits) > 0 {
		if link.Splits, err = namedSplits(link.Splits, data, at); err != nil {
			return ModelInfo{}, err
		}
	}
	if link.Fingerprints, err = fingerprintsOf(link.Splits, data, at); err != nil {
		return ModelInfo{}, err
	}
	c, err := linkCommit(link, at, data)
	if err != nil {
		return ModelInfo{}, err
	}
	c.Author, c.Time = s.env.Who, s.env.Now()
	old, err := s.view.Get(ctx, name)
	if err != nil {
		return ModelInfo{}, err
	}
	if !old.IsZero() {
		there, err := s.readModel(ctx, link.Model, old.Commit)
		switch same, gains := sameLink(there, link, at); {
		case err != nil && !force:
			return ModelInfo{}, err
		case err == nil && same:
			return there, nil
		case !gains && !force:
			return ModelInfo{}, &ModelExistsError{Model: there}
		}
	}
	o, err := objects.EncodeCommit(c)
	if err != nil {
		return ModelInfo{}, err
	}
	id, err := s.store.Put(ctx, o)
	if err != nil {
		return ModelInfo{}, err
	}
	if err := s.move(ctx, refs.Op{Moves: []refs.Move{{Name: name, Old: old, New: refs.Value{Commit: id}}}}); err != nil {
		return ModelInfo{}, err
	}
	return s.readModel(ctx, link.Model, id)
}

// sameLink reports whether a link says what another one would, and whether it
// says nothing but the same data, so that nothing of it is lost.
func sameLink(there ModelInfo, link ModelLink, at objects.ID) (same, gains bool) {
	if there.Commit != at {
		return false, false
	}
	has, err := there.Encode()
	if err != nil {
		return false, false
	}
	would, err := link.Encode()
	if err != nil {
		return false, false
	}
	return maps.Equal(has, would), len(has) == 1
}

// namedSplits finds the schemes of splits that name none, as their commit has
// them. It fails with a *NoSplitError.
func namedSplits(splits []ModelSplit, data objects.Commit, at objects.ID) ([]ModelSplit, error) {
	h := splitsAt{where: commitText(at), splits: data.Splits}
	list := slices.Clone(splits)
	for i, s := range list {
		scheme, err := h.schemeOf(s.Scheme, []string{s.Split})
		if err != nil {
			return nil, err
		}
		list[i].Scheme = scheme
	}
	return slices.Compact(slices.SortedFunc(slices.Values(list), compareModelSplits)), nil
}

// fingerprintsOf finds the fingerprints of splits in their commit. It fails
// with a *NoSplitError.
func fingerprintsOf(splits []ModelSplit, data objects.Commit, at objects.ID) (map[string]objects.ID, error) {
	if len(splits) == 0 {
		return nil, nil
	}
	known := make(map[string]objects.ID)
	for _, scheme := range data.Splits {
		for split, id := range scheme.Fingerprints {
			known[scheme.Scheme+"/"+split] = id
		}
	}
	found := make(map[string]objects.ID)
	for _, s := range splits {
		id, ok := known[s.Name()]
		if !ok {
			return nil, &NoSplitError{Where: commitText(at), Scheme: s.Scheme, Split: s.Split, Have: splitNames(data.Splits)}
		}
		found[s.Name()] = id
	}
	return found, nil
}

// UnlinkModels takes the names of models away, all or none, and returns what
// they were. A commit that was made with --model goes on saying so.
func (r *Repo) UnlinkModels(ctx context.Context, ids []string) (list []ModelInfo, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, s.end()) }()
	var moves []refs.Move
	seen := make(map[refs.Name]bool)
	for _, id := range ids {
		name, err := modelName(id)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		m, err := s.modelIn(ctx, s.view, id)
		if err != nil {
			return nil, err
		}
		old, err := s.view.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
		moves = append(moves, refs.Move{Name: name, Old: old})
	}
	if len(moves) == 0 {
		return nil, nil
	}
	return list, s.move(ctx, refs.Op{Moves: moves})
}
