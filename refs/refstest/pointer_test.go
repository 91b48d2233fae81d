package refstest_test

import (
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/refs/refstest"
)

func TestMemPointer(t *testing.T) {
	refstest.Run(t, func(*testing.T) func() refs.Pointer {
		p := new(refstest.MemPointer)
		return func() refs.Pointer { return p }
	})
}

func TestFilePointer(t *testing.T) {
	refstest.Run(t, func(t *testing.T) func() refs.Pointer {
		name := filepath.Join(t.TempDir(), "current")
		return func() refs.Pointer { return refs.NewFilePointer(vfs.OS, name) }
	})
}
