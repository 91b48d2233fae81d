package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// Get implements bucket.Bucket.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	name, err := b.start(ctx, key)
	if err != nil {
		return nil, "", b.wrap("get", key, err)
	}
	data, err := b.read(name)
	if err != nil {
		return nil, "", b.wrap("get", key, err)
	}
	return data, versionOf(data), nil
}

// versionOf is a hash of the bytes: a file has nothing that tells its versions
// apart better on every file system.
func versionOf(data []byte) bucket.Version {
	return bucket.Version(objects.Sum(objects.KindChunk, data).String())
}

// read returns the bytes of an object. On NFS a file that another machine
// replaces while it is read is gone (ESTALE): then there is a new one.
func (b *Bucket) read(name string) ([]byte, error) {
	data, err := b.readOnce(name)
	for try := 0; errors.Is(err, syscall.ESTALE) && try < 10; try++ {
		data, err = b.readOnce(name)
	}
	return data, err
}

func (b *Bucket) readOnce(name string) ([]byte, error) {
	f, _, err := b.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, bucket.MaxSmall+1))
	if err == nil && len(data) > bucket.MaxSmall {
		err = bucket.ErrTooLarge
	}
	return data, err
}

// open opens an object's file. It is looked at first, for opening a FIFO
// would wait.
func (b *Bucket) open(name string) (vfs.File, vfs.Stat, error) {
	if _, err := b.stat(name); err != nil {
		return nil, vfs.Stat{}, err
	}
	f, err := b.fs.OpenFile(name, os.O_RDONLY|vfs.NoFollow, 0)
	if err != nil {
		return nil, vfs.Stat{}, err
	}
	stat, err := f.Stat()
	if err == nil && stat.Type != vfs.TypeRegular {
		err = fmt.Errorf("%s: %w", name, errNoFile)
	}
	if err != nil {
		return nil, stat, errors.Join(err, f.Close())
	}
	return f, stat, nil
}

// GetRange implements bucket.Bucket.
func (b *Bucket) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	name, err := b.start(ctx, key)
	if err == nil && offset < 0 {
		err = fmt.Errorf("negative offset %d: %w", offset, syscall.EINVAL)
	}
	if err != nil {
		return nil, b.wrap("get", key, err)
	}
	f, stat, err := b.open(name)
	if err != nil {
		return nil, b.wrap("get", key, err)
	}
	if length < 0 {
		length = stat.Size - offset
		if length < 0 {
			length = 1 // before offset the object ends: reading says so
		}
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, b.wrap("get", key, errors.Join(err, f.Close()))
	}
	return &reader{ctx: ctx, file: f, left: length}, nil
}

// reader reads the next left bytes of a file.
type reader struct {
	ctx  context.Context
	file vfs.File
	left int64
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.file.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *reader) Close() error { return r.file.Close() }
