package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// measure runs a program to its end and returns what it took and, if wanted,
// what it printed. A failure carries the end of what it said.
func measure(ctx context.Context, keepOutput bool, name string, args ...string) (sample, []byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &errs
	if keepOutput {
		cmd.Stdout = &out
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, nil, err
	}
	peak := watchAnon(cmd.Process.Pid)
	err := cmd.Wait()
	s := sample{Seconds: time.Since(begin).Seconds(), Anon: float64(peak())}
	if cmd.ProcessState != nil {
		s.RSS = float64(maxRSS(cmd.ProcessState))
	}
	if err != nil {
		return s, nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, tail(errs.Bytes(), 500))
	}
	return s, out.Bytes(), nil
}

// watchAnon samples a process's anonymous memory until the function that it
// returns is called, which gives the peak in bytes; 0 where /proc has no word
// on it. The limits exclude clean mapped pages, which rusage counts.
func watchAnon(pid int) (peak func() int64) {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var most int64
		for {
			most = max(most, anonRSS(pid))
			select {
			case <-stop:
				done <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-done
	}
}

// anonRSS reads RssAnon of a process, in bytes.
func anonRSS(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	return kibField(string(text), "RssAnon:")
}

// kibField returns the value of a "Name:   123 kB" line of a /proc file, in
// bytes, or 0.
func kibField(text, name string) int64 {
	_, rest, ok := strings.Cut(text, name)
	if !ok {
		return 0
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

func tail(text []byte, n int) string {
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-n):])
}
