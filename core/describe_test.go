package core_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset/export"
)

func (d *data) described() export.Dataset {
	d.t.Helper()
	d.commit(core.CommitOptions{Message: "described"})
	e, err := within(d, func(r *core.Repo) (export.Dataset, error) { return r.Describe(d.t.Context(), core.DescribeOptions{}) })
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

// A Parquet file comes out with the columns that it declares, its own hash, and
// the splits of its rows.
func TestDescribeParquet(t *testing.T) {
	text, err := os.ReadFile("../testdata/tables/stations.parquet")
	if err != nil {
		t.Fatal(err)
	}
	d := newData(t)
	d.set(files{"stations.parquet": string(text), core.RulesFile: "[dataset]\nname = \"stations\"\n[splits.rows]\ntable = \"*.parquet\"\ncolumn = \"split\"\n"})
	croissant, err := export.Croissant(d.described())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Distribution []map[string]any `json:"distribution"`
		RecordSet    []struct {
			ID    string           `json:"@id"`
			Field []map[string]any `json:"field"`
			Data  []map[string]any `json:"data"`
		} `json:"recordSet"`
	}
	if err := json.Unmarshal(croissant, &doc); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if file := doc.Distribution[0]; len(doc.Distribution) != 1 || file["sha256"] != hex.EncodeToString(sum[:]) || file["encodingFormat"] != "application/x-parquet" {
		t.Errorf("%v", doc.Distribution)
	}
	var told []string
	for _, f := range doc.RecordSet[0].Field {
		told = append(told, fmt.Sprintf("%v %v %v %v", f["name"], f["dataType"], f["repeated"], f["references"]))
		parts, _ := f["subField"].([]any)
		for _, p := range parts {
			part := p.(map[string]any)
			from := part["source"].(map[string]any)
			told = append(told, fmt.Sprintf("%v %v of %v %v", part["name"], part["dataType"], from["extract"], from["transform"]))
		}
	}
	want := []string{
		"id sc:Integer <nil> <nil>", "name sc:Text <nil> <nil>", "since sc:Date <nil> <nil>", "active sc:Boolean <nil> <nil>", "tags sc:Text true <nil>",
		"at <nil> <nil> <nil>", "lat sc:Float of map[column:at] map[jsonPath:$.lat]", "lon sc:Float of map[column:at] map[jsonPath:$.lon]",
		"split sc:Text <nil> map[field:map[@id:splits/rows/name]]",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	rows := make(map[any]any)
	for _, s := range doc.RecordSet[1].Data {
		rows[s["splits/rows/name"]] = s["splits/rows/rows"]
	}
	if diff := cmp.Diff(map[any]any{"train": 3.0, "test": 1.0}, rows); diff != "" {
		t.Error(diff)
	}
}

// Folders are classes where they are the labels alone, and the splits are
// told by a folder, or file by file.
func TestDescribeLabels(t *testing.T) {
	const box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
	voc := func(name string) string {
		return "<annotation><filename>" + name + "</filename><object><name>cat</name>" + box + "</object></annotation>"
	}
	folders := "[splits]\ntrain = [\"images/train/**\"]\ntest = [\"images/test/**\"]\n"
	gray := func(value uint8) string {
		img := image.NewGray(image.Rect(0, 0, 16, 16))
		img.Pix[value] = value
		return pngOf(img)
	}
	for name, c := range map[string]struct {
		rules  string
		files  files
		labels []string            // of the group of images
		splits map[string][]string // the folder, or the files
	}{
		"folder": {
			"[splits]\ntrain = [\"train/**\"]\ntest = [\"test/**\"]\n",
			files{"train/cat/1.png": gray(1), "train/dog/2.png": gray(2), "test/cat/3.png": gray(3)},
			[]string{"cat", "dog"},
			map[string][]string{"train": {"train/"}, "test": {"test/"}},
		},
		"yolo": {
			folders,
			files{
				"data.yaml": "names: [cat]\n", "images/train/1.png": gray(1), "images/test/2.png": gray(2),
				"labels/train/1.txt": "0 0.5 0.5 0.1 0.1\n", "labels/test/2.txt": "0 0.5 0.5 0.2 0.2\n",
			},
			nil,
			map[string][]string{"train": {"images/train/"}, "test": {"images/test/"}},
		},
		"voc": {
			"[splits]\nof = [\"JPEGImages/**\"]\ntrain = [\"@ImageSets/Main/train.txt\"]\ntest = [\"@ImageSets/Main/cat_test.txt\"]\n",
			files{
				"JPEGImages/1.png": gray(1), "JPEGImages/2.png": gray(2), "Annotations/1.xml": voc("1.png"), "Annotations/2.xml": voc("2.png"),
				"ImageSets/Main/train.txt": "1\n", "ImageSets/Main/cat_test.txt": "2  1\n",
			},
			nil,
			map[string][]string{"train": {"JPEGImages/1.png"}, "test": {"JPEGImages/2.png"}},
		},
		"coco": {
			folders,
			files{
				"images/train/1.png": gray(1), "images/test/2.png": gray(2),
				"annotations/instances_train.json": `{"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 1, "category_id": 2}], "categories": [{"id": 2, "name": "cat"}]}`,
				"annotations/instances_test.json":  `{"images": [{"id": 1, "file_name": "2.png"}], "annotations": [], "categories": []}`,
			},
			nil,
			map[string][]string{"train": {"images/train/"}, "test": {"images/test/"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newData(t)
			c.files[core.RulesFile] = c.rules
			d.set(c.files)
			e := d.described()
			for _, g := range e.Groups {
				want := c.labels
				if g.Folder == "test" {
					want = nil // one class is told by nothing
				}
				if g.Ext == ".png" && !slices.Equal(g.Labels, want) {
					t.Errorf("labels of %s: %q", g.Folder, g.Labels)
				}
			}
			splits := make(map[string][]string)
			for _, s := range e.Splits {
				if splits[s.Name] = s.Paths; len(s.Paths) == 0 {
					splits[s.Name] = []string{s.Folder + "/"}
				}
			}
			if diff := cmp.Diff(c.splits, splits); diff != "" {
				t.Error(diff)
			}
			text, err := export.Croissant(e)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range slices.Sorted(maps.Keys(c.files)) {
				if listed := strings.Contains(string(text), `/path": "`+path+`"`); listed != slices.Contains(append(c.splits["train"], c.splits["test"]...), path) {
					t.Errorf("%s is listed: %v", path, listed)
				}
			}
		})
	}
}
