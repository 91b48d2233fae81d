package dataset

import (
	"path"
	"strings"
)

// Ending is the ending of a path by which a table is read, in lower case:
// ".csv", or ".csv.gz" with what it is packed as.
func Ending(p string) string {
	name := strings.ToLower(path.Base(p))
	bare := strings.TrimSuffix(name, ".gz")
	return path.Ext(bare) + name[len(bare):]
}
