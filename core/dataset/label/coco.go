package label

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// cocoImage is what an annotation file says of an image.
type cocoImage struct {
	ID         int64   `json:"id"`
	FileName   string  `json:"file_name"`
	Width      int     `json:"width"`
	Height     int     `json:"height"`
	Categories []int64 `json:"categories,omitempty"` // of its annotations
}

// coco is what an annotation file says: an index of its images, without the
// annotations themselves.
type coco struct {
	Images     []cocoImage      `json:"images"`
	Categories map[int64]string `json:"categories"`
	NoImage    unlisted         `json:"no_image,omitzero"`
	NoCategory unlisted         `json:"no_category,omitzero"`
	Box        problem          `json:"box,omitzero"`
	Broken     string           `json:"broken,omitempty"`
	Place      string           `json:"place,omitempty"`
}

// unlisted are the images or categories that annotations name, and that the
// file does not list: the first, by number, and how many.
type unlisted struct {
	First []use `json:"first,omitempty"`
	Count int   `json:"count,omitempty"`
}

// use is which image has annotations of what is not listed, and how many more
// have; of an unlisted image, itself.
type use struct {
	ID    int64 `json:"id"`
	Image int64 `json:"image,omitempty"`
	More  int   `json:"more,omitempty"`
}

// keep leaves what can be told.
func (u unlisted) keep() unlisted {
	slices.SortFunc(u.First, func(a, b use) int { return cmp.Compare(a.ID, b.ID) })
	u.Count = len(u.First)
	u.First = slices.Clone(u.First[:min(len(u.First), dataset.MaxFindings)])
	return u
}

func (r *reader) coco(ctx context.Context) error {
	labeled := make(map[string]bool)
	classes := make(map[string][]string)
	for _, f := range r.others {
		if path.Ext(f.Path) != ".json" {
			continue
		}
		c, err := r.readCOCO(ctx, f)
		if err != nil {
			return err
		}
		if c == nil {
			continue // another kind of JSON
		}
		if err := r.cocoFile(ctx, f, c, labeled, classes); err != nil {
			return err
		}
	}
	for name, list := range classes {
		r.setClasses(name, list)
	}
	r.unlabeled(labeled)
	return nil
}

// readCOCO reads an annotation file; nil: it is none.
func (r *reader) readCOCO(ctx context.Context, f dataset.File) (*coco, error) {
	const kind = "coco-v3"
	c := new(coco)
	if data, ok := r.facts.Get(kind, f.Content); ok && json.Unmarshal(data, c) == nil {
		return c, nil
	}
	content, err := r.files.Open(ctx, f)
	if err != nil {
		return nil, err
	}
	defer content.Close() //nolint:errcheck // it is only read
	in := &watched{Reader: io.NewSectionReader(content, 0, content.Size()), ctx: ctx}
	c, err = parseCOCO(in)
	if in.err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, in.err)
	}
	if errors.Is(err, errNotCOCO) && !namedCOCO(f.Path) {
		return nil, nil
	}
	if data, err := json.Marshal(c); err == nil && len(data) <= maxFact {
		r.facts.Put(kind, f.Content, data)
	}
	return c, nil
}

// watched keeps what reading says apart from what parsing says.
type watched struct {
	io.Reader
	ctx context.Context
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	if w.err = w.ctx.Err(); w.err != nil {
		return 0, w.err
	}
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// namedCOCO reports whether a file is named as tools name annotations of COCO.
func namedCOCO(name string) bool {
	base := strings.ToLower(path.Base(name))
	return strings.HasPrefix(base, "instances_") || strings.HasPrefix(base, "person_keypoints_") || strings.HasSuffix(base, ".coco.json")
}

var errNotCOCO = errors.New("it has no images and annotations")

// cocoParser reads an annotation file as a stream, in any order of its parts.
type cocoParser struct {
	d          *json.Decoder
	images     []cocoImage
	categories map[int64]string
	shown      map[int64]map[int64]bool // image → categories
	reach      map[int64]reach          // image → its boxes
	box        problem
	parts      map[string]bool
	broken     map[string]problem // part → elements that are of another kind
}

// reach is how far the boxes of an image go, and which annotation's does.
type reach struct {
	right, bottom         float64
	rightmost, bottommost string
}

// parseCOCO reads an annotation file. With an error, which is in Broken too,
// the rest is what came before it.
func parseCOCO(in io.Reader) (*coco, error) {
	p := &cocoParser{
		d: json.NewDecoder(in), categories: make(map[int64]string), shown: make(map[int64]map[int64]bool), parts: make(map[string]bool),
		reach: make(map[int64]reach), broken: make(map[string]problem),
	}
	err := p.document()
	whole := err == nil
	if !p.parts["images"] || !p.parts["annotations"] {
		err = errors.Join(errNotCOCO, err)
	}
	c := p.result()
	if !whole || p.broken["images"].Count > 0 {
		c.NoImage = unlisted{} // what is not listed may be in what could not be read
	}
	if !whole || p.broken["categories"].Count > 0 {
		c.NoCategory = unlisted{}
	}
	for _, part := range slices.Sorted(maps.Keys(p.broken)) {
		if c.Broken == "" {
			c.Place, c.Broken = fmt.Sprintf("%s, element %d", part, p.broken[part].Line), p.broken[part].Why
		}
		if n := p.broken[part].Count; n > 1 {
			c.Broken += fmt.Sprintf(", and %d more of %s", n-1, part)
		}
	}
	if err != nil {
		c.Broken = strings.ReplaceAll(err.Error(), "\n", ": ")
		c.Place = fmt.Sprintf("byte %d", p.d.InputOffset())
	}
	return c, err
}

func (p *cocoParser) document() error {
	if err := p.delim('{'); err != nil {
		return err
	}
	for p.d.More() {
		key, err := p.d.Token()
		if err != nil {
			return err
		}
		switch key {
		case "images":
			err = p.list("images", p.image)
		case "annotations":
			err = p.list("annotations", p.annotation)
		case "categories":
			err = p.list("categories", p.category)
		default:
			var skipped json.RawMessage
			err = p.d.Decode(&skipped)
		}
		if err != nil {
			return err
		}
	}
	return p.delim('}')
}

func (p *cocoParser) delim(want json.Delim) error {
	token, err := p.d.Token()
	if err == nil && token != want {
		return fmt.Errorf("%v stands where %v should", token, want)
	}
	return err
}

func (p *cocoParser) list(part string, element func() error) error {
	if err := p.delim('['); err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	p.parts[part] = true
	for n := 1; p.d.More(); n++ {
		err := element()
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok { // the next element can be read
			bad := p.broken[part]
			bad.add(n, fmt.Sprintf("%q is a %s", wrong.Field, wrong.Value))
			p.broken[part] = bad
			continue
		}
		if err != nil {
			return fmt.Errorf("%s, element %d: %w", part, n, err)
		}
	}
	return p.delim(']')
}

func (p *cocoParser) image() error {
	var i cocoImage
	if err := p.d.Decode(&i); err != nil {
		return err
	}
	i.Categories = nil
	p.images = append(p.images, i)
	return nil
}

func (p *cocoParser) category() error {
	var c struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	if err := p.d.Decode(&c); err != nil {
		return err
	}
	p.categories[c.ID] = c.Name
	return nil
}

func (p *cocoParser) annotation() error {
	var a struct {
		ID       json.RawMessage `json:"id"`
		Image    int64           `json:"image_id"`
		Category *int64          `json:"category_id"` // captions have none
		Box      []float64       `json:"bbox"`
	}
	if err := p.d.Decode(&a); err != nil {
		return err
	}
	if p.shown[a.Image] == nil {
		p.shown[a.Image] = make(map[int64]bool)
	}
	if a.Category != nil {
		p.shown[a.Image][*a.Category] = true
	}
	if b := a.Box; len(b) == 4 && (b[0] < -1 || b[1] < -1 || b[2] <= 0 || b[3] <= 0) {
		p.box.add(0, fmt.Sprintf("annotation %.40s has the box %v, which is empty or reaches out of its image", a.ID, b))
	} else if len(b) == 4 {
		p.reach[a.Image] = p.reach[a.Image].with(b[0]+b[2], b[1]+b[3], string(a.ID))
	}
	return nil
}

func (r reach) with(right, bottom float64, id string) reach {
	if right > r.right {
		r.right, r.rightmost = right, id
	}
	if bottom > r.bottom {
		r.bottom, r.bottommost = bottom, id
	}
	return r
}

// beyond finds the annotation that reaches out of its image; empty: none does.
func (r reach) beyond(image cocoImage) string {
	switch {
	case image.Width > 0 && r.right > float64(image.Width)+1:
		return r.rightmost
	case image.Height > 0 && r.bottom > float64(image.Height)+1:
		return r.bottommost
	}
	return ""
}

// result brings images, annotations and categories together.
func (p *cocoParser) result() *coco {
	c := &coco{Images: p.images, Categories: p.categories, Box: p.box}
	known := make(map[int64]bool, len(p.images))
	for i, image := range p.images {
		known[image.ID] = true
		if id := p.reach[image.ID].beyond(image); id != "" {
			c.Box.add(0, fmt.Sprintf("annotation %.40s has a box that reaches out of %s", id, image.FileName))
		}
		c.Images[i].Categories = slices.Sorted(maps.Keys(p.shown[image.ID]))
	}
	of := make(map[int64]*use)
	for _, id := range slices.Sorted(maps.Keys(p.shown)) {
		if !known[id] {
			c.NoImage.First = append(c.NoImage.First, use{ID: id})
		}
		for category := range p.shown[id] {
			if _, ok := p.categories[category]; ok {
				continue
			}
			if of[category] == nil {
				of[category] = &use{ID: category, Image: id}
			} else {
				of[category].More++
			}
		}
	}
	for _, u := range of {
		c.NoCategory.First = append(c.NoCategory.First, *u)
	}
	c.NoImage, c.NoCategory = c.NoImage.keep(), c.NoCategory.keep()
	return c
}

// cocoFile notes what an annotation file says.
func (r *reader) cocoFile(ctx context.Context, f dataset.File, c *coco, labeled map[string]bool, classes map[string][]string) error {
	r.l.labels[f.Path] = true
	if c.Broken != "" {
		r.l.unread = append(r.l.unread, dataset.Unread{Path: f.Path, Place: c.Place, Why: c.Broken})
	}
	r.cocoUnlisted(f, c)
	if c.Box.Count > 0 {
		r.find("box", f.Path+": "+c.Box.String(), r.samples(f))
	}
	for _, image := range c.Images {
		found := r.locate(f.Path, image.FileName)
		if len(found) != 1 {
			r.cocoMissing(f, image, found)
			continue
		}
		labeled[found[0]] = true
		for _, id := range image.Categories {
			if name, ok := c.Categories[id]; ok {
				classes[found[0]] = append(classes[found[0]], name)
			}
		}
		if err := r.checkSize(ctx, f, r.images[found[0]], image.Width, image.Height); err != nil {
			return err
		}
	}
	return nil
}

// cocoUnlisted finds what annotations name and their file does not list.
func (r *reader) cocoUnlisted(f dataset.File, c *coco) {
	for _, u := range c.NoImage.First {
		r.find("no image", fmt.Sprintf("%s: annotations name the image %d, which it does not list", f.Path, u.ID), r.samples(f), fmt.Sprintf("image %d", u.ID))
	}
	for _, u := range c.NoCategory.First {
		of := fmt.Sprintf("of the image %d", u.Image)
		if u.More > 0 {
			of += fmt.Sprintf(", and of %d more,", u.More)
		}
		message := fmt.Sprintf("%s: annotations %s name the category %d, which it does not list", f.Path, of, u.ID)
		r.find("class", message, r.samples(f), fmt.Sprintf("category %d", u.ID))
	}
	r.l.found += int64(c.NoImage.Count-len(c.NoImage.First)) + int64(c.NoCategory.Count-len(c.NoCategory.First))
}

func (r *reader) cocoMissing(f dataset.File, image cocoImage, found []string) {
	message := fmt.Sprintf("%s lists the image %q, which is not there", f.Path, image.FileName)
	if len(found) > 1 {
		message = fmt.Sprintf("%s lists the image %q, which may be %s or %s", f.Path, image.FileName, found[0], found[1])
	}
	r.find("no image", message, r.samples(f), "image "+image.FileName)
}

// locate returns the images that a name in an annotation file may mean: the
// one beside it, or in a folder that is named as the annotations are
// (annotations/instances_val2017.json: val2017), else all that end like it.
func (r *reader) locate(annotations, name string) []string {
	name = strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
	dir := path.Dir(annotations)
	part := stem(path.Base(annotations))
	if i := strings.LastIndexByte(part, '_'); i >= 0 {
		part = part[i+1:]
	}
	up := path.Dir(dir)
	for _, where := range []string{
		dir, path.Join(dir, "images"), path.Join(up, part), path.Join(up, "images", part), path.Join(up, "images"), up, ".",
	} {
		if at := path.Join(where, name); r.images[at].Path != "" {
			return []string{at}
		}
	}
	return r.endingIn(name)
}

// endingIn returns the images whose path ends in a name.
func (r *reader) endingIn(name string) (found []string) {
	if r.bases == nil {
		r.bases = make(map[string][]string)
		for _, p := range r.order {
			r.bases[path.Base(p)] = append(r.bases[path.Base(p)], p)
		}
	}
	for _, p := range r.bases[path.Base(name)] {
		if strings.HasSuffix(p, "/"+name) {
			found = append(found, p)
		}
	}
	return found
}
