// Package refs keeps names: branches, tags, HEAD and what else moves. A view
// is every name at one moment, an operation is one logged change from a view
// to the next, and a pointer is the one mutable thing: it says which operation
// is the current one. Undo, reflog and audit are the log of operations read
// backwards.
//
// Views and operations are objects in any objects.Store; a Pointer is a file
// beside it, or whatever a remote place has instead. See FORMAT.md.
package refs
