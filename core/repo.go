package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/badgerkv"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// Repo is one repository and its working tree. Its verbs may not run at the
// same time on one Repo; several processes may each open the repository.
type Repo struct {
	env     Env
	root    string // the folder that holds .mlvc, mlvc.toml and the data
	dir     string // root/.mlvc
	format  format
	config  Config
	db      kv.DB
	store   *store.Store
	pointer refs.Pointer
	// generation is this reader's place among the readers; nil: not reading.
	generation *flock.Flock
}

// ErrNoRepository is for a folder that is in no repository.
var ErrNoRepository = errors.New("not in a repository")

// findRoot looks for `.mlvc` in dir and every folder above it.
func findRoot(fsys vfs.FS, dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		st, err := fsys.Lstat(filepath.Join(at, Dir))
		if err == nil && st.Type == vfs.TypeDir {
			return at, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return "", err
		}
		if filepath.Dir(at) == at {
			return "", fmt.Errorf("%w: neither %s nor a folder above it has a %s", ErrNoRepository, dir, Dir)
		}
	}
}

// Open opens the repository that dir (absolute) is in. It takes no lock and
// does not open the database yet.
func Open(ctx context.Context, env Env, dir string) (*Repo, error) {
	root, err := findRoot(env.FS, dir)
	if err != nil {
		return nil, err
	}
	r := &Repo{env: env.tidy(), root: root, dir: filepath.Join(root, Dir)}
	if r.format, err = readFormat(env.FS, r.dir); err != nil {
		return nil, err
	}
	text, err := r.readConfig()
	if err != nil {
		return nil, err
	}
	if r.config, err = decodeConfig(text); err != nil {
		return nil, err
	}
	r.env.Who = r.config.User.sign(env.Who)
	if err := r.openStore(); err != nil {
		return nil, err
	}
	r.pointer = refs.NewFilePointer(env.FS, filepath.Join(r.dir, "current"))
	return r, ctx.Err()
}

func (r *Repo) openStore() error {
	db, err := badgerkv.Open(r.dbPath(), r.dbOptions())
	if err != nil {
		return err
	}
	r.db = db
	r.store = store.Open(store.Options{
		FS: r.env.FS, DB: db,
		Packs: filepath.Join(r.dir, "packs"), Temp: r.tempPath(),
	})
	return nil
}

func (r *Repo) dbOptions() badgerkv.Options {
	return badgerkv.Options{Wait: max(r.env.Wait, 10*time.Second), Free: r.env.FS.Free}
}

func (r *Repo) dbPath() string    { return filepath.Join(r.dir, "db") }
func (r *Repo) tempPath() string  { return filepath.Join(r.dir, "tmp") }
func (r *Repo) indexPath() string { return filepath.Join(r.dir, "index") }

// Root is the folder that holds the data, mlvc.toml and .mlvc.
func (r *Repo) Root() string { return r.root }

// ID is the repository's own name, made when it was.
func (r *Repo) ID() string { return r.format.ID }

// Store is the object store, for reading.
func (r *Repo) Store() objects.Getter { return r.store }

// Close lets go of the database and of open packs.
func (r *Repo) Close() error {
	defer r.stopReading()
	return errors.Join(r.store.Close(), r.db.Close())
}
