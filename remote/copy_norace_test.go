//go:build !race

package remote_test

// copyScale divides how many files the tests of counts have.
const copyScale = 1
