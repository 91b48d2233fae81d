// Package export describes a dataset for others: as MLCommons Croissant, as an
// OpenLineage event, as a dataset card. What it says is in a Dataset; where
// that comes from is not its concern.
package export

import (
	"path"
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
	Rows   int64 // that could be read
	// SplitColumns say in which split a row is, a scheme each.
	SplitColumns []SplitColumn
}

// SplitColumn is a column whose values are the splits of a scheme.
type SplitColumn struct{ Scheme, Column string }

// Group is all files with one ending below one folder.
type Group struct {
	Folder string // "" is the root
	Ext    string // with its dot, as it is written
	Files  int64
	Bytes  int64
	// Paths are the files, where a pattern would match others, too: in the root,
	// and where there is no ending. None: they are too many.
	Paths []string
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
	// Folder is the path of the one folder that has its files and none other;
	// empty: there is none.
	Folder string
	// Paths lists the files, unless all splits of the scheme are folders that are
	// named as they are, or these are too many.
	Paths []string
	// Unlisted says that Paths would be needed, and are too many.
	Unlisted bool
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
	".flac": "audio/flac", ".mp4": "video/mp4", ".xml": "application/xml", ".yaml": "application/yaml", ".yml": "application/yaml", ".html": "text/html", ".zip": "application/zip",
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
