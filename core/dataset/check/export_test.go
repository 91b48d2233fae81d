package check

// RowsAtOnce makes the rules take so many rows at once until undo is called.
func RowsAtOnce(n int64) (undo func()) {
	was := rowsAtOnce
	rowsAtOnce = n
	return func() { rowsAtOnce = was }
}

// KeysAtOnce makes the rules that compare with earlier rows count so many at
// once until undo is called.
func KeysAtOnce(n int64) (undo func()) {
	was := keysAtOnce
	keysAtOnce = n
	return func() { keysAtOnce = was }
}
