package bucket

import (
	"fmt"
	"strings"
)

// maxKey is the most bytes of a key: with the folder of a bucket before it, it
// must fit into a path on every system.
const maxKey = 200

// KeyError is for a key that no bucket takes.
type KeyError struct {
	Key    string
	Reason string
}

func (e *KeyError) Error() string { return fmt.Sprintf("key %.250q: %s", e.Key, e.Reason) }

// CheckKey fails with *KeyError unless key is one that every place can hold and
// none takes for anything else: at most 200 bytes, parts of lower-case letters,
// digits, "-", "_" and "." separated by single slashes, no part beginning or
// ending with a dot or being a device of Windows. So there is no "..", no
// absolute key, no backslash, no drive, no temporary name, and no two keys
// that a disk without case takes for one.
func CheckKey(key string) error {
	if len(key) > maxKey {
		return &KeyError{key, fmt.Sprintf("longer than %d bytes", maxKey)}
	}
	for part := range strings.SplitSeq(key, "/") {
		if reason := checkPart(part); reason != "" {
			return &KeyError{key, reason}
		}
	}
	return nil
}

// CheckPrefix fails with *KeyError unless prefix is the empty string or begins
// some key.
func CheckPrefix(prefix string) error {
	if CheckKey(prefix) == nil {
		return nil
	}
	if err := CheckKey(prefix + "a"); err != nil { // what goes on with any letter
		return &KeyError{prefix, err.(*KeyError).Reason}
	}
	return nil
}

// checkPart returns what is wrong, or nothing.
func checkPart(part string) string {
	if part == "" {
		return "a part is empty"
	}
	for _, c := range []byte(part) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return fmt.Sprintf("has the character %q", c)
		}
	}
	if part[0] == '.' || part[len(part)-1] == '.' {
		return "a part begins or ends with a dot"
	}
	if isDevice(part) {
		return "a part is the name of a device on Windows"
	}
	return ""
}

// isDevice reports whether Windows takes the name, with any extension, for a
// device.
func isDevice(part string) bool {
	stem, _, _ := strings.Cut(part, ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	numbered := strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")
	return numbered && len(stem) == 4 && '0' <= stem[3] && stem[3] <= '9'
}
