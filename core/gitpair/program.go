package gitpair

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// program runs the git program on one repository. As a reader it keeps one
// `git cat-file` running.
type program struct {
	path string
	dir  string // where it runs
	env  []string

	mu    sync.Mutex
	batch *batch
}

var _ reader = (*program)(nil)

// local are git's variables that say which repository is meant: those of a
// hook's caller must not reach a program that is meant for another.
var local = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE",
	"GIT_IMPLICIT_WORK_TREE", "GIT_LITERAL_PATHSPECS", "GIT_EXTERNAL_DIFF", "GIT_CONFIG", "LC_ALL", "GIT_OPTIONAL_LOCKS",
}

// findProgram returns nil if there is no git program.
func findProgram(r *Repo, opt Options) *program {
	path, err := exec.LookPath("git")
	if err != nil {
		return nil
	}
	env := opt.Environ
	if env == nil {
		env = (&exec.Cmd{}).Environ()
	}
	p := &program{path: path, dir: r.root}
	p.env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		key, _, _ := strings.Cut(v, "=")
		return slices.Contains(local, key)
	})
	// Without optional locks `git status` does not write the index, and so
	// starts no hook.
	p.env = append(p.env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_DIR="+r.gitDir, "GIT_WORK_TREE="+r.root)
	if opt.IndexFile != "" {
		p.env = append(p.env, "GIT_INDEX_FILE="+r.index)
	}
	return p
}

// noHooks keeps what mlvc itself does with git from starting hooks.
var noHooks = []string{"-c", "core.hooksPath=" + os.DevNull}

// run runs git and returns what it prints.
func (p *program) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	return p.runEnv(ctx, stdin, nil, args...)
}

func (p *program) runEnv(ctx context.Context, stdin []byte, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir, cmd.Env = p.dir, append(slices.Clone(p.env), env...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return out.Bytes(), &ProgramError{args, said.String(), err}
	}
	return out.Bytes(), nil
}

// git runs the program, or fails with ErrNoProgram.
func (r *Repo) git(ctx context.Context, args ...string) ([]byte, error) {
	if r.program == nil {
		return nil, fmt.Errorf("git %s: %w", args[0], ErrNoProgram)
	}
	return r.program.run(ctx, nil, args...)
}

// MergeLines merges three files, given by absolute names, line by line as git
// merges what has no driver; false: they have a conflict.
func (r *Repo) MergeLines(ctx context.Context, ours, base, theirs string) (text []byte, clean bool, err error) {
	text, err = r.git(ctx, "merge-file", "-p", "--quiet", ours, base, theirs)
	// The status is the number of conflicts; above 127 it is an error.
	if n := exitStatus(err); err != nil && n > 0 && n <= 127 {
		return nil, false, nil
	}
	return text, err == nil, err
}

// exitStatus returns the status with which git ended, -1 if it did not run.
func exitStatus(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	return -1
}

func (p *program) refs(ctx context.Context) ([]ref, error) {
	out, err := p.run(ctx, nil, "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return nil, err
	}
	var list []ref
	for line := range strings.Lines(string(out)) {
		hash, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		list = append(list, ref{name, hash})
	}
	return list, nil
}

func (p *program) head(ctx context.Context) (h Head, err error) {
	out, err := p.run(ctx, nil, "symbolic-ref", "--quiet", "HEAD")
	if err != nil && exitStatus(err) != 1 {
		return h, err
	}
	h.Branch = strings.TrimPrefix(strings.TrimSpace(string(out)), "refs/heads/")
	out, err = p.run(ctx, nil, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil && exitStatus(err) != 1 {
		return h, err
	}
	h.Commit = strings.TrimSpace(string(out))
	return h, nil
}

func (p *program) resolve(ctx context.Context, rev string) (string, error) {
	if rev == "" || strings.HasPrefix(rev, "-") {
		return "", &RevisionError{rev}
	}
	out, err := p.run(ctx, nil, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
	return strings.TrimSpace(string(out)), err
}

// batch is a running `git cat-file --batch`.
type batch struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (p *program) startBatch() (*batch, error) {
	cmd := exec.Command(p.path, "cat-file", "--batch")
	cmd.Dir, cmd.Env = p.dir, p.env
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &batch{cmd, in, bufio.NewReader(out)}, nil
}

func (b *batch) close() error {
	b.in.Close()
	return b.cmd.Wait()
}

func (p *program) object(ctx context.Context, hash string) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batch == nil {
		b, err := p.startBatch()
		if err != nil {
			return object{}, err
		}
		p.batch = b
	}
	o, err := p.batch.object(hash)
	if err != nil && !errors.Is(err, ErrMissing) {
		// What it still prints stands in the way of the next answer.
		p.batch.cmd.Process.Kill() //nolint:errcheck // err says what failed
		p.batch.close()            //nolint:errcheck // the same
		p.batch = nil
	}
	return o, err
}

func (b *batch) object(hash string) (object, error) {
	if _, err := fmt.Fprintln(b.in, hash); err != nil {
		return object{}, err
	}
	line, err := b.out.ReadString('\n')
	if err != nil {
		return object{}, fmt.Errorf("git cat-file ended: %w", err)
	}
	words := strings.Fields(line)
	if len(words) == 2 && words[1] == "missing" {
		return object{}, fmt.Errorf("%s: %w", hash, ErrMissing)
	}
	if len(words) != 3 {
		return object{}, fmt.Errorf("git cat-file: %s", strings.TrimSpace(line))
	}
	size, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil || size > maxObject {
		return object{}, fmt.Errorf("%s: has %s bytes", hash, words[2])
	}
	data := make([]byte, size+1) // and the line feed after it
	if _, err := io.ReadFull(b.out, data); err != nil {
		return object{}, err
	}
	return object{words[1], data[:size]}, nil
}

func (p *program) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batch == nil {
		return nil
	}
	err := p.batch.close()
	p.batch = nil
	return err
}
