package badgerkv_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/badgerkv"
	"github.com/mlvc/mlvc/objects/kv/kvtest"
	"github.com/mlvc/mlvc/objects/vfs"
)

// TestDamageIsNoticed damages every file of a database in several ways: a
// process that reads it finds all records or says that it is damaged, and is
// never ended by it.
func TestDamageIsNoticed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir, badgerkv.Options{})
	const windows, records = 3, 300
	for i := range windows {
		err := db.Update(t.Context(), func(w kv.Writer) error {
			for j := range records {
				key := fmt.Sprintf("%d-%04d", i, j)
				if err := w.Set([]byte(key), []byte(strings.Repeat(key, 8))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	noticed := 0
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range damages(data) {
			copied := filepath.Join(t.TempDir(), "db")
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(copied, e.Name())
			if bad == nil {
				err = os.Remove(name)
			} else {
				err = os.WriteFile(name, bad, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			out, err := process(t, "dump", copied).Output()
			got := strings.TrimSpace(string(out))
			if err != nil || (got != "damaged" && got != fmt.Sprint(windows*records)) {
				t.Errorf("%s %s: %q, %v", e.Name(), what, got, err)
			}
			if got == "damaged" {
				noticed++
			}
		}
	}
	if noticed < 3*windows {
		t.Errorf("only %d damages were noticed", noticed)
	}
}

// damages returns what may become of a file's bytes; nil is no file.
func damages(data []byte) map[string][]byte {
	bad := map[string][]byte{"removed": nil, "emptied": {}}
	if len(data) == 0 {
		return bad
	}
	bad["halved"] = data[:len(data)/2]
	bad["cut by one"] = data[:len(data)-1]
	if len(data) < 1<<20 { // the preallocated file holds nothing
		bad["zeroed"] = make([]byte, len(data))
	}
	for _, at := range []int{0, len(data) / 3, len(data) / 2, len(data) - 6, len(data) - 1} {
		flipped := bytes.Clone(data)
		flipped[max(at, 0)] ^= 0x40
		bad[fmt.Sprintf("flipped at %d", at)] = flipped
	}
	return bad
}

// TestCompactionKeepsDamage damages a block in the middle of a table: the
// compaction that would drop it silently is refused instead.
func TestCompactionKeepsDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir, badgerkv.Options{Idle: time.Nanosecond})
	err := db.Update(t.Context(), func(w kv.Writer) error {
		for j := range 2000 {
			if err := w.Set([]byte(fmt.Sprintf("%04d", j)), make([]byte, 100)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatal(tables, err)
	}
	data, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(tables[0], data, 0o644); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if i == 100 {
			t.Fatal("no compaction was due")
		}
		err := db.Update(t.Context(), func(w kv.Writer) error {
			return errors.Join(w.Set([]byte("0000"), nil), w.Set([]byte("9999"), nil))
		})
		if err == nil {
			continue
		}
		if !errors.Is(err, kv.ErrDamaged) {
			t.Fatal(err)
		}
		break
	}
	if _, err := kvtest.Dump(t.Context(), db); !errors.Is(err, kv.ErrDamaged) {
		t.Errorf("scan: %v, want ErrDamaged", err)
	}
}

func TestManyTinyUpdates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir, badgerkv.Options{})
	const windows = 60
	for i := range windows {
		err := db.Update(t.Context(), func(w kv.Writer) error {
			return errors.Join(
				w.Set([]byte(fmt.Sprintf("a%04d", i)), []byte("1")),
				w.Set([]byte("b"), []byte(fmt.Sprint(i))),
				w.Delete([]byte(fmt.Sprintf("a%04d", i-1))),
			)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := kvtest.Dump(t.Context(), db)
	if err != nil || len(got) != 2 || got["b"] != fmt.Sprint(windows-1) {
		t.Errorf("%v, %v", got, err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) > 20 {
		t.Errorf("%d tables after %d windows, %v", len(tables), windows, err)
	}
}

func TestNothingIsMadeByViews(t *testing.T) {
	parent := t.TempDir()
	db := open(t, filepath.Join(parent, "db"), badgerkv.Options{})
	if got, err := kvtest.Dump(t.Context(), db); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("a View made %v, %v", entries, err)
	}
}

func TestFullDisk(t *testing.T) {
	left := int64(1 << 30)
	db := open(t, filepath.Join(t.TempDir(), "db"), badgerkv.Options{
		MinFree: 1 << 20,
		Free:    func(string) (int64, error) { return left, nil },
	})
	put(t, db, "a", "1")
	left = 1<<20 - 1
	err := db.Update(t.Context(), func(kv.Writer) error { t.Error("fn was called"); return nil })
	if !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("update: %v, want ErrNoSpace", err)
	}
	if got, err := kvtest.Dump(t.Context(), db); err != nil || got["a"] != "1" {
		t.Errorf("view: %v, %v", got, err)
	}
	left = 1 << 30
	put(t, db, "a", "2")
}

func TestForeignMagic(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir, badgerkv.Options{Idle: time.Nanosecond})
	put(t, db, "a", "1")
	name := filepath.Join(dir, "MANIFEST")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := uint16(data[4])<<8 | uint16(data[5]); got != badgerkv.Magic {
		t.Fatalf("magic %04x, want %04x", got, badgerkv.Magic)
	}
	data[5]++
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	view := db.View(t.Context(), func(kv.Reader) error { return nil })
	update := db.Update(t.Context(), func(kv.Writer) error { return nil })
	for _, err := range []error{view, update} {
		if !errors.Is(err, badgerkv.ErrFormat) || errors.Is(err, kv.ErrDamaged) {
			t.Errorf("%v, want ErrFormat", err)
		}
	}
}
