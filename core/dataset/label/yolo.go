package label

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/internal/yaml"
)

// yoloConfig is what the dataset's own description says.
type yoloConfig struct {
	names  []string
	points int // how many numbers a pose has beyond its box
}

func (r *reader) yolo(ctx context.Context) error {
	config, err := r.yoloConfig(ctx)
	if err != nil {
		return err
	}
	var labels []dataset.File
	for _, f := range r.others {
		if img, inLabels := r.yoloImage(f.Path); path.Ext(f.Path) == ".txt" && (img != "" || inLabels) {
			labels = append(labels, f)
		}
	}
	labeled := make(map[string]bool)
	kind := fmt.Sprintf("yolo-v2-%d", config.points)
	err = r.parsed(ctx, kind, labels, func(data []byte) one { return parseYOLO(data, config.points) }, func(f dataset.File, o one) error {
		img, _ := r.yoloImage(f.Path)
		labeled[img] = true
		r.yoloLabel(f, img, o, config.names)
		return nil
	})
	if err != nil {
		return err
	}
	r.unlabeled(labeled)
	return nil
}

// unlabeled finds the images that no label is of.
func (r *reader) unlabeled(labeled map[string]bool) {
	for _, name := range r.order {
		if !labeled[name] {
			r.find("no label", name+" has no label", r.samples(r.images[name]))
		}
	}
}

// yoloImage returns the image that a label is of; "": it is not there. The
// trees are the same but for the last folder "images", which is "labels"; or
// both lie side by side.
func (r *reader) yoloImage(name string) (img string, inLabels bool) {
	other, inLabels := swap(name, "labels", "images")
	if base := path.Base(name); inLabels && r.stems[stem(other)] == "" && (base == "classes.txt" || strings.HasPrefix(strings.ToLower(base), "readme")) {
		return "", false
	}
	return r.stems[stem(other)], inLabels
}

// yoloLabel notes what a label says.
func (r *reader) yoloLabel(f dataset.File, img string, o one, names []string) {
	r.l.labels[f.Path] = true
	about := []dataset.File{f}
	if img == "" {
		r.find("no image", f.Path+" is the label of no image", r.samples(f))
	} else {
		about = []dataset.File{r.images[img], f}
	}
	if o.Broken.Count > 0 {
		r.cannot(f.Path, o.Broken.Line, o.Broken.Why+more(o.Broken))
	}
	if o.Outside.Count > 0 {
		r.find("box", f.Path+": "+o.Outside.String(), r.samples(about...))
	}
	var classes []string
	for i, class := range o.Classes {
		n, err := strconv.Atoi(class)
		switch {
		case len(names) == 0:
			classes = append(classes, class)
		case err == nil && n < len(names):
			classes = append(classes, names[n])
		default:
			r.find("class", fmt.Sprintf("%s: line %d: there is no class %s: %d are named", f.Path, o.Lines[i], class, len(names)), r.samples(about...), "class "+class)
		}
	}
	if img != "" {
		r.setClasses(img, classes)
	}
}

func more(p problem) string {
	if p.Count > 1 {
		return fmt.Sprintf(", and %d more lines", p.Count-1)
	}
	return ""
}

// slack is how far beyond an image's edge rounding may put that of a box.
const slack = 0.01

// parseYOLO reads the lines of a label: a class and a box, a polygon, or a pose
// with that many numbers beyond its box.
func parseYOLO(data []byte, points int) (o one) {
	first := make(map[int]int) // class → line
	number := 0
	for line := range bytes.Lines(data) {
		number++
		fields := bytes.Fields(line)
		if len(fields) == 0 {
			continue
		}
		class, values, err := yoloLine(fields)
		switch {
		case err != nil:
			o.Broken.add(number, err.Error())
			continue
		case points > 0 && len(values) == 4+points:
			values = values[:4]
		case points > 0 && len(values) != 4:
			o.Broken.add(number, fmt.Sprintf("%d numbers where a pose has %d", len(values), 4+points))
			continue
		case len(values) != 4 && (len(values) < 6 || len(values)%2 != 0):
			o.Broken.add(number, fmt.Sprintf("%d numbers where a box has 4", len(values)))
			continue
		}
		if first[class] == 0 {
			first[class] = number
		}
		if why := outside(values); why != "" {
			o.Outside.add(number, why)
		}
	}
	for _, class := range slices.Sorted(maps.Keys(first)) {
		o.Classes, o.Lines = append(o.Classes, strconv.Itoa(class)), append(o.Lines, first[class])
	}
	return o
}

func yoloLine(fields [][]byte) (class int, values []float64, err error) {
	class, err = strconv.Atoi(string(fields[0]))
	if err != nil || class < 0 {
		return 0, nil, fmt.Errorf("%.40q is no class number", fields[0])
	}
	for _, field := range fields[1:] {
		v, err := strconv.ParseFloat(string(field), 64)
		if err != nil {
			return 0, nil, fmt.Errorf("%.40q is no number", field)
		}
		values = append(values, v)
	}
	return class, values, nil
}

// outside says what of a box or polygon is not within the image.
func outside(values []float64) string {
	for _, v := range values {
		if !(v >= 0 && v <= 1) { // nor is NaN
			return fmt.Sprintf("%v is outside of [0, 1]", v)
		}
	}
	if len(values) != 4 {
		return ""
	}
	x, y, w, h := values[0], values[1], values[2], values[3]
	if w == 0 || h == 0 {
		return "the box is empty"
	}
	if x-w/2 < -slack || x+w/2 > 1+slack || y-h/2 < -slack || y+h/2 > 1+slack {
		return "the box reaches out of the image"
	}
	return ""
}

// yoloConfig finds the description nearest to the root: data.yaml or the like,
// else classes.txt or obj.names.
func (r *reader) yoloConfig(ctx context.Context) (best yoloConfig, err error) {
	depth := 1 << 20
	for _, f := range r.others {
		config, ok, err := r.configOf(ctx, f)
		if err != nil {
			return yoloConfig{}, err
		}
		if !ok {
			continue
		}
		r.l.labels[f.Path] = true
		at := 2 * strings.Count(f.Path, "/")
		if !isYAML(f.Path) {
			at += 1 << 10
		}
		if len(config.names) > 0 && at < depth {
			best, depth = config, at
		}
	}
	return best, nil
}

func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// configOf reads a description; ok is false for a file that is none.
func (r *reader) configOf(ctx context.Context, f dataset.File) (config yoloConfig, ok bool, err error) {
	base := strings.ToLower(path.Base(f.Path))
	isList := base == "classes.txt" || strings.HasSuffix(base, ".names")
	if !isList && !isYAML(f.Path) {
		return config, false, nil
	}
	data, err := r.whole(ctx, f)
	if err != nil || data == nil {
		return config, false, err
	}
	if isList {
		for line := range bytes.Lines(data) {
			if name := string(bytes.TrimSpace(line)); name != "" {
				config.names = append(config.names, name)
			}
		}
		return config, true, nil
	}
	doc, err := yaml.Parse(data)
	var bad *yaml.Error
	if errors.As(err, &bad) {
		if base == "data.yaml" || base == "dataset.yaml" {
			r.cannot(f.Path, bad.Line, bad.What)
		}
		return config, false, nil
	}
	m, _ := doc.(map[string]any)
	config.names, ok = yoloNames(m["names"])
	config.points = yoloPoints(m["kpt_shape"])
	return config, ok, nil
}

// yoloNames reads the classes: a list, or a mapping from their numbers.
func yoloNames(v any) ([]string, bool) {
	switch v := v.(type) {
	case []any:
		names := make([]string, len(v))
		for i := range v {
			names[i] = fmt.Sprint(v[i])
		}
		return names, len(names) > 0
	case map[string]any:
		names := make([]string, len(v))
		for key, name := range v {
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(names) {
				return nil, false
			}
			names[i] = fmt.Sprint(name)
		}
		return names, len(names) > 0
	}
	return nil, false
}

func yoloPoints(v any) int {
	list, _ := v.([]any)
	if len(list) != 2 {
		return 0
	}
	n, err1 := strconv.Atoi(fmt.Sprint(list[0]))
	m, err2 := strconv.Atoi(fmt.Sprint(list[1]))
	if err1 != nil || err2 != nil || n <= 0 || m <= 0 || n > 10_000 || m > 10 {
		return 0
	}
	return n * m
}
