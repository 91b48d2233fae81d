package core_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// shareOpen makes a repository find a bucket wherever it looks.
func shareOpen(d *data, b bucket.Bucket) {
	d.env.OpenBucket = func(context.Context, string) (bucket.Bucket, error) { return b, nil }
}

// shareClone makes a repository of what is in a bucket.
func shareClone(t *testing.T, env core.Env, b bucket.Bucket) *data {
	t.Helper()
	d := &data{t: t, root: fastDir(t) + "/clone", env: env}
	shareOpen(d, b)
	if _, err := core.Clone(t.Context(), d.env, core.CloneOptions{URL: "/place", Dir: d.root}); err != nil {
		t.Fatal(err)
	}
	return d
}

func sharePush(d *data) (core.PushResult, error) {
	return within(d, func(r *core.Repo) (core.PushResult, error) { return r.Push(d.t.Context(), core.PushOptions{}) })
}

func sharePull(d *data) (core.PullResult, error) {
	return within(d, func(r *core.Repo) (core.PullResult, error) { return r.Pull(d.t.Context(), core.PullOptions{}) })
}

// shareStart makes a repository that was pushed to a bucket, and has more now.
func shareStart(t *testing.T, b bucket.Bucket) *data {
	t.Helper()
	d := newDataIn(t, fastDir(t))
	shareOpen(d, b)
	_, err := within(d, func(r *core.Repo) (core.RemoteInfo, error) { return r.AddRemote(t.Context(), "origin", "/place") })
	d.must(err)
	d.save(treeA)
	_, err = sharePush(d)
	d.must(err)
	return d
}

// shareFaults runs a test for every operation and way that it can fail, until
// one is not reached.
func shareFaults(t *testing.T, try func(t *testing.T, plan buckettest.Plan) (reached bool)) {
	faultsEvery(t, 3, try)
}

// faultsEvery is shareFaults with another stride.
func faultsEvery(t *testing.T, usual int, try func(t *testing.T, plan buckettest.Plan) (reached bool)) {
	for _, plan := range []buckettest.Plan{
		{Kind: buckettest.Before}, {Kind: buckettest.After}, {Kind: buckettest.Midway, Bytes: 9}, {Kind: buckettest.After, Sticky: true},
	} {
		t.Run(fmt.Sprintf("kind %v, sticky %v", plan.Kind, plan.Sticky), func(t *testing.T) {
			t.Parallel()
			first, step := stride(usual)
			for i := first; ; i += step {
				plan.At = i
				reached := true
				t.Run(fmt.Sprintf("at %d", i), func(t *testing.T) { reached = try(t, plan) })
				if !reached || t.Failed() {
					break
				}
			}
		})
	}
}

// A push of which any one operation at the place fails, before or after it was
// done, leaves the place at the old state or at the new one, and the next push
// ends it.
func TestPushFaults(t *testing.T) {
	shareFaults(t, func(t *testing.T, plan buckettest.Plan) bool {
		place := buckettest.Memory()
		d := shareStart(t, place)
		old := d.head()
		d.save(treeB)
		faulty := buckettest.NewFaulty(place, plan)
		shareOpen(d, faulty)
		_, err := sharePush(d)
		if err != nil && !errors.Is(err, buckettest.ErrFault) {
			t.Fatalf("%s: %v", faulty.Failed(), err)
		}
		seen := shareClone(t, d.env, place)
		if at := seen.head(); at != old && at != d.head() || err == nil && at != d.head() {
			t.Errorf("%s: the place is at %v", faulty.Failed(), at)
		}
		shareOpen(d, place)
		_, err = sharePush(d)
		d.must(err)
		seen = shareClone(t, d.env, place)
		seen.want(treeB)
		return faulty.Failed() != ""
	})
}

// A pull of which any one operation at the place fails changes no name and no
// file, or is done; the next one ends it.
func TestPullFaults(t *testing.T) {
	shareFaults(t, func(t *testing.T, plan buckettest.Plan) bool {
		place := buckettest.Memory()
		d := shareStart(t, place)
		other := shareClone(t, d.env, place)
		old := other.head()
		d.save(treeB)
		_, err := sharePush(d)
		d.must(err)
		faulty := buckettest.NewFaulty(place, plan)
		shareOpen(other, faulty)
		_, err = sharePull(other)
		switch {
		case err == nil:
			other.want(treeB)
		case !errors.Is(err, buckettest.ErrFault):
			t.Fatalf("%s: %v", faulty.Failed(), err)
		case other.head() != old:
			t.Errorf("%s: at %v", faulty.Failed(), other.head())
		default:
			other.want(treeA)
		}
		shareOpen(other, place)
		_, err = sharePull(other)
		d.must(err)
		other.want(treeB)
		_, err = within(other, func(r *core.Repo) (core.VerifyResult, error) {
			return r.Verify(t.Context(), core.VerifyOptions{Full: true}, func(damage core.Damage) error { t.Error(damage); return nil })
		})
		d.must(err)
		return faulty.Failed() != ""
	})
}

// A clone of a part of which any one operation fails is ended by the same
// call, and so is the bringing of what it left.
func TestCloneFaults(t *testing.T) {
	shareFaults(t, func(t *testing.T, plan buckettest.Plan) bool {
		place := buckettest.Memory()
		d := shareStart(t, place)
		faulty := buckettest.NewFaulty(place, plan)
		c := &data{t: t, root: fastDir(t) + "/clone", env: d.env}
		opt := core.CloneOptions{URL: "/place", Dir: c.root, Paths: []string{"dir"}}
		shareOpen(c, faulty)
		_, err := core.Clone(t.Context(), c.env, opt)
		if err != nil {
			if !errors.Is(err, buckettest.ErrFault) {
				t.Fatalf("%s: %v", faulty.Failed(), err)
			}
			shareOpen(c, place)
			_, err = core.Clone(t.Context(), c.env, opt)
			d.must(err)
		}
		c.want(files{"dir/b.txt": "b", "dir/deep/c.txt": "c"})
		all := core.CheckoutOptions{All: true}
		if _, err := c.try(all); err != nil {
			c.want(files{"dir/b.txt": "b", "dir/deep/c.txt": "c"})
			shareOpen(c, place)
			_, err = c.try(all)
			d.must(err)
		}
		c.want(treeA)
		return faulty.Failed() != ""
	})
}
