package core

import (
	"context"
	"fmt"
	"io"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// FileHash is the content ID of a file: what b3sum prints of it.
type FileHash struct {
	Path    string     `json:"path"`
	Content objects.ID `json:"content"`
	Size    int64      `json:"size"`
}

// Hash reads a file, through symbolic links, and returns its content ID. It
// needs no repository.
func Hash(ctx context.Context, fsys vfs.FS, name string) (FileHash, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return FileHash{}, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	st, err := f.Stat()
	if err != nil {
		return FileHash{}, err
	}
	if st.Type == vfs.TypeDir {
		return FileHash{}, fmt.Errorf("%s is a folder; only files have a content", name)
	}
	return HashReader(ctx, name, f)
}

// HashReader returns the content ID of what it reads to the end, under a name.
func HashReader(ctx context.Context, name string, from io.Reader) (FileHash, error) {
	counted := &counter{Reader: from}
	id, err := hashReader(ctx, counted)
	return FileHash{Path: name, Content: id, Size: counted.n}, err
}

// counter counts what is read.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}
