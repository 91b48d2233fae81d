package facts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// writeLarge writes a fact to a file of its own and returns what the table
// says of it.
func (k *kind) writeLarge(id objects.ID, data []byte) (value, error) {
	hash := sum(k.name, data)
	v := value{tag: tagLarge, data: append(binary.LittleEndian.AppendUint64(nil, uint64(len(data))), hash[:]...)}
	return v, k.write(id.String(), data)
}

// readLarge reads what the table speaks of, if it is still there and right.
func (k *kind) readLarge(id objects.ID, v value) ([]byte, bool) {
	if len(v.data) != 8+sumSize {
		return nil, false
	}
	name := filepath.Join(k.dir, id.String())
	st, err := k.fs.Lstat(name)
	if err != nil || uint64(st.Size) != binary.LittleEndian.Uint64(v.data) {
		return nil, false
	}
	data, err := vfs.ReadFile(k.fs, name)
	if err != nil {
		return nil, false
	}
	if got := sum(k.name, data); !bytes.Equal(got[:], v.data[8:]) {
		return nil, false
	}
	return data, true
}

// write puts a file in its place by a rename. Nothing is synced: a file that a
// crash tears is found out when it is read.
func (k *kind) write(name string, data []byte) error {
	if err := vfs.MkdirAll(k.fs, k.dir, 0o777); err != nil {
		return err
	}
	temp := vfs.TempName(k.dir)
	err := k.writeTemp(temp, data)
	if err == nil {
		err = k.fs.Rename(temp, filepath.Join(k.dir, name))
	}
	if err == nil {
		return nil
	}
	if cerr := k.fs.Remove(temp); cerr != nil && !missing(cerr) {
		err = errors.Join(err, cerr)
	}
	return err
}

func (k *kind) writeTemp(temp string, data []byte) error {
	f, err := k.fs.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|vfs.NoFollow, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// leftover is how old a temporary file must be before it is taken for one that
// a crash left.
const leftover = time.Hour

// sweep removes the files of large facts that no generation names, and what
// crashes left. What another process has just written may be among the former;
// it is lost, which facts may be.
func (k *kind) sweep() error {
	dir, err := k.fs.OpenDir(k.dir)
	if err != nil {
		return err
	}
	names, err := dir.Names()
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	now := k.now()
	for _, n := range names {
		if k.unused(n.Name, now) {
			if err := k.fs.Remove(filepath.Join(k.dir, n.Name)); err != nil && !missing(err) {
				return err
			}
		}
	}
	return nil
}

// now is the time of the file system, as the generation that was written last
// has it.
func (k *kind) now() int64 {
	for _, name := range []string{youngName, oldName} {
		if st, err := k.fs.Lstat(filepath.Join(k.dir, name)); err == nil {
			return st.Mtime
		}
	}
	return 0
}

func (k *kind) unused(name string, now int64) bool {
	if strings.HasPrefix(name, vfs.TempPrefix) {
		st, err := k.fs.Lstat(filepath.Join(k.dir, name))
		return err == nil && now-st.Mtime > int64(leftover)
	}
	id, err := objects.ParseID(name)
	if err != nil {
		return false
	}
	if v, ok := k.young.find(id); ok && v.tag == tagLarge {
		return false
	}
	k.age()
	v, ok := k.old.find(id)
	return !ok || v.tag != tagLarge
}
