package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"mlvc": main})
}

// TestScript runs the stories of the command line. The first word of each
// names the verb.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Setup: func(e *testscript.Env) error {
			// The folder for temporary files would be part of the datasets.
			if err := os.Remove(e.WorkDir + "/.tmp"); err != nil {
				return err
			}
			e.Setenv("TMPDIR", os.TempDir())
			e.Vars = append(e.Vars, "MLVC_AUTHOR_NAME=Ada", "MLVC_AUTHOR_EMAIL=ada@example.org", "NO_COLOR=1",
				"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "json": jsonValue, "lines": lineCount, "let": let, "fill": fill,
			"damage": damage, "cut": cut, "bite": bite, "hold": hold, "release": release, "unpack": unpack,
		},
		RequireUniqueNames: true,
	})
}

// exits STATUS COMMAND…: the command ends with that status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s\nstdout:\n%s\nstderr:\n%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// json FILE KEY VALUE: a line of FILE has that value at KEY, a path of keys and
// numbers with dots. "!" says that no line has. VALUE "*" is any value.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE KEY VALUE")
	}
	values := valuesIn(ts, args[0], args[1])
	found := slices.Contains(values, args[2]) || args[2] == "*" && len(values) > 0
	if found == neg {
		ts.Fatalf("%s: %s is %q, want %q (not: %v)\n%s", args[0], args[1], values, args[2], neg, ts.ReadFile(args[0]))
	}
}

// let NAME FILE KEY: sets a variable to the value at KEY in the first line
// that has it.
func let(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: let NAME FILE KEY")
	}
	values := valuesIn(ts, args[1], args[2])
	if len(values) == 0 {
		ts.Fatalf("%s: no %s in\n%s", args[1], args[2], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], values[0])
}

// lines FILE N: FILE has N lines.
func lineCount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	text := ts.ReadFile(args[0])
	if got := strconv.Itoa(strings.Count(text, "\n")); got != args[1] {
		ts.Fatalf("%s has %s lines, want %s\n%s", args[0], got, args[1], text)
	}
}

// fill DIR N: writes N small files that all differ.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fill DIR N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o777))
	for i := range n {
		ts.Check(os.WriteFile(fmt.Sprintf("%s/%05d", dir, i), fmt.Appendf(nil, "%s %d\n", args[0], i), 0o666))
	}
}

// damage DIR: flips a byte in the middle of every file below DIR.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage DIR")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 0x40
		if err := os.Chmod(name, 0o600); err != nil {
			return err
		}
		return os.WriteFile(name, data, 0o600)
	}))
}

// cut DIR N: cuts the last N bytes off every file below DIR.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut DIR N")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := os.Chmod(name, 0o600); err != nil {
			return err
		}
		return os.Truncate(name, info.Size()-n)
	}))
}

// bite DIR N: overwrites N bytes in the middle of the largest pack below DIR.
func bite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bite DIR N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var largest string
	var most int64
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".pack" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > most {
			largest, most = name, info.Size()
		}
		return err
	}))
	data, err := os.ReadFile(largest)
	ts.Check(err)
	for i := range n {
		data[len(data)/2+i] ^= 0x5a
	}
	ts.Check(os.Chmod(largest, 0o600))
	ts.Check(os.WriteFile(largest, data, 0o600))
}

// unpack NAME: unpacks a project that another tool made into a folder NAME.
func unpack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unpack NAME")
	}
	archive, err := filepath.Abs("../../testdata/imports/" + args[0] + ".tar.gz")
	ts.Check(err)
	ts.Check(os.RemoveAll(ts.MkAbs(args[0])))
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o777))
	ts.Check(ts.Exec("tar", "-xzf", archive, "-C", ts.MkAbs(args[0])))
}

// hold FILE: takes the lock on FILE, as a process that writes does.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold FILE")
	}
	l := flock.New(ts.MkAbs(args[0]))
	ok, err := l.TryLock()
	if err != nil || !ok {
		ts.Fatalf("hold %s: %v %v", args[0], ok, err)
	}
	held.Store(ts, l)
	ts.Defer(func() { letGo(ts) })
}

// release: lets go of what hold took.
func release(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: release")
	}
	letGo(ts)
}

// held are the locks of the stories that run.
var held sync.Map

func letGo(ts *testscript.TestScript) {
	if l, ok := held.LoadAndDelete(ts); ok {
		ts.Check(l.(*flock.Flock).Unlock())
	}
}

// valuesIn collects what the lines of a file have at a key.
func valuesIn(ts *testscript.TestScript, file, key string) []string {
	var values []string
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(file)))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		d := json.NewDecoder(strings.NewReader(lines.Text()))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			ts.Fatalf("%s: not JSON: %q", file, lines.Text())
		}
		if v, ok := valueAt(v, strings.Split(key, ".")); ok {
			values = append(values, v)
		}
	}
	ts.Check(lines.Err())
	return values
}

func valueAt(v any, keys []string) (string, bool) {
	for _, key := range keys {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[key]
			if !ok {
				return "", false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				return "", false
			}
			v = at[i]
		default:
			return "", false
		}
	}
	switch v := v.(type) {
	case []any:
		return fmt.Sprintf("%d elements", len(v)), true
	case map[string]any:
		return fmt.Sprintf("%d keys", len(v)), true
	}
	return fmt.Sprint(v), true
}
