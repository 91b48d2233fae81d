package content

import "sync/atomic"

// hope says whether deltas against the old content are worth trying. It is
// lost after some that did not help, so that a file that was wholly rewritten
// does not pay for a delta a chunk; now and then one is tried all the same.
type hope struct {
	failed  atomic.Int32 // in a row
	skipped int          // in a row; used by one goroutine
}

const (
	hopeFor = 8  // failures until hope is lost
	retry   = 64 // chunks until one is tried all the same
)

// try reports whether to try a delta.
func (h *hope) try() bool {
	if h.failed.Load() < hopeFor {
		return true
	}
	if h.skipped++; h.skipped < retry {
		return false
	}
	h.skipped = 0
	return true
}

// learn is told how a delta went.
func (h *hope) learn(used bool) {
	if used {
		h.failed.Store(0)
	} else {
		h.failed.Add(1)
	}
}
