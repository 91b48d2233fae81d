package dataset

import "testing"

func TestEnding(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.csv": ".csv", "A.CSV.GZ": ".csv.gz", "x.gz": ".gz", "a.b/c": "", "t.tsv": ".tsv", ".gz": ".gz",
	} {
		if got := Ending(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
