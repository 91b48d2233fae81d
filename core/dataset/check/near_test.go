package check_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
)

// nearByFirstByte compares half of all contents by the first byte of their IDs;
// some of them cannot be read. given, if not nil, is told of each file.
func nearByFirstByte(given func(check.NearFile)) func(context.Context, iter.Seq2[check.NearFile, error], check.Near, func(check.NearSeen)) iter.Seq2[check.NearPair, error] {
	return func(_ context.Context, files iter.Seq2[check.NearFile, error], _ check.Near, saw func(check.NearSeen)) iter.Seq2[check.NearPair, error] {
		return func(yield func(check.NearPair, error) bool) {
			var samples []dataset.Sample
			for f, err := range files {
				if err != nil {
					yield(check.NearPair{}, err)
					return
				}
				if given != nil {
					given(f)
				}
				switch first := f.Content[0]; {
				case first%8 == 0:
					saw(check.NearSeen{NearFile: f, Why: "not an image"})
				case first%2 == 0:
					saw(check.NearSeen{NearFile: f})
					samples = append(samples, dataset.Sample{Path: f.Path, Split: f.Split, Content: f.Content})
				}
			}
			for i, a := range samples {
				for _, b := range samples[:i] {
					if a.Split != "" && b.Split != "" && !yield(check.NearPair{A: a, B: b, Distance: float64(a.Content[0]) / 3, Measure: "bits"}, nil) {
						return
					}
				}
			}
		}
	}
}

// texts returns n texts, which nearByFirstByte compares or leaves alone.
func texts(w *world, compared bool, n int) (list []string) {
	for i := 0; len(list) < n; i++ {
		text := strings.Repeat("x", i+1)
		w.Put("probe", text)
		snapshot, err := w.Snapshot(w.ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		f, err := snapshot.Lookup(w.ctx, "probe")
		if err != nil {
			w.t.Fatal(err)
		}
		if first := f.Content[0]; first%8 != 0 && (first%2 == 0) == compared {
			list = append(list, text)
		}
	}
	w.Remove("probe")
	return list
}

// Only what changed is looked at; all that are compared are compared again only
// when one of them changed.
func TestNearFollowsTheChange(t *testing.T) {
	w := newWorld(t)
	images, others := texts(w, true, 4), texts(w, false, 4)
	for i, folder := range []string{"train", "test"} {
		w.Put(folder+"/image", images[i])
		w.Put(folder+"/other", others[i])
	}
	var given []string
	w.in.Near = nearByFirstByte(func(f check.NearFile) { given = append(given, strings.TrimSpace(f.Path+" "+f.Split)) })
	step := func(name string, findings int, want ...string) {
		t.Helper()
		given = nil
		r := w.commit()
		if got := len(messages(r, dataset.RuleNear)); got != findings {
			t.Errorf("%s: %d findings, want %d", name, got, findings)
		}
		if !slices.Equal(given, want) {
			t.Errorf("%s: looked at %q, want %q", name, given, want)
		}
	}
	step("first", 1, "test/image test", "test/other test", "train/image train", "train/other train")
	step("unchanged", 1)
	w.Put("train/other", others[2])
	step("another kind", 1, "train/other")
	w.Put("train/new", images[2])
	step("one more", 2, "train/new", "test/image test", "train/image train", "train/new train")
	w.Remove("train/image")
	step("one less", 1, "test/image test", "train/new train")
	w.in.NearVersion = "another"
	step("another version", 1, "test/image test", "test/other test", "train/new train", "train/other train")
	labels := func(key string, paths ...string) {
		w.in.Labels = &check.Labels{Key: key, IsLabel: func(p string) bool { return slices.Contains(paths, p) }}
	}
	labels("none yet")
	step("labels", 1, "test/image test", "test/other test", "train/new train", "train/other train")
	w.Put("train/other", others[3])
	step("the same labels", 1, "train/other")
	labels("one", "train/new")
	step("a file became a label", 0, "test/image test", "test/other test", "train/other train")
	labels("", "train/new")
	step("labels without a name", 0, "test/image test", "test/other test", "train/other train")
}
