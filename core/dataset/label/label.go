// Package label reads the labels that lie beside images, in the ways that tools
// write them: a folder a class, YOLO, Pascal VOC and COCO. It tells which file
// is a label, which classes a sample has, and where labels and images do not
// belong together.
package label

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// Format is a way of writing labels.
type Format string

// The formats.
const (
	None   Format = "none"
	Folder Format = "folder" // the class is the folder that the file is in
	YOLO   Format = "yolo"   // a .txt an image: class and box a line
	VOC    Format = "voc"    // an .xml an image
	COCO   Format = "coco"   // a .json for many images
)

// Labels are the labels of a dataset. It does not change.
type Labels struct {
	format   Format
	key      string
	images   int64
	classes  map[string][]string
	labels   map[string]bool
	findings []dataset.Finding
	found    int64
	unread   []dataset.Unread
}

// Images returns how many images were looked at.
func (l *Labels) Images() int64 { return l.images }

// IsLabel reports whether a file is a label, an annotation or a list of
// classes, which is no sample by itself.
func (l *Labels) IsLabel(name string) bool { return l.labels[name] }

// Key names the files that are labels: it is the same as long as they are.
func (l *Labels) Key() string { return l.key }

// Classes returns the classes that a sample shows, sorted, each once. Do not
// change it. None: it has no label, or is a background.
func (l *Labels) Classes(name string) []string {
	if l.format == Folder {
		if class := folderClass(name); class != "" {
			return []string{class}
		}
	}
	return l.classes[name]
}

// Findings returns what does not belong together, in path order, at most
// dataset.MaxFindings of them; Found says how many there are. Level is left to
// the caller.
func (l *Labels) Findings() []dataset.Finding { return l.findings }

// Found returns how many findings there are.
func (l *Labels) Found() int64 { return l.found }

// Unread returns which labels cannot be read, with the line.
func (l *Labels) Unread() []dataset.Unread { return l.unread }

// Read reads all labels of a dataset. What one label file says is kept in
// facts, so that it is parsed once. It fails only as files do: what a label
// says wrongly is a finding, and what cannot be parsed is in Unread.
func Read(ctx context.Context, files dataset.Files, facts dataset.Facts, format Format) (*Labels, error) {
	r := newReader(files, facts, format)
	if format == None {
		return r.l, nil
	}
	if err := r.walk(ctx); err != nil {
		return nil, err
	}
	read := map[Format]func(context.Context) error{Folder: r.folder, YOLO: r.yolo, VOC: r.voc, COCO: r.coco}[format]
	if read == nil {
		return nil, fmt.Errorf("%q is no format of labels", format)
	}
	if err := read(ctx); err != nil {
		return nil, err
	}
	r.l.key = r.key()
	return r.l, nil
}

var imageTypes = map[string]bool{
	".jpg": true, ".jpeg": true, ".png": true, ".bmp": true, ".gif": true, ".webp": true, ".tif": true, ".tiff": true,
}

// IsImage reports whether a file by its name is an image.
func IsImage(name string) bool { return imageTypes[strings.ToLower(path.Ext(name))] }

func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// swap puts another folder for the last one of that name in a path.
func swap(name, from, to string) (string, bool) {
	parts := strings.Split(name, "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if parts[i] == from {
			parts[i] = to
			return strings.Join(parts, "/"), true
		}
	}
	return name, false
}
