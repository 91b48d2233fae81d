package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tablePackage publishes one JSON table of 17 MB (CC0-1.0); tableVersions are
// two neighbours.
const tablePackage = "@mdn/browser-compat-data"

var tableVersions = [...]string{"7.0.0", "7.1.0"}

// fetchTables gets both versions by npm, beside the data folder: old.json and
// new.json.
func fetchTables(ctx context.Context, data string) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return errLeft("npm is not there to fetch the table")
	}
	dir := filepath.Dir(data)
	for i, version := range tableVersions {
		if err := fetchTable(ctx, dir, version, tableFile(dir, i)); err != nil {
			return errLeft(fmt.Sprintf("the table could not be fetched: %v", err))
		}
	}
	return nil
}

// tableFile names version i of the table.
func tableFile(dir string, i int) string {
	return filepath.Join(dir, [...]string{"old.json", "new.json"}[i])
}

func fetchTable(ctx context.Context, dir, version, to string) error {
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", tablePackage+"@"+version)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("npm pack %s@%s: %w", tablePackage, version, err)
	}
	archive := filepath.Join(dir, strings.TrimSpace(string(out)))
	if err := extract(archive, "package/data.json", to); err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	return os.Remove(archive)
}

// extract copies one member of a .tgz to a file.
func extract(archive, member, to string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(gz); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("no %s in it", member)
		}
		if err != nil {
			return err
		}
		if head.Name == member {
			data, err := io.ReadAll(io.LimitReader(r, 256<<20))
			if err != nil {
				return err
			}
			return os.WriteFile(to, data, 0o644)
		}
	}
}
