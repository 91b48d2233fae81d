package badgerkv_test

import (
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/badgerkv"
	"github.com/mlvc/mlvc/objects/kv/kvtest"
)

func open(t testing.TB, dir string, opt badgerkv.Options) *badgerkv.DB {
	t.Helper()
	db, err := badgerkv.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) kv.DB {
		return open(t, filepath.Join(t.TempDir(), "db"), badgerkv.Options{})
	})
}
