package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset/export"
)

// A split of more files than are listed is noted as such, unless folders tell
// all splits of its scheme.
func TestTellFiles(t *testing.T) {
	const many = maxSplitListed + 1
	for _, c := range []struct {
		splits, want []export.Split
	}{
		{
			[]export.Split{{Name: "train", Files: many, Paths: []string{"a"}}, {Name: "test", Files: 1, Paths: []string{"b"}}},
			[]export.Split{{Name: "train", Files: many, Unlisted: true}, {Name: "test", Files: 1, Paths: []string{"b"}}},
		},
		{
			[]export.Split{{Name: "train", Files: many, Folder: "x/train", Paths: []string{"a"}}, {Name: "test", Files: 1, Folder: "x/test", Paths: []string{"b"}}},
			[]export.Split{{Name: "train", Files: many, Folder: "x/train"}, {Name: "test", Files: 1, Folder: "x/test"}},
		},
		{
			[]export.Split{{Name: "train", Files: many, Folder: "x/train", Paths: []string{"a"}}, {Name: "test", Files: maxSplitListed, Paths: []string{"b"}}},
			[]export.Split{{Name: "train", Files: many, Folder: "x/train", Unlisted: true}, {Name: "test", Files: maxSplitListed, Paths: []string{"b"}}},
		},
	} {
		listed := make(map[*export.Split]int64)
		for i := range c.splits {
			listed[&c.splits[i]] = c.splits[i].Files
		}
		tellFiles(c.splits, listed)
		if diff := cmp.Diff(c.want, c.splits); diff != "" {
			t.Error(diff)
		}
	}
}
