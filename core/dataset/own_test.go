package dataset_test

import (
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
)

func TestIsAbout(t *testing.T) {
	for path, want := range map[string]bool{
		"README": true, "readme.md": true, "README_de.txt": true, "LICENSE-images": true, "Licence.txt": true,
		"CITATION.cff": true, "Croissant.json": true,
		"train/README.md": false, "citation.bib": false, "my-readme.md": false, "mlvc.toml": false, "croissant.jsonl": false,
	} {
		if dataset.IsAbout(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
