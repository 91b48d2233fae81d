package core_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

// damage changes a byte of every pack that holds the content.
func (d *data) damage(content string) {
	d.t.Helper()
	found := false
	err := filepath.WalkDir(filepath.Join(d.root, core.Dir, "packs"), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		at := bytes.Index(text, []byte(content))
		if at < 0 {
			return nil
		}
		found = true
		text[at+len(content)/2] ^= 1
		return os.WriteFile(name, text, 0o666)
	})
	if err != nil || !found {
		d.t.Fatal(err, found)
	}
}

// One damaged content costs one file.
func TestCheckoutOfDamage(t *testing.T) {
	d := newData(t)
	random := make([]byte, 5000)
	rand.Read(random)
	lost := string(random)
	d.save(files{"a": "1", "lost": lost, "z": "1", "lost2": lost})
	d.save(files{"a": "2", "z": "2"})
	d.damage(lost)
	if _, err := d.try(core.CheckoutOptions{Rev: "HEAD~1"}); !errors.Is(err, objects.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	if _, err := d.try(core.CheckoutOptions{Abort: true}); err != nil {
		t.Fatal(err)
	}
	d.want(files{"a": "2", "z": "2"})
	res, err := d.try(core.CheckoutOptions{Rev: "HEAD~1", SkipDamaged: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"lost", "lost2"}, res.Damaged); diff != "" {
		t.Error(diff)
	}
	d.want(files{"a": "1", "z": "1"})
	if _, got := d.status(); got["lost"] != core.StatusRemoved || len(got) != 2 {
		t.Error(got)
	}
}
