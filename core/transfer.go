package core

import (
	"path/filepath"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote"
)

// Transferred counts what was sent or received.
type Transferred struct {
	Objects int64 `json:"objects"`
	Packs   int64 `json:"packs"`
	Bytes   int64 `json:"bytes"` // of packs
}

func (t *Transferred) add(c remote.Copied) {
	t.Objects, t.Packs, t.Bytes = t.Objects+c.Objects, t.Packs+c.Packs, t.Bytes+c.Bytes
}

// local is the local store as one end of a transfer. Packs on their way are
// written to temp.
func (r *Repo) local(temp string) *remote.Local {
	return remote.NewLocal(r.store, r.env.FS, temp)
}

// copyOptions are those of a transfer, which shows as a phase.
func (r *Repo) copyOptions(phase Phase, temp string) remote.CopyOptions {
	return remote.CopyOptions{
		FS: r.env.FS, Temp: temp,
		Progress: func(p remote.Progress) {
			if p.TotalBytes == 0 {
				r.env.Events.Progress(Progress{Phase: PhaseScan, Files: int64(p.Looked)})
				return
			}
			r.env.Events.Progress(Progress{Phase: phase, Bytes: p.Bytes, TotalBytes: p.TotalBytes})
		},
	}
}

// lookFolder makes a folder for the temporary files of a verb that does not
// hold the lock. An interruption leaves it to be swept when it is old.
func (r *Repo) lookFolder() (string, error) {
	dir := filepath.Join(r.tempPath(), lookPrefix+filepath.Base(vfs.TempName("")))
	return dir, r.env.FS.Mkdir(dir, 0o777)
}
