package remote

import (
	"context"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
)

// Endpoint is where objects lie in packs: a local store or a depot. Safe for
// concurrent use.
type Endpoint interface {
	// Get is verified, as that of every store.
	objects.Getter
	// Locate says where each of ids lies, in their order. One that is not
	// held has a place of zero Length.
	Locate(ctx context.Context, ids []objects.ID) ([]pack.Place, error)
	// Open hands out a pack that is held; it is a pack.Opener.
	Open(ctx context.Context, id objects.ID) (*pack.Reader, func(), error)
	// Info describes a pack that is held. It fails with an
	// *objects.ObjectError that wraps objects.ErrNotFound for another.
	Info(ctx context.Context, id objects.ID) (PackInfo, error)
	// Fetch returns the name of a local file that is the whole pack. It was
	// verified if it came from outside. A temporary one is the caller's: to
	// be moved away, or removed.
	Fetch(ctx context.Context, id objects.ID) (name string, temporary bool, err error)
	// AddPack takes up a whole, sealed and verified pack, which need not be
	// visible before Sync. The packs it is built on are held or were added.
	// A temporary file may be moved away; any other is only read.
	AddPack(ctx context.Context, id objects.ID, name string, temporary bool) error
	// Sync makes what was added visible to Locate, and durable; at a depot
	// to this process, and to others with the next Publish.
	Sync(ctx context.Context) error
}

// PackInfo describes a pack.
type PackInfo struct {
	ID    objects.ID
	Type  pack.Type
	Size  int64 // bytes
	Count int   // objects
	// Bases are the packs that deltas of this one are built on.
	Bases []objects.ID
}
