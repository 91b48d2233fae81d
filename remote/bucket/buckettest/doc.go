// Package buckettest holds the suite that every bucket must pass, and buckets
// for tests: one in memory, one that fails where it is told to, one that
// counts.
package buckettest
