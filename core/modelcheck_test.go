package core

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// blobs is an image of blobs, one for each seed.
func blobs(seed int) image.Image {
	img := image.NewGray(image.Rect(0, 0, 48, 48))
	for y := range 48 {
		for x := range 48 {
			v := 0
			for k := 1; k < 5; k++ {
				dx, dy := x-(seed*k*17)%48, y-(seed*k*k*29)%48
				v += 9000 / (40 + dx*dx + dy*dy)
			}
			img.SetGray(x, y, color.Gray{Y: uint8(min(v, 255))})
		}
	}
	return img
}

func pngOf(t *testing.T, seed int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, blobs(seed)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func jpegOf(t *testing.T, seed int) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, blobs(seed), &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const words = `the quick brown fox jumps over the lazy dog while seven wizards brew a potion of stars and moss
under an old bridge where trains no longer stop and nobody remembers the name of the station master `

// leaksOfCheck writes the leaks in short.
func leaksOfCheck(res ModelCheck) []string {
	var list []string
	for _, l := range res.Leaks {
		list = append(list, fmt.Sprintf("%s %s:%d (%s) was %s:%d (%s)", l.Method, l.Evaluated.Path, l.Evaluated.Row, l.Evaluated.Split, l.Trained.Path, l.Trained.Row, l.Trained.Split))
	}
	return list
}

func methodOf(res ModelCheck, name string) LeakMethod {
	for _, m := range res.Methods {
		if m.Method == name {
			return m
		}
	}
	return LeakMethod{}
}

// nearRules have leaks through: they are what a model is checked for.
const nearRules = `
[splits]
train = ["train/**"]
test = ["test/**"]
[checks]
content = "off"
rows = { level = "off", ignore = ["id"] }
near = { level = "off", images = 8 }
`

func TestModelCheckFindsRowsAndNearDuplicates(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{
		"mlvc.toml":     nearRules,
		"train/a.png":   pngOf(t, 3),
		"train/b.png":   pngOf(t, 5),
		"train/t.csv":   "id,x,y\n1,10,a\n2,20,b\n3,,\n",
		"train/one.txt": words + "he counts the clouds",
		"test/a.jpg":    jpegOf(t, 3), // planted
		"test/c.png":    pngOf(t, 11),
		"test/bad.png":  "no image",
		"test/t.csv":    "y,x,id\nb,20.0,7\nc,30,8\n,,9\n", // its first row is planted
		"test/one.txt":  words + "she counts the clouds",   // planted
		"test/two.txt":  "nothing of it was ever seen before by anyone who could tell the tale afterwards",
	}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "run", Splits: splitsOf(t, "train")})
	want := []string{
		"rows test/t.csv:1 (default/test) was train/t.csv:2 (default/train)",
		"near-images test/a.jpg:0 (default/test) was train/a.png:0 (default/train)",
		"near-texts test/one.txt:0 (default/test) was train/one.txt:0 (default/train)",
	}
	res, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:test"})
	if diff := cmp.Diff(want, leaksOfCheck(res)); err != nil || diff != "" || res.Clean {
		t.Fatal(err, diff, res.Clean)
	}
	if diff := cmp.Diff([]dataset.Unread{{Path: "test/bad.png", Why: res.Unread[0].Why}}, res.Unread); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string][3]int64{MethodContent: {4, 6, 0}, MethodRows: {2, 2, 1}, MethodImages: {2, 2, 1}, MethodTexts: {1, 2, 1}} {
		if m := methodOf(res, name); [3]int64{m.Trained, m.Evaluated, m.Leaks} != want || m.Skipped != "" {
			t.Errorf("%+v, not %v", m, want)
		}
	}
	if m := methodOf(res, MethodImages); !strings.HasPrefix(m.Limits, "8 of 64") {
		t.Errorf("limits are %q", m.Limits)
	}
	if m := methodOf(res, MethodRows); m.Limits != `without the columns "id"` {
		t.Errorf("limits are %q", m.Limits)
	}
	res, err = r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:test", Near: dataset.Off})
	if err != nil || len(res.Leaks) != 1 || methodOf(res, MethodImages).Skipped == "" || len(res.Unread) != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err = r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:test", Near: "bad"}); err == nil {
		t.Error("a level of that name")
	}
	r.record(map[string]string{"test/t.csv": "y,x,id\nc,30,8\n"}, CommitOptions{})
	res, err = r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:test", Near: dataset.Warn})
	if err != nil || !res.Clean || len(res.Leaks) != 2 {
		t.Errorf("%v, %v, %v", res.Clean, leaksOfCheck(res), err)
	}
}

// TestModelCheckOfFilesInNoCommit: an evaluation set that lies elsewhere.
func TestModelCheckOfFilesInNoCommit(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"a.png": pngOf(t, 3), "b.txt": words, "t.csv": "x,y\n1,2\n"}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "run"})
	dir := t.TempDir()
	for name, text := range map[string]string{"x/same.txt": words, "x/like.jpg": jpegOf(t, 3), "t.csv": "y,x\n2,1.0\n5,6\n", "new.txt": "no"} {
		full := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(full), 0o777)
		if err := os.WriteFile(full, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	res, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", Files: []string{dir}})
	want := []string{
		"content x/same.txt:0 () was b.txt:0 ()",
		"rows t.csv:1 () was t.csv:1 ()",
		"near-images x/like.jpg:0 () was a.png:0 ()",
	}
	if diff := cmp.Diff(want, leaksOfCheck(res)); err != nil || diff != "" || res.Clean {
		t.Fatal(err, diff)
	}
	before := res.Evaluated.Fingerprints[DiskFiles]
	if before.IsZero() || res.Evaluated.Files != 4 {
		t.Errorf("%+v", res.Evaluated)
	}
	again, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", Files: []string{filepath.Join(dir, "new.txt"), filepath.Join(dir, "x")}})
	if err != nil || again.Evaluated.Files != 3 || again.Evaluated.Fingerprints[DiskFiles] == before || again.Leaks[0].Evaluated.Path != "x/same.txt" {
		t.Errorf("%+v, %v", again, err)
	}
	os.Mkdir(filepath.Join(dir, "y"), 0o777)
	os.WriteFile(filepath.Join(dir, "y", "new.txt"), []byte("other"), 0o666)
	if _, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", Files: []string{filepath.Join(dir, "new.txt"), filepath.Join(dir, "y", "new.txt")}}); err == nil {
		t.Error("two files of one path")
	}
}

const rowRules = `
[splits]
table = "*.csv"
column = "part"
[checks]
rows = "off"
covered = "off"
`

func TestModelCheckOfRowSplits(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{
		"mlvc.toml": rowRules,
		"a.csv":     "part,text\ntrain,one\ntrain,two\ntest,three\ntest,one\n",
		"b.csv":     "text,part\nfour,test\ntwo,test\nfive,\n",
	}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "run", Splits: splitsOf(t, "train", "test=test")})
	want := []string{"rows a.csv:4 (default/test) was a.csv:1 (default/train)", "rows b.csv:2 (default/test) was a.csv:2 (default/train)"}
	res, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:test"})
	if diff := cmp.Diff(want, leaksOfCheck(res)); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if m := methodOf(res, MethodRows); m.Trained != 2 || m.Evaluated != 4 {
		t.Errorf("%+v", m)
	}
	parts, err := r.VerifyModel(r.ctx, ModelVerifyOptions{Model: "run"})
	if err != nil || !parts[1].OK {
		t.Errorf("%+v, %v", parts, err)
	}
}

// TestVerifyModelMakesFingerprintsAgain: that the commit and the link say the
// same is not enough.
func TestVerifyModelMakesFingerprintsAgain(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"a": "1", "b": "2"}, CommitOptions{})
	r.splitWith(map[string]string{"a": "train", "b": "test"}, func(s *objects.Split) {
		s.Fingerprints["train"], s.Fingerprints["test"] = s.Fingerprints["test"], s.Fingerprints["train"]
	})
	m := r.link(ModelLinkOptions{Model: "run", Splits: splitsOf(t, "train")})
	if m.Fingerprints["default/train"] != m.data.Splits[0].Fingerprints["train"] {
		t.Fatal("the link says something else")
	}
	parts, err := r.VerifyModel(r.ctx, ModelVerifyOptions{Model: "run"})
	if err != nil || parts[1].OK || !strings.Contains(parts[1].Detail, split.Default+"/train") {
		t.Errorf("%+v, %v", parts, err)
	}
	into := filepath.Join(t.TempDir(), "run")
	if _, err := r.Reproduce(r.ctx, ReproduceOptions{Rev: "run", Into: into}); err == nil {
		t.Error("reproduced")
	}
	if _, err := os.Lstat(into); err == nil {
		t.Error("something was written")
	}
}

// TestModelCheckNeedsBothSides: where there is nothing to compare, nothing is
// called clean.
func TestModelCheckNeedsBothSides(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"a": "1", "b": "2"}, CommitOptions{})
	r.split("default", map[string]string{"a": "train", "b": "test"})
	r.link(ModelLinkOptions{Model: "foreign", Splits: splitsOf(t, "test")})
	r.link(ModelLinkOptions{Model: "run", Splits: splitsOf(t, "train")})
	_, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "foreign", On: "HEAD:test"})
	if _, ok := errors.AsType[*UsageError](err); !ok {
		t.Errorf("a model that was only measured: %v", err)
	}
	_, err = r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", Files: []string{t.TempDir()}})
	if _, ok := errors.AsType[*NothingToCheckError](err); !ok {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err = r.CheckModel(r.ctx, ModelCheckOptions{Model: "run", On: "HEAD:test"}); err != nil {
		t.Error(err)
	}
}
