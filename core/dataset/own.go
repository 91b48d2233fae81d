package dataset

import "path"

// IsOwn reports whether a path is one of the dataset's own files, which say
// what belongs to it and are never samples: mlvc.toml in the root, and
// .mlvcignore in any folder.
func IsOwn(p string) bool { return p == "mlvc.toml" || path.Base(p) == ".mlvcignore" }
