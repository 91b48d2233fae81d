// Package remote moves objects between places. An Endpoint is a place where
// objects lie in packs: the local store, or a depot, which is a repository in
// a bucket. Copy brings what one has and the other lacks.
//
// A depot has one mutable object, its current record; everything else is
// named by the hash of its bytes, and becomes visible only when the record
// that names it is swapped in. FORMAT.md beside this file says what every
// byte means.
package remote
