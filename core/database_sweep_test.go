package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv/kvtest"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Each call of the database fails once, in a commit and in a gc; afterwards
// all is as if it had not been run, or as if it had been run to its end.
func TestSweepDatabase(t *testing.T) {
	verbs := map[string]func(*Repo, context.Context) error{
		"commit": func(r *Repo, ctx context.Context) error {
			_, err := r.Commit(ctx, CommitOptions{Message: "again", Kind: KindAuto})
			return err
		},
		"gc": func(r *Repo, ctx context.Context) error {
			var none time.Duration
			_, err := r.GC(ctx, GCOptions{Grace: &none})
			return err
		},
	}
	for verb, do := range verbs {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			d := newDatabaseSweep(t)
			step := 5 * UnderRace
			if os.Getenv("MLVC_SWEEP") != "" {
				step = 1
			}
			for i := 1 + rand.IntN(step); ; i += step {
				d.edit(i)
				if !d.try(i, do) {
					t.Logf("%d calls", i-1)
					return
				}
			}
		})
	}
}

type databaseSweep struct {
	t    *testing.T
	root string
	env  Env
}

func newDatabaseSweep(t *testing.T) *databaseSweep {
	d := &databaseSweep{t: t, root: t.TempDir()}
	d.env = Env{FS: vfs.OS, Now: time.Now, Who: objects.Signature{Name: "Ada"}, Command: "test", Events: NoEvents{}}
	r, err := Init(t.Context(), d.env, InitOptions{Dir: d.root})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	return d
}

func (d *databaseSweep) open() *Repo {
	r, err := Open(d.t.Context(), d.env, d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func (d *databaseSweep) edit(i int) {
	for _, name := range []string{"a", fmt.Sprint("b", i%5)} {
		if err := os.WriteFile(filepath.Join(d.root, name), fmt.Appendf(nil, "%s in step %d", name, i), 0o666); err != nil {
			d.t.Fatal(err)
		}
	}
}

// try runs a verb of which the i-th call of the database fails, and says
// whether there was one; then it runs it again.
func (d *databaseSweep) try(i int, do func(*Repo, context.Context) error) bool {
	ctx := d.t.Context()
	r := d.open()
	faulty := kvtest.Faulty(r.db, i)
	r.store = store.Open(store.Options{FS: r.env.FS, DB: faulty, Packs: filepath.Join(r.dir, "packs"), Temp: r.tempPath()})
	err := do(r, ctx)
	r.Close()
	if err != nil && !errors.Is(err, kvtest.ErrInjected) {
		d.t.Errorf("call %d: error does not say what failed: %v", i, err)
	}
	again := d.open()
	defer again.Close()
	d.verify(again, i)
	if err := do(again, ctx); err != nil {
		d.t.Errorf("call %d: the next run: %v", i, err)
	}
	d.verify(again, i)
	return faulty.Count() >= i
}

func (d *databaseSweep) verify(r *Repo, i int) {
	_, err := r.Verify(d.t.Context(), VerifyOptions{Full: true}, func(damage Damage) error {
		d.t.Errorf("call %d: damage: %+v", i, damage)
		return nil
	})
	if err != nil {
		d.t.Errorf("call %d: verify: %v", i, err)
	}
}
