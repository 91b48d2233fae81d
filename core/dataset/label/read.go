package label

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/similar"
	"github.com/mlvc/mlvc/objects"
)

const (
	// maxLabel bounds a label of one image.
	maxLabel = 16 << 20
	// labelBatch is how many labels are read at a time, in parallel.
	labelBatch   = 256
	labelWorkers = 4
	// maxFact bounds what is kept of one annotation file.
	maxFact = 16 << 20
)

// reader collects what is known while labels are read. The images are an index
// in memory, a path each.
type reader struct {
	files  dataset.Files
	facts  dataset.Facts
	images map[string]dataset.File
	order  []string            // the images in path order
	stems  map[string]string   // an image's path without its extension → the image
	bases  map[string][]string // an image's name → the images, when needed
	others []dataset.File      // what may be a label
	sets   map[string][]string
	l      *Labels
}

func newReader(files dataset.Files, facts dataset.Facts, format Format) *reader {
	return &reader{
		files: files, facts: facts, images: make(map[string]dataset.File), stems: make(map[string]string),
		sets: make(map[string][]string),
		l:    &Labels{format: format, classes: make(map[string][]string), labels: make(map[string]bool)},
	}
}

func (r *reader) walk(ctx context.Context) error {
	for f, err := range r.files.All(ctx) {
		if err != nil {
			return err
		}
		switch ext := strings.ToLower(path.Ext(f.Path)); {
		case IsImage(f.Path):
			r.l.images++
			r.images[f.Path] = f
			r.order = append(r.order, f.Path)
			r.stems[stem(f.Path)] = f.Path
		case slices.Contains([]string{".txt", ".yaml", ".yml", ".xml", ".json", ".names"}, ext):
			r.others = append(r.others, f)
		}
	}
	return nil
}

const keyContext = "mlvc 2026-11-26 files that are labels v1"

// key names the format and the files that are labels of it.
func (r *reader) key() string {
	text := []byte(r.l.format)
	for _, f := range r.others { // in path order
		if r.l.labels[f.Path] {
			text = append(append(text, 0), f.Path...)
		}
	}
	return objects.Derive(keyContext, text).String()
}

// find adds a finding about contents, or about words where there is none.
func (r *reader) find(kind, message string, samples []dataset.Sample, about ...string) {
	r.l.found++
	if len(r.l.findings) == dataset.MaxFindings {
		return
	}
	about = append(about, "kind "+kind)
	for _, s := range samples {
		about = append(about, s.Content.String())
	}
	for i := range about {
		about[i] = strings.ReplaceAll(about[i], "\x00", "\ufffd")
	}
	r.l.findings = append(r.l.findings, dataset.Finding{
		ID: dataset.FindingID(dataset.RuleLabels, "", about...), Rule: dataset.RuleLabels, Message: message, Samples: samples,
	})
}

func sample(f dataset.File) dataset.Sample { return dataset.Sample{Path: f.Path, Content: f.Content} }

func (r *reader) samples(files ...dataset.File) []dataset.Sample {
	samples := make([]dataset.Sample, len(files))
	for i, f := range files {
		samples[i] = sample(f)
	}
	return samples
}

func (r *reader) cannot(name string, line int, why string) {
	u := dataset.Unread{Path: name, Why: why}
	if line > 0 {
		u.Place = fmt.Sprintf("line %d", line)
	}
	r.l.unread = append(r.l.unread, u)
}

// setClasses notes the classes of a sample; equal ones share a slice.
func (r *reader) setClasses(name string, classes []string) {
	classes = slices.Compact(slices.Sorted(slices.Values(classes)))
	if len(classes) == 0 {
		return
	}
	key := strings.Join(classes, "\x00")
	if r.sets[key] == nil {
		r.sets[key] = classes
	}
	r.l.classes[name] = r.sets[key]
}

// whole reads a small file. Too large a file is nil.
func (r *reader) whole(ctx context.Context, f dataset.File) ([]byte, error) {
	c, err := r.files.Open(ctx, f)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // it is only read
	if c.Size() > maxLabel {
		return nil, nil
	}
	data := make([]byte, c.Size())
	if n, err := c.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return data, nil
}

// problem is what is wrong within a label: the first place, and how often.
type problem struct {
	Line  int    `json:"line,omitempty"`
	Why   string `json:"why,omitempty"`
	Count int    `json:"count,omitempty"`
}

func (p *problem) add(line int, why string) {
	if p.Count++; p.Count == 1 {
		p.Line, p.Why = line, why
	}
}

func (p problem) String() string {
	text := p.Why
	if p.Line > 0 {
		text = fmt.Sprintf("line %d: %s", p.Line, p.Why)
	}
	if p.Count > 1 {
		text += fmt.Sprintf(", and %d more", p.Count-1)
	}
	return text
}

// one is what the label of one image says.
type one struct {
	Classes  []string `json:"classes,omitempty"`
	Lines    []int    `json:"lines,omitempty"`    // YOLO: where each class is first
	Filename string   `json:"filename,omitempty"` // VOC
	Width    int      `json:"width,omitempty"`
	Height   int      `json:"height,omitempty"`
	Outside  problem  `json:"outside,omitzero"`  // boxes
	Nameless problem  `json:"nameless,omitzero"` // VOC: objects
	Broken   problem  `json:"broken,omitzero"`   // what does not parse
}

// parsed reads labels in parallel and calls use with each, in order. kind names
// the fact and what it depends on.
func (r *reader) parsed(ctx context.Context, kind string, labels []dataset.File, parse func([]byte) one, use func(dataset.File, one) error) error {
	for batch := range slices.Chunk(labels, labelBatch) {
		results := make([]one, len(batch))
		group, inner := errgroup.WithContext(ctx)
		group.SetLimit(labelWorkers)
		for i, f := range batch {
			group.Go(func() (err error) {
				results[i], err = r.parseOne(inner, kind, f, parse)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i, f := range batch {
			if err := use(f, results[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) parseOne(ctx context.Context, kind string, f dataset.File, parse func([]byte) one) (o one, err error) {
	if data, ok := r.facts.Get(kind, f.Content); ok && json.Unmarshal(data, &o) == nil {
		return o, nil
	}
	data, err := r.whole(ctx, f)
	if _, absent := errors.AsType[*dataset.AbsentError](err); absent {
		return one{Broken: problem{Why: "its content is not here", Count: 1}}, nil
	}
	if err != nil {
		return one{}, err
	}
	if data == nil && f.Size > maxLabel {
		o = one{Broken: problem{Why: fmt.Sprintf("longer than %d MiB", maxLabel>>20), Count: 1}}
	} else {
		o = parse(data)
	}
	fact, err := json.Marshal(o)
	if err == nil {
		r.facts.Put(kind, f.Content, fact)
	}
	return o, err
}

// size returns how large an image is; 0: its bytes, or that they are not here,
// do not let it be told.
func (r *reader) size(ctx context.Context, f dataset.File) (width, height int, err error) {
	const kind = "image-size-v1"
	if data, ok := r.facts.Get(kind, f.Content); ok && len(data) == 8 {
		return int(binary.BigEndian.Uint32(data)), int(binary.BigEndian.Uint32(data[4:])), nil
	}
	c, err := r.files.Open(ctx, f)
	if _, absent := errors.AsType[*dataset.AbsentError](err); absent {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer c.Close() //nolint:errcheck // it is only read
	width, height, err = similar.Size(ctx, c)
	switch {
	case similar.IsBadFile(err):
		return 0, 0, nil // that it is no image is told by what decodes it
	case err != nil:
		return 0, 0, fmt.Errorf("read %s: %w", f.Path, err)
	}
	data := binary.BigEndian.AppendUint32(nil, uint32(width))
	r.facts.Put(kind, f.Content, binary.BigEndian.AppendUint32(data, uint32(height)))
	return width, height, nil
}

// checkSize compares the size that a label gives its image with the image's.
func (r *reader) checkSize(ctx context.Context, label, img dataset.File, width, height int) error {
	if width <= 0 || height <= 0 {
		return nil
	}
	w, h, err := r.size(ctx, img)
	if err == nil && w > 0 && (w != width || h != height) {
		r.find("size", fmt.Sprintf("the label of %s says %d × %d, and the image is %d × %d", img.Path, width, height, w, h),
			r.samples(img, label))
	}
	return err
}
