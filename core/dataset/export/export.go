// Package export describes a dataset for others: as MLCommons Croissant, as an
// OpenLineage event, as a dataset card. What it says is in a Dataset; where
// that comes from is not its concern.
package export

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// About is the table [dataset] of mlvc.toml.
type About struct {
	Name        string   `toml:"name"`
	Description string   `toml:"description"`
	License     string   `toml:"license"`
	URL         string   `toml:"url"`
	Creators    []string `toml:"creators"`
	Citation    string   `toml:"citation"`
}

// Dataset is one commit's data, as it is described.
type Dataset struct {
	About
	Version string    // a tag, or the beginning of the commit's ID
	Commit  string    // its ID
	Date    time.Time // of the commit
	Files   int64
	Bytes   int64
	Tables  []Table
	Groups  []Group
	Splits  []Split
	Checks  []Check
	Waivers []Waiver
	Models  []Model
	History []Change // newest first
}

// Table is a file with rows.
type Table struct {
	Path   string
	Size   int64
	SHA256 string // 64 digits
	Format string // media type
	Fields []Field
	// SplitColumns say in which split a row is, a scheme each.
	SplitColumns []SplitColumn
}

// SplitColumn is a column whose values are the splits of a scheme.
type SplitColumn struct{ Scheme, Column string }

// Field is a column of a table.
type Field struct {
	Name string `json:"name"`
	Type string `json:"type"` // Text, Integer, Float, Boolean, Date
}

// The types of fields.
const (
	Text    = "Text"
	Integer = "Integer"
	Float   = "Float"
	Boolean = "Boolean"
	Date    = "Date"
)

// Wider is the narrowest type that holds what a column had before (empty:
// nothing), and a value as it is written; an empty one is none. What would not
// come back the same from a number, such as 007, is text.
func Wider(had, value string) string {
	if value == "" {
		return had
	}
	is := typeOf(value)
	switch {
	case had == "" || had == is:
		return is
	case had == Integer && is == Float, had == Float && is == Integer:
		return Float
	}
	return Text
}

func typeOf(value string) string {
	switch strings.ToLower(value) {
	case "true", "false":
		return Boolean
	}
	if isNumber.MatchString(value) {
		if _, err := strconv.ParseInt(value, 10, 64); err == nil {
			return Integer
		}
		return Float
	}
	if _, err := time.Parse(time.DateOnly, value); err == nil {
		return Date
	}
	return Text
}

// isNumber is the grammar of JSON.
var isNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// Group is all files with one ending below one folder.
type Group struct {
	Folder string // "" is the root
	Ext    string // with its dot, as it is written
	Files  int64
	Bytes  int64
	// Labels are the names of folders that files lie in directly, where these
	// tell them apart; none: they do not.
	Labels []string
}

// Split is one split of a scheme.
type Split struct {
	Scheme, Name string
	Fingerprint  string
	Files        int64 // that it has, or whose rows it has
	Rows         int64 // 0: the files are the samples
	Bytes        int64 // of files
	// Folder is the one folder that has its files and none other; empty: there
	// is none, and Paths lists them.
	Folder string
	Paths  []string
}

// Model is a model that is linked to the commit.
type Model struct {
	ID, Splits, Metrics string
	Linked              time.Time
}

// Check is a rule that the data were held to.
type Check struct {
	Rule, Scheme, Level       string
	Samples, Findings, Waived int64
	Skipped                   string // why it was not looked at; empty: it was
}

// Waiver lets findings of a rule stand.
type Waiver struct {
	Rule, Reason string
	Findings     int
}

// Change is one commit of the history.
type Change struct{ Commit, Date, Message string }

// mediaTypes are those of files by their endings.
var mediaTypes = map[string]string{
	".csv": "text/csv", ".tsv": "text/tab-separated-values", ".jsonl": "application/jsonlines", ".ndjson": "application/jsonlines", ".gz": "application/gzip",
	".json": "application/json", ".parquet": "application/x-parquet", ".txt": "text/plain", ".md": "text/markdown",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".bmp": "image/bmp",
	".webp": "image/webp", ".tif": "image/tiff", ".tiff": "image/tiff", ".wav": "audio/wav", ".mp3": "audio/mpeg",
	".flac": "audio/flac", ".mp4": "video/mp4", ".xml": "application/xml", ".zip": "application/zip",
}

// MediaType is what a file is by its ending.
func MediaType(name string) string {
	if t, ok := mediaTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

// name is what the dataset is called, as an identifier that Croissant takes.
func (d Dataset) name() string {
	if d.Name == "" {
		return "dataset"
	}
	return d.Name
}

// schemes are those of the splits, each once, in their order.
func (d Dataset) schemes() (list []string) {
	for _, s := range d.Splits {
		if len(list) == 0 || list[len(list)-1] != s.Scheme {
			list = append(list, s.Scheme)
		}
	}
	return list
}

func (d Dataset) splitsOf(scheme string) (list []Split) {
	for _, s := range d.Splits {
		if s.Scheme == scheme {
			list = append(list, s)
		}
	}
	return list
}
