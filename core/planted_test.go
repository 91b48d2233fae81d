package core_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
)

// Real data in which something is planted at known places: each rule must find
// what was planted, and nothing else.

// score compares what a rule found with what was planted, both as sorted names.
func score(t *testing.T, rule string, want, got []string, precision, recall float64) {
	t.Helper()
	right := 0
	for _, name := range got {
		if slices.Contains(want, name) {
			right++
		} else {
			t.Logf("%s: not planted: %s", rule, name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Logf("%s: not found: %s", rule, name)
		}
	}
	p, r := 1.0, 1.0
	if len(got) > 0 {
		p = float64(right) / float64(len(got))
	}
	if len(want) > 0 {
		r = float64(right) / float64(len(want))
	}
	t.Logf("%-22s %3d planted, %3d found: precision %.3f, recall %.3f", rule, len(want), len(got), p, r)
	if p < precision || r < recall {
		t.Errorf("%s: precision %.3f, recall %.3f; want %.3f and %.3f", rule, p, r, precision, recall)
	}
}

// namesOf returns one name for each finding of a rule, sorted, each once.
func namesOf(r *dataset.Report, rule dataset.Rule, name func(dataset.Finding) string) []string {
	names := []string{}
	for _, f := range r.Findings {
		if f.Rule == rule {
			names = append(names, name(f))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// byPaths names a finding by the paths, and rows, of its samples.
func byPaths(f dataset.Finding) string {
	var names []string
	for _, s := range f.Samples {
		name := s.Path
		if s.Row > 0 {
			name += ":" + strconv.FormatInt(s.Row, 10)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

// checked checks the working tree, and then commits it: what the check finds
// is what the commit is held to.
func (d *data) checked() (core.CheckResult, error) {
	d.t.Helper()
	res, err := within(d, func(r *core.Repo) (core.CheckResult, error) { return r.Check(d.t.Context(), "") })
	if err != nil {
		d.t.Fatal(err)
	}
	made, err := within(d, func(r *core.Repo) (core.CommitResult, error) {
		return r.Commit(d.t.Context(), core.CommitOptions{Kind: core.KindAuto, Message: "checked"})
	})
	report := made.Consistency
	if refused, ok := errors.AsType[*core.RefusedError](err); ok {
		report = refused.Consistency
	} else if err != nil {
		d.t.Fatal(err)
	}
	if report == nil {
		d.t.Fatal("the commit was not held to anything")
	}
	ids := func(r *dataset.Report) (ids []string) {
		for _, f := range r.Findings {
			ids = append(ids, f.ID)
		}
		return ids
	}
	if !slices.Equal(ids(res.Report), ids(report.Report)) {
		d.t.Error("the check and the commit found different things")
	}
	return res, err
}

// isClean commits and wants neither findings nor warnings.
func (d *data) isClean() core.CommitResult {
	d.t.Helper()
	told := &warnings{}
	d.env.Events = told
	defer func() { d.env.Events = core.NoEvents{} }()
	res := d.commit(core.CommitOptions{Message: "clean"})
	if res.Consistency == nil || len(res.Report.Findings) > 0 || len(res.Report.Unread) > 0 || len(told.list) > 0 {
		d.t.Errorf("clean data are flagged: %+v\nwarnings: %v", res.Report, told.list)
	}
	return res
}

// warnings keeps what is warned of.
type warnings struct {
	core.NoEvents
	list []string
}

func (w *warnings) Warn(one core.Warning) { w.list = append(w.list, one.Code+": "+one.Message) }

// fashion returns the first n test images of Fashion-MNIST and their classes.
func fashion(t testing.TB, n int) ([]*image.Gray, []byte) {
	t.Helper()
	const header, side = 16, 28
	pixels := gunzipped(t, "../testdata/fashion-mnist/t10k-images-idx3-ubyte.gz", header+n*side*side)[header:]
	classes := gunzipped(t, "../testdata/fashion-mnist/t10k-labels-idx1-ubyte.gz", 8+n)[8:]
	images := make([]*image.Gray, n)
	for i := range images {
		images[i] = &image.Gray{Pix: pixels[i*side*side : (i+1)*side*side], Stride: side, Rect: image.Rect(0, 0, side, side)}
	}
	return images, classes
}

func gunzipped(t testing.TB, name string, n int) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(z, data); err != nil {
		t.Fatal(err)
	}
	return data
}

func pngOf(img image.Image) string {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.String()
}

func jpegOf(img image.Image) string {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		panic(err)
	}
	return b.String()
}

// resized draws a part of an image in another size, between four pixels each.
func resized(img *image.Gray, from image.Rectangle, w, h int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, w, h))
	at := func(x, y int) float64 {
		return float64(img.GrayAt(min(max(x, from.Min.X), from.Max.X-1), min(max(y, from.Min.Y), from.Max.Y-1)).Y)
	}
	for i := range out.Pix {
		x := float64(from.Min.X) + (float64(i%w)+0.5)*float64(from.Dx())/float64(w) - 0.5
		y := float64(from.Min.Y) + (float64(i/w)+0.5)*float64(from.Dy())/float64(h) - 0.5
		x0, y0 := math.Floor(x), math.Floor(y)
		right, low := x-x0, y-y0
		ix, iy := int(x0), int(y0)
		top := at(ix, iy)*(1-right) + at(ix+1, iy)*right
		bottom := at(ix, iy+1)*(1-right) + at(ix+1, iy+1)*right
		out.Pix[i] = uint8(top*(1-low) + bottom*low + 0.5)
	}
	return out
}

func brightened(img *image.Gray) image.Image {
	out := image.NewGray(img.Rect)
	for i, v := range img.Pix {
		out.Pix[i] = uint8(min(255, int(v)+int(v)/8+6))
	}
	return out
}

// The ways in which a copy of an image is still nearly that image.
var likenesses = []struct {
	ext  string
	make func(img *image.Gray) string
}{
	{"png", func(img *image.Gray) string { return pngOf(img) }}, // the very same bytes
	{"jpg", func(img *image.Gray) string { return jpegOf(img) }},
	{"resized.png", func(img *image.Gray) string { return pngOf(resized(img, img.Rect, 64, 64)) }},
	{"bright.png", func(img *image.Gray) string { return pngOf(brightened(img)) }},
	{"cropped.png", func(img *image.Gray) string {
		large := resized(img, img.Rect, 112, 112)
		return pngOf(resized(large, large.Rect.Inset(2), 108, 108))
	}},
	{"rgb.png", func(img *image.Gray) string {
		out := image.NewRGBA(img.Rect)
		for i, v := range img.Pix {
			out.SetRGBA(i%28, i/28, color.RGBA{v, v, uint8(int(v) * 15 / 16), 255})
		}
		return pngOf(out)
	}},
}

// apartFrom keeps images of which no two look alike to a plain comparison: the
// mean difference of their pixels.
func apartFrom(images []*image.Gray, least float64) []int {
	var kept []int
	for i, img := range images {
		alone := true
		for _, k := range kept {
			sum := 0
			for at, v := range img.Pix {
				sum += max(int(v), int(images[k].Pix[at])) - min(int(v), int(images[k].Pix[at]))
			}
			if float64(sum)/float64(len(img.Pix)) < least {
				alone = false
				break
			}
		}
		if alone {
			kept = append(kept, i)
		}
	}
	return kept
}

const imageRules = `
[splits]
train = ["train/**"]
test = ["test/**"]
frozen = ["test"]
group = 'p(\d+)-'

[checks]
near = { level = "warn", images = 6 }
`

func TestPlantedImages(t *testing.T) {
	images, classes := fashion(t, 420)
	kept := apartFrom(images, 22)
	if len(kept) < 200 {
		t.Fatalf("only %d images are unlike each other", len(kept))
	}
	kept = kept[:200]
	name := func(split string, patient, i int, ext string) string {
		return fmt.Sprintf("%s/class-%d/p%03d-%04d.%s", split, classes[i], patient, i, ext)
	}
	clean := files{core.RulesFile: imageRules}
	for k, i := range kept {
		split := "train"
		if k%4 == 0 {
			split = "test"
		}
		clean[name(split, k, i, "png")] = pngOf(images[i])
	}
	d := newData(t)
	d.set(clean)
	d.isClean()

	leaky := maps.Clone(clean)
	var contents, near, cropped, groups, changed, moved []string
	for k, i := range kept {
		origin := name("train", k, i, "png")
		switch at := k / 4; {
		case k%4 == 1 && at < 40: // a copy in test
			one := likenesses[at%len(likenesses)]
			copied := name("test", 500+k, i, one.ext)
			leaky[copied] = one.make(images[i])
			changed = append(changed, copied)
			switch pair := copied + " " + origin; one.ext {
			case "png":
				contents = append(contents, pair)
			case "cropped.png":
				cropped = append(cropped, pair)
			default:
				near = append(near, pair)
			}
		case k%4 == 2 && at < 5: // the patient of a test image
			group := fmt.Sprintf("p%03d-", k-2)
			delete(leaky, origin)
			leaky[name("train", k-2, i, "png")] = pngOf(images[i])
			groups = append(groups, group)
		case k%4 == 0 && at >= 45: // from test to train
			was := name("test", k, i, "png")
			delete(leaky, was)
			leaky[origin] = pngOf(images[i])
			changed, moved = append(changed, was), append(moved, was+" "+origin)
		case k%4 == 0 && at >= 40: // a test image is edited
			was := name("test", k, i, "png")
			leaky[was] = pngOf(brightened(images[i]))
			changed = append(changed, was)
		}
	}
	for _, list := range [][]string{contents, near, cropped, moved} {
		for i, pair := range list {
			words := strings.Fields(pair)
			slices.Sort(words)
			list[i] = strings.Join(words, " ")
		}
	}
	d.set(leaky)
	res, err := d.checked()
	if _, ok := errors.AsType[*core.RefusedError](err); !ok {
		t.Fatalf("leaks were committed: %v", err)
	}
	score(t, "content", contents, namesOf(res.Report, dataset.RuleContent, byPaths), 1, 1)
	score(t, "groups", groups, namesOf(res.Report, dataset.RuleGroups, func(f dataset.Finding) string {
		return regexp.MustCompile(`p\d+-`).FindString(f.Samples[0].Path)
	}), 1, 1)
	score(t, "frozen", changed, namesOf(res.Report, dataset.RuleFrozen, byPaths), 1, 1)
	score(t, "moved", moved, namesOf(res.Report, dataset.RuleMoved, byPaths), 1, 1)
	found := namesOf(res.Report, dataset.RuleNear, byPaths)
	isCrop := func(pair string) bool { return strings.Contains(pair, ".cropped.") }
	score(t, "near images", near, slices.DeleteFunc(slices.Clone(found), isCrop), 1, 1)
	// A small image that is cropped looks different to a hash of 8 × 8 places:
	// what is found of these is told, and may be little.
	score(t, "near images, cropped", cropped, slices.DeleteFunc(found, func(pair string) bool { return !isCrop(pair) }), 1, 0)
}

// mails returns real texts of which none is nearly another.
func mails(t *testing.T) (texts []string) {
	t.Helper()
	data, err := os.ReadFile("../testdata/texts/spam.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var mail struct{ Text string }
		if err := json.Unmarshal([]byte(line), &mail); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, mail.Text)
	}
	return texts
}

// The ways in which a copy of a text is still nearly that text.
var rewordings = []func(words []string) []string{
	func(w []string) []string { return append([]string{"Forwarded:"}, w...) },
	func(w []string) []string { return w[:len(w)-len(w)/20] },
	func(w []string) []string { w[len(w)/2] = "otherwise"; return w },
	func(w []string) []string { return slices.Insert(w, len(w)/3, "indeed") },
}

func TestPlantedTexts(t *testing.T) {
	texts := mails(t)
	clean := files{core.RulesFile: "[splits]\ntrain = [\"train/**\"]\ntest = [\"test/**\"]\n"}
	name := func(split string, i int) string { return fmt.Sprintf("%s/%03d.txt", split, i) }
	for i, text := range texts {
		split := "train"
		if i%4 == 0 {
			split = "test"
		}
		clean[name(split, i)] = text
	}
	d := newData(t)
	d.set(clean)
	d.isClean()

	var near, contents []string
	leaky := maps.Clone(clean)
	for i, text := range texts {
		switch i % 4 {
		case 1:
			edit := rewordings[i/4%len(rewordings)]
			leaky[name("test", i)] = strings.Join(edit(strings.Fields(text)), " ")
			near = append(near, name("test", i)+" "+name("train", i))
		case 2:
			if i < 20 {
				leaky[name("test", i)] = text
				contents = append(contents, name("test", i)+" "+name("train", i))
			}
		}
	}
	d.set(leaky)
	res, err := d.checked()
	if _, ok := errors.AsType[*core.RefusedError](err); !ok {
		t.Fatalf("leaks were committed: %v", err)
	}
	score(t, "content of texts", contents, namesOf(res.Report, dataset.RuleContent, byPaths), 1, 1)
	score(t, "near texts", near, namesOf(res.Report, dataset.RuleNear, byPaths), 1, 0.95)
}

// birdstrikes returns the header and the rows of a real table.
func birdstrikes(t *testing.T) (header []string, rows [][]string) {
	t.Helper()
	f, err := os.Open("../testdata/tables/birdstrikes.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[0], all[1:]
}

func csvOf(header []string, rows [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
		panic(err)
	}
	return b.String()
}

// once returns the rows without those that are there twice.
func once(rows [][]string) (kept [][]string) {
	seen := map[string]bool{}
	for _, row := range rows {
		if key := strings.Join(row, "\x00"); !seen[key] {
			seen[key] = true
			kept = append(kept, row)
		}
	}
	return kept
}

// A table has rows that are the same by nature. In one split they are no
// leak, and drawn splits keep them together.
func TestNaturalDuplicates(t *testing.T) {
	header, rows := birdstrikes(t)
	if n := len(rows) - len(once(rows)); n == 0 {
		t.Fatal("no rows are the same")
	} else {
		t.Logf("%d of %d rows are the same as one before", n, len(rows))
	}
	d := newData(t)
	d.set(files{"birds.csv": csvOf(header, rows), core.RulesFile: "[splits]\ntable = \"birds.csv\"\nratios = { train = 80, test = 20 }\nseed = \"1\"\n"})
	res := d.isClean()
	var n int64
	for _, s := range res.Schemes[0].Splits {
		n += s.Rows
	}
	if n != int64(len(rows)) {
		t.Errorf("%d rows are in splits, of %d", n, len(rows))
	}
}

func TestPlantedRows(t *testing.T) {
	header, rows := birdstrikes(t)
	rows = once(rows)[:4000]
	airport := slices.Index(header, "Airport Name")
	header = append(header, "split")
	// An airport is in one split, by its name.
	splitFor := func(airport string) string {
		if sum := len(airport) + int(airport[0]); sum%5 == 0 {
			return "test"
		}
		return "train"
	}
	var test, train []int
	for i, row := range rows {
		row = append(slices.Clone(row), splitFor(row[airport]))
		if rows[i] = row; row[len(row)-1] == "test" {
			test = append(test, i)
		} else {
			train = append(train, i)
		}
	}
	const rules = "[splits]\ntable = \"birds.csv\"\ncolumn = \"split\"\nfrozen = [\"test\"]\n"
	withGroups := rules + "group = { column = \"Airport Name\" }\n"
	d := newData(t)
	d.set(files{"birds.csv": csvOf(header, rows), core.RulesFile: withGroups})
	d.isClean()

	// Planted: rows of train in test, whose airports now cross; rows of test in
	// train.
	leaky := slices.Clone(rows)
	var same, moved []string
	crossing := map[string]bool{}
	for i := range 20 {
		from := train[i*150]
		row := slices.Clone(rows[from])
		row[len(row)-1] = "test"
		leaky = append(leaky, row)
		same = append(same, sorted(fmt.Sprintf("birds.csv:%d birds.csv:%d", from+1, len(leaky))))
		crossing[row[airport]] = true
	}
	for i := range 8 {
		from := test[i*20]
		row := slices.Clone(rows[from])
		row[len(row)-1] = "train"
		leaky[from] = row
		moved = append(moved, fmt.Sprintf("birds.csv:%d", from+1))
		crossing[row[airport]] = true
	}
	d.set(files{"birds.csv": csvOf(header, leaky), core.RulesFile: withGroups})
	res, err := d.checked()
	if _, ok := errors.AsType[*core.RefusedError](err); !ok {
		t.Fatalf("leaks were committed: %v", err)
	}
	score(t, "rows", same, namesOf(res.Report, dataset.RuleRows, byPaths), 1, 1)
	score(t, "moved rows", moved, namesOf(res.Report, dataset.RuleMoved, byPaths), 1, 1)
	score(t, "groups of rows", slices.Sorted(maps.Keys(crossing)), namesOf(res.Report, dataset.RuleGroups, func(f dataset.Finding) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Message, `group "`), `" is in`)
		return name
	}), 1, 1)
	if !slices.ContainsFunc(res.Report.Findings, func(f dataset.Finding) bool { return f.Rule == dataset.RuleFrozen }) {
		t.Error("the frozen split has changed, and nothing is found")
	}
}

func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// A clean set as detectors are trained with commits without a word, and what
// is missing or broken in one is found.
func TestPlantedLabels(t *testing.T) {
	images, classes := fashion(t, 420)
	kept := apartFrom(images, 22)[:120]
	clean := files{
		core.RulesFile: "[splits]\ntrain = [\"images/train/**\"]\nval = [\"images/val/**\"]\n",
		"data.yaml":    "train: images/train\nval: images/val\nnames: [shirt, trouser, pullover, dress, coat, sandal, shirt2, sneaker, bag, boot]\n",
	}
	split := func(k int) string {
		if k%5 == 0 {
			return "val"
		}
		return "train"
	}
	img := func(k int) string { return fmt.Sprintf("images/%s/%04d.png", split(k), k) }
	label := func(k int) string { return fmt.Sprintf("labels/%s/%04d.txt", split(k), k) }
	for k, i := range kept {
		clean[img(k)] = pngOf(images[i])
		clean[label(k)] = fmt.Sprintf("%d 0.5 0.5 0.9 0.9\n", classes[i])
	}
	clean[label(7)] = "" // an image without objects
	d := newData(t)
	d.set(clean)
	d.isClean()

	leaky := maps.Clone(clean)
	var want []string
	for k := 10; k < 40; k += 3 {
		switch k % 4 {
		case 0:
			delete(leaky, label(k)) // an image without its label
			want = append(want, img(k))
		case 1:
			delete(leaky, img(k)) // and the reverse
			want = append(want, label(k))
		case 2:
			leaky[label(k)] = "77 0.5 0.5 0.2 0.2\n" // no such class
			want = append(want, label(k))
		case 3:
			leaky[label(k)] = "1 1.5 0.5 0.2 0.2\n" // outside of the image
			want = append(want, label(k))
		}
	}
	d.set(leaky)
	res, err := d.checked()
	if err != nil {
		t.Fatal(err)
	}
	score(t, "labels", want, namesOf(res.Report, dataset.RuleLabels, labelOf), 1, 1)
}

// labelOf names a finding by the label that it is about or, where there is
// none, by the image.
func labelOf(f dataset.Finding) string {
	for _, s := range f.Samples {
		if strings.HasPrefix(s.Path, "labels/") {
			return s.Path
		}
	}
	return f.Samples[0].Path
}
