package pack

import "syscall"

// directFlag asks the file system to write past the page cache.
const directFlag = syscall.O_DIRECT
