package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
	"github.com/mlvc/mlvc/remote/bucket/local"
)

const (
	childFolder = "LOCAL_TEST_CHILD" // the folder for which this process is a child
	childRounds = 60
)

func TestMain(m *testing.M) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child makes objects that others make too, prints the rounds that it won, and
// counts.
func child(ctx context.Context, dir string) error {
	b, err := local.Open(ctx, vfs.OS, dir)
	if err != nil {
		return err
	}
	body := strings.Repeat(fmt.Sprintf("%08d", os.Getpid()), 1000)
	for round := range childRounds {
		err := b.PutIfAbsent(ctx, fmt.Sprintf("packs/%d", round), strings.NewReader(body), int64(len(body)))
		if err == nil {
			fmt.Println(round)
		} else if !errors.Is(err, bucket.ErrExist) {
			return err
		}
		if err := buckettest.Add(ctx, b, "current", 1); err != nil {
			return err
		}
	}
	return nil
}

func TestLocalProcessesRace(t *testing.T) {
	const children = 4
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	commands := make([]*exec.Cmd, children)
	outs := make([]strings.Builder, children)
	for i := range commands {
		c := exec.Command(program)
		c.Env = append(os.Environ(), childFolder+"="+dir)
		c.Stdout, c.Stderr = &outs[i], os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		commands[i] = c
	}
	winners := map[string]int{}
	for i, c := range commands {
		if err := c.Wait(); err != nil {
			t.Errorf("child %d: %v", i, err)
		}
		for _, round := range strings.Fields(outs[i].String()) {
			if _, ok := winners[round]; ok {
				t.Errorf("round %s was won twice", round)
			}
			winners[round] = c.Process.Pid
		}
	}
	b := open(t, vfs.OS, dir)
	for round := range childRounds {
		data, _, err := b.Get(t.Context(), fmt.Sprintf("packs/%d", round))
		want := strings.Repeat(fmt.Sprintf("%08d", winners[fmt.Sprint(round)]), 1000)
		if err != nil || string(data) != want {
			t.Errorf("round %d: %d bytes of %.8s, %v; want %.8s", round, len(data), data, err, want)
		}
	}
	data, _, err := b.Get(t.Context(), "current")
	if n, nerr := buckettest.Number(data); n != children*childRounds || err != nil || nerr != nil {
		t.Errorf("counted to %d, %v, %v; want %d", n, err, nerr, children*childRounds)
	}
}

// The lock of a process that dies is released.
func TestLocalLockOfADeadProcess(t *testing.T) {
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c := exec.Command(program)
		c.Env = append(os.Environ(), childFolder+"="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		_, _ = out.Read(make([]byte, 1)) // it is at work
		if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		b := open(t, vfs.OS, dir)
		if err := buckettest.Add(t.Context(), b, "current", 1); err != nil {
			t.Error(err)
		}
		for info, err := range b.List(t.Context(), "packs/") {
			if err != nil || info.Size != 8000 {
				t.Errorf("%+v, %v", info, err)
			}
		}
		if err := os.RemoveAll(dir + "/packs"); err != nil {
			t.Fatal(err)
		}
	}
}
