package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/parity"
	"github.com/mlvc/mlvc/remote/bucket"
)

// BackupHealed is a damaged object that was made whole.
type BackupHealed struct {
	Label string     `json:"label"`
	Key   string     `json:"key"`
	Pack  objects.ID `json:"pack,omitzero"`
	// Bytes were damaged and made anew; From says of what.
	Bytes int64  `json:"bytes"`
	From  string `json:"from"`
}

// healing calls work, and when that meets damage heals every pack of the chain
// that parity can heal, for this process only, and calls work again. What was
// healed is a warning and returned; what was not is for work to meet again.
func (b *Backups) healing(ctx context.Context, chain *backup.Chain, work func(again bool) error) ([]BackupHealed, error) {
	healed := b.rebuilt(chain)
	err := work(false)
	if err == nil || !isDamage(err) || isKeyDamage(err) || ctx.Err() != nil {
		return healed, err
	}
	packs, herr := b.healChain(ctx, chain)
	if healed = append(healed, packs...); herr != nil {
		return healed, errors.Join(err, herr)
	}
	return healed, work(true)
}

// rebuilt says which indexes of a chain were made again of its packs.
func (b *Backups) rebuilt(chain *backup.Chain) []BackupHealed {
	var healed []BackupHealed
	for _, key := range chain.Rebuilt {
		healed = append(healed, BackupHealed{Label: labelOfKey(key), Key: key, From: "its packs"})
		b.env.Events.Warn(Warning{Code: "healed", Message: key + ` is damaged, and was made again of its packs. "mlvc backup repair" heals it at the destination`})
	}
	return healed
}

// healChain heals the damaged packs of a chain for this process.
func (b *Backups) healChain(ctx context.Context, chain *backup.Chain) ([]BackupHealed, error) {
	var healed []BackupHealed
	for _, p := range chain.Packs() {
		err := chain.Check(ctx, p.ID)
		if err == nil {
			continue
		}
		if !isDamage(err) {
			return healed, err
		}
		file, h, err := b.heal(ctx, chain, p)
		if err != nil {
			if ctx.Err() != nil {
				return healed, ctx.Err()
			}
			b.env.Events.Warn(Warning{Code: "not_healed", Message: fmt.Sprintf("%s is damaged and cannot be healed: %s", h.Key, firstDamage(err))})
			continue
		}
		if err := chain.Supply(ctx, p.ID, file); err != nil {
			return healed, errors.Join(err, b.env.FS.Remove(file))
		}
		healed = append(healed, h)
		b.env.Events.Warn(Warning{Code: "healed", Message: fmt.Sprintf("%s is damaged; %d bytes were healed from its %s. \"mlvc backup repair\" heals it at the destination", h.Key, h.Bytes, h.From)})
	}
	return healed, nil
}

// heal makes a whole copy of a damaged pack in a local file that is the
// caller's.
func (b *Backups) heal(ctx context.Context, chain *backup.Chain, p remote.PackInfo) (string, BackupHealed, error) {
	key, err := chain.Key(p.ID)
	if err != nil {
		return "", BackupHealed{Pack: p.ID}, err
	}
	stored, h, err := b.healStored(ctx, key, p.ID)
	if err != nil || b.dest.Bucket() == b.raw {
		return stored, h, err
	}
	defer b.env.FS.Remove(stored) //nolint:errcheck // the cache may have it
	name, err := b.decrypt(ctx, key, stored, p.Size)
	return name, h, err
}

// healStored makes a whole copy of a damaged pack as it is stored, from what is
// left of it and its parity, in a local file that is the caller's.
func (b *Backups) healStored(ctx context.Context, key string, id objects.ID) (string, BackupHealed, error) {
	h := BackupHealed{Label: labelOfKey(key), Key: key, Pack: id, From: "parity"}
	code, err := b.readParity(ctx, parityKey(key))
	if err != nil {
		return "", h, err
	}
	if code.Owner() != id {
		return "", h, fmt.Errorf("%w: its parity is that of something else", objects.ErrCorrupt)
	}
	name, err := b.newFile(func(f vfs.File) error {
		if err := f.Truncate(code.Covers()); err != nil {
			return err
		}
		if err := salvage(ctx, b.raw, key, code.Covers(), &seekWriter{f}); err != nil && !errors.Is(err, bucket.ErrNotExist) {
			return err // of a lost pack all is damaged, which parity can heal if it is small, or if there is much of it
		}
		report, err := code.Heal(ctx, f, code.Covers(), f)
		h.Bytes = report.DamagedBytes()
		return err
	})
	return name, h, err
}

// newFile writes a file in the cache, and removes it after an error.
func (b *Backups) newFile(write func(f vfs.File) error) (string, error) {
	name := vfs.TempName(b.place.Cache)
	f, err := b.env.FS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", err
	}
	if err = errors.Join(write(f), f.Close()); err != nil {
		return "", errors.Join(err, b.env.FS.Remove(name))
	}
	return name, nil
}

// decrypt makes a local file of an object that is stored encrypted, reading
// a local copy of that in place of the object.
func (b *Backups) decrypt(ctx context.Context, key, stored string, size int64) (string, error) {
	f, err := b.env.FS.Open(stored)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	plain, err := b.keys.wrap(ctx, b.dest.List().Crypt, instead{b.raw, key, f})
	if err != nil {
		return "", err
	}
	return b.fetch(ctx, plain, key, size)
}

// fetch makes a local file of an object.
func (b *Backups) fetch(ctx context.Context, from bucket.Bucket, key string, size int64) (string, error) {
	return b.newFile(func(f vfs.File) error {
		for at := int64(0); at < size; at += salvageStep {
			if err := copyRange(ctx, from, key, at, min(salvageStep, size-at), &seekWriter{f}); err != nil {
				return err
			}
		}
		return nil
	})
}

// instead is a bucket that has a local file in the place of one object.
type instead struct {
	bucket.Bucket
	key  string
	file vfs.File
}

// GetRange implements bucket.Bucket.
func (b instead) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if key != b.key {
		return b.Bucket.GetRange(ctx, key, offset, length)
	}
	st, err := b.file.Stat()
	if err != nil {
		return nil, err
	}
	if length < 0 {
		length = max(0, st.Size-offset)
	}
	return io.NopCloser(&wholeReader{io.NewSectionReader(b.file, offset, length), length}), nil
}

// wholeReader ends in io.ErrUnexpectedEOF unless it yields as many bytes as were
// asked for.
type wholeReader struct {
	from io.Reader
	left int64
}

// Read implements io.Reader.
func (r *wholeReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if r.left -= int64(n); err == io.EOF && r.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// checkParity says what is wrong with the parity of a sound object.
func checkParity(ctx context.Context, text []byte, r io.ReaderAt, size int64) error {
	f, err := parity.Open(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return err
	}
	report, err := f.Check(ctx, r, size)
	if err == nil && !report.OK() {
		err = fmt.Errorf("%w: it does not fit", objects.ErrCorrupt)
	}
	return err
}

// parityKey is where the parity of a pack lies.
func parityKey(packKey string) string { return strings.TrimSuffix(packKey, ".pack") + ".parity" }

// labelOfKey is the set that an object belongs to.
func labelOfKey(key string) string {
	parts := strings.Split(key, "/")
	return strings.ToUpper(parts[max(0, len(parts)-2)])
}

// readParity reads what can be read of a parity object.
func (b *Backups) readParity(ctx context.Context, key string) (*parity.File, error) {
	size := int64(-1)
	for info, err := range b.raw.List(ctx, key) {
		if err != nil {
			return nil, err
		}
		if info.Key == key {
			size = info.Size
		}
	}
	if size < 0 || size > parity.MaxSize {
		return nil, fmt.Errorf("%s: it has no parity: %w", key, bucket.ErrNotExist)
	}
	buf := make([]byte, size)
	if err := salvage(ctx, b.raw, key, size, sliceWriter(buf)); err != nil {
		return nil, err
	}
	return parity.Open(bytes.NewReader(buf), size)
}

// salvageStep is how much is read at once of what may be damaged; where that
// fails, salvageGrain.
const (
	salvageStep  = 4 << 20
	salvageGrain = 64 << 10
)

// salvage copies what can be read of an object; what cannot be is left as it is
// in w. It fails for an object that is not there, and for w.
func salvage(ctx context.Context, from bucket.Bucket, key string, size int64, w io.WriterAt) error {
	for offset := int64(0); offset < size; offset += salvageStep {
		length := min(salvageStep, size-offset)
		err := copyRange(ctx, from, key, offset, length, w)
		if stopsSalvage(err) {
			return err
		}
		for at := offset; err != nil && at < offset+length; at += salvageGrain {
			if gerr := copyRange(ctx, from, key, at, min(salvageGrain, offset+length-at), w); ctx.Err() != nil || stopsSalvage(gerr) {
				return errors.Join(ctx.Err(), gerr)
			}
		}
	}
	return ctx.Err()
}

func stopsSalvage(err error) bool {
	_, write := errors.AsType[*writeError](err)
	return write || errors.Is(err, bucket.ErrNotExist)
}

// writeError tells what cannot be written here from what cannot be read there.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

func copyRange(ctx context.Context, from bucket.Bucket, key string, offset, length int64, w io.WriterAt) error {
	r, err := from.GetRange(ctx, key, offset, length)
	if err != nil {
		return err
	}
	buf := make([]byte, length)
	n, err := io.ReadFull(r, buf)
	if n > 0 {
		if _, werr := w.WriteAt(buf[:n], offset); werr != nil {
			err = errors.Join(err, &writeError{werr})
		}
	}
	return errors.Join(err, r.Close())
}

// seekWriter makes an io.WriterAt of a file that one goroutine writes.
type seekWriter struct{ vfs.File }

// WriteAt implements io.WriterAt.
func (w *seekWriter) WriteAt(p []byte, offset int64) (int, error) {
	if _, err := w.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	return w.Write(p)
}

// sliceWriter writes into memory.
type sliceWriter []byte

// WriteAt implements io.WriterAt.
func (s sliceWriter) WriteAt(p []byte, offset int64) (int, error) {
	n := copy(s[min(offset, int64(len(s))):], p)
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
