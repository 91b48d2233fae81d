package remote

import (
	"context"
	"errors"
	"io/fs"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Local is the local store as an endpoint. What is added is recorded at once,
// so an interrupted copy goes on where it was; who adds holds the writer lock.
// A metadata object is held by the database, so its place has no pack.
type Local struct {
	store *store.Store
	fs    vfs.FS
	temp  string
}

var _ Endpoint = (*Local)(nil)

// NewLocal returns the endpoint over a store. temp is a folder on the packs'
// file system; Copy writes new packs there.
func NewLocal(s *store.Store, fsys vfs.FS, temp string) *Local {
	return &Local{store: s, fs: fsys, temp: temp}
}

// Get implements objects.Getter.
func (l *Local) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	return l.store.Get(ctx, id)
}

// Locate implements Endpoint. What gc has marked is not held.
func (l *Local) Locate(ctx context.Context, ids []objects.ID) ([]pack.Place, error) {
	return l.store.Locate(ctx, ids)
}

// Open implements Endpoint.
func (l *Local) Open(ctx context.Context, id objects.ID) (*pack.Reader, func(), error) {
	r, release, err := l.store.OpenPack(ctx, id)
	return r, release, notHeld(id, err)
}

// Info implements Endpoint. It reads the pack's footer.
func (l *Local) Info(ctx context.Context, id objects.ID) (PackInfo, error) {
	r, release, err := l.Open(ctx, id)
	if err != nil {
		return PackInfo{}, err
	}
	defer release()
	x, err := r.Index(ctx)
	if err != nil {
		return PackInfo{}, err
	}
	return PackInfo{ID: id, Type: x.Type, Size: x.Size, Count: x.Count, Bases: x.Bases}, nil
}

// Fetch implements Endpoint: the file is the store's own, and every byte of it
// was checked on this call, so that silent damage does not travel.
func (l *Local) Fetch(ctx context.Context, id objects.ID) (string, bool, error) {
	r, release, err := l.Open(ctx, id)
	if err != nil {
		return "", false, err
	}
	defer release()
	_, err = r.Verify(ctx)
	return l.store.PackFile(id), false, err
}

// AddPack implements Endpoint. Every object is checked against its ID before
// the pack gets its name; when it returns nil the pack is durable and recorded.
func (l *Local) AddPack(ctx context.Context, id objects.ID, name string, temporary bool) error {
	return l.store.TakePack(ctx, id, name, temporary)
}

// Sync implements Endpoint.
func (l *Local) Sync(ctx context.Context) error { return l.store.Sync(ctx) }

// notHeld makes the error of a pack that is not there that of Endpoint.
func notHeld(id objects.ID, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &objects.ObjectError{ID: id, Where: "the folder of packs", Err: objects.ErrNotFound}
	}
	return err
}
