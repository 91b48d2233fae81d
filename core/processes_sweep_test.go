package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

// asProcess opens the repository as another process would: with a Repo, an
// Env, a clock and locks of its own.
func (d *data) asProcess(wait time.Duration) (*core.Repo, error) {
	env := d.env
	env.Now, env.Wait = time.Now, wait
	return core.Open(context.WithoutCancel(d.t.Context()), env, d.root)
}

// Two that commit at once both succeed, one after the other.
func TestTwoCommitAtOnce(t *testing.T) {
	d := newData(t)
	d.commit(core.CommitOptions{Message: "base"})
	const rounds = 5
	var group sync.WaitGroup
	var made sync.Map
	for _, who := range []string{"ada", "bob"} {
		group.Go(func() {
			for i := range rounds {
				d.write(fmt.Sprintf("%s/%d.txt", who, i), noise(uint64(i), 100_000))
				r, err := d.asProcess(time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := r.Commit(t.Context(), core.CommitOptions{Message: who, Kind: core.KindAuto, Paths: []string{who}})
				if err != nil || res.ID.IsZero() {
					t.Errorf("%s: %+v, %v", who, res, err)
				}
				made.Store(res.ID, who)
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	res := d.verify(true)
	if res.Commits != 2*rounds+1 {
		t.Errorf("%d commits, want %d", res.Commits, 2*rounds+1)
	}
	r := d.open()
	tree := takeCommit(t, r, d.head())
	for path, look := range takeDisk(t, d.root) {
		if tree[path] != look {
			t.Errorf("%q is not in the last commit", path)
		}
	}
}

// Readers beside running commits never fail, and never wait longer than a
// short window of the database.
func TestReadersBesideCommits(t *testing.T) {
	d := newData(t)
	d.write("a.txt", "a")
	d.commit(core.CommitOptions{Message: "base"})
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var slowest, looks atomic.Int64
	read := func(what string, fn func(*core.Repo) error) {
		group.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				r, err := d.asProcess(0)
				if err == nil {
					err = fn(r)
					if cerr := r.Close(); err == nil {
						err = cerr
					}
				}
				if err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
				looks.Add(1)
				if took := time.Since(start).Milliseconds(); took > slowest.Load() {
					slowest.Store(took)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	read("status", func(r *core.Repo) error {
		_, err := r.Status(t.Context(), []string{"a.txt"}, func(core.StatusEntry) error { return nil })
		return err
	})
	read("status of all", func(r *core.Repo) error {
		_, err := r.Status(t.Context(), nil, func(core.StatusEntry) error { return nil })
		return err
	})
	read("log", func(r *core.Repo) error {
		for _, err := range r.OpLog(t.Context()) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	for i := range max(3, 6/core.UnderRace) { // the third is undone
		big := make([]byte, 8<<20)
		rand.NewChaCha8([32]byte{byte(i)}).Read(big) //nolint:errcheck // never fails
		if err := os.WriteFile(filepath.Join(d.root, fmt.Sprintf("big%d", i%2)), big, 0o666); err != nil {
			t.Fatal(err)
		}
		for j := range 50 {
			d.write(fmt.Sprintf("many/%d/%d", i, j), fmt.Sprint(i, j))
		}
		r, err := d.asProcess(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Commit(t.Context(), core.CommitOptions{Message: "more", Kind: objects.Incremental}); err != nil {
			t.Error(err)
		}
		if i%3 == 2 {
			if _, err := r.Undo(t.Context(), core.UndoOptions{}); err != nil { // leaves an index of another tree
				t.Error(err)
			}
		}
		r.Close()
	}
	stop()
	group.Wait()
	t.Logf("%d looks, the slowest took %d ms", looks.Load(), slowest.Load())
	if slowest.Load() > 10_000 {
		t.Errorf("a look took %d ms", slowest.Load())
	}
	d.verify(true)
}
