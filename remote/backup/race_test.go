//go:build race

package backup_test

// raced says that the race detector runs, under which a sample must do.
const raced = true
