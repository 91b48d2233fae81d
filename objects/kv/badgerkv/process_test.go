package badgerkv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/badgerkv"
	"github.com/mlvc/mlvc/objects/kv/kvtest"
)

// The test binary is also the other process: MLVC_KV_ROLE says which.
const roleVar, dirVar = "MLVC_KV_ROLE", "MLVC_KV_DIR"

var roles = map[string]func(ctx context.Context, db *badgerkv.DB) error{
	"update": roleUpdate, "view": roleView, "endless": roleEndless, "hold": roleHold, "dump": roleDump,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVar)
	if role == "" {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	db, err := badgerkv.Open(os.Getenv(dirVar), badgerkv.Options{Wait: 30 * time.Second})
	if err == nil {
		err = errors.Join(roles[role](ctx, db), db.Close())
	}
	if errors.Is(err, kv.ErrDamaged) {
		fmt.Println("damaged")
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const rounds = 30

// roleUpdate does windows back to back, each writing its number twice.
func roleUpdate(ctx context.Context, db *badgerkv.DB) error {
	for i := range rounds {
		value := []byte(fmt.Sprintf("%08d", i+1))
		err := db.Update(ctx, func(w kv.Writer) error {
			return errors.Join(w.Set([]byte("x"), value), w.Set([]byte("y"), value))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// roleView does windows back to back; what it reads may not go backwards.
func roleView(ctx context.Context, db *badgerkv.DB) error {
	last := ""
	for last < fmt.Sprintf("%08d", rounds) {
		err := db.View(ctx, func(r kv.Reader) error {
			x, err := r.Get([]byte("x"))
			if errors.Is(err, kv.ErrNotFound) {
				return nil
			}
			y, err2 := r.Get([]byte("y"))
			if err != nil || err2 != nil {
				return errors.Join(err, err2)
			}
			if string(x) != string(y) || string(x) < last {
				return fmt.Errorf("x %s, y %s after %s", x, y, last)
			}
			last = string(x)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// roleEndless writes in one window after another until it is killed.
func roleEndless(ctx context.Context, db *badgerkv.DB) error {
	for i := 0; ; i++ {
		err := db.Update(ctx, func(w kv.Writer) error {
			for j := range 2000 {
				key := fmt.Sprintf("%06d-%04d", i, j)
				if err := w.Set([]byte(key), []byte(strings.Repeat(key, 10))); err != nil {
					return err
				}
				if i > 0 && j == 1000 {
					fmt.Println("writing")
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println("done", i)
	}
}

// roleHold keeps a View open until its input ends.
func roleHold(ctx context.Context, db *badgerkv.DB) error {
	return db.View(ctx, func(r kv.Reader) error {
		fmt.Println("holding")
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		return err
	})
}

// roleDump prints how many records there are, having compared each, and then
// writes one.
func roleDump(ctx context.Context, db *badgerkv.DB) error {
	got, err := kvtest.Dump(ctx, db)
	if err != nil {
		return err
	}
	err = db.View(ctx, func(r kv.Reader) error {
		for key, value := range got {
			if v, err := r.Get([]byte(key)); err != nil || string(v) != value {
				return fmt.Errorf("key %q: %v", key, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = db.Update(ctx, func(w kv.Writer) error { return w.Set([]byte("x"), nil) })
	if err == nil {
		fmt.Println(len(got))
	}
	return err
}

func process(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role, dirVar+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestProcessesTakeTurns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	var all []*exec.Cmd
	for _, role := range []string{"update", "view", "view"} {
		cmd := process(t, role, dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", cmd.Env[len(cmd.Env)-2], err)
		}
	}
}

func TestBusyIsBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir, badgerkv.Options{Wait: 50 * time.Millisecond})
	put(t, db, "a", "1")
	cmd := process(t, "hold", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "holding\n" {
		t.Fatalf("%q, %v", line, err)
	}
	never := func(kv.Writer) error { t.Error("fn was called"); return nil }
	err = db.Update(t.Context(), never)
	if !errors.Is(err, kv.ErrBusy) || !strings.Contains(err.Error(), dir) {
		t.Errorf("update: %v, want ErrBusy naming the folder", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Update(ctx, never); !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v, want Canceled", err)
	}
	// Readers share.
	if err := db.View(t.Context(), func(kv.Reader) error { return nil }); err != nil {
		t.Errorf("view: %v", err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	put(t, db, "a", "2")
}

// TestKilledWriter kills a writer in a window; windows that it had finished
// are whole, and the next View recovers.
func TestKilledWriter(t *testing.T) {
	for range 3 {
		dir := filepath.Join(t.TempDir(), "db")
		cmd := process(t, "endless", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, done := bufio.NewScanner(out), 0
		for lines.Scan() && done < 3 {
			if strings.HasPrefix(lines.Text(), "done") {
				done++
			}
		}
		for lines.Text() != "writing" && lines.Scan() {
			if strings.HasPrefix(lines.Text(), "done") {
				done++
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		db := open(t, dir, badgerkv.Options{})
		got, err := kvtest.Dump(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		for i := range done {
			for j := range 2000 {
				key := fmt.Sprintf("%06d-%04d", i, j)
				if got[key] != strings.Repeat(key, 10) {
					t.Fatalf("window %d was finished, but key %s has %q", i, key, got[key])
				}
			}
		}
		put(t, db, "a", "1")
	}
}

func put(t *testing.T, db kv.DB, key, value string) {
	t.Helper()
	err := db.Update(t.Context(), func(w kv.Writer) error { return w.Set([]byte(key), []byte(value)) })
	if err != nil {
		t.Fatal(err)
	}
}
