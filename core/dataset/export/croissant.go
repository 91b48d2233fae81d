package export

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

type object = map[string]any

// croissantContext is the one that the standard asks for.
var croissantContext = object{
	"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
	"cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
	"dct": "http://purl.org/dc/terms/", "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
	"data": object{"@id": "cr:data", "@type": "@json"}, "dataType": object{"@id": "cr:dataType", "@type": "@vocab"},
	"equivalentProperty": "cr:equivalentProperty", "examples": object{"@id": "cr:examples", "@type": "@json"},
	"extract": "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject",
	"fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes", "excludes": "cr:excludes",
	"isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5",
	"parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet", "references": "cr:references",
	"regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace", "separator": "cr:separator",
	"source": "cr:source", "subField": "cr:subField", "transform": "cr:transform", "containedIn": "cr:containedIn",
	"samplingRate": "cr:samplingRate", "isArray": "cr:isArray", "arrayShape": "cr:arrayShape",
	"annotation": "cr:annotation", "value": "cr:value", "prov": "http://www.w3.org/ns/prov#",
}

// Croissant describes a dataset in JSON-LD as MLCommons Croissant 1.1. Files
// are named relative to the folder that the description lies in: the root.
func Croissant(d Dataset) ([]byte, error) {
	doc := object{
		"@context": croissantContext, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.1",
		"name": d.name(), "version": d.Version, "datePublished": d.Date.Format("2006-01-02"), "isLiveDataset": false,
	}
	for key, value := range map[string]string{"description": d.Description, "license": d.License, "url": d.URL, "citeAs": d.Citation} {
		if value != "" {
			doc[key] = value
		}
	}
	var creators []object
	for _, c := range d.Creators {
		creators = append(creators, object{"@type": "sc:Person", "name": c})
	}
	if creators != nil {
		doc["creator"] = creators
	}
	files, records := []object{}, []object{}
	for _, t := range d.Tables {
		files = append(files, tableObject(t))
		if len(t.Fields) > 0 && t.Format != MediaType(".gz") {
			records = append(records, d.tableRecords(t))
		}
	}
	for _, scheme := range d.schemes() {
		records = append(records, splitRecords(d, scheme)...)
	}
	for _, g := range d.Groups {
		files = append(files, groupFiles(g))
		records = append(records, d.groupRecords(g))
	}
	doc["distribution"], doc["recordSet"] = files, records
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}

func ref(id string) object { return object{"@id": id} }

// ident is text as a part of an @id, in which validators take no spaces.
func ident(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || strings.IndexByte("~%\"<>#?\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "~%02x", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// tableObject is the file of a table.
func tableObject(t Table) object {
	return object{
		"@type": "cr:FileObject", "@id": ident(t.Path), "name": t.Path, "contentUrl": t.Path,
		"contentSize": fmt.Sprintf("%d B", t.Size), "encodingFormat": t.Format, "sha256": t.SHA256,
	}
}

// tableRecords are the rows of a table.
func (d Dataset) tableRecords(t Table) object {
	id := "rows/" + ident(t.Path)
	var fields []object
	for _, f := range t.Fields {
		field := object{
			"@type": "cr:Field", "@id": id + "/" + ident(f.Name), "name": f.Name, "dataType": "sc:" + f.Type,
			"source": object{"fileObject": ref(ident(t.Path)), "extract": object{"column": f.Name}},
		}
		for _, s := range t.SplitColumns {
			if s.Column == f.Name {
				field["references"] = object{"field": ref("splits/" + ident(s.Scheme) + "/name")}
			}
		}
		fields = append(fields, field)
	}
	return object{"@type": "cr:RecordSet", "@id": id, "name": id, "field": fields}
}

// id names a group of files.
func (g Group) id() string {
	kind := strings.TrimPrefix(g.Ext, ".")
	if kind == "" {
		kind = "other"
	}
	if g.Folder == "" {
		return kind + " files"
	}
	return kind + " files in " + g.Folder
}

// ident is its @id.
func (g Group) ident() string { return "files/" + ident(strings.TrimPrefix(g.Folder+"/*"+g.Ext, "/")) }

func groupFiles(g Group) object {
	glob := []string{"*" + g.Ext}
	if g.Folder != "" {
		glob = []string{g.Folder + "/*" + g.Ext, g.Folder + "/**/*" + g.Ext}
	}
	return object{
		"@type": "cr:FileSet", "@id": g.ident(), "name": g.ident(), "includes": glob, "encodingFormat": MediaType("x" + g.Ext),
		"description": fmt.Sprintf("%d files, %d bytes", g.Files, g.Bytes),
	}
}

// splitRecords are the names of a scheme's splits, and, where folders do not
// tell them, the files of each.
func splitRecords(d Dataset, scheme string) []object {
	id := "splits/" + ident(scheme)
	names, listed := []object{}, []object{}
	for _, s := range d.splitsOf(scheme) {
		names = append(names, object{id + "/name": s.Name, id + "/fingerprint": s.Fingerprint, id + "/files": s.Files, id + "/rows": s.Rows})
		for _, p := range s.Paths {
			listed = append(listed, object{"files-of-" + id + "/path": p, "files-of-" + id + "/split": s.Name})
		}
	}
	field := func(set, name, kind string) object {
		return object{"@type": "cr:Field", "@id": set + "/" + name, "name": name, "dataType": kind}
	}
	sets := []object{{
		"@type": "cr:RecordSet", "@id": id, "name": id, "dataType": "cr:Split", "key": ref(id + "/name"), "data": names,
		"field": []object{field(id, "name", "sc:Text"), field(id, "fingerprint", "sc:Text"), field(id, "files", "sc:Integer"), field(id, "rows", "sc:Integer")},
	}}
	if len(listed) == 0 {
		return sets
	}
	files, split := "files-of-"+id, field("files-of-"+id, "split", "sc:Text")
	split["references"] = object{"field": ref(id + "/name")}
	return append(sets, object{
		"@type": "cr:RecordSet", "@id": files, "name": files, "data": listed,
		"field": []object{field(files, "path", "sc:Text"), split},
	})
}

// groupRecords are the files of a group, with what their paths say.
func (d Dataset) groupRecords(g Group) object {
	id := "records/" + g.ident()
	field := func(name, kind, property string) object {
		return object{
			"@type": "cr:Field", "@id": id + "/" + name, "name": name, "dataType": kind,
			"source": object{"fileSet": ref(g.ident()), "extract": object{"fileProperty": property}},
		}
	}
	kind := "sc:Text"
	switch media := MediaType("x" + g.Ext); {
	case strings.HasPrefix(media, "image/"):
		kind = "sc:ImageObject"
	case strings.HasPrefix(media, "audio/"):
		kind = "sc:AudioObject"
	}
	fields := []object{field("path", "sc:Text", "fullpath"), field("content", kind, "content")}
	if len(g.Labels) > 0 {
		label := field("label", "sc:Text", "fullpath")
		label["source"].(object)["transform"] = object{"regex": `^(?:.*/)?([^/]+)/[^/]+$`}
		fields = append(fields, label)
	}
	for _, scheme := range d.schemes() {
		if pattern := folderPattern(d.splitsOf(scheme)); pattern != "" {
			split := field("split/"+ident(scheme), "sc:Text", "fullpath")
			// Without a reference to the names of the splits: by that the
			// validator's reader joins, and loses the paths and labels.
			split["source"].(object)["transform"] = object{"regex": pattern}
			fields = append(fields, split)
		}
	}
	return object{"@type": "cr:RecordSet", "@id": id, "name": id, "field": fields}
}

// folderPattern finds the split in a path, where each split is a folder of its
// name; empty: they are not.
func folderPattern(splits []Split) string {
	var names []string
	for _, s := range splits {
		if s.Folder != s.Name {
			return ""
		}
		names = append(names, regexp.QuoteMeta(s.Name))
	}
	return "^(" + strings.Join(names, "|") + ")/"
}
