package badgerkv

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/objects/kv"
)

// FuzzCheckTable: no bytes end the process, and only a whole table passes.
func FuzzCheckTable(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "db")
	db, err := Open(dir, Options{})
	if err != nil {
		f.Fatal(err)
	}
	err = db.Update(f.Context(), func(w kv.Writer) error { return w.Set([]byte("key"), []byte("value")) })
	if err := errors.Join(err, db.Close()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "000001.sst"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "000001.sst")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		err := db.check(name, true)
		if err != nil && !errors.Is(err, kv.ErrDamaged) {
			t.Errorf("%v, want ErrDamaged", err)
		}
		if err != nil && string(data) == string(whole) {
			t.Errorf("a whole table: %v", err)
		}
	})
}

// TestVectors pins what the format page says of the manifest's head.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("../../../testdata/vectors/database.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		ManifestHead string `json:"manifest_head"`
		MaxKey       int    `json:"max_key"`
		MaxValue     int    `json:"max_value"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "db")
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(kv.Writer) error { return nil })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(manifest[:8]); got != vectors.ManifestHead {
		t.Errorf("manifest begins %s, want %s", got, vectors.ManifestHead)
	}
	if vectors.MaxKey != kv.MaxKey || vectors.MaxValue != kv.MaxValue {
		t.Errorf("limits %d and %d, want %d and %d", kv.MaxKey, kv.MaxValue, vectors.MaxKey, vectors.MaxValue)
	}
}
