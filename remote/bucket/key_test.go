package bucket_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/remote/bucket"
)

func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"", "current", "packs/a.pack", "../a", "/a", "a//b", ".lock", "nul.pack", "com10", "a.", `a\b`, "C:"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		err := bucket.CheckKey(key)
		var as *bucket.KeyError
		if err != nil && (!errors.As(err, &as) || as.Key != key) {
			t.Errorf("%q: %v, want a KeyError of it", key, err)
		}
		if err != nil {
			return
		}
		if key == "" || len(key) > 200 || strings.ToLower(key) != key || strings.ContainsAny(key, "\\:*?~ \x00") ||
			strings.Contains("/"+key, "/.") || strings.Contains(key+"/", "./") || strings.Contains("/"+key+"/", "//") {
			t.Errorf("%q is taken", key)
		}
		for i := range len(key) + 1 {
			if err := bucket.CheckPrefix(key[:i]); err != nil && !strings.Contains(err.Error(), "device") {
				t.Errorf("%q begins %q: %v", key[:i], key, err)
			}
		}
	})
}

func TestCheckPrefix(t *testing.T) {
	for _, prefix := range []string{"", "a", "packs/", "packs/a.", "con", "com1", strings.Repeat("a", 200)} {
		if err := bucket.CheckPrefix(prefix); err != nil {
			t.Error(err)
		}
	}
	for _, prefix := range []string{"/", ".", "packs/.", "a//", "A", "nul.", strings.Repeat("a", 201)} {
		var as *bucket.KeyError
		if err := bucket.CheckPrefix(prefix); !errors.As(err, &as) || as.Key != prefix {
			t.Errorf("%q: %v, want a KeyError", prefix, err)
		}
	}
}
