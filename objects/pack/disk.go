package pack

import (
	"errors"
	"io"
	"os"
	"sync"
	"unsafe"

	"github.com/mlvc/mlvc/objects/vfs"
)

const (
	// blockSize is what is written at once. One block is filled while the
	// other is on its way.
	blockSize = 4 << 20
	// alignment is what direct I/O asks of addresses, offsets and lengths.
	alignment = 4096
)

// disk writes a file from start to end in aligned blocks past the page cache,
// in the background. Written through the cache and then synced, several packs
// at once take 2 to 6 times as long, and the copy into the cache takes time
// from hashing. append and finish are for one goroutine; ReadAt is safe for
// concurrent use with them.
type disk struct {
	fs   vfs.FS
	name string
	f    vfs.File

	mu      sync.Mutex
	cur     *block // being filled
	flying  *block // being written, or nil
	written int64  // bytes that the file has
	err     error  // the first that a write met; it stays
	reader  vfs.File

	full, free chan *block // nil until the first block is full
	done       chan struct{}
}

// block is a piece of the file that is not there yet.
type block struct {
	buf []byte
	n   int
}

// blocks are reused: one pack after the other needs the same two.
var blocks = sync.Pool{New: func() any {
	b := make([]byte, blockSize+alignment)
	skip := (alignment - int(uintptr(unsafe.Pointer(&b[0]))%alignment)) % alignment
	return &block{buf: b[skip : skip+blockSize]}
}}

func newBlock() *block {
	b := blocks.Get().(*block)
	b.n = 0
	return b
}

// createDisk makes a new file of that name; one that is there is an error.
func createDisk(fs vfs.FS, name string) (*disk, error) {
	f, err := fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|vfs.Direct, 0o600)
	if err != nil {
		return nil, err
	}
	return &disk{fs: fs, name: name, f: f, cur: newBlock()}, nil
}

// append adds p to the file. It waits for the disk only when both blocks are
// full.
func (d *disk) append(p []byte) error {
	for len(p) > 0 {
		n := copy(d.cur.buf[d.cur.n:], p)
		d.mu.Lock()
		d.cur.n += n
		err := d.err
		d.mu.Unlock()
		if err != nil {
			return err
		}
		p = p[n:]
		if d.cur.n == blockSize {
			d.launch()
		}
	}
	return nil
}

// launch hands the full block to the background.
func (d *disk) launch() {
	if d.full == nil {
		d.full, d.free, d.done = make(chan *block, 1), make(chan *block, 2), make(chan struct{})
		d.free <- newBlock()
		go d.work()
	}
	next := <-d.free // nothing is flying any more
	d.mu.Lock()
	full := d.cur
	d.flying, d.cur = full, next
	d.mu.Unlock()
	d.full <- full
}

func (d *disk) work() {
	defer close(d.done)
	for b := range d.full {
		err := d.failed()
		if err == nil {
			err = d.write(b.buf)
		}
		d.mu.Lock()
		if d.err = err; err == nil {
			d.written += blockSize
		}
		d.flying, b.n = nil, 0
		d.mu.Unlock()
		d.free <- b
	}
}

func (d *disk) failed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *disk) write(p []byte) error {
	n, err := d.f.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// ReadAt reads what was appended, whether the file has it yet or not.
func (d *disk) ReadAt(p []byte, offset int64) (int, error) {
	d.mu.Lock()
	written := d.written
	fromFile := int(min(int64(len(p)), max(0, written-offset)))
	n, start := fromFile, written
	for _, b := range []*block{d.flying, d.cur} {
		if b == nil {
			continue
		}
		if at := offset + int64(n) - start; at >= 0 && at < int64(b.n) {
			n += copy(p[n:], b.buf[at:b.n])
		}
		start += int64(b.n)
	}
	reader, err := d.openReader(fromFile > 0)
	d.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if fromFile > 0 {
		if err := readFull(reader, p[:fromFile], offset); err != nil {
			return 0, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// openReader opens the file once more, since direct reads would be aligned.
func (d *disk) openReader(needed bool) (vfs.File, error) {
	switch {
	case d.f == nil:
		return nil, os.ErrClosed
	case d.err != nil || !needed || d.reader != nil:
		return d.reader, d.err
	}
	var err error
	d.reader, err = d.fs.Open(d.name)
	return d.reader, err
}

// finish writes what is left, cuts off what filled the last page, makes the file durable and closes it.
func (d *disk) finish() error {
	tail := d.cur.n
	if err := d.stop(); err != nil {
		return errors.Join(err, d.close())
	}
	size := d.written + int64(tail)
	if tail > 0 {
		padded := (tail + alignment - 1) / alignment * alignment
		clear(d.cur.buf[tail:padded])
		if err := d.write(d.cur.buf[:padded]); err != nil {
			return errors.Join(err, d.close())
		}
		if padded > tail {
			if err := d.f.Truncate(size); err != nil {
				return errors.Join(err, d.close())
			}
		}
	}
	if err := d.f.Sync(); err != nil {
		return errors.Join(err, d.close())
	}
	return d.close()
}

// stop ends the background and returns the error that it met.
func (d *disk) stop() error {
	if d.full != nil {
		close(d.full)
		<-d.done
		close(d.free)
		for b := range d.free {
			blocks.Put(b)
		}
		d.full = nil
	}
	return d.err
}

// close closes the files and gives the block back; once is enough.
func (d *disk) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.f == nil {
		return nil
	}
	err := d.f.Close()
	if d.reader != nil {
		err = errors.Join(err, d.reader.Close())
	}
	blocks.Put(d.cur)
	d.f, d.cur = nil, &block{}
	return err
}
