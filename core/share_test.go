package core_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// What a push and a pull cost at the place follows what changed.
func TestShareOperations(t *testing.T) {
	counting := buckettest.NewCounting(buckettest.Memory())
	d := newDataIn(t, fastDir(t))
	shareOpen(d, counting)
	_, err := within(d, func(r *core.Repo) (core.RemoteInfo, error) { return r.AddRemote(t.Context(), "origin", "/place") })
	d.must(err)
	for i := range 3000 {
		d.write(fmt.Sprintf("data/%04d", i), fmt.Sprintf("%d\n", i))
	}
	d.commit(core.CommitOptions{})
	_, err = sharePush(d)
	d.must(err)
	if c := counting.Counts(); c.PutIfAbsent+c.Swap > 10 {
		t.Errorf("the first push: %+v", c)
	}
	other := shareClone(t, d.env, counting)
	for round := range 3 {
		d.write("data/1500", fmt.Sprintf("round %d\n", round))
		d.commit(core.CommitOptions{})
		for name, work := range map[string]func() error{
			"push":    func() error { _, err := sharePush(d); return err },
			"no push": func() error { _, err := sharePush(d); return err },
		} {
			counting.Reset()
			d.must(work())
			if c := counting.Counts(); c.Ops() >= 12 {
				t.Errorf("%s: %+v", name, c)
			}
		}
		counting.Reset()
		_, err = sharePull(other)
		d.must(err)
		if c := counting.Counts(); c.Ops() >= 12 || c.PutIfAbsent+c.Swap > 0 {
			t.Errorf("pull: %+v", c)
		}
		t.Logf("pull: %+v", counting.Counts())
	}
	counting.Reset()
	_, err = sharePush(d)
	d.must(err)
	if c := counting.Counts(); c.Ops() > 2 {
		t.Errorf("a push of nothing: %+v", c)
	}
}

// Nothing that the names pushed do not reach is sent.
func TestPushSendsOnlyWhatIsReached(t *testing.T) {
	place := buckettest.Memory()
	d := shareStart(t, place)
	_, err := within(d, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(t.Context(), core.SwitchOptions{Branch: "secret", Create: true})
	})
	d.must(err)
	secret := d.save(files{"a.txt": "secret", "key": "secret key"})
	d.goTo("main")
	d.save(treeB)
	_, err = sharePush(d)
	d.must(err)
	seen := shareClone(t, d.env, place)
	seen.want(treeB)
	_, err = within(seen, func(r *core.Repo) (core.Target, error) { return r.Resolve(t.Context(), secret.ID.String()) })
	if err == nil {
		t.Error("a commit of another branch came along")
	}
}

// A clone made by other words does not go on with an unfinished one, and the
// same words do.
func TestCloneUnfinished(t *testing.T) {
	place := buckettest.Memory()
	d := shareStart(t, place)
	c := &data{t: t, root: fastDir(t) + "/clone", env: d.env}
	faulty := buckettest.NewFaulty(place, buckettest.Plan{At: 6, Sticky: true})
	shareOpen(c, faulty)
	opt := core.CloneOptions{URL: "/place", Dir: c.root}
	if _, err := core.Clone(t.Context(), c.env, opt); !errors.Is(err, buckettest.ErrFault) {
		t.Fatal(err)
	}
	shareOpen(c, place)
	other := opt
	other.URL = "/elsewhere"
	var notEmpty *core.NotEmptyError
	if _, err := core.Clone(t.Context(), c.env, other); !errors.As(err, &notEmpty) || notEmpty.Unfinished != "/place" {
		t.Errorf("a clone of another place: %v", err)
	}
	res, err := core.Clone(t.Context(), c.env, opt)
	d.must(err)
	if !res.Resumed {
		t.Error("it does not say that it was resumed")
	}
	c.want(treeA)
	if _, err := core.Clone(t.Context(), c.env, opt); !errors.As(err, &notEmpty) {
		t.Errorf("a clone that is there: %v", err)
	}
}
