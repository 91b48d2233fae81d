// Command mlvc is git for machine-learning datasets.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/mlvc/mlvc/cmd/internal/cli"
	"github.com/mlvc/mlvc/objects/vfs"
)

// version is stamped by the build.
var version = "unknown"

// self is the path of this program: by what it was called, since the file may
// have other names.
func self() string {
	name, err := exec.LookPath(os.Args[0])
	if err == nil {
		name, err = filepath.Abs(name)
	}
	if err != nil {
		name, _ = os.Executable()
	}
	return name
}

// memoryLimit is from how many bytes on garbage is collected more often, so that
// the memory of the program is what it needs and not twice that.
const memoryLimit = 256 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	// The first signal asks for a clean end, a second one ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mlvc: the current folder:", err)
		os.Exit(cli.ExitError)
	}
	os.Exit(cli.Main(ctx, os.Args[1:],
		cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr},
		cli.Env{FS: vfs.OS, Now: time.Now, Dir: dir, Getenv: os.Getenv, Version: version, Self: self()},
	))
}
