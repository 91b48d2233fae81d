// Package deptest holds the import table: which package may import which. It
// is only a test. A new package begins by adding its row to table_test.go.
package deptest
