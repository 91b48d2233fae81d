package core_test

import (
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core"
)

// A slip in mlvc.toml is told with the word that was meant.
func TestSlips(t *testing.T) {
	for text, want := range map[string]string{
		"[splits]\nratio = { train = 80, test = 20 }\n":                    "ratio: did you mean ratios?",
		"[splits.a]\nratio = { train = 80, test = 20 }\n":                  "ratio: did you mean ratios?",
		"[splits.a]\nratios = { train = 8, test = 2 }\nsed = \"1\"\n":      "sed: did you mean seed?",
		"[splits]\nstratifi = \"folder\"\nratios = { train = 1, b = 1 }\n": "stratifi: did you mean stratify?",
		"split = 1\n":                       "did you mean splits?",
		"[check]\n":                         "did you mean checks?",
		"[kinds]\nmax_chains = 3\n":         "did you mean max_chain?",
		"[checks]\ncontents = \"warn\"\n":   "did you mean content?",
		"[checks]\nnear = { image = 3 }\n":  "did you mean images?",
		"[splits]\ntrain = 1\n":             "array of texts",
		"[checks]\nnonsensical = \"off\"\n": "readable)",
	} {
		d := newDataIn(t, fastDir(t))
		d.set(files{core.RulesFile: text})
		_, err := within(d, func(r *core.Repo) (core.CommitResult, error) {
			return r.Commit(t.Context(), core.CommitOptions{Kind: core.KindAuto, Message: "x"})
		})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want …%s", text, err, want)
		}
	}
}
