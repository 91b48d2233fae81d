//go:build race

package store_test

// points is at how many of its operations a collection is interrupted, which is few
// since the race detector makes each five times as dear.
const points = 4
