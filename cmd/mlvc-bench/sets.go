package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// sizes are how large the data sets are.
type sizes struct {
	Files int   `json:"files"` // of 10 KiB
	Size  int64 `json:"size"`  // of a large file and of the CSV, bytes
	Many  int   `json:"many"`  // files of 100 bytes; 0 leaves them out
	Huge  int64 `json:"huge"`  // of the one huge file, bytes; 0 leaves it out
	// Images are JPEG files of 112×112 pixels; 0 leaves them out.
	Images int `json:"images"`
}

// set is one data set: a folder with the data in it, beside which mlvc's
// repository is made.
type set struct {
	name  string
	dir   string // what mlvc gets by -C
	files int    // roughly
	bytes int64  // on disk, roughly
	kept  int    // copies a pair makes that stay until the end
	make  func(ctx context.Context, data string) error
	left  string // why it is left out, if it is

	made      bool
	committed bool
	edits     int       // how often the data were edited: each edit is another one
	between   [2]string // commits to go to and fro between
	at        int       // which of them is checked out
	remote    string    // the folder that was pushed to; "" if none
	pushed    bool      // the newest commit is there
	clone     string    // of remote; "" if none
	backups   backups
}

func (s *set) data() string { return filepath.Join(s.dir, "data") }
func (s *set) repo() string { return filepath.Join(s.dir, ".mlvc") }

// packs is where the repository's bulk is.
func (s *set) packs() string { return filepath.Join(s.repo(), "packs") }

// numerous: deleting the set's files would make the file system slow.
func (s *set) numerous() bool { return s.files > 1000 }

// file names file i of a set laid out by makeFiles, spread over its folders.
func (s *set) file(i int) string {
	i %= s.files
	return fileName(s.data(), i, perFolder(s.files))
}

// newSets describes the data sets; nothing is written yet.
func newSets(dir string, z sizes) map[string]*set {
	const block = 4096
	all := []*set{
		{name: "small", files: z.Files, bytes: int64(z.Files) * 3 * block, kept: 9, make: func(ctx context.Context, data string) error {
			return makeFiles(ctx, data, z.Files, 10<<10)
		}},
		{name: "large", files: 4, bytes: 4 * z.Size, make: func(ctx context.Context, data string) error {
			return makeFiles(ctx, data, 4, z.Size)
		}},
		{name: "many", files: z.Many, bytes: int64(z.Many) * 2 * block, make: func(ctx context.Context, data string) error {
			return makeFiles(ctx, data, z.Many, 100)
		}},
		{name: "splits", files: z.Many, bytes: int64(z.Many) * 2 * block, make: func(ctx context.Context, data string) error {
			return makeFiles(ctx, data, z.Many, 100)
		}},
		{name: "images", files: z.Images, bytes: int64(z.Images) * 3 * block, make: func(ctx context.Context, data string) error {
			return makeImages(ctx, data, z.Images)
		}},
		{name: "csv", files: 1, bytes: z.Size, make: func(_ context.Context, data string) error {
			return makeCSV(filepath.Join(data, "table.csv"), z.Size)
		}},
		{name: "json", files: 1, bytes: 64 << 20, make: fetchTables},
		{name: "huge", files: 1, bytes: z.Huge, make: func(ctx context.Context, data string) error {
			return makeFiles(ctx, data, 1, z.Huge)
		}},
	}
	sets := map[string]*set{}
	for _, s := range all {
		s.dir = filepath.Join(dir, s.name)
		if s.files == 0 || s.bytes == 0 {
			s.left = "not asked for"
		}
		sets[s.name] = s
	}
	return sets
}

// perFolder says how many of n files lie in one folder: a hundred folders, or
// a thousand for a million files.
func perFolder(n int) int {
	if n > 200_000 {
		return (n + 999) / 1000
	}
	return (n + 99) / 100
}

func fileName(data string, i, per int) string {
	return filepath.Join(data, fmt.Sprintf("d%04d", i/per), fmt.Sprintf("f%07d.bin", i))
}

// makeFiles writes n files of incompressible bytes, the same in every run.
func makeFiles(ctx context.Context, data string, n int, size int64) error {
	noise := newNoise(0)
	buf := make([]byte, min(size, 1<<20))
	per := perFolder(n)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := fileName(data, i, per)
		if i%per == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
		}
		if err := writeNoise(name, noise, size, buf); err != nil {
			return err
		}
	}
	return nil
}

// writeNoise writes one file through buf.
func writeNoise(name string, noise io.Reader, size int64, buf []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(noise, size), buf)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// newNoise is a stream of incompressible bytes, another one for each seed.
func newNoise(seed uint64) *rand.ChaCha8 {
	key := [32]byte{'m', 'l', 'v', 'c'}
	for i := range 8 {
		key[8+i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// makeCSV writes a table of measurements of at least size bytes.
func makeCSV(name string, size int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(newNoise(1))
	_, err = w.WriteString(csvHeader)
	var row []byte
	for i, n := 0, int64(len(csvHeader)); n < size && err == nil; i++ {
		row = appendCSVRow(row[:0], i, r)
		n += int64(len(row))
		_, err = w.Write(row)
	}
	if err == nil {
		err = w.Flush()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

const csvHeader = "id,time,sensor,kind,x,y,value\n"

func appendCSVRow(b []byte, id int, r *rand.Rand) []byte {
	kinds := [...]string{"temperature", "pressure", "humidity", "wind"}
	return fmt.Appendf(b, "%d,2026-%02d-%02dT%02d:%02d:%02d,s%03d,%s,%.4f,%.4f,%.6g\n",
		id, 1+id/2_000_000%12, 1+id/86_400%28, id/3600%24, id/60%60, id%60,
		r.IntN(400), kinds[r.IntN(len(kinds))], r.Float64()*180-90, r.Float64()*360-180, r.NormFloat64()*100)
}
