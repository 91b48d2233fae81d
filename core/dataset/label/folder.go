package label

import (
	"context"
	"path"
	"strings"
)

// folderClass returns the name of the folder that a file is in; empty: it is
// in none.
func folderClass(name string) string {
	if dir := path.Dir(name); dir != "." {
		return path.Base(dir)
	}
	return ""
}

// splitNames are what folders of splits are called.
var splitNames = map[string]bool{
	"train": true, "training": true, "val": true, "valid": true, "validation": true, "dev": true, "test": true, "testing": true,
}

// folder looks whether each image is in the folder of a class, and not right
// in the folder of a split or in none.
func (r *reader) folder(context.Context) error {
	for _, name := range r.order {
		class := folderClass(name)
		if class == "" || splitNames[strings.ToLower(class)] {
			r.find("no label", name+" is in no folder of a class", r.samples(r.images[name]))
			continue
		}
	}
	return nil
}
