package core_test

import (
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

// A large file that is edited in place counts by what is stored of it, before a
// full and after one: the chain does not outgrow the full by the file's size.
func TestKindOfEditedLargeFile(t *testing.T) {
	const size, edit = 4 << 20, 1 << 10
	d := newDataIn(t, fastDir(t))
	text := []byte(planNoise(1, size))
	d.write("large", string(text))
	first := shown(d, d.commit(core.CommitOptions{}).ID)
	if s := first.Stored; s == nil || s.Held < size || s.Held > size+size/20 || s.Grown != s.Held {
		t.Errorf("the full holds %+v", s)
	}
	var held int64
	for i := range 6 {
		copy(text[(i*7+3)*100_000:], planNoise(i+2, edit))
		d.write("large", string(text))
		c := shown(d, d.commit(core.CommitOptions{}).ID)
		if c.Kind == objects.Full {
			t.Errorf("edit %d is full", i)
		}
		if c.Stored == nil || c.Stored.Held == 0 || c.Stored.Held > size/4 || c.Stored.Held < c.Stored.Grown {
			t.Errorf("edit %d, %s, holds %+v", i, c.Kind, c.Stored)
		}
		held = c.Stored.Grown
	}
	full := shown(d, d.commit(core.CommitOptions{Kind: objects.Full}).ID)
	if s := full.Stored; s == nil || s.Grown != 0 || s.Held < size-size/20 || s.Held > size+size/20 {
		t.Errorf("the second full, of which nothing is new, holds %+v (an edit: %d)", s, held)
	}
	// New files of twice the full are the end of the chain, edits or not.
	d.write("new", planNoise(100, 2*size))
	d.write("new2", planNoise(101, size))
	if c := d.commit(core.CommitOptions{}); c.Kind != objects.Full {
		t.Errorf("three times the full is %s", c.Kind)
	}
}

func shown(d *data, id objects.ID) objects.Commit {
	d.t.Helper()
	c, err := within(d, func(r *core.Repo) (core.Shown, error) { return r.Show(d.t.Context(), id.String()) })
	d.must(err)
	return c.Commit.Commit
}
