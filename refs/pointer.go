package refs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Pointer is the one mutable thing of a repository: which operation is the
// current one. Safe for concurrent use.
type Pointer interface {
	// Load returns the current operation, or the zero ID if there is none.
	// It fails with objects.ErrCorrupt for a pointer that is damaged.
	Load(ctx context.Context) (objects.ID, error)
	// Swap makes new the current operation if old is it, and fails with
	// ErrMoved otherwise. When it returns nil the change is durable and
	// every Load sees it; when it fails otherwise it may have happened.
	Swap(ctx context.Context, old, new objects.ID) error
}

// FilePointer is a Pointer in a file, replaced as a whole. Swaps of one
// FilePointer exclude each other; against other processes the caller holds
// the lock of the one writer.
//
// A file that is not there is a pointer to no operation, so who opens a
// repository that has operations must take the zero ID for a lost pointer.
type FilePointer struct {
	fs   vfs.FS
	name string
	mu   sync.Mutex
}

var _ Pointer = (*FilePointer)(nil)

// NewFilePointer returns the pointer in the file of that name. Its folder
// must exist.
func NewFilePointer(fs vfs.FS, name string) *FilePointer {
	return &FilePointer{fs: fs, name: name}
}

// Load implements Pointer.
func (p *FilePointer) Load(ctx context.Context) (objects.ID, error) {
	if err := ctx.Err(); err != nil {
		return objects.ID{}, err
	}
	data, err := p.read()
	if errors.Is(err, fs.ErrNotExist) {
		return objects.ID{}, nil
	}
	if err != nil {
		return objects.ID{}, fmt.Errorf("read pointer: %w", err)
	}
	id, err := decodePointer(data)
	if err != nil {
		return objects.ID{}, fmt.Errorf("pointer %s: %w", p.name, err)
	}
	return id, nil
}

func (p *FilePointer) read() ([]byte, error) {
	stat, err := p.fs.Lstat(p.name)
	if err != nil {
		return nil, err
	}
	if stat.Type != vfs.TypeRegular || stat.Size > maxPointer {
		return nil, fmt.Errorf("%w: %s is no file of at most %d bytes", objects.ErrCorrupt, p.name, maxPointer)
	}
	return vfs.ReadFile(p.fs, p.name)
}

// Swap implements Pointer.
func (p *FilePointer) Swap(ctx context.Context, old, new objects.ID) error {
	if new.IsZero() {
		return errors.New("a pointer cannot go back to no operation")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	current, err := p.Load(ctx)
	if err != nil {
		return err
	}
	if current != old {
		return &PointerError{Want: old, Have: current}
	}
	if err := vfs.WriteFile(p.fs, p.name, encodePointer(new), 0o666); err != nil {
		return fmt.Errorf("move pointer: %w", err)
	}
	return nil
}

// maxPointer is the most bytes that a pointer file of any version has.
const maxPointer = 4096

const (
	pointerHead     = "mlvc current "
	pointerVersion  = "1"
	pointerOp       = "\noperation "
	pointerChecksum = "\nchecksum "
)

// encodePointer returns the text of a pointer file: its version, the
// operation, and the BLAKE3 of the lines before the last, as b3sum prints it.
func encodePointer(op objects.ID) []byte {
	body := pointerHead + pointerVersion + pointerOp + op.String() + "\n"
	return []byte(body + pointerChecksum[1:] + objects.Sum(objects.KindChunk, []byte(body)).String() + "\n")
}

// decodePointer reads exactly what encodePointer writes. It fails with
// objects.ErrNewer for a later version, else with objects.ErrCorrupt.
func decodePointer(data []byte) (objects.ID, error) {
	head, rest, ok := strings.Cut(string(data), pointerOp)
	version, named := strings.CutPrefix(head, pointerHead)
	if !ok || !named {
		return objects.ID{}, fmt.Errorf("%w: not a pointer file", objects.ErrCorrupt)
	}
	if version != pointerVersion {
		return objects.ID{}, fmt.Errorf("of version %.20q (this mlvc reads %s): %w", version, pointerVersion, objects.ErrNewer)
	}
	digits, _, _ := strings.Cut(rest, "\n")
	id, err := objects.ParseID(digits)
	if err != nil || id.IsZero() || string(encodePointer(id)) != string(data) {
		return objects.ID{}, fmt.Errorf("%w: checksum does not fit", objects.ErrCorrupt)
	}
	return id, nil
}
