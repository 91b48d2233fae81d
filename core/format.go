package core

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// FormatVersion is the version of repositories that this build makes, and the
// newest that it opens.
const FormatVersion = 1

// The frozen parameters of a repository of version 1: they name the rules by
// which files and trees are cut, which decide every ID above the contents'.
const (
	chunkerV1 = "gear-v1"
	treeV1    = "prolly-v1"
)

// format is the file `.mlvc/format`: what one must know before reading
// anything else. Text, one valid encoding; FORMAT.md describes it.
type format struct {
	Version int
	ID      string // 32 hexadecimal digits, made at init
}

const formatMagic = "mlvc repository"

func newFormat() format {
	var id [16]byte
	rand.Read(id[:]) //nolint:errcheck // never fails
	return format{Version: FormatVersion, ID: hex.EncodeToString(id[:])}
}

func (f format) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nversion %d\nid %s\nchunker %s\ntree %s\n", formatMagic, f.Version, f.ID, chunkerV1, treeV1)
	return b.Bytes()
}

// NewerError is for a repository that a later mlvc has made.
type NewerError struct {
	Dir     string
	Version int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s is a repository of version %d; this mlvc reads up to version %d", e.Dir, e.Version, FormatVersion)
}

// Is makes errors.Is(err, objects.ErrNewer) true.
func (e *NewerError) Is(target error) bool { return target == objects.ErrNewer }

// decodeFormat reads what encode writes, and refuses anything newer by its
// number before it looks at the rest.
func decodeFormat(dir string, data []byte) (format, error) {
	damaged := fmt.Errorf("%w: %s does not say what repository this is", objects.ErrCorrupt, filepath.Join(dir, "format"))
	lines := strings.Split(string(data), "\n")
	if len(lines) < 3 || lines[0] != formatMagic {
		return format{}, damaged
	}
	v, err := strconv.Atoi(strings.TrimPrefix(lines[1], "version "))
	if err != nil {
		return format{}, damaged
	}
	if v > FormatVersion {
		return format{}, &NewerError{Dir: dir, Version: v}
	}
	f := format{Version: v, ID: strings.TrimPrefix(lines[2], "id ")}
	if !bytes.Equal(f.encode(), data) {
		return format{}, damaged
	}
	return f, nil
}

func readFormat(fsys vfs.FS, dir string) (format, error) {
	data, err := vfs.ReadFile(fsys, filepath.Join(dir, "format"))
	if errors.Is(err, fs.ErrNotExist) {
		return format{}, fmt.Errorf("%w: %s has no file named format", objects.ErrCorrupt, dir)
	}
	if err != nil {
		return format{}, err
	}
	return decodeFormat(dir, data)
}
