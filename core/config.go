package core

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Config is this copy's own settings, `.mlvc/config`. It is not versioned.
type Config struct {
	User    UserConfig              `toml:"user,omitempty"`
	GC      GCConfig                `toml:"gc,omitempty"`
	Git     GitConfig               `toml:"git,omitempty"`
	Remotes map[string]RemoteConfig `toml:"remote,omitempty"`
	Backups map[string]BackupConfig `toml:"backup,omitempty"`
}

// UserConfig is who signs commits made here.
type UserConfig struct {
	Name  string `toml:"name,omitempty"`
	Email string `toml:"email,omitempty"`
}

// sign returns who, with what the settings say in place of it.
func (c UserConfig) sign(who objects.Signature) objects.Signature {
	if c.Name != "" {
		who.Name = c.Name
	}
	if c.Email != "" {
		who.Email = c.Email
	}
	return who
}

// GCConfig says what gc may remove.
type GCConfig struct {
	// KeepDays: what operations younger than this reach is kept. Default 30.
	KeepDays *int `toml:"keep_days,omitempty"`
	// GraceMinutes is the least time between marking and deleting. Default 60.
	GraceMinutes *int `toml:"grace_minutes,omitempty"`
}

// Keep is how long operations keep what they reach.
func (c GCConfig) Keep() time.Duration {
	days := 30
	if c.KeepDays != nil {
		days = *c.KeepDays
	}
	return time.Duration(days) * 24 * time.Hour
}

// Grace is the least time between marking and deleting.
func (c GCConfig) Grace() time.Duration {
	minutes := 60
	if c.GraceMinutes != nil {
		minutes = *c.GraceMinutes
	}
	return time.Duration(minutes) * time.Minute
}

// GitConfig says how hooks behave. An empty choice is its default, the first.
type GitConfig struct {
	// Follow: whether data follow the code. auto, ask or off.
	Follow string `toml:"follow,omitempty"`
	// Commit: what happens before a git commit. check looks whether the pointer
	// names the data, auto commits the data and the pointer too. check, auto
	// or off.
	Commit string `toml:"commit,omitempty"`
	// Push: what happens before a git push. check refuses to publish a pointer
	// whose data are not on the remote, auto pushes them. check, auto or off.
	Push string `toml:"push,omitempty"`
}

// gitChoices are what each setting may say, the default first.
var gitChoices = []struct {
	key     string
	of      func(*GitConfig) *string
	choices []string
}{
	{"git.follow", func(g *GitConfig) *string { return &g.Follow }, []string{"auto", "ask", "off"}},
	{"git.commit", func(g *GitConfig) *string { return &g.Commit }, []string{"check", "auto", "off"}},
	{"git.push", func(g *GitConfig) *string { return &g.Push }, []string{"check", "auto", "off"}},
}

// complete puts the defaults in, and fails for a choice that there is not.
func (g *GitConfig) complete() error {
	for _, c := range gitChoices {
		switch value := c.of(g); {
		case *value == "":
			*value = c.choices[0]
		case !slices.Contains(c.choices, *value):
			return &UsageError{
				What: fmt.Sprintf("%s in .mlvc/config must be one of %s, not %q", c.key, strings.Join(c.choices, ", "), *value),
				Hint: "mlvc config " + c.key + " " + c.choices[0],
			}
		}
	}
	return nil
}

// ErrNoSetting is for a key that this version does not know.
var ErrNoSetting = errors.New("no such setting")

func decodeConfig(text []byte) (Config, error) {
	var c Config
	d := toml.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		var rules *RulesError
		if errors.As(rulesError(err), &rules) {
			rules.Where = strings.Replace(rules.Where, RulesFile, ".mlvc/config", 1)
			return Config{}, rules
		}
		return Config{}, err
	}
	if k := c.GC.KeepDays; k != nil && *k < 0 {
		return Config{}, &RulesError{".mlvc/config", "gc.keep_days must not be negative"}
	}
	if g := c.GC.GraceMinutes; g != nil && *g < 0 {
		return Config{}, &RulesError{".mlvc/config", "gc.grace_minutes must not be negative"}
	}
	return c, firstError(c.Git.complete(), c.checkRemotes(), c.checkBackups())
}

func (r *Repo) configPath() string { return filepath.Join(r.dir, "config") }

func (r *Repo) readConfig() ([]byte, error) {
	text, err := vfs.ReadFile(r.env.FS, r.configPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Config returns the settings of this copy.
func (r *Repo) Config() Config { return r.config }

// Setting is one key of the configuration and its value as text.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Settings lists what `.mlvc/config` sets, sorted by key.
func (r *Repo) Settings() ([]Setting, error) {
	tree, err := r.configTree()
	if err != nil {
		return nil, err
	}
	return flatten("", tree), nil
}

func flatten(prefix string, tree map[string]any) []Setting {
	var list []Setting
	for key, value := range tree {
		if sub, ok := value.(map[string]any); ok {
			list = append(list, flatten(prefix+key+".", sub)...)
			continue
		}
		list = append(list, Setting{prefix + key, fmt.Sprint(value)})
	}
	slices.SortFunc(list, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	return list
}

func (r *Repo) configTree() (map[string]any, error) {
	text, err := r.readConfig()
	if err != nil {
		return nil, err
	}
	tree := make(map[string]any)
	return tree, toml.Unmarshal(text, &tree)
}

// SetConfig sets one dotted key, or removes it when value is nil. The file is
// replaced atomically; a key or value that this version cannot read is refused
// and nothing changes.
func (r *Repo) SetConfig(key string, value *string) error {
	return r.editConfig(key, func(tree map[string]any) { setIn(tree, strings.Split(key, "."), value) })
}

// setIn sets a value in a tree of sections, or removes it when it is nil.
func setIn(tree map[string]any, path []string, value *string) {
	for _, name := range path[:len(path)-1] {
		sub, ok := tree[name].(map[string]any)
		if !ok {
			sub = make(map[string]any)
			tree[name] = sub
		}
		tree = sub
	}
	last := path[len(path)-1]
	if value == nil {
		delete(tree, last)
		return
	}
	tree[last] = *value
	if n, err := strconv.ParseInt(*value, 10, 64); err == nil {
		tree[last] = n
	}
}

// editConfig changes the settings; key names what for an error.
func (r *Repo) editConfig(key string, edit func(tree map[string]any)) error {
	tree, err := r.configTree()
	if err != nil {
		return err
	}
	edit(tree)
	text, err := toml.Marshal(tree)
	if err != nil {
		return err
	}
	config, err := decodeConfig(text)
	var usage *UsageError
	if errors.As(err, &usage) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %s (%w)", ErrNoSetting, key, err)
	}
	if err := vfs.WriteFile(r.env.FS, r.configPath(), text, 0o666); err != nil {
		return err
	}
	r.config = config
	return nil
}
