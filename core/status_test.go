package core_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
)

func (d *data) status(paths ...string) (core.Status, map[string]core.StatusKind) {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	got := make(map[string]core.StatusKind)
	st, err := r.Status(d.t.Context(), paths, func(e core.StatusEntry) error {
		got[e.Path] = e.Status
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return st, got
}

func TestStatus(t *testing.T) {
	d := newData(t)
	d.write("keep.txt", "keep")
	d.write("change.txt", "change")
	d.write("remove.txt", "remove")
	d.write("touch.txt", "touch")
	if _, got := d.status(); len(got) != 6 {
		t.Errorf("before the first commit: %v", got)
	}
	d.commit(core.CommitOptions{Message: "first"})
	if st, got := d.status(); !st.Clean || len(got) != 0 {
		t.Errorf("after a commit: %v", got)
	}
	d.write("change.txt", "CHANGE")
	d.write("new/file.txt", "new")
	if err := os.Remove(filepath.Join(d.root, "remove.txt")); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(d.root, "touch.txt"), past, past); err != nil {
		t.Fatal(err)
	}
	st, got := d.status()
	want := map[string]core.StatusKind{
		"change.txt": core.StatusChanged, "new/file.txt": core.StatusNew, "remove.txt": core.StatusRemoved,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if st.Clean || st.Branch != "main" || st.Changes.Files != 6 || st.Changes.AddedBytes != 3 {
		t.Errorf("%+v", st)
	}
	if _, got := d.status("new"); len(got) != 1 {
		t.Errorf("of one folder: %v", got)
	}
}
