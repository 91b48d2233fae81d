package label

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// vocAnnotation is the part of an annotation that is looked at. Numbers are
// text, because tools write floats, too.
type vocAnnotation struct {
	XMLName  xml.Name `xml:"annotation"`
	Filename string   `xml:"filename"`
	Size     struct {
		Width  string `xml:"width"`
		Height string `xml:"height"`
	} `xml:"size"`
	Objects []vocObject `xml:"object"`
}

type vocObject struct {
	Name string  `xml:"name"`
	Box  *vocBox `xml:"bndbox"`
	line int
}

type vocBox struct {
	XMin string `xml:"xmin"`
	YMin string `xml:"ymin"`
	XMax string `xml:"xmax"`
	YMax string `xml:"ymax"`
}

// UnmarshalXML implements xml.Unmarshaler: it notes the line.
func (o *vocObject) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	type object vocObject
	line, _ := d.InputPos()
	err := d.DecodeElement((*object)(o), &start)
	o.line = line
	return err
}

func (r *reader) voc(ctx context.Context) error {
	var labels []dataset.File
	for _, f := range r.others {
		if strings.EqualFold(path.Ext(f.Path), ".xml") {
			labels = append(labels, f)
		}
	}
	labeled := make(map[string]bool)
	err := r.parsed(ctx, "voc-v2", labels, parseVOC, func(f dataset.File, o one) error {
		img, inAnnotations := r.vocImage(f.Path)
		if o.Broken.Count > 0 && img == "" && !inAnnotations {
			return nil // another kind of XML
		}
		labeled[img] = true
		return r.vocLabel(ctx, f, img, o)
	})
	if err != nil {
		return err
	}
	r.unlabeled(labeled)
	return nil
}

// vocImage returns the image that an annotation is of; "": it is not there.
func (r *reader) vocImage(name string) (img string, inAnnotations bool) {
	for _, to := range []string{"JPEGImages", "images", "Images"} {
		for _, from := range []string{"Annotations", "annotations"} {
			other, ok := swap(name, from, to)
			inAnnotations = inAnnotations || ok
			if img := r.stems[stem(other)]; ok && img != "" {
				return img, true
			}
		}
	}
	return r.stems[stem(name)], inAnnotations
}

func (r *reader) vocLabel(ctx context.Context, f dataset.File, img string, o one) error {
	r.l.labels[f.Path] = true
	if o.Broken.Count > 0 {
		r.cannot(f.Path, o.Broken.Line, o.Broken.Why)
	}
	if img == "" {
		r.find("no image", f.Path+" is the label of no image", r.samples(f))
		return nil
	}
	about := r.samples(r.images[img], f)
	if named := path.Base(strings.ReplaceAll(o.Filename, `\`, "/")); o.Filename != "" && named != path.Base(img) {
		r.find("filename", fmt.Sprintf("%s says that it is the label of %s, and lies where that of %s should", f.Path, named, img), about)
	}
	if o.Outside.Count > 0 {
		r.find("box", f.Path+": "+o.Outside.String(), about)
	}
	if o.Nameless.Count > 0 {
		r.find("class", f.Path+": "+o.Nameless.String(), about)
	}
	r.setClasses(img, o.Classes)
	return r.checkSize(ctx, f, r.images[img], o.Width, o.Height)
}

const notVOC = "it is no <annotation>"

func parseVOC(data []byte) (o one) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var a vocAnnotation
	if err := d.Decode(&a); err != nil {
		line, _ := d.InputPos()
		return one{Broken: vocProblem(data, line, err)}
	}
	o.Filename = strings.TrimSpace(a.Filename)
	o.Width, o.Height = int(number(a.Size.Width)), int(number(a.Size.Height))
	for i, object := range a.Objects {
		if name := strings.TrimSpace(object.Name); name != "" {
			o.Classes = append(o.Classes, name)
		} else {
			o.Nameless.add(object.line, fmt.Sprintf("object %d has no name", i+1))
		}
		if why := object.Box.wrong(o.Width, o.Height); why != "" {
			o.Outside.add(object.line, fmt.Sprintf("object %d: %s", i+1, why))
		}
	}
	return o
}

// vocProblem says why an annotation cannot be read, in other words than those
// of a parser.
func vocProblem(data []byte, line int, err error) problem {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	why := err.Error()
	syntax, isSyntax := errors.AsType[*xml.SyntaxError](err)
	switch {
	case len(text) == 0:
		line, why = 1, "it is empty"
	case text[0] != '<':
		line, why = 1, fmt.Sprintf("it is no XML: it begins with %q", text[:min(len(text), 20)])
	case strings.HasPrefix(why, "expected element type <annotation>"):
		why = notVOC
	case errors.Is(err, io.EOF):
		why = notVOC // comments alone
	case isSyntax && syntax.Msg == "unexpected EOF":
		line, why = syntax.Line, "it ends before </annotation>"
	case isSyntax:
		line, why = syntax.Line, syntax.Msg
	case strings.Contains(why, "CharsetReader"):
		why = "it is not written in UTF-8"
	}
	return problem{Line: line, Why: why, Count: 1}
}

// number reads a number; 0 for what is none, or not of this world.
func number(text string) float64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e9 {
		return 0
	}
	return v
}

// wrong says what is wrong with the box of an object; nil is none.
func (b *vocBox) wrong(width, height int) string {
	if b == nil {
		return ""
	}
	var at [4]float64
	for i, edge := range []struct{ name, text string }{{"xmin", b.XMin}, {"ymin", b.YMin}, {"xmax", b.XMax}, {"ymax", b.YMax}} {
		text := strings.TrimSpace(edge.text)
		v, err := strconv.ParseFloat(text, 64)
		switch {
		case text == "":
			return "the box has no " + edge.name
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			return fmt.Sprintf("the %s of the box is %.40q, which is no number", edge.name, text)
		}
		at[i] = v
	}
	x0, y0, x1, y1 := at[0], at[1], at[2], at[3]
	switch {
	case x1 <= x0 || y1 <= y0:
		return "the box is empty"
	case x0 < 0 || y0 < 0 || width > 0 && x1 > float64(width)+1 || height > 0 && y1 > float64(height)+1:
		return "the box reaches out of the image"
	}
	return ""
}
