//go:build !race

package store_test

// points is at how many of its operations a collection is interrupted.
const points = 16
