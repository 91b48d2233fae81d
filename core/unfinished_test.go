package core

import (
	"bytes"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// FuzzDecodeUnfinished: what is accepted is the one valid form of what it says.
func FuzzDecodeUnfinished(f *testing.F) {
	id := objects.Sum(objects.KindCommit, []byte("c"))
	text, err := Unfinished{
		Version: unfinishedVersion, Verb: "checkout", Command: "checkout main", Goal: "HEAD on branch/main at x",
		Token: "t", Since: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), To: id,
		Paths: []string{"a\xffb", `"quoted`, "plain"},
		Moves: unfinishedMoves([]refs.Move{{Name: refs.HEAD, Old: refs.Value{Commit: id}, New: refs.Value{Branch: "branch/main"}}}),
	}.encode()
	if err != nil {
		f.Fatal(err)
	}
	u, err := decodeUnfinished(text)
	if err != nil || u.Paths[0] != "a\xffb" || u.Paths[1] != `"quoted` || u.operation().Moves[0].New.Branch != "branch/main" {
		f.Fatalf("%+v %v", u, err)
	}
	f.Add(text)
	f.Add([]byte(`{"version": 2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := decodeUnfinished(text)
		if err != nil {
			return
		}
		if again, err := u.encode(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("encodes to\n%s %v", again, err)
		}
	})
}
