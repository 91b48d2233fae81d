package backup_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// sampled is how much a test does: all of it where MLVC_SWEEP asks for that.
func sampled(all, usual, slow int) int {
	switch {
	case os.Getenv("MLVC_SWEEP") != "":
		return all
	case testing.Short() || raced:
		return slow
	}
	return usual
}

// sweepFaults lets every operation on a bucket fail in every way, or with
// everything after it, as if the process had died there. make returns the state
// before; work does the thing; after looks at what is left, and may go on.
func sweepFaults(t *testing.T, prepare func(t *testing.T) (*repo, bucket.Bucket), work func(r *repo, b bucket.Bucket) error, after func(r *repo, b bucket.Bucket)) {
	r, b := prepare(t)
	f := buckettest.NewFaulty(b, buckettest.Plan{})
	if err := work(r, f); err != nil {
		t.Fatal(err)
	}
	total := f.Count()
	step := sampled(1, 7, 19)
	for _, kind := range []buckettest.Kind{buckettest.Before, buckettest.After, buckettest.Midway} {
		for at := 1 + (int(kind)+3)%step; at <= total; at += step {
			for _, sticky := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%d/%v", kind, at, sticky), func(t *testing.T) {
					t.Parallel()
					r, b := prepare(t)
					f := buckettest.NewFaulty(b, buckettest.Plan{At: at, Kind: kind, Bytes: 100, Sticky: sticky})
					err := work(r, f)
					if err == nil && kind == buckettest.Before && sticky && at < total-3 {
						t.Errorf("%s failed and nobody noticed", f.Failed())
					}
					after(r, b)
				})
			}
		}
	}
}

// twoSets is a full and an incremental set, and a commit that has none.
func twoSets(t *testing.T) (*repo, bucket.Bucket) {
	r, b := newRepo(t, 7), buckettest.Memory()
	r.random()
	r.mustCreate(b, r.wanted(r.random(), objects.Full))
	r.mustCreate(b, r.wanted(r.random(), objects.Incremental))
	r.random()
	return r, b
}

// Wherever a backup fails the earlier sets are good, and the next run makes the
// set, with the packs that are there.
func TestCreateFaults(t *testing.T) {
	for _, kind := range []objects.CommitKind{objects.Full, objects.Incremental} {
		work := func(r *repo, b bucket.Bucket) error {
			opt := r.wanted(r.commits[len(r.commits)-1], kind)
			opt.Asked = true
			_, err := r.create(b, opt)
			return err
		}
		sweepFaults(t, twoSets, work, func(r *repo, b bucket.Bucket) {
			d := r.mustOpen(b)
			before := len(d.List().Sets)
			if before < 2 {
				r.t.Fatalf("%d sets", before)
			}
			if v, err := d.Verify(r.t.Context(), backup.VerifyOptions{}); err != nil || len(v.Damage) > 0 {
				r.t.Fatalf("%v, %+v", err, v.Damage)
			}
			r.check(b)
			if err := work(r, b); err != nil {
				r.t.Fatal(err)
			}
			if n := len(r.mustOpen(b).List().Sets); n != 3 {
				r.t.Fatalf("%d sets, want 3", n)
			}
			r.check(b)
			r.now = time.Now().Add(48 * time.Hour)
			if _, err := r.mustOpen(b).Sweep(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
			r.onlyNeeded(b)
			r.check(b)
		})
	}
}

// unplugged is a disk that is taken away after so many writes; what comes then
// goes to the folder that it was mounted on.
type unplugged struct {
	disk, under bucket.Bucket
	writes      atomic.Int64
}

// at is what lies at the mount point now.
func (u *unplugged) at() bucket.Bucket {
	if u.writes.Load() <= 0 {
		return u.under
	}
	return u.disk
}

func (u *unplugged) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	return u.at().Get(ctx, key)
}

func (u *unplugged) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return u.at().GetRange(ctx, key, offset, length)
}

func (u *unplugged) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	u.writes.Add(-1)
	return u.at().PutIfAbsent(ctx, key, body, size)
}

func (u *unplugged) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	return u.at().Swap(ctx, key, old, data)
}

func (u *unplugged) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return u.at().List(ctx, prefix)
}

func (u *unplugged) Delete(ctx context.Context, key string) error { return u.at().Delete(ctx, key) }

func (u *unplugged) String() string { return u.disk.String() }

func (u *unplugged) Close() error { return nil }

// A first set of which a part went elsewhere is not listed: what is, is whole.
func TestCreateUnplugged(t *testing.T) {
	for writes := 2; ; writes++ {
		r := newRepo(t, 3)
		r.random()
		disk, under := buckettest.Memory(), buckettest.Memory()
		u := &unplugged{disk: disk, under: under}
		u.writes.Store(int64(writes))
		_, err := r.create(u, r.wanted(r.random(), objects.Full))
		if u.writes.Load() > 0 {
			if err != nil || writes < 5 {
				t.Fatalf("%d writes: %v", writes, err)
			}
			return
		}
		for _, b := range []bucket.Bucket{disk, under} {
			v, verr := r.mustOpen(b).Verify(t.Context(), backup.VerifyOptions{})
			if verr != nil || len(v.Damage) > 0 || len(v.Sets) > 0 && err != nil {
				t.Errorf("unplugged before write %d: %d sets, %d damaged, %v, %v", writes, len(v.Sets), len(v.Damage), err, verr)
			}
		}
	}
}

// onlyNeeded fails for an object that no set needs.
func (r *repo) onlyNeeded(b bucket.Bucket) {
	r.t.Helper()
	want := map[string]bool{"backup": true}
	d := r.mustOpen(b)
	for _, s := range d.List().Sets {
		c, err := d.Chain(r.t.Context(), s.Label)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, p := range c.Packs() {
			key, err := c.Key(p.ID)
			if err != nil {
				r.t.Fatal(err)
			}
			want[key] = true
		}
		c.Close()
	}
	for info, err := range b.List(r.t.Context(), "") {
		if err != nil {
			r.t.Fatal(err)
		}
		if info.Key[len(info.Key)-4:] == "pack" && !want[info.Key] {
			r.t.Errorf("left behind: %s", info.Key)
		}
	}
}

// Wherever expiry fails what is left is good, and the next run goes on.
func TestExpireFaults(t *testing.T) {
	prepare := func(t *testing.T) (*repo, bucket.Bucket) {
		r, b := twoSets(t)
		opt := r.wanted(r.commits[len(r.commits)-1], objects.Full)
		opt.Asked = true
		r.mustCreate(b, opt)
		d := r.mustOpen(b)
		if _, err := d.Verify(r.t.Context(), backup.VerifyOptions{}); err != nil {
			r.t.Fatal(err)
		}
		if _, err := d.Expire(r.t.Context(), backup.ExpireOptions{Policy: backup.Policy{KeepFull: 1}, Grace: time.Hour}); err != nil {
			r.t.Fatal(err)
		}
		r.check(b) // they are marked, and there
		r.now = r.now.Add(2 * time.Hour)
		return r, b
	}
	work := func(r *repo, b bucket.Bucket) error {
		d, err := r.open(b)
		if err == nil {
			_, err = d.Expire(r.t.Context(), backup.ExpireOptions{Policy: backup.Policy{KeepFull: 1}, Grace: time.Hour})
		}
		return err
	}
	sweepFaults(t, prepare, work, func(r *repo, b bucket.Bucket) {
		r.check(b)
		if err := work(r, b); err != nil {
			r.t.Fatal(err)
		}
		if n := len(r.mustOpen(b).List().Sets); n != 1 {
			r.t.Fatalf("%d sets, want 1", n)
		}
		r.now = time.Now().Add(48 * time.Hour)
		if _, err := r.mustOpen(b).Sweep(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		r.onlyNeeded(b)
		r.check(b)
	})
}

// A set whose base is marked to go keeps it.
func TestCreateKeepsItsBase(t *testing.T) {
	r, b := newRepo(t, 8), buckettest.Memory()
	c1 := r.commit("main", map[string]file{"a": {objects.ModeFile, "1"}})
	r.mustCreate(b, r.wanted(c1, objects.Full))
	c2 := r.commit("main", map[string]file{"a": {objects.ModeFile, "2"}}, c1)
	base := r.mustCreate(b, r.wanted(c2, objects.Incremental)).Set
	r.commit("main", map[string]file{"a": {objects.ModeFile, "3"}}, c2)
	opt := r.wanted(r.commits[len(r.commits)-1], objects.Incremental)
	opt.Chosen = func(c backup.Choice) error {
		if c.Base != base.Label {
			t.Errorf("base %s", c.Base)
		}
		list := r.mustOpen(b)
		return list.Update(t.Context(), func(l *backup.List) error {
			for i := range l.Sets {
				l.Sets[i].Expiring = r.now.Unix()
			}
			return nil
		})
	}
	r.mustCreate(b, opt)
	for _, s := range r.mustOpen(b).List().Sets {
		if s.Expiring != 0 {
			t.Errorf("%s is to go", s.Label)
		}
	}
}

// What an interrupted backup has sent is not sent again.
func TestResume(t *testing.T) {
	r, b := newRepo(t, 9), buckettest.Memory()
	id := r.commit("main", map[string]file{"a": {objects.ModeFile, r.bytes(2 << 20)}})
	f := buckettest.NewFaulty(b, buckettest.Plan{At: 4, Sticky: true, Ops: []string{"PutIfAbsent"}})
	if _, err := r.create(f, r.wanted(id, objects.Full)); err == nil {
		t.Fatal("no error")
	}
	r.move("other", id) // another operation, the same set
	c := buckettest.NewCounting(b)
	done := r.mustCreate(c, r.wanted(id, objects.Full))
	if !done.Resumed || c.Counts().Out > 1<<20 {
		t.Errorf("%+v, %d bytes sent", done.Choice, c.Counts().Out)
	}
	r.check(b)
}
