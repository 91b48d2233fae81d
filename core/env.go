// Package core is the repository and its verbs, one file a verb. It never
// prints, never exits and never reads the environment: everything from
// outside arrives in an Env, and what happens is reported through Events.
package core

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// Env is everything that a repository needs from outside.
type Env struct {
	FS  vfs.FS
	Now func() time.Time
	// Who signs commits and operations, where the repository's own settings do
	// not say it.
	Who objects.Signature
	// Command is what the user called, for the operation log and for others
	// that wait for the lock.
	Command string
	// Wait bounds the time to wait for another writer. Zero: do not wait.
	Wait time.Duration
	// Workers bounds the files read or written at the same time; memory is
	// some MiB for each. Zero: by the number of processors.
	Workers int
	Events  Events
	// Git is what git said when it started this program, as it does for hooks.
	Git GitEnv
	// OpenBucket opens a remote place by its URL or absolute path; nil: there
	// are none. An error need not name the place.
	OpenBucket func(ctx context.Context, url string) (bucket.Bucket, error)
}

// maxCommand is how many bytes of the command the operation log keeps.
const maxCommand = 2000

// text makes text of any bytes.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// tidy makes text of what goes into records, whatever bytes the system or the
// user gave.
func (e Env) tidy() Env {
	e.Who.Name, e.Who.Email = text(e.Who.Name), text(e.Who.Email)
	if len(e.Command) > maxCommand {
		e.Command = strings.ToValidUTF8(e.Command[:maxCommand], "") + "…"
	}
	e.Command = text(e.Command)
	return e
}

// workers returns how many files are read or written at once: two more than
// there are processors, so that some wait for the disk while others hash.
func (e Env) workers() int {
	if e.Workers > 0 {
		return e.Workers
	}
	return runtime.GOMAXPROCS(0) + 2
}

// Events receives what happens while a verb runs. Methods may be called from
// several goroutines, and must return quickly.
type Events interface {
	// Progress says how far a phase has come. Totals are zero while unknown.
	Progress(p Progress)
	// Warn reports something that the user should know and that did not stop
	// the verb.
	Warn(w Warning)
	// Waiting says that another process holds the writer lock.
	Waiting(h Holder)
}

// Progress is how far a phase of a verb has come.
type Progress struct {
	Phase      Phase
	Files      int64
	Bytes      int64
	TotalFiles int64 // 0: not known
	TotalBytes int64 // 0: not known
}

// Phase names what a verb is doing.
type Phase string

// The phases.
const (
	PhaseScan     Phase = "scanning"
	PhaseRead     Phase = "reading"
	PhaseCheck    Phase = "checking"
	PhaseWrite    Phase = "writing"
	PhaseVerify   Phase = "verifying"
	PhaseSweep    Phase = "sweeping"
	PhaseCopy     Phase = "copying"
	PhaseSend     Phase = "sending"
	PhaseReceive  Phase = "receiving"
	PhaseRecord   Phase = "recording"
	PhaseFinished Phase = "finished"
)

// Warning is about one path, object or setting.
type Warning struct {
	// Code is stable, for --json: "skipped_special", "full_instead", …
	Code    string
	Path    string // may be empty
	Message string
}

// NoEvents drops everything.
type NoEvents struct{}

// Progress implements Events.
func (NoEvents) Progress(Progress) {}

// Warn implements Events.
func (NoEvents) Warn(Warning) {}

// Waiting implements Events.
func (NoEvents) Waiting(Holder) {}

var _ Events = NoEvents{}
