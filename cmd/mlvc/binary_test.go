package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// suite runs the tests, and removes the binary that they shared.
type suite struct{ tests *testing.M }

func (s suite) Run() int {
	status := s.tests.Run()
	os.RemoveAll(binaryDir) //nolint:errcheck // it may not have been made
	return status
}

// binaryDir is where realBinary lies; empty until a test asks for it.
var binaryDir string

// buildOnce builds the real binary, as it is given out: without the race
// detector even if the tests run under it.
var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mlvc-binary-")
	if err != nil {
		return "", err
	}
	binaryDir = dir
	bin := filepath.Join(dir, "mlvc.exe")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// realBinary returns the real binary, which all tests share.
func realBinary(t *testing.T) string {
	t.Helper()
	bin, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
