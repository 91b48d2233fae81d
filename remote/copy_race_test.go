//go:build race

package remote_test

// copyScale divides how many files the tests of counts have: the race detector
// makes them take as many times as long.
const copyScale = 20
