package label

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// folder is a dataset in memory.
type folder map[string]string

func (d folder) file(name string) dataset.File {
	return dataset.File{Path: name, Entry: objects.Entry{Size: int64(len(d[name])), Content: objects.Sum(objects.KindChunk, []byte(d[name]))}}
}

func (d folder) All(context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(d)) {
			if !yield(d.file(name), nil) {
				return
			}
		}
	}
}

func (d folder) Lookup(_ context.Context, name string) (*dataset.File, error) {
	if _, ok := d[name]; !ok {
		return nil, nil
	}
	f := d.file(name)
	return &f, nil
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (d folder) Open(_ context.Context, f dataset.File) (dataset.Content, error) {
	return memory{bytes.NewReader([]byte(d[f.Path]))}, nil
}

// notes are facts in memory.
type notes struct {
	lock sync.Mutex
	kept map[string][]byte
	hits int
}

func (n *notes) Get(kind string, id objects.ID) ([]byte, bool) {
	n.lock.Lock()
	defer n.lock.Unlock()
	data, ok := n.kept[kind+id.String()]
	if ok {
		n.hits++
	}
	return data, ok
}

func (n *notes) Put(kind string, id objects.ID, data []byte) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.kept[kind+id.String()] = data
}

func picture(width, height int) string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		panic(err)
	}
	return b.String()
}

// told reads labels twice, the second time from facts, and returns what they
// find and cannot read, sorted.
func told(t *testing.T, d folder, format Format) (*Labels, []string) {
	t.Helper()
	facts := &notes{kept: make(map[string][]byte)}
	var first []string
	for {
		l, err := Read(t.Context(), d, facts, format)
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{}
		for _, f := range l.Findings() {
			if f.Rule != dataset.RuleLabels || len(f.ID) != 16 || len(f.Samples) == 0 {
				t.Errorf("finding %+v", f)
			}
			lines = append(lines, f.Message)
		}
		for _, u := range l.Unread() {
			lines = append(lines, "unread: "+u.Path+": "+u.Place+": "+u.Why)
		}
		slices.Sort(lines)
		if first != nil {
			if d := cmp.Diff(first, lines); d != "" {
				t.Error("another result with facts", d)
			}
			return l, lines
		}
		first = append([]string{}, lines...)
	}
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	want = append([]string{}, want...)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func detects(t *testing.T, d folder, want Format) {
	t.Helper()
	got, why, err := Detect(t.Context(), d)
	if err != nil || got != want || (why == "") != (want == None) {
		t.Errorf("detected %s (%s), %v; want %s", got, why, err, want)
	}
}

func yoloSet() folder {
	return folder{
		"data.yaml": "train: images/train\nnames:\n  0: cat\n  1: dog\n", "README.txt": "no label",
		"images/train/a.jpg": "a", "labels/train/a.txt": "0 0.5 0.5 0.2 0.2\n1 0.5 0.5 1 1\n0 0.1 0.1 0.1 0.1\n",
		"images/train/b.jpg": "b", "labels/train/b.txt": "",
		"images/val/c.png": "c", "labels/val/c.txt": "1 0.1 0.1 0.9 0.1 0.9 0.9\n",
	}
}

func TestYOLO(t *testing.T) {
	d := yoloSet()
	detects(t, d, YOLO)
	l, got := told(t, d, YOLO)
	if len(got) != 0 {
		t.Errorf("a clean set: %q", got)
	}
	if d := cmp.Diff([]string{"cat", "dog"}, l.Classes("images/train/a.jpg")); d != "" || l.Classes("images/train/b.jpg") != nil {
		t.Error(d)
	}
	if l.Images() != 3 || !l.IsLabel("labels/train/b.txt") || !l.IsLabel("data.yaml") || l.IsLabel("README.txt") || l.IsLabel("images/val/c.png") {
		t.Error("what is a label")
	}
	before := l.Key()
	d["images/train/new.jpg"], d["labels/train/a.txt"] = "new", "0 0.5 0.5 0.1 0.1"
	if l, _ := told(t, d, YOLO); l.Key() != before {
		t.Error("the same files are labels, by another key")
	}
	d["labels/train/new.txt"] = ""
	if l, _ := told(t, d, YOLO); l.Key() == before {
		t.Error("another file is a label, by the same key")
	}
	d = yoloSet()
	d["images/train/d.jpg"] = "d"
	d["labels/train/e.txt"] = "0 0.5 0.5 0.1 0.1"
	d["labels/train/b.txt"] = "7 0.5 0.5 0.1 0.1\n0 0.5 0.5 1.5 0.1\n\n0 0.9 0.5 0.5 0.1\n"
	d["labels/val/c.txt"] = "0 0.5 0.5\ncat 0.5 0.5 0.1 0.1\n1 0.5 NaN 0.1 0.1\n"
	_, got = told(t, d, YOLO)
	check(
		t, got, "images/train/d.jpg has no label", "labels/train/e.txt is the label of no image",
		"labels/train/b.txt: line 1: there is no class 7: 2 are named", "labels/train/b.txt: line 2: 1.5 is outside of [0, 1], and 1 more",
		"labels/val/c.txt: line 3: NaN is outside of [0, 1]", "unread: labels/val/c.txt: line 1: 2 numbers where a box has 4, and 1 more lines",
	)
}

func TestYOLOSideBySide(t *testing.T) {
	d := folder{"x/a.jpg": "a", "x/a.txt": "0 0.5 0.5 0.1 0.1", "x/b.jpg": "b", "x/b.txt": "a caption"}
	detects(t, d, None)
	d["x/classes.txt"] = "cat\n"
	d["x/b.txt"] = ""
	detects(t, d, YOLO)
	l, got := told(t, d, YOLO)
	check(t, got)
	if d := cmp.Diff([]string{"cat"}, l.Classes("x/a.jpg")); d != "" || !l.IsLabel("x/classes.txt") {
		t.Error(d)
	}
	d["x/data.yaml"] = "names: [cat]\nkpt_shape: [2, 3]\n"
	d["x/b.txt"] = "0 0.5 0.5 0.1 0.1 0.5 0.5 2 0.5 0.5 0\n0 0.5 0.5 0.1 0.1 0.5\n"
	_, got = told(t, d, YOLO)
	check(t, got, "unread: x/b.txt: line 2: 5 numbers where a pose has 10")
}

func annotation(filename, width, box string) string {
	return "<annotation><filename>" + filename + "</filename>\n<size><width>" + width + "</width><height>5</height></size>" +
		"<object><name>cat</name><bndbox>" + box + "</bndbox></object>\n</annotation>"
}

func TestVOC(t *testing.T) {
	box := "<xmin>1</xmin><ymin>1</ymin><xmax>3.5</xmax><ymax>5</ymax>"
	d := folder{
		"JPEGImages/a.png": picture(4, 5), "Annotations/a.xml": annotation("a.png", "4", box), "other/pom.xml": "<project/>",
	}
	detects(t, d, VOC)
	l, got := told(t, d, VOC)
	check(t, got)
	if d := cmp.Diff([]string{"cat"}, l.Classes("JPEGImages/a.png")); d != "" || l.IsLabel("other/pom.xml") || !l.IsLabel("Annotations/a.xml") {
		t.Error(d)
	}
	d["JPEGImages/b.png"] = picture(4, 6)
	d["Annotations/b.xml"] = annotation("a.png", "4", strings.Replace(box, "3.5", "9", 1))
	d["JPEGImages/c.png"] = picture(1, 1)
	d["JPEGImages/d.png"] = picture(1, 2)
	d["Annotations/d.xml"] = "<annotation>\n<object>\n</annotation>"
	d["Annotations/e.xml"] = annotation("e.png", "4", box)
	_, got = told(t, d, VOC)
	check(
		t, got, "Annotations/b.xml says that it is the label of a.png, and lies where that of JPEGImages/b.png should",
		"the label of JPEGImages/b.png says 4 × 5, and the image is 4 × 6", "Annotations/b.xml: line 2: object 1: the box reaches out of the image",
		"JPEGImages/c.png has no label", "Annotations/e.xml is the label of no image",
		"unread: Annotations/d.xml: line 3: element <object> closed by </annotation>",
	)
}

// What cannot be read of an annotation is told with its place, in words of the
// format and not of a parser.
func TestBrokenVOC(t *testing.T) {
	const box = "<xmin>1</xmin>\n<ymin>1</ymin><xmax>3</xmax><ymax>5</ymax>"
	for _, c := range []struct{ text, want string }{
		{annotation("a.png", "4", strings.Replace(box, "1", "left", 1)), `Annotations/a.xml: line 2: object 1: the xmin of the box is "left", which is no number`},
		{annotation("a.png", "4", strings.Replace(box, ">5<", "> NaN <", 1)), `Annotations/a.xml: line 2: object 1: the ymax of the box is "NaN", which is no number`},
		{annotation("a.png", "4", strings.Replace(box, ">5<", "><", 1)), "Annotations/a.xml: line 2: object 1: the box has no ymax"},
		{annotation("a.png", "4", strings.Replace(box, ">5<", ">1e300<", 1)), "Annotations/a.xml: line 2: object 1: the box reaches out of the image"},
		{strings.Replace(annotation("a.png", "4", box), "cat", " ", 1), "Annotations/a.xml: line 2: object 1 has no name"},
		{"<annotation>\n<object><name>cat</name></object>\n<object>\n</object><object/></annotation>", "Annotations/a.xml: line 3: object 2 has no name, and 1 more"},
		{"", "unread: Annotations/a.xml: line 1: it is empty"},
		{" \n", "unread: Annotations/a.xml: line 1: it is empty"},
		{"{\"objects\": []}\n\n", `unread: Annotations/a.xml: line 1: it is no XML: it begins with "{\"objects\": []}"`},
		{"\x89PNG\r\n\x1a\n\x00\x00", `unread: Annotations/a.xml: line 1: it is no XML: it begins with "\x89PNG\r\n\x1a\n\x00\x00"`},
		{"<!-- nothing -->\n", "unread: Annotations/a.xml: line 2: it is no <annotation>"},
		{"<html>\n</html>", "unread: Annotations/a.xml: line 1: it is no <annotation>"},
		{"<annotation>\n<object>\n", "unread: Annotations/a.xml: line 3: it ends before </annotation>"},
		{`<?xml version="1.0" encoding="utf-16"?><annotation/>`, "unread: Annotations/a.xml: line 1: it is not written in UTF-8"},
	} {
		l, got := told(t, folder{"JPEGImages/a.png": picture(4, 5), "Annotations/a.xml": c.text, "empty.xml": ""}, VOC)
		check(t, got, c.want)
		if slices.Contains(l.Classes("JPEGImages/a.png"), "") || l.IsLabel("empty.xml") {
			t.Errorf("%q: classes %q", c.text, l.Classes("JPEGImages/a.png"))
		}
	}
}

// faulty is a dataset of which one file cannot be opened, or read.
type faulty struct {
	folder
	path         string
	opened, read error
}

func (d faulty) Open(ctx context.Context, f dataset.File) (dataset.Content, error) {
	c, err := d.folder.Open(ctx, f)
	switch {
	case err != nil || f.Path != d.path:
		return c, err
	case d.opened != nil:
		return nil, d.opened
	}
	return unreadable{c, d.read}, nil
}

type unreadable struct {
	dataset.Content
	err error
}

func (u unreadable) ReadAt([]byte, int64) (int, error) { return 0, u.err }

// An image that is not here, or is none, has no size to be compared; damage of
// the storage is an error that names it.
func TestSizeThatCannotBeTold(t *testing.T) {
	box := "<xmin>1</xmin><ymin>1</ymin><xmax>3.5</xmax><ymax>5</ymax>"
	d := folder{
		"JPEGImages/a.png": picture(4, 5), "Annotations/a.xml": annotation("a.png", "9", box),
		"JPEGImages/b.png": "these are no pixels", "Annotations/b.xml": annotation("b.png", "4", box),
		"JPEGImages/c.png": picture(4, 5)[:20], "Annotations/c.xml": annotation("c.png", "4", box),
	}
	read := func(files dataset.Files) (int64, error) {
		l, err := Read(t.Context(), files, &notes{kept: make(map[string][]byte)}, VOC)
		if err != nil {
			return 0, err
		}
		return l.Found(), nil
	}
	if n, err := read(d); n != 1 || err != nil {
		t.Errorf("found %d, %v", n, err)
	}
	if n, err := read(faulty{folder: d, path: "JPEGImages/a.png", opened: &dataset.AbsentError{Path: "JPEGImages/a.png"}}); n != 0 || err != nil {
		t.Errorf("an image that is not here: found %d, %v", n, err)
	}
	if _, err := read(faulty{folder: d, path: "JPEGImages/a.png", read: objects.ErrCorrupt}); !errors.Is(err, objects.ErrCorrupt) || !strings.Contains(err.Error(), "JPEGImages/a.png") {
		t.Errorf("damage: %v", err)
	}
}

func TestCOCO(t *testing.T) {
	d := folder{
		"annotations/instances_train.json": `{"info": {"x": [1]}, "annotations": [{"id": 1, "image_id": 7, "category_id": 2, "bbox": [0, 0, 2, 2], "segmentation": [[1, 2]]}],
"images": [{"id": 7, "file_name": "a.png", "width": 4, "height": 5}, {"id": 8, "file_name": "b.png"}], "categories": [{"id": 2, "name": "cat"}]}`,
		"train/a.png": picture(4, 5), "train/b.png": picture(1, 1), "other/a.png": "", "settings.json": `{"images": 3}`,
	}
	delete(d, "other/a.png")
	detects(t, d, COCO)
	l, got := told(t, d, COCO)
	check(t, got)
	if d := cmp.Diff([]string{"cat"}, l.Classes("train/a.png")); d != "" || l.Classes("train/b.png") != nil || l.IsLabel("settings.json") {
		t.Error(d)
	}
	d["annotations/instances_val.json"] = `{"images": [{"id": 1, "file_name": "val/v.png", "width": 9, "height": 9}, {"id": 2, "file_name": "x.png"},
{"id": 4, "file_name": "twice.png"}], "categories": [], "annotations": [{"image_id": 1, "category_id": 5, "bbox": [0, 0, 0, 1]}, {"image_id": 3}]}`
	d["val/v.png"] = picture(2, 3)
	d["p/twice.png"], d["q/twice.png"] = "p", "q"
	d["annotations/instances_test.json"] = `{"images": [{"id": 1, "file_name": "b.png", "width": 1, "height": 1}], "annotations": [{"image_id": 1}, {"image_id": "x"},
{"id": 30, "image_id": 1, "category_id": 2, "bbox": [0, 0, 5, 1]}], "categories": [{"id": 2, "name": "cat"}]}`
	_, got = told(t, d, COCO)
	const val, test = "annotations/instances_val.json", "annotations/instances_test.json"
	check(
		t, got, "unread: "+test+`: annotations, element 2: "image_id" is a string`, test+": annotation 30 has a box that reaches out of b.png",
		val+`: annotations name the image 3, which it does not list`,
		val+`: annotations of the image 1 name the category 5, which it does not list`,
		val+`: annotation  has the box [0 0 0 1], which is empty or reaches out of its image`,
		val+` lists the image "x.png", which is not there`, val+` lists the image "twice.png", which may be p/twice.png or q/twice.png`,
		`the label of val/v.png says 9 × 9, and the image is 2 × 3`, "p/twice.png has no label", "q/twice.png has no label",
	)
}

// Each image and each category that is not listed is told, up to the limit, and
// the rest counted.
func TestCOCOUnlisted(t *testing.T) {
	annotations := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"image_id": %d, "category_id": %d}`, n-i, 7+i%2), `{"image_id": 0, "category_id": 7}`)
		}
		return `{"annotations": [` + strings.Join(list, ",") + `], "images": [{"id": 0, "file_name": "a.png"}], "categories": []}`
	}
	const name = "instances_a.json"
	d := folder{"a.png": picture(1, 1), name: annotations(2)}
	l, got := told(t, d, COCO)
	check(
		t, got, name+": annotations name the image 1, which it does not list", name+": annotations name the image 2, which it does not list",
		name+": annotations of the image 0, and of 1 more, name the category 7, which it does not list",
		name+": annotations of the image 1 name the category 8, which it does not list",
	)
	ids := make(map[string]bool)
	for _, f := range l.Findings() {
		ids[f.ID] = true
	}
	if len(ids) != 4 || l.Found() != 4 {
		t.Errorf("%d findings, %d are told apart", l.Found(), len(ids))
	}
	d[name] = annotations(dataset.MaxFindings + 5)
	if l, got = told(t, d, COCO); len(got) != dataset.MaxFindings || l.Found() != dataset.MaxFindings+5+2 {
		t.Errorf("%d of %d findings", len(got), l.Found())
	}
}

func TestFolder(t *testing.T) {
	d := folder{"train/cat/a.jpg": "a", "train/dog/b.jpg": "b", "test/cat/c.jpg": "c"}
	detects(t, d, Folder)
	l, got := told(t, d, Folder)
	check(t, got)
	if d := cmp.Diff([]string{"cat"}, l.Classes("train/cat/a.jpg")); d != "" || !slices.Equal(l.Classes("train/dog/b.jpg"), []string{"dog"}) {
		t.Error(d)
	}
	d["Train/e.jpg"] = "e"
	_, got = told(t, d, Folder)
	check(t, got, "Train/e.jpg is in no folder of a class")
	delete(d, "Train/e.jpg")
	d["test/d.jpg"] = "d"
	detects(t, d, None)
	_, got = told(t, d, Folder)
	check(t, got, "test/d.jpg is in no folder of a class")
}

func FuzzYOLO(f *testing.F) {
	f.Add([]byte("0 0.5 0.5 0.1 0.1\n1 .5 nan 1e3 -1\n\nx"), 0)
	f.Add([]byte("0 0.5 0.5 0.1 0.1 1 1 2"), 3)
	f.Fuzz(func(t *testing.T, data []byte, points int) {
		o := parseYOLO(data, points)
		if lines := bytes.Count(data, []byte{'\n'}) + 1; o.Broken.Count+len(o.Classes) > lines || o.Broken.Line > lines || o.Outside.Line > lines {
			t.Fatalf("%+v of %d lines", o, lines)
		}
	})
}

func FuzzVOC(f *testing.F) {
	f.Add([]byte(annotation("a", "4", "<xmin>1</xmin>")))
	f.Add([]byte("<annotation><object>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o := parseVOC(data); o.Broken.Count > 0 && (o.Broken.Line < 1 || o.Broken.Why == "") {
			t.Fatalf("%+v", o)
		}
	})
}

func FuzzCOCO(f *testing.F) {
	f.Add([]byte(`{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "category_id": 1}], "categories": []}`))
	f.Add([]byte(`{"images": {}, "x": [`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCOCO(bytes.NewReader(data))
		if (err != nil) != (c.Broken != "") || err == nil && c.Images == nil && !bytes.Contains(data, []byte("images")) {
			t.Fatalf("%v: %+v", err, c)
		}
	})
}
