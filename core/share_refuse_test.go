package core_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// refuseCancel is a place at whose i-th operation the user interrupts.
type refuseCancel struct {
	bucket.Bucket
	left   atomic.Int64
	cancel context.CancelFunc
}

func (b *refuseCancel) step() {
	if b.left.Add(-1) == 0 {
		b.cancel()
	}
}

func (b *refuseCancel) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	b.step()
	return b.Bucket.Get(ctx, key)
}

func (b *refuseCancel) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	b.step()
	return b.Bucket.GetRange(ctx, key, offset, length)
}

func (b *refuseCancel) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	b.step()
	return b.Bucket.PutIfAbsent(ctx, key, body, size)
}

func (b *refuseCancel) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	b.step()
	return b.Bucket.Swap(ctx, key, old, data)
}

// An interruption is an interruption, never damage and never a place that
// cannot be reached, whenever it comes.
func TestShareInterrupted(t *testing.T) {
	place := buckettest.Memory()
	d := shareStart(t, place)
	old := shareClone(t, d.env, place)
	d.save(treeB)
	_, err := sharePush(d)
	d.must(err)
	for name, work := range map[string]func(ctx context.Context, d *data) error{
		"push": func(ctx context.Context, d *data) error {
			d.save(files{"mine": "x"})
			_, err := within(d, func(r *core.Repo) (core.PushResult, error) {
				return r.Push(ctx, core.PushOptions{LeaseAt: []string{"main:origin/main"}})
			})
			return err
		},
		"pull": func(ctx context.Context, d *data) error {
			_, err := within(d, func(r *core.Repo) (core.PullResult, error) { return r.Pull(ctx, core.PullOptions{}) })
			return err
		},
		"clone": func(ctx context.Context, d *data) error {
			_, err := core.Clone(ctx, d.env, core.CloneOptions{URL: "/place", Dir: filepath.Join(fastDir(t), "c")})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := 1; ; i++ {
				ctx, cancel := context.WithCancel(t.Context())
				at := &refuseCancel{Bucket: place, cancel: cancel}
				at.left.Store(int64(i))
				copied := &data{t: t, root: filepath.Join(fastDir(t), "r"), env: old.env}
				old.must(os.CopyFS(copied.root, os.DirFS(old.root)))
				copied.env.OpenBucket = func(ctx context.Context, _ string) (bucket.Bucket, error) {
					at.step()
					return at, ctx.Err()
				}
				err := work(ctx, copied)
				cancel()
				if at.left.Load() > 0 {
					break
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("interrupted at operation %d: %v", i, err)
				}
				var unreached *core.PlaceError
				if errors.As(err, &unreached) {
					t.Errorf("interrupted at operation %d, the place is blamed: %v", i, err)
				}
			}
		})
	}
}

// A clone that fails before anything was received leaves the folder as it was,
// so that better words find it empty.
func TestCloneOfWhatIsNotThere(t *testing.T) {
	place := buckettest.Memory()
	d := shareStart(t, place)
	for _, made := range []bool{false, true} {
		c := &data{t: t, root: filepath.Join(fastDir(t), "clone"), env: d.env}
		if made {
			d.must(os.Mkdir(c.root, 0o777))
		}
		opt := core.CloneOptions{URL: "/place", Dir: c.root, Branch: "nosuch"}
		var notThere *core.NotThereError
		if _, err := core.Clone(t.Context(), c.env, opt); !errors.As(err, &notThere) {
			t.Fatalf("a branch that is not there: %v", err)
		}
		names, err := os.ReadDir(c.root)
		if len(names) > 0 || made != (err == nil) {
			t.Errorf("the folder has %v, %v", names, err)
		}
		opt.Branch = ""
		_, err = core.Clone(t.Context(), c.env, opt)
		d.must(err)
		c.want(treeA)
	}
}

// refuseTags makes two repositories whose tags v1 differ; the place has the
// first one's.
func refuseTags(t *testing.T) (*data, *data) {
	t.Helper()
	place := buckettest.Memory()
	d := shareStart(t, place)
	other := shareClone(t, d.env, place)
	tag := func(d *data) {
		t.Helper()
		_, err := within(d, func(r *core.Repo) (core.NameInfo, error) {
			return r.CreateTag(t.Context(), "v1", "HEAD", false)
		})
		d.must(err)
	}
	tag(d)
	_, err := sharePush(d)
	d.must(err)
	other.save(treeB)
	tag(other)
	return d, other
}

// A tag that only comes along and differs at the remote stays as it is there,
// and the branch moves.
func TestPushKeepsOtherTags(t *testing.T) {
	_, other := refuseTags(t)
	res, err := sharePush(other)
	other.must(err)
	if !slices.Equal(res.Kept, []string{"v1"}) || len(res.Moves) != 1 || res.Moves[0].Name != "main" {
		t.Errorf("pushed: %+v", res)
	}
	var refused *core.RejectedError
	_, err = within(other, func(r *core.Repo) (core.PushResult, error) {
		return r.Push(t.Context(), core.PushOptions{Names: []string{"v1"}})
	})
	if !errors.As(err, &refused) || refused.Names[0].Kind != "tag" {
		t.Errorf("the tag by its name: %v", err)
	}
}

// A tag that is another one at the remote can be deleted there by who says
// where it is, be that commit here or not.
func TestPushDeletesOtherTag(t *testing.T) {
	d, other := refuseTags(t)
	del := func(lease ...string) error {
		_, err := within(other, func(r *core.Repo) (core.PushResult, error) {
			return r.Push(t.Context(), core.PushOptions{Delete: []string{"v1"}, LeaseAt: lease})
		})
		return err
	}
	var refused *core.RejectedError
	if err := del(); !errors.As(err, &refused) {
		t.Fatalf("without saying where it is: %v", err)
	}
	at := refused.Names[0].Remote.Short()
	if err := del("v1:" + "0123456789"); !errors.As(err, &refused) {
		t.Errorf("elsewhere: %v", err)
	}
	d.must(del("v1:" + at))
	d.must(del("v1:" + at)) // again: it is done
}

// What the log of operations can go back to is a part of all contents: after
// they were brought, undo shows nothing that is missing, and gc works. Where
// the remote has lost it the repository stays one that lacks contents.
func TestFetchContentsOfThePast(t *testing.T) {
	for _, lost := range []bool{false, true} {
		place := buckettest.Memory()
		d := shareStart(t, place)
		only := refuseAnew(t, shareClone(t, d.env, place))
		_, err := within(d, func(r *core.Repo) (core.CheckoutResult, error) {
			return r.Switch(t.Context(), core.SwitchOptions{Branch: "side", Create: true})
		})
		d.must(err)
		d.save(files{"side": "only there"})
		_, err = sharePush(d)
		d.must(err)
		c := &data{t: t, root: filepath.Join(fastDir(t), "clone"), env: d.env}
		_, err = core.Clone(t.Context(), c.env, core.CloneOptions{URL: "/place", Dir: c.root, Branch: "main", MetadataOnly: true})
		d.must(err)
		if lost {
			shareOpen(c, only)
		} else {
			_, err = within(d, func(r *core.Repo) (core.PushResult, error) {
				return r.Push(t.Context(), core.PushOptions{Delete: []string{"side"}})
			})
			d.must(err)
		}
		res, err := within(c, func(r *core.Repo) (core.FetchResult, error) {
			return r.Fetch(t.Context(), core.FetchOptions{Prune: true, Contents: true})
		})
		d.must(err)
		if res.Whole == lost {
			t.Errorf("lost %v: whole %v", lost, res.Whole)
		}
		_, err = within(c, func(r *core.Repo) (core.GCResult, error) { return r.GC(t.Context(), core.GCOptions{}) })
		d.must(err)
	}
}

// refuseAnew makes another place of what a repository has, and returns it.
func refuseAnew(t *testing.T, d *data) bucket.Bucket {
	t.Helper()
	_, err := within(d, func(r *core.Repo) (core.RemoteInfo, error) { return r.RemoveRemote(t.Context(), "origin") })
	d.must(err)
	_, err = within(d, func(r *core.Repo) (core.RemoteInfo, error) { return r.AddRemote(t.Context(), "origin", "/place") })
	d.must(err)
	place := buckettest.Memory()
	shareOpen(d, place)
	_, err = sharePush(d)
	d.must(err)
	return place
}
