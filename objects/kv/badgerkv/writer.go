package badgerkv

import (
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mlvc/mlvc/objects/kv"
)

// writer applies writes in order, in transactions of at most a megabyte of
// which a few are on their way at a time: memory does not grow with the
// window.
type writer struct {
	d     *DB
	batch *badger.WriteBatch
}

var _ kv.Writer = (*writer)(nil)

func newWriter(d *DB, db *badger.DB) *writer {
	batch := db.NewWriteBatch()
	batch.SetMaxPendingTxns(4)
	return &writer{d: d, batch: batch}
}

func (w *writer) Set(key, value []byte) error {
	if err := kv.CheckRecord(key, value); err != nil {
		return err
	}
	return w.wrap("set", w.batch.Set(key, value))
}

func (w *writer) Delete(key []byte) error {
	if err := kv.CheckKey(key); err != nil {
		return err
	}
	return w.wrap("delete", w.batch.Delete(key))
}

func (w *writer) flush() error { return w.wrap("flush", w.batch.Flush()) }

// discard waits for what is on its way, if flush did not.
func (w *writer) discard() { w.batch.Cancel() }

func (w *writer) wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s in database %s: %w", what, w.d.dir, err)
	}
	return nil
}

// settle lets the compactors run until no level is over its target, or for
// deepWait.
func settle(db *badger.DB) {
	for end := time.Now().Add(deepWait); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		over := false
		for _, l := range db.Levels() {
			over = over || l.Score > 1
		}
		if !over {
			return
		}
	}
}
