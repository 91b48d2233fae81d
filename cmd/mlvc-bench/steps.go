package main

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// step does one thing once, and measures it. What it needs beforehand it
// makes itself, untimed.
type step func(ctx context.Context, b *bench, s *set) (sample, error)

func firstCommit(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.init(ctx, s); err != nil {
		return sample{}, err
	}
	return b.commit(ctx, s, "first")
}

// copyData is `cp -a DATA COPY && sync`.
func copyData(ctx context.Context, b *bench, s *set) (sample, error) {
	to := b.fresh("copy")
	got, err := b.tool(ctx, "cp", "-a", s.data(), to)
	if err != nil {
		return got, err
	}
	got = got.plus(timed(settle))
	return got, b.discard(to, s.numerous())
}

func findData(ctx context.Context, b *bench, s *set) (sample, error) {
	return b.tool(ctx, "find", s.data(), "-printf", `%s %T@\n`)
}

func status(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	return b.run(ctx, s, "status")
}

func sameCommit(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	return b.run(ctx, s, "commit", "-m", "nothing changed")
}

func checkoutInto(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	to := b.fresh("into")
	got, err := b.run(ctx, s, "checkout", "HEAD", "--into", to)
	if err != nil {
		return got, err
	}
	return got, b.discard(to, s.numerous())
}

// checkoutBetween goes to the other one of two commits, to and fro.
func checkoutBetween(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureBetween(ctx, s, max(1, s.files/100)); err != nil {
		return sample{}, err
	}
	s.at = 1 - s.at
	return b.run(ctx, s, "checkout", s.between[s.at])
}

func diffTen(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureBetween(ctx, s, 10); err != nil {
		return sample{}, err
	}
	return b.run(ctx, s, "diff", s.between[0], s.between[1])
}

// ensureBetween makes two commits that differ in n files.
func (b *bench) ensureBetween(ctx context.Context, s *set, n int) error {
	if s.between[0] != "" {
		return nil
	}
	if err := b.ensureCommitted(ctx, s); err != nil {
		return err
	}
	before, err := b.head(ctx, s)
	if err != nil {
		return err
	}
	for i := range n {
		if err := editFile(s, i*(s.files/n)); err != nil {
			return err
		}
	}
	if _, err := b.commit(ctx, s, "some changed"); err != nil {
		return err
	}
	after, err := b.head(ctx, s)
	s.between, s.at = [2]string{before, after}, 1
	return err
}

// editFile gives file i other bytes of the same size.
func editFile(s *set, i int) error {
	name := s.file(i)
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	s.edits++
	return writeNoise(name, newNoise(uint64(1000+s.edits)), info.Size(), make([]byte, 1<<16))
}

func oneOfMany(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	if err := editFile(s, 7919*(s.edits+1)); err != nil {
		return sample{}, err
	}
	got, err := b.commit(ctx, s, "one changed")
	got.Bytes = max(0, got.Bytes-100) // the file itself does not count
	return got, err
}

// oneByte turns one byte in the middle of the first large file.
func oneByte(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	f, err := os.OpenFile(s.file(0), os.O_RDWR, 0)
	if err != nil {
		return sample{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sample{}, err
	}
	var one [1]byte
	at := info.Size()/2 + int64(s.edits)*12345
	s.edits++
	if _, err := f.ReadAt(one[:], at%info.Size()); err != nil {
		return sample{}, err
	}
	one[0] ^= 0xff
	if _, err := f.WriteAt(one[:], at%info.Size()); err != nil {
		return sample{}, err
	}
	return b.commit(ctx, s, "one byte changed")
}

func hashLarge(ctx context.Context, b *bench, s *set) (sample, error) {
	return b.tool(ctx, b.self, "b3sum", s.file(0))
}

// csvFront writes the table again with one more row after its header.
func csvFront(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return sample{}, err
	}
	s.edits++
	if err := insertRow(filepath.Join(s.data(), "table.csv"), s.edits); err != nil {
		return sample{}, err
	}
	return b.commit(ctx, s, "one row inserted")
}

// insertRow replaces a table by one that has a new first row.
func insertRow(name string, id int) error {
	old, err := os.Open(name)
	if err != nil {
		return err
	}
	defer old.Close()
	temp := filepath.Join(filepath.Dir(filepath.Dir(name)), "table.new")
	f, err := os.Create(temp)
	if err != nil {
		return err
	}
	front := appendCSVRow([]byte(csvHeader), id, rand.New(newNoise(uint64(id))))
	_, err = io.Copy(f, io.MultiReader(bytes.NewReader(front), io.NewSectionReader(old, int64(len(csvHeader)), 1<<62)))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp, name)
}

// newTable commits the first version of the real table and then, measured,
// the second.
func newTable(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.init(ctx, s); err != nil {
		return sample{}, err
	}
	var got sample
	for i, message := range []string{"old", "new"} {
		data, err := os.ReadFile(tableFile(s.dir, i))
		if err != nil {
			return got, err
		}
		if err := os.WriteFile(filepath.Join(s.data(), "table.json"), data, 0o644); err != nil {
			return got, err
		}
		if got, err = b.commit(ctx, s, message); err != nil {
			return got, err
		}
	}
	return got, nil
}

// patchTable measures the size that the best tool for it makes of a version.
func patchTable(ctx context.Context, b *bench, s *set) (sample, error) {
	patch := b.fresh("patch")
	got, err := b.tool(ctx, "zstd", "-q", "-3", "--patch-from="+tableFile(s.dir, 0), tableFile(s.dir, 1), "-o", patch)
	if err != nil {
		return got, err
	}
	info, err := os.Stat(patch)
	if err != nil {
		return got, err
	}
	got.Bytes = float64(info.Size())
	return got, os.Remove(patch)
}
