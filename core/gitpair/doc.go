// Package gitpair is what mlvc knows of git: the pointer file that stands in
// git for a dataset, reading a git repository, and what pairing puts into one
// (hooks, drivers, lines of .gitignore and .gitattributes). It knows nothing
// of core, which decides what to do with it.
//
// Objects, refs and configuration are read with go-git. The git program is
// started for what go-git does not have or does slowly: the state of the work
// tree, the index where it has forms that go-git does not read, repositories
// of forms that go-git does not read (SHA-256, reftable, partial clones),
// staging, worktrees and installing. Reading an ordinary repository does not
// need the program.
package gitpair
