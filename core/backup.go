package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/parity"
	"github.com/mlvc/mlvc/remote/bucket"
)

// BackupConfig is what `.mlvc/config` says of a destination of backups.
type BackupConfig struct {
	// URL is an absolute path or a URL. It has no secrets.
	URL string `toml:"url"`
	// Type is the kind of sets that are made there; empty is auto, the kind of
	// the commit.
	Type string `toml:"type,omitempty"`
	// Parity is what each pack gets: "10+1", which is meant by the empty one,
	// or "off".
	Parity string `toml:"parity,omitempty"`
	// Encrypt are those who can read what is backed up there, separated by
	// commas; empty: everyone who can reach it.
	Encrypt string `toml:"encrypt,omitempty"`
	// What expire keeps; see backup.Policy. Without any nothing goes.
	KeepFull     int `toml:"keep_full,omitempty"`
	KeepFullDays int `toml:"keep_full_days,omitempty"`
	KeepDiff     int `toml:"keep_diff,omitempty"`
	KeepDaily    int `toml:"keep_daily,omitempty"`
	KeepWeekly   int `toml:"keep_weekly,omitempty"`
	KeepMonthly  int `toml:"keep_monthly,omitempty"`
}

// Policy is what expire keeps.
func (c BackupConfig) Policy() backup.Policy {
	return backup.Policy{
		KeepFull: c.KeepFull, KeepFullDays: c.KeepFullDays, KeepDiff: c.KeepDiff,
		KeepDaily: c.KeepDaily, KeepWeekly: c.KeepWeekly, KeepMonthly: c.KeepMonthly,
	}
}

// Recipients are those who can read what is backed up there.
func (c BackupConfig) Recipients() []string { return SplitRecipients(c.Encrypt) }

// kind is the kind of sets that the settings ask for.
func (c BackupConfig) kind() (objects.CommitKind, error) {
	kind := objects.CommitKind(c.Type)
	if kind == "" || kind == KindAuto {
		return KindAuto, nil
	}
	if !kind.Valid() {
		return "", fmt.Errorf("type is auto, full, incremental or differential, not %q", c.Type)
	}
	return kind, nil
}

// check says what is wrong with the settings.
func (c BackupConfig) check(where string) error {
	if err := checkURL(where+".url", c.URL); err != nil {
		return err
	}
	if _, err := c.kind(); err != nil {
		return fmt.Errorf("%s.%w", where, err)
	}
	if _, err := parseParity(c.Parity); err != nil {
		return fmt.Errorf("%s.%w", where, err)
	}
	if _, _, err := readRecipients(c.Recipients()); err != nil {
		return fmt.Errorf("%s.encrypt: %w", where, err)
	}
	for _, n := range []int{c.KeepFull, c.KeepFullDays, c.KeepDiff, c.KeepDaily, c.KeepWeekly, c.KeepMonthly} {
		if n < 0 {
			return fmt.Errorf("%s: what is kept must not be negative", where)
		}
	}
	return nil
}

// ParityOff is the word for no parity.
const ParityOff = "off"

// parseParity reads "10+1"; the empty word is the default, and off is nil.
func parseParity(word string) (*parity.Scheme, error) {
	switch word {
	case "":
		word = parity.Default.String()
	case ParityOff:
		return nil, nil
	}
	scheme, err := parity.ParseScheme(word)
	if err != nil {
		return nil, fmt.Errorf("%w; or %q", err, ParityOff)
	}
	return &scheme, nil
}

// checkBackups checks the destinations of the settings.
func (c Config) checkBackups() error {
	for _, name := range slices.Sorted(maps.Keys(c.Backups)) {
		err := checkRemoteName(name)
		if err == nil {
			err = c.Backups[name].check("backup." + name)
		}
		if err != nil {
			return &RulesError{".mlvc/config", err.Error()}
		}
	}
	return nil
}

// BackupPlace says where backup sets are.
type BackupPlace struct {
	Name string // in the settings; empty: it is not there
	URL  string // or an absolute path
	// Cache is a local folder for manifests, indexes and metadata packs. It is
	// made if it is missing, and may be lost at any time. With Temporary it is
	// removed in the end.
	Cache     string
	Temporary bool
	// Memory is a local folder for what must be remembered of destinations:
	// for whom they are encrypted, and the notes of a machine that has no
	// secret key. Empty: nothing is.
	Memory string
	Keys   BackupKeys
}

// NoBackupError is for a word that is neither a destination of the settings nor
// a place.
type NoBackupError struct {
	Name  string   // empty: none was named
	Known []string // sorted
}

func (e *NoBackupError) Error() string {
	if e.Name == "" {
		return "this repository has no destination of backups"
	}
	return fmt.Sprintf("there is no destination of backups %q", e.Name)
}

// BackupPlace finds what a word means: the name of a destination, or a path or
// URL, which it is given too. A single word that is neither a name nor a folder
// that is there is a *NoBackupError, so that a slip makes no folder.
func (r *Repo) BackupPlace(word, url string) (BackupPlace, error) {
	place := BackupPlace{URL: url}
	if c, ok := r.config.Backups[word]; ok {
		place.Name, place.URL = word, c.URL
	} else if !strings.ContainsAny(word, `/\.`) {
		if st, err := r.env.FS.Lstat(url); err != nil || st.Type == vfs.TypeRegular {
			return place, &NoBackupError{Name: word, Known: slices.Sorted(maps.Keys(r.config.Backups))}
		}
	}
	place.Cache, place.Memory = filepath.Join(r.cachePath(), "backup-"+place.hash()), filepath.Join(r.dir, "backups")
	return place, nil
}

// hash names a place in names of files.
func (p BackupPlace) hash() string {
	return objects.Sum(objects.KindChunk, []byte(p.URL)).String()[:16]
}

// Backups is an open destination of backup sets. Nothing of it needs a
// repository here, but for making sets.
type Backups struct {
	env   Env
	place BackupPlace
	url   string
	raw   bucket.Bucket // what is stored, encrypted or not
	keys  *openedKeys
	dest  *backup.Destination

	memory    placeMemory
	memoryErr error // it cannot be read: nothing is written then
}

// OpenBackups opens a destination. A place without sets is one that has none
// yet. Errors are a *PlaceError.
func OpenBackups(ctx context.Context, env Env, place BackupPlace) (*Backups, error) {
	if env.OpenBucket == nil {
		return nil, &PlaceError{place.Name, place.URL, errNoPlaces}
	}
	env = env.tidy()
	if err := checkURL("backup", place.URL); err != nil {
		return nil, err
	}
	keys, err := place.parse(env)
	if err != nil {
		return nil, err
	}
	raw, err := env.OpenBucket(ctx, place.URL)
	if err != nil {
		return nil, unreached(ctx, place.Name, place.URL, err)
	}
	b := &Backups{env: env, place: place, url: raw.String(), raw: raw, keys: keys}
	if err := vfs.MkdirAll(env.FS, place.Cache, 0o777); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	opt := backup.Options{FS: env.FS, Cache: place.Cache, Now: env.Now}
	if err := keys.options(ctx, &opt); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	if b.dest, err = backup.Open(ctx, raw, opt); err != nil {
		return nil, errors.Join(b.failed(err), raw.Close())
	}
	b.recall()
	if err := b.dest.Recovered(); err != nil {
		env.Events.Warn(Warning{Code: "list_recovered", Message: firstDamage(err) + `: the list was made again of its copy and of the sets that are there; "mlvc backup repair" puts it right`})
	}
	return b, nil
}

// Close closes it.
func (b *Backups) Close() error {
	err := b.raw.Close()
	if b.place.Temporary {
		err = errors.Join(err, removeAll(b.env.FS, b.place.Cache))
	}
	return err
}

// URL is where it is, without secrets.
func (b *Backups) URL() string { return b.url }

// failed names the place in an error that says no more than that something
// could not be reached.
func (b *Backups) failed(err error) error {
	var damaged *objects.ObjectError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &damaged), isDamage(err):
		return err
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, vfs.ErrNoSpace), errors.Is(err, bucket.ErrTooLarge):
		return &PlaceError{b.place.Name, b.url, err}
	}
	return err
}

// unwritten is failed for what is being written: what is not found then is the
// place itself, or what was just written there.
func (b *Backups) unwritten(err error) error {
	if at, ok := errors.AsType[*remote.DepotError](err); ok && at.URL == b.url && errors.Is(at, fs.ErrNotExist) {
		return &PlaceError{b.place.Name, b.url, fmt.Errorf("it went away while it was written: %w", err)}
	}
	return b.failed(err)
}

// damaged is failed for what was read from the destination: damage there is a
// *BackupDamageError.
func (b *Backups) damaged(err error) error {
	if err == nil || isKeyless(err) || !isDamage(err) || errors.Is(err, context.Canceled) {
		return b.failed(err)
	}
	return &BackupDamageError{URL: b.url, Err: err}
}

// BackupDamageError is for damage at a destination that parity did not heal.
type BackupDamageError struct {
	URL string
	Err error
}

func (e *BackupDamageError) Error() string { return firstDamage(e.Err) }

func (e *BackupDamageError) Unwrap() error { return e.Err }

// firstDamage says what is wrong on one line: the damage of a pack may be that of
// thousands of objects.
func firstDamage(err error) string {
	first, rest, more := strings.Cut(err.Error(), "\n")
	if more {
		first += fmt.Sprintf(" (and %d more)", strings.Count(rest, "\n")+1)
	}
	return first
}

// isDamage tells what is damaged or lost from a place that does not answer.
func isDamage(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, objects.ErrCorrupt) || errors.Is(err, objects.ErrNotFound) || errors.Is(err, bucket.ErrNotExist)
}

// set finds the set of a label; the empty label is the newest set.
func (b *Backups) set(label string) (backup.Set, error) {
	list := b.dest.List()
	if label == "" {
		if len(list.Sets) == 0 {
			return backup.Set{}, &NoSetsError{URL: b.url}
		}
		return list.Sets[len(list.Sets)-1], nil
	}
	parsed, err := backup.ParseLabel(label)
	if err != nil {
		return backup.Set{}, &UsageError{What: err.Error(), Hint: `"mlvc backup list" shows the labels`}
	}
	s, ok := list.Find(parsed)
	if !ok {
		return s, &backup.NoSetError{URL: b.url, Label: parsed}
	}
	return s, nil
}

// NoSetsError is for a place without any backup set.
type NoSetsError struct{ URL string }

func (e *NoSetsError) Error() string { return e.URL + ": there are no backups" }
