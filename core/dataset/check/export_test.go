package check

// RowsAtOnce makes the rules take so many rows at once until undo is called.
func RowsAtOnce(n int64) (undo func()) {
	was := rowsAtOnce
	rowsAtOnce = n
	return func() { rowsAtOnce = was }
}
