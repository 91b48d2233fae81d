package core

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

// ModelLink is what a link says of a model beside the data that it saw. In a
// link commit it is kept in Meta; see FORMAT.md.
type ModelLink struct {
	Model string `json:"model"`
	// Splits are the splits that the model saw, and as what, sorted; none: it
	// saw all of the data.
	Splits  []ModelSplit      `json:"splits,omitempty"`
	Weights *ModelWeights     `json:"weights,omitempty"`
	Params  string            `json:"params,omitempty"` // text
	Metrics map[string]string `json:"metrics,omitempty"`
	Code    string            `json:"code,omitempty"` // a git revision
	// Fingerprints are those of the splits, by SCHEME/SPLIT, where the data
	// commit has them.
	Fingerprints map[string]objects.ID `json:"fingerprints,omitempty"`
}

// RoleTest is the role of a split that a model was only measured on: every
// other role counts as trained on.
const RoleTest = "test"

// ModelSplit is a split, and what a model took it as: train, val, test.
type ModelSplit struct {
	Role string `json:"role"`
	// Scheme is empty only where it was not said yet which: in options.
	Scheme string `json:"scheme"`
	Split  string `json:"split"`
}

// DefaultScheme is the scheme of the splits that are declared without one.
const DefaultScheme = split.Default

// Name is SCHEME/SPLIT.
func (s ModelSplit) Name() string { return s.Scheme + "/" + s.Split }

// String is ROLE=SPLIT, with the scheme where it is not the default one.
func (s ModelSplit) String() string {
	if s.Scheme == DefaultScheme || s.Scheme == "" {
		return s.Role + "=" + s.Split
	}
	return s.Role + "=" + s.Name()
}

// ParseModelSplit reads ROLE=SPLIT, ROLE=SCHEME/SPLIT, or SPLIT alone for one
// that has the role of its name. The scheme may also stand before a colon, as
// it does wherever splits are chosen; without one the data will say it.
func ParseModelSplit(text string) (ModelSplit, error) {
	role, split, ok := strings.Cut(text, "=")
	if !ok {
		split = role
	}
	s := ModelSplit{Role: role, Split: split}
	at := strings.IndexAny(split, "/:")
	if at >= 0 {
		s.Scheme, s.Split = split[:at], split[at+1:]
		if role == split {
			s.Role = s.Split
		}
	}
	if at == 0 || !s.valid() {
		return ModelSplit{}, &UsageError{
			What: fmt.Sprintf("%q does not say a split and what the model took it as", text),
			Hint: "write ROLE=SPLIT or ROLE=SCHEME/SPLIT, as in train=train,val=val",
		}
	}
	return s, nil
}

// valid: its scheme may not be known yet.
func (s ModelSplit) valid() bool {
	return isWord(s.Role) && (s.Scheme == "" || isWord(s.Scheme)) && isWord(s.Split)
}

// isWord reports whether s can stand in the text of a link without its marks.
func isWord(s string) bool {
	odd := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("=,/", r)
	}
	return s != "" && utf8.ValidString(s) && strings.IndexFunc(s, odd) < 0
}

func compareModelSplits(a, b ModelSplit) int {
	return slices.Compare([]string{a.Role, a.Scheme, a.Split}, []string{b.Role, b.Scheme, b.Split})
}

// ModelWeights name the file of a model's weights, and its bytes.
type ModelWeights struct {
	Name    string     `json:"name"` // relative to the root, or absolute outside of it
	Size    int64      `json:"size"`
	Content objects.ID `json:"content"`
}

// MaxModelParams is the longest text of parameters, in bytes.
const MaxModelParams = 64 << 10

// The keys of a link commit's Meta. The first marks it as one.
const (
	metaModel            = "mlvc.model"
	metaModelSplits      = "mlvc.model.splits"
	metaModelWeights     = "mlvc.model.weights"
	metaModelParams      = "mlvc.model.params"
	metaModelCode        = "mlvc.model.code"
	metaModelMetric      = "mlvc.model.metric."
	metaModelFingerprint = "mlvc.model.fingerprint."
)

const weightsHash = "blake3:"

// Encode returns the one encoding of the link, or says what cannot be encoded.
func (l ModelLink) Encode() (map[string]string, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	meta := map[string]string{metaModel: l.Model}
	set := func(key, value string) {
		if value != "" {
			meta[key] = value
		}
	}
	splits := make([]string, 0, len(l.Splits))
	if slices.ContainsFunc(l.Splits, func(s ModelSplit) bool { return s.Scheme == "" }) {
		return nil, fmt.Errorf("link of model %q: the scheme of a split is not named", l.Model)
	}
	for _, s := range slices.SortedFunc(slices.Values(l.Splits), compareModelSplits) {
		splits = append(splits, s.Role+"="+s.Name())
	}
	set(metaModelSplits, strings.Join(slices.Compact(splits), ","))
	if w := l.Weights; w != nil {
		set(metaModelWeights, fmt.Sprintf("%s%v %d %s", weightsHash, w.Content, w.Size, w.Name))
	}
	set(metaModelParams, l.Params)
	set(metaModelCode, l.Code)
	for key, value := range l.Metrics {
		meta[metaModelMetric+key] = value
	}
	for key, id := range l.Fingerprints {
		meta[metaModelFingerprint+key] = id.String()
	}
	return meta, nil
}

// check says what is wrong with a link.
func (l ModelLink) check() error {
	bad := func(what, hint string) error { return &UsageError{What: what, Hint: hint} }
	if l.Model == "" || !utf8.ValidString(l.Model) {
		return bad(fmt.Sprintf("%q is no ID of a model", l.Model), "")
	}
	for _, s := range l.Splits {
		if !s.valid() {
			return bad(fmt.Sprintf("%q is no split", s.String()), "")
		}
	}
	switch {
	case l.Weights != nil && (l.Weights.Name == "" || l.Weights.Size < 0 || !isLine(l.Weights.Name)):
		return bad(fmt.Sprintf("the path of the weights, %q, is not a line of text", l.Weights.Name), "rename the file")
	case !utf8.ValidString(l.Params):
		return bad("the parameters are not text in UTF-8", "commit the file with the data, or the weights, instead")
	case len(l.Params) > MaxModelParams:
		return bad(fmt.Sprintf("the parameters have more than %d bytes", MaxModelParams), "commit the file with the data instead")
	case !isLine(l.Code):
		return bad(fmt.Sprintf("the git revision %q is not a line of text", l.Code), "")
	}
	for key, value := range l.Metrics {
		if key == "" || !isLine(key) || !isLine(value) {
			return bad(fmt.Sprintf("the metric %q is not a line of text", key+"="+value), "write it as KEY=VALUE")
		}
	}
	for key := range l.Fingerprints {
		if scheme, split, _ := strings.Cut(key, "/"); !isWord(scheme) || !isWord(split) {
			return bad(fmt.Sprintf("%q is no split", key), "")
		}
	}
	return nil
}

// isLine reports whether s is text without control characters.
func isLine(s string) bool { return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0 }

// ParseModelLink reads what Encode writes, and nothing else: it fails with
// ErrCorrupt, and with ErrNewer for keys of links that it does not know. Keys
// that do not begin as those of links are not looked at.
func ParseModelLink(meta map[string]string) (ModelLink, error) {
	l := ModelLink{Model: meta[metaModel]}
	own := make(map[string]string)
	for key, value := range meta {
		if key != metaModel && !strings.HasPrefix(key, metaModel+".") {
			continue
		}
		own[key] = value
		if err := l.set(key, value); err != nil {
			return ModelLink{}, fmt.Errorf("link of model %q: %w", l.Model, err)
		}
	}
	again, err := l.Encode()
	if err != nil || !maps.Equal(again, own) {
		return ModelLink{}, fmt.Errorf("%w: link of model %q is not in its one valid form", objects.ErrCorrupt, l.Model)
	}
	return l, nil
}

// set takes one key of a link.
func (l *ModelLink) set(key, value string) error {
	switch key {
	case metaModel:
		return nil
	case metaModelSplits:
		for _, part := range strings.Split(value, ",") {
			s, err := ParseModelSplit(part)
			if err != nil {
				return fmt.Errorf("%w: %s: %w", objects.ErrCorrupt, key, err)
			}
			l.Splits = append(l.Splits, s)
		}
		return nil
	case metaModelWeights:
		return l.setWeights(value)
	case metaModelParams:
		l.Params = value
		return nil
	case metaModelCode:
		l.Code = value
		return nil
	}
	if metric, ok := strings.CutPrefix(key, metaModelMetric); ok {
		if l.Metrics == nil {
			l.Metrics = make(map[string]string)
		}
		l.Metrics[metric] = value
		return nil
	}
	if split, ok := strings.CutPrefix(key, metaModelFingerprint); ok {
		id, err := objects.ParseID(value)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", objects.ErrCorrupt, key, err)
		}
		if l.Fingerprints == nil {
			l.Fingerprints = make(map[string]objects.ID)
		}
		l.Fingerprints[split] = id
		return nil
	}
	return fmt.Errorf("key %s: %w", key, objects.ErrNewer)
}

func (l *ModelLink) setWeights(value string) error {
	words := strings.SplitN(value, " ", 3)
	digits, ok := strings.CutPrefix(words[0], weightsHash)
	if !ok || len(words) < 3 {
		return fmt.Errorf("%w: %s: %q", objects.ErrCorrupt, metaModelWeights, value)
	}
	id, err := objects.ParseID(digits)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", objects.ErrCorrupt, metaModelWeights, err)
	}
	size, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", objects.ErrCorrupt, metaModelWeights, err)
	}
	l.Weights = &ModelWeights{Name: words[2], Size: size, Content: id}
	return nil
}

// linkCommit makes the commit that records a link: an ordinary one that stands
// on the data commit, changes nothing, and is followed by whatever follows
// commits.
func linkCommit(l ModelLink, at objects.ID, data objects.Commit) (objects.Commit, error) {
	meta, err := l.Encode()
	if err != nil {
		return objects.Commit{}, err
	}
	return objects.Commit{
		Tree: data.Tree, Splits: data.Splits, Parents: []objects.ID{at}, Generation: history.Generation(data),
		Kind: objects.Incremental, Base: at,
		Delta:   objects.Delta{Files: data.Delta.Files, Bytes: data.Delta.Bytes},
		Message: "model " + l.Model, Meta: meta, Models: []string{l.Model},
	}, nil
}

// linkedData returns the data commit that a commit of a link stands for.
func linkedData(c objects.Commit) (objects.ID, bool) {
	model, ok := c.Meta[metaModel]
	if !ok || len(c.Parents) != 1 || c.Base != c.Parents[0] || len(c.Models) != 1 || c.Models[0] != model {
		return objects.ID{}, false
	}
	return c.Parents[0], true
}
