package backupplan

import "time"

// extended appends commits to come, each of which does what the commits after
// the first did on average.
func (h History) extended(horizon int) History {
	n := len(h.Commits)
	first, last := h.Commits[0], h.Commits[n-1]
	changes := int64(max(1, n-1))
	mean := Commit{
		Files: (last.Files - first.Files) / changes, Bytes: (last.Bytes - first.Bytes) / changes, Tree: (last.Tree - first.Tree) / changes,
	}
	for _, c := range h.Commits[1:] {
		mean.Held += c.Held
		mean.Objects += c.Objects
	}
	mean.Held, mean.Objects = mean.Held/changes, mean.Objects/changes
	gap := last.Time.Sub(first.Time) / time.Duration(changes)
	long := History{Commits: append([]Commit(nil), h.Commits...), Differs: h.differsBeyond}
	for range horizon {
		last = Commit{
			Time: last.Time.Add(gap), Held: mean.Held, Objects: mean.Objects,
			Files: max(0, last.Files+mean.Files), Bytes: max(0, last.Bytes+mean.Bytes), Tree: max(0, last.Tree+mean.Tree),
		}
		long.Commits = append(long.Commits, last)
	}
	return long
}

// differsBeyond is Differs for commits to come as well: k commits apart, they
// differ as the last k commits did; and where there were not so many, by as
// much more as these on average.
func (h History) differsBeyond(full, i int) (int64, error) {
	end := len(h.Commits) - 1
	if full >= i {
		return 0, nil
	}
	if i <= end || end == 0 {
		return h.Differs(min(full, end), min(i, end))
	}
	apart := i - full
	known := min(apart, end)
	d, err := h.Differs(end-known, end)
	return d + d/int64(known)*int64(apart-known), err
}
