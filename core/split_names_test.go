package core

import (
	"errors"
	"testing"

	"github.com/mlvc/mlvc/objects"
)

// Who writes no scheme is not told that a scheme is missing which nobody named.
func TestSplitWithoutItsScheme(t *testing.T) {
	b := binding{splits: []objects.Split{{Scheme: "s", Fingerprints: map[string]objects.ID{"train": {1}}}}}
	var e *UnknownSplitError
	if err := b.checkFilters("HEAD", []SplitFilter{{Scheme: "default", Only: []string{"train"}}}); !errors.As(err, &e) || e.Split != "train" || len(e.Have) != 1 {
		t.Errorf("a split without its scheme: %v", err)
	}
	if err := b.checkFilters("HEAD", []SplitFilter{{Scheme: "other", Only: []string{"train"}}}); !errors.As(err, &e) || e.Split != "" {
		t.Errorf("a scheme that is not there: %v", err)
	}
}
