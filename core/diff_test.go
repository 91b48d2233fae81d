package core_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// diff returns each change as "kind path" or "kind from > path".
func (d *data) diff(opt core.DiffOptions) ([]string, core.DiffSummary) {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	x, err := r.Diff(d.t.Context(), opt)
	if err != nil {
		d.t.Fatal(err)
	}
	var got []string
	for c, err := range x.Changes(d.t.Context()) {
		if err != nil {
			d.t.Fatal(err)
		}
		line := string(c.Change) + " "
		if c.From != "" {
			line += c.From + " > "
		}
		got = append(got, line+c.Path)
	}
	return got, x.Summary()
}

func TestDiffOfWorkingTree(t *testing.T) {
	d := newData(t)
	d.write("old/name.txt", "a content of its own")
	d.write("keep.txt", "keep")
	d.write("copied.txt", "to be copied")
	d.write("run.sh", "#!/bin/sh")
	d.write("gone.txt", "gone")
	d.write("back.txt", "one")
	d.commit(core.CommitOptions{Message: "first"})
	d.write("back.txt", "two")
	d.write("later.txt", "later")
	d.remove("gone.txt")
	d.commit(core.CommitOptions{Message: "second"})

	if got, _ := d.diff(core.DiffOptions{Renames: true}); got != nil {
		t.Errorf("after a commit: %v", got)
	}
	d.write("new/name.txt", "a content of its own")
	d.remove("old/name.txt")
	d.remove("old")
	d.write("copy.txt", "to be copied")
	d.write("back.txt", "one")
	d.write("later.txt", "changed")
	if err := os.Chmod(filepath.Join(d.root, "run.sh"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		opt  core.DiffOptions
		want []string
	}{
		{core.DiffOptions{Renames: true}, []string{
			"changed back.txt", "copied copied.txt > copy.txt", "changed later.txt",
			"renamed old/name.txt > new/name.txt", "mode run.sh",
		}},
		{core.DiffOptions{}, []string{
			"changed back.txt", "added copy.txt", "changed later.txt", "added new/name.txt", "removed old/name.txt", "mode run.sh",
		}},
		{core.DiffOptions{From: "HEAD~1"}, []string{
			"added copy.txt", "removed gone.txt", "added later.txt", "added new/name.txt", "removed old/name.txt", "mode run.sh",
		}},
		{core.DiffOptions{From: "HEAD~1", To: "HEAD"}, []string{"changed back.txt", "removed gone.txt", "added later.txt"}},
		{core.DiffOptions{From: "HEAD~1..HEAD"}, []string{"changed back.txt", "removed gone.txt", "added later.txt"}},
		{core.DiffOptions{From: "HEAD~1", Paths: []string{"new", "gone.txt"}}, []string{"removed gone.txt", "added new/name.txt"}},
	} {
		got, _ := d.diff(c.opt)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v: %s", c.opt, diff)
		}
	}
	r := d.open()
	x, err := r.Diff(t.Context(), core.DiffOptions{Paths: []string{"nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	var none *core.NoPathError
	for _, err := range x.Changes(t.Context()) {
		if !errors.As(err, &none) {
			t.Errorf("of a path that is nowhere: %v", err)
		}
	}
	_, sum := d.diff(core.DiffOptions{From: "HEAD~1"})
	want := core.DiffSummary{Added: 3, Removed: 2, Mode: 1, AddedBytes: 39, RemovedBytes: 24}
	if sum != want {
		t.Errorf("%+v", sum)
	}
}

func TestCat(t *testing.T) {
	d := newData(t)
	large := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{}).Read(large) //nolint:errcheck // it never fails
	d.write("data/large.bin", string(large))
	d.write("small.txt", "small")
	if err := os.Symlink("data/large.bin", filepath.Join(d.root, "link")); err != nil {
		t.Fatal(err)
	}
	first := d.commit(core.CommitOptions{Message: "first"})
	d.write("small.txt", "smaller")
	d.commit(core.CommitOptions{Message: "second"})

	r := d.open()
	cat := func(spec string, opt core.CatOptions) (string, error) {
		var b bytes.Buffer
		err := r.Cat(t.Context(), spec, &b, opt)
		return b.String(), err
	}
	ten := int64(10)
	for _, c := range []struct {
		spec string
		opt  core.CatOptions
		want string
	}{
		{"HEAD:small.txt", core.CatOptions{}, "smaller"},
		{first.ID.String()[:12] + ":small.txt", core.CatOptions{}, "small"},
		{"HEAD:./data/../small.txt", core.CatOptions{Offset: 5}, "er"},
		{"main:data/large.bin", core.CatOptions{}, string(large)},
		{"main:data/large.bin", core.CatOptions{Offset: 1 << 20, Length: &ten}, string(large[1<<20 : 1<<20+10])},
		{"HEAD:link", core.CatOptions{}, "data/large.bin"},
	} {
		if got, err := cat(c.spec, c.opt); err != nil || got != c.want {
			t.Errorf("%s: %d bytes, %v", c.spec, len(got), err)
		}
	}
	var folder *core.FolderError
	if _, err := cat("HEAD:data", core.CatOptions{}); !errors.As(err, &folder) {
		t.Errorf("a folder: %v", err)
	}
	var none *core.NotInTreeError
	if _, err := cat("HEAD:dat", core.CatOptions{}); !errors.As(err, &none) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := cat("HEAD:small.txt", core.CatOptions{Length: &ten}); err == nil {
		t.Error("a range beyond the end")
	}
}

func TestHash(t *testing.T) {
	// b3sum of "abc".
	const want = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
	name := filepath.Join(t.TempDir(), "abc")
	if err := os.WriteFile(name, []byte("abc"), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := core.Hash(t.Context(), vfs.OS, name)
	if err != nil || got.Content.String() != want || got.Size != 3 || got.Path != name {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = core.HashReader(t.Context(), "-", strings.NewReader("abc"))
	if err != nil || got.Content.String() != want || got.Size != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := core.Hash(t.Context(), vfs.OS, t.TempDir()); err == nil {
		t.Error("a folder has a hash")
	}
}

func TestLogShow(t *testing.T) {
	d := newData(t)
	r := d.open()
	for e, err := range r.Log(t.Context(), core.LogOptions{}) {
		t.Fatalf("before the first commit: %+v, %v", e, err)
	}
	d.write("a.txt", "a")
	first := d.commit(core.CommitOptions{Message: "first", Meta: map[string]string{"k": "v"}})
	d.write("b/c.txt", "see")
	second := d.commit(core.CommitOptions{Message: "second"})
	third := d.commit(core.CommitOptions{Message: "third", Kind: objects.Full})
	ids := func(opt core.LogOptions) (list []objects.ID) {
		for e, err := range r.Log(t.Context(), opt) {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, e.ID)
		}
		return list
	}
	for _, c := range []struct {
		opt  core.LogOptions
		want []objects.ID
	}{
		{core.LogOptions{}, []objects.ID{third.ID, second.ID, first.ID}},
		{core.LogOptions{Limit: 1}, []objects.ID{third.ID}},
		{core.LogOptions{Revs: []string{"HEAD~2..HEAD~1"}}, []objects.ID{second.ID}},
		{core.LogOptions{Revs: []string{"main", "^HEAD^"}}, []objects.ID{third.ID}},
		{core.LogOptions{Paths: []string{"b"}}, []objects.ID{second.ID}},
		{core.LogOptions{Paths: []string{"a.txt", "b"}}, []objects.ID{second.ID, first.ID}},
	} {
		if diff := cmp.Diff(c.want, ids(c.opt)); diff != "" {
			t.Errorf("%+v: %s", c.opt, diff)
		}
	}
	for e, err := range r.Log(context.Background(), core.LogOptions{}) {
		text, jerr := json.Marshal(e)
		if err != nil || jerr != nil {
			t.Fatal(err, jerr)
		}
		var keys map[string]any
		if err := json.Unmarshal(text, &keys); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"id", "parents", "kind", "tree", "message", "author", "time", "meta", "added", "changed", "removed", "bytes"} {
			if keys[k] == nil {
				t.Errorf("%s lacks %s", text, k)
			}
		}
	}
	shown, err := r.Show(t.Context(), "HEAD~1")
	if err != nil || shown.Commit.ID != second.ID || shown.Held != nil {
		t.Fatalf("%+v, %v", shown, err)
	}
	for c, err := range shown.Changes.Changes(t.Context()) {
		if err != nil || c.Path != "b/c.txt" || c.Change != core.ChangeAdded {
			t.Errorf("%+v, %v", c, err)
		}
	}
	if shown, err = r.Show(t.Context(), "HEAD:b"); err != nil || shown.Entry == nil || shown.Entry.Files != 1 || shown.Entry.Size != 3 {
		t.Errorf("%+v, %v", shown.Entry, err)
	}
}

func TestDu(t *testing.T) {
	d := newData(t)
	d.write("a.txt", "a")
	d.write("big.bin", strings.Repeat("0123456789abcdef", 1<<12))
	d.commit(core.CommitOptions{Message: "first"})
	d.remove("big.bin")
	d.commit(core.CommitOptions{Message: "second"})
	r := d.open()
	one := func(opt core.DuOptions) core.Usage {
		t.Helper()
		var all []core.Usage
		for u, err := range r.Du(t.Context(), opt) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, u)
		}
		if len(all) != 1 {
			t.Fatal(all)
		}
		return all[0]
	}
	if u := one(core.DuOptions{Revs: []string{"HEAD~1"}}); u.UniqueContents != 1 || u.UniqueBytes != 16<<12 || u.Freed == 0 || u.Freed > 8<<10 || u.Files != 4 {
		t.Errorf("%+v", u)
	}
	if u := one(core.DuOptions{}); u.UniqueContents != 0 || u.Freed != 0 || u.Stored == 0 {
		t.Errorf("%+v", u)
	}
	if u := one(core.DuOptions{Revs: []string{"main"}}); u.Commits != 2 || u.UniqueContents != 4 || u.Contents != 3 {
		t.Errorf("%+v", u)
	}
	if u := one(core.DuOptions{Paths: []string{"big.bin"}}); u.UniqueContents != 1 || u.Contents != 1 || u.Files != 1 {
		t.Errorf("%+v", u)
	}
}
