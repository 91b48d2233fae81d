package export

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
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
		"name": d.name(), "version": semantic(d.Version), "datePublished": d.Date.Format("2006-01-02"), "isLiveDataset": false,
	}
	for key, value := range map[string]string{"description": d.Description, "license": licenseURL(d.License), "url": d.URL, "citeAs": d.Citation} {
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
		if len(t.Fields) > 0 {
			records = append(records, d.tableRecords(t))
		}
	}
	for _, scheme := range d.schemes() {
		records = append(records, splitRecords(d, scheme)...)
	}
	for _, g := range d.Groups {
		files = append(files, groupFiles(g))
		if fields := d.groupFields(g); fields != nil {
			id := g.records()
			records = append(records, object{"@type": "cr:RecordSet", "@id": id, "name": id, "field": fields})
		}
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
		field := t.field(id, f.Name, nil, f)
		if field == nil {
			continue
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

// isKey is what every reader takes for a key in a path through JSON.
var isKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// field describes a column of a table, or what lies at a path within it; nil:
// the standard has no words for it.
func (t Table) field(set, column string, path []string, f Field) object {
	id := set + "/" + ident(f.Name)
	field := object{"@type": "cr:Field", "@id": id, "name": f.Name}
	if f.Repeated {
		field["repeated"] = true
	}
	if f.Fields == nil {
		source := object{"fileObject": ref(ident(t.Path)), "extract": object{"column": column}}
		if len(path) > 0 {
			source["transform"] = object{"jsonPath": "$." + strings.Join(path, ".")}
		}
		field["dataType"], field["source"] = "sc:"+f.Type, source
		if f.Type == Object {
			return nil
		}
		return field
	}
	var parts []object
	for _, inner := range f.Fields {
		if !isKey.MatchString(inner.Name) {
			continue
		}
		if part := t.field(id, column, append(path[:len(path):len(path)], inner.Name), inner); part != nil {
			parts = append(parts, part)
		}
	}
	if parts == nil {
		return nil
	}
	field["subField"] = parts
	return field
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

// records is the @id of what is said of each file.
func (g Group) records() string { return "records/" + g.ident() }

// globbed is a path in a pattern.
var globbed = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace

func groupFiles(g Group) object {
	files := object{
		"@type": "cr:FileSet", "@id": g.ident(), "name": g.ident(), "encodingFormat": encodings(g.Ext),
		"description": fmt.Sprintf("%d files, %d bytes", g.Files, g.Bytes),
	}
	folder := globbed(g.Folder)
	if folder != "" {
		folder += "/"
	}
	includes := []string{folder + "*" + g.Ext}
	switch {
	case g.Paths != nil:
		includes = includes[:0]
		for _, p := range g.Paths {
			includes = append(includes, globbed(p))
		}
	case folder != "":
		includes = append(includes, folder+"**/*"+g.Ext)
	}
	if files["includes"] = includes; g.Ext == "" && g.Paths == nil {
		files["excludes"] = []string{folder + "*.*", folder + "**/*.*"}
	}
	return files
}

// encodings are what files with an ending are, the narrowest first. Readers
// that know no other kind of text take it as such.
func encodings(ext string) any {
	media := MediaType("x" + ext)
	if isText[media] {
		return []string{media, "text/plain"}
	}
	return media
}

var isText = map[string]bool{"text/markdown": true, "text/html": true, "application/xml": true, "application/yaml": true}

// meanings are what the standard calls splits.
var meanings = []struct {
	name *regexp.Regexp
	is   string
}{
	{regexp.MustCompile(`(?i)^(train|training)\b`), "cr:TrainingSplit"},
	{regexp.MustCompile(`(?i)^(val|valid|validation|dev)\b`), "cr:ValidationSplit"},
	{regexp.MustCompile(`(?i)^(test|testing|eval|evaluation|holdout)\b`), "cr:TestSplit"},
}

// meaning is what a split is for by its name; empty: one cannot tell.
func (s Split) meaning() string {
	for _, m := range meanings {
		if m.name.MatchString(s.Name) {
			return m.is
		}
	}
	return ""
}

// splitRecords are the names of a scheme's splits, and, where folders do not
// tell them, the files of each.
func splitRecords(d Dataset, scheme string) []object {
	id := "splits/" + ident(scheme)
	splits := d.splitsOf(scheme)
	field := func(set, name string, kind any) object {
		return object{"@type": "cr:Field", "@id": set + "/" + name, "name": name, "dataType": kind}
	}
	fields := []object{field(id, "name", "sc:Text"), field(id, "fingerprint", "sc:Text"), field(id, "files", "sc:Integer"), field(id, "rows", "sc:Integer")}
	told := !slices.ContainsFunc(splits, func(s Split) bool { return s.meaning() == "" })
	if told {
		fields = append(fields, field(id, "url", []string{"sc:URL", "cr:Split"}))
	}
	names, listed := []object{}, []object{}
	for _, s := range splits {
		name := object{id + "/name": s.Name, id + "/fingerprint": s.Fingerprint, id + "/files": s.Files, id + "/rows": s.Rows}
		if told {
			name[id+"/url"] = s.meaning()
		}
		names = append(names, name)
		for _, p := range s.Paths {
			listed = append(listed, object{"files-of-" + id + "/path": p, "files-of-" + id + "/split": s.Name})
		}
	}
	sets := []object{{
		"@type": "cr:RecordSet", "@id": id, "name": id, "dataType": "cr:Split", "key": ref(id + "/name"), "data": names, "field": fields,
	}}
	if text := unlisted(splits); text != "" {
		sets[0]["description"] = text
	}
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

// unlisted says which splits have files that nothing here tells; empty: none
// has.
func unlisted(splits []Split) string {
	var parts []string
	for _, s := range splits {
		switch {
		case !s.Unlisted:
		case s.Folder != "":
			parts = append(parts, fmt.Sprintf("The split %s is the %d files in %s, which are too many to be listed.", s.Name, s.Files, s.Folder))
		default:
			parts = append(parts, fmt.Sprintf(
				"The %d files of the split %s are not listed: they are too many, and no folder has them alone; \"mlvc split export %s:%s\" lists them.",
				s.Files, s.Name, s.Scheme, s.Name,
			))
		}
	}
	return strings.Join(parts, " ")
}

// contentType is what a file with an ending holds, in the words of the
// standard; empty: it has none, or, for JSON, needs to know the keys.
func contentType(ext string) string {
	media := MediaType("x" + ext)
	for prefix, kind := range map[string]string{"image/": "sc:ImageObject", "audio/": "sc:AudioObject", "video/": "sc:VideoObject", "text/": "sc:Text"} {
		if strings.HasPrefix(media, prefix) {
			return kind
		}
	}
	if isText[media] {
		return "sc:Text"
	}
	return ""
}

// groupFields are what can be said of each file of a group: its content, and
// what its path tells; nil: nothing.
func (d Dataset) groupFields(g Group) []object {
	field := func(name string, kind any, property string) object {
		return object{
			"@type": "cr:Field", "@id": g.records() + "/" + name, "name": name, "dataType": kind,
			"source": object{"fileSet": ref(g.ident()), "extract": object{"fileProperty": property}},
		}
	}
	fields := []object{field("path", "sc:Text", "fullpath")}
	switch kind := contentType(g.Ext); {
	case kind != "":
		fields = append(fields, field("content", kind, "content"))
	case MediaType("x"+g.Ext) != "application/json":
		return nil
	}
	if len(g.Labels) > 0 {
		label := field("label", []string{"sc:Text", "cr:Label"}, "fullpath")
		label["source"].(object)["transform"] = object{"regex": `^(?:.*/)?([^/]+)/[^/]+$`}
		fields = append(fields, label)
	}
	for _, scheme := range d.schemes() {
		if pattern := folderPattern(d.splitsOf(scheme), g.Folder); pattern != "" {
			split := field("split/"+ident(scheme), []string{"sc:Text", "cr:Split"}, "fullpath")
			// Without a reference to the names of the splits: by that the
			// validator's reader joins, and loses the paths and labels.
			split["source"].(object)["transform"] = object{"regex": pattern}
			fields = append(fields, split)
		}
	}
	return fields
}

// folderPattern finds the split in a path below a folder, where each split is a
// folder of its name, and nothing in other paths; empty: they are not such
// folders, or elsewhere.
func folderPattern(splits []Split, below string) string {
	var parents []string
	names := make(map[string][]string)
	for _, s := range splits {
		if len(s.Paths) > 0 {
			return ""
		}
		if path.Base(s.Folder) != s.Name || below == "" || !strings.HasPrefix(s.Folder+"/", below+"/") {
			continue
		}
		parent := strings.TrimSuffix(s.Folder, s.Name)
		if names[parent] == nil {
			parents = append(parents, parent)
		}
		names[parent] = append(names[parent], regexp.QuoteMeta(s.Name))
	}
	if parents == nil {
		return ""
	}
	for i, parent := range parents {
		parents[i] = regexp.QuoteMeta(parent) + "(" + strings.Join(names[parent], "|") + ")/"
	}
	return "^(?:" + strings.Join(parents, "|") + "|())"
}
