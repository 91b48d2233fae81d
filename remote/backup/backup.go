// Package backup keeps backup sets in a bucket: full sets, which need nothing
// else, and incremental and differential ones, which hold what the sets that
// they are based on lack. A set and its bases are a chain, which is an endpoint
// of package remote: a restore is a copy out of it, and nothing is replayed.
//
// A destination has one mutable object, its list of sets; everything else is
// named by the hash of its bytes and seen only when the list names it. FORMAT.md
// beside this file says what every byte means.
package backup
