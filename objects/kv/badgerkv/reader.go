package badgerkv

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/mlvc/mlvc/objects/kv"
)

// empty reads a database that does not exist.
type empty struct{}

func (empty) Get(key []byte) ([]byte, error) {
	if err := kv.CheckKey(key); err != nil {
		return nil, err
	}
	return nil, kv.ErrNotFound
}

func (empty) Scan(_, _ []byte, _ func(key, value []byte) (bool, error)) error { return nil }

type reader struct {
	d   *DB
	h   *handle
	txn *badger.Txn
}

// Get implements kv.Reader. Badger checks the block's checksum each time.
func (r *reader) Get(key []byte) (value []byte, err error) {
	if err := kv.CheckKey(key); err != nil {
		return nil, err
	}
	err = guard(func() error {
		item, err := r.txn.Get(key)
		if err != nil {
			return err
		}
		value, err = item.ValueCopy(nil)
		return err
	})
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, badger.ErrKeyNotFound):
		return nil, kv.ErrNotFound
	}
	return nil, r.d.damaged(fmt.Errorf("get key %x: %v", key, err))
}

// Scan implements kv.Reader. Badger's iterator ends early, without an error,
// at a damaged block: so the tables that the scan reaches are checked first,
// each once for an open handle.
func (r *reader) Scan(prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	if err := r.checkTables(prefix, from); err != nil {
		return err
	}
	opt := badger.DefaultIteratorOptions
	opt.Prefix = prefix
	opt.PrefetchValues = false // values lie beside their keys
	it := r.txn.NewIterator(opt)
	defer it.Close()
	step := func() error { it.Next(); return nil }
	first := func() error {
		if bytes.Compare(from, prefix) > 0 {
			it.Seek(from)
		} else {
			it.Rewind()
		}
		return nil
	}
	for move := first; ; move = step {
		var key, value []byte
		more := false
		err := guard(func() (err error) {
			if err := move(); err != nil || !it.ValidForPrefix(prefix) {
				return err
			}
			more = true
			key = it.Item().Key()
			return it.Item().Value(func(v []byte) error { value = v; return nil })
		})
		if err != nil {
			return r.d.damaged(fmt.Errorf("scan at key %x: %v", key, err))
		}
		if !more {
			return nil
		}
		if on, err := fn(key, value); err != nil || !on {
			return err
		}
	}
}

// checkTables checks every block of the tables that may hold keys that begin
// with prefix and are not less than from.
func (r *reader) checkTables(prefix, from []byte) error {
	for _, t := range r.h.db.Tables() {
		left, right := t.Left[:len(t.Left)-8], t.Right[:len(t.Right)-8] // less the version
		before := bytes.Compare(right, prefix) < 0 || bytes.Compare(right, from) < 0
		after := bytes.Compare(left, prefix) > 0 && !bytes.HasPrefix(left, prefix)
		if before || after || !r.d.firstCheck(r.h, t.ID) {
			continue
		}
		if err := r.d.check(table.NewFilename(t.ID, r.d.dir), true); err != nil {
			return err
		}
		r.d.setChecked(r.h, t.ID)
	}
	return nil
}

func (d *DB) firstCheck(h *handle, id uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !h.checked[id]
}

func (d *DB) setChecked(h *handle, id uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.checked == nil {
		h.checked = make(map[uint64]bool)
	}
	h.checked[id] = true
}
