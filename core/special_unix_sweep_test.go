//go:build unix

package core_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mlvc/mlvc/core"
)

// warned collects the paths of warnings of one code.
type warned struct {
	core.NoEvents
	code  string
	paths map[string]bool
}

func (w *warned) Warn(v core.Warning) {
	if v.Code == w.code {
		w.paths[v.Path] = true
	}
}

// A FIFO or a socket is named and left out, also where a file was; and it is
// never opened, which could wait for ever.
func TestSpecialFiles(t *testing.T) {
	d := newData(t)
	d.write("was a file", "file")
	d.write("file.txt", "file")
	d.commit(core.CommitOptions{Message: "first"})
	d.remove("was a file")
	d.must(syscall.Mkfifo(filepath.Join(d.root, "was a file"), 0o666))
	d.must(syscall.Mkfifo(filepath.Join(d.root, "fifo"), 0o666))
	l, err := net.Listen("unix", filepath.Join(d.root, "socket"))
	d.must(err)
	defer l.Close()
	w := &warned{code: "skipped_special", paths: make(map[string]bool)}
	d.env.Events = w
	d.commit(core.CommitOptions{Message: "second"})
	for _, path := range []string{"was a file", "fifo", "socket"} {
		if !w.paths[path] {
			t.Errorf("%q is not named", path)
		}
		if look, ok := d.tree()[path]; ok {
			t.Errorf("%q is recorded: %s", path, look)
		}
	}
}
