//go:build !linux

package pack

// directFlag is nothing where the page cache cannot be passed by a flag.
const directFlag = 0
