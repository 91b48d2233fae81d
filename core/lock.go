package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Holder is who holds the writer lock.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// String describes the holder for a message.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("mlvc %s (process %d on %s, since %s)", h.Command, h.PID, h.Host, h.Since.Format("15:04:05"))
}

// LockedError is returned when another process held the writer lock for
// longer than Env.Wait.
type LockedError struct {
	Holder Holder
	Waited time.Duration
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("repository is being written by %v; waited %v", e.Holder, e.Waited)
}

// lock is the writer lock: an advisory lock on `.mlvc/lock`, which the system
// releases when its holder dies. The file says who holds it, for messages
// only.
type lock struct{ file *flock.Flock }

const lockPoll = 50 * time.Millisecond

// acquireLock takes the writer lock, waiting for at most Env.Wait.
func acquireLock(ctx context.Context, env Env, dir string) (*lock, error) {
	path := filepath.Join(dir, "lock")
	l := &lock{file: flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR))}
	for waited := time.Duration(0); ; waited += lockPoll {
		ok, err := l.file.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock the repository: %w", err)
		}
		if ok {
			l.sign(env, path)
			return l, nil
		}
		if waited >= env.Wait {
			return nil, &LockedError{Holder: readHolder(path), Waited: env.Wait}
		}
		if waited == 0 {
			env.Events.Waiting(readHolder(path))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// sign writes the holder into the lock file. A failure costs only a message.
func (l *lock) sign(env Env, path string) {
	host, _ := os.Hostname()
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Command: env.Command, Since: env.Now()})
	if err == nil {
		_ = os.WriteFile(path, append(text, '\n'), 0o666)
	}
}

func readHolder(path string) Holder {
	var h Holder
	text, err := os.ReadFile(path)
	if err == nil {
		_ = json.Unmarshal(text, &h)
	}
	return h
}

func (l *lock) release() error {
	if err := l.file.Unlock(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("unlock the repository: %w", err)
	}
	return nil
}
