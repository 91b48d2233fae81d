package dataset

import "strings"

// AllRows is what a split table says of a file whose rows are the samples. Of
// any other it has the sorted names of its splits, joined by ",".
const AllRows = "*"

// SplitNames takes what a split table says of a file apart.
func SplitNames(value string) []string {
	if value == "" || value == AllRows {
		return nil
	}
	return strings.Split(value, ",")
}

// Count is what is in one split.
type Count struct {
	Files   int64            `json:"files"` // of rows: the tables that have some
	Rows    int64            `json:"rows,omitempty"`
	Bytes   int64            `json:"bytes"`             // of files
	Classes map[string]int64 `json:"classes,omitempty"` // samples, where classes are known
}

// Samples is the number of samples.
func (c Count) Samples() int64 {
	if c.Rows > 0 {
		return c.Rows
	}
	return c.Files
}
