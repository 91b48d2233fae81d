package label

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// Detect tells the format that labels are in, and why, if that is sure; else
// None. It looks at the names of all files and into one label at most.
func Detect(ctx context.Context, files dataset.Files) (Format, string, error) {
	r := newReader(files, nil, None)
	if err := r.walk(ctx); err != nil || len(r.order) == 0 {
		return None, "", err
	}
	for _, detect := range []func(context.Context) (Format, string, error){r.isCOCO, r.isVOC, r.isYOLO} {
		if f, why, err := detect(ctx); err != nil || f != None {
			return f, why, err
		}
	}
	f, why := r.isFolder()
	return f, why, nil
}

func (r *reader) isCOCO(context.Context) (Format, string, error) {
	for _, f := range r.others {
		if path.Ext(f.Path) == ".json" && namedCOCO(f.Path) {
			return COCO, f.Path + " is named as annotations of COCO are", nil
		}
	}
	return None, "", nil
}

func (r *reader) isVOC(ctx context.Context) (Format, string, error) {
	for _, f := range r.others {
		img, _ := r.vocImage(f.Path)
		if img == "" || !strings.EqualFold(path.Ext(f.Path), ".xml") {
			continue
		}
		data, err := r.whole(ctx, f)
		if err != nil || parseVOC(data).Broken.Count > 0 {
			return None, "", err
		}
		return VOC, f.Path + " is an annotation of " + img, nil
	}
	return None, "", nil
}

// isYOLO wants a label with at least one box. Beside images without a
// description, or empty, a text may be anything.
func (r *reader) isYOLO(ctx context.Context) (Format, string, error) {
	config, err := r.yoloConfig(ctx)
	if err != nil {
		return None, "", err
	}
	for _, f := range r.others {
		img, inLabels := r.yoloImage(f.Path)
		if img == "" || path.Ext(f.Path) != ".txt" || f.Size == 0 || !inLabels && len(config.names) == 0 {
			continue
		}
		data, err := r.whole(ctx, f)
		if o := parseYOLO(data, config.points); err != nil || o.Broken.Count > 0 || len(o.Classes) == 0 {
			return None, "", err
		}
		return YOLO, f.Path + " has boxes of " + img, nil
	}
	return None, "", nil
}

// isFolder wants every image in SPLIT/CLASS/, with two classes or more.
func (r *reader) isFolder() (Format, string) {
	var classes []string
	for _, name := range r.order {
		parts := strings.Split(name, "/")
		n := len(parts)
		if n < 3 || !splitNames[strings.ToLower(parts[n-3])] {
			return None, ""
		}
		if !slices.Contains(classes, parts[n-2]) {
			classes = append(classes, parts[n-2])
		}
		if len(classes) > 10_000 {
			return None, ""
		}
	}
	if len(classes) < 2 {
		return None, ""
	}
	return Folder, "all images are in folders of classes in folders of splits"
}
