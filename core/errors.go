package core

import (
	"fmt"
	"strings"
)

// UsageError is for options that do not go together; Hint is the way out.
type UsageError struct{ What, Hint string }

func (e *UsageError) Error() string { return e.What }

// MovingError is for paths that went on changing while they were read.
type MovingError struct{ Paths []string }

func (e *MovingError) Error() string {
	return fmt.Sprintf("%s changed while being read, again and again: %s", count(len(e.Paths), "path"), quoteSome(e.Paths))
}

// UnreadableError is for paths that cannot be read.
type UnreadableError struct {
	Paths []string // the first ones
	Count int
	Err   error // of the first
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("cannot read %s: %s: %v", count(e.Count, "path"), quoteSome(e.Paths), e.Err)
}

func (e *UnreadableError) Unwrap() error { return e.Err }

// DamageError is for files whose bytes changed under an unchanged stat.
type DamageError struct {
	Paths []string // the first ones
	Count int
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s other bytes than recorded though their times and sizes did not change (suspected damage): %s",
		count(e.Count, "file has", "files have"), quoteSome(e.Paths))
}

// maxNamed is how many paths an error carries; all are counted.
const maxNamed = 1000

// count says "1 path" or "3 paths"; with two words the second is the plural.
func count(n int, words ...string) string {
	word := words[0]
	if n != 1 {
		if len(words) > 1 {
			word = words[1]
		} else {
			word += "s"
		}
	}
	return fmt.Sprintf("%d %s", n, word)
}

// quoteSome lists the first few paths, quoted.
func quoteSome(paths []string) string {
	const some = 5
	quoted := make([]string, 0, some+1)
	for i, p := range paths {
		if i == some {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, fmt.Sprintf("%q", p))
	}
	return strings.Join(quoted, ", ")
}
