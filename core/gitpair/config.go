package gitpair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/config"
)

// settings is the repository's own configuration (`.git/config`), without the
// user's and the system's.
type settings struct{ raw *config.Config }

func (r *Repo) readConfig() (settings, error) {
	s := settings{config.New()}
	name := filepath.Join(r.common, "config")
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	if err := config.NewDecoder(f).Decode(s.raw); err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (s settings) bare() bool { return strings.EqualFold(s.raw.Section("core").Option("bare"), "true") }

// special says why go-git cannot read the repository as it is; empty: it can.
func (s settings) special(common string) string {
	ext := s.raw.Section("extensions")
	if f := ext.Option("objectformat"); f != "" && !strings.EqualFold(f, "sha1") {
		return "objects are named by " + f
	}
	if f := ext.Option("refstorage"); f != "" && !strings.EqualFold(f, "files") {
		return "refs are kept as " + f
	}
	if ext.Option("partialclone") != "" {
		return "a partial clone"
	}
	if _, err := os.Lstat(filepath.Join(common, "objects", "info", "alternates")); err == nil {
		return "objects of another repository are borrowed"
	}
	return ""
}

func (s settings) remoteURL(name string) string {
	if name == "" || name == "." || !s.raw.Section("remote").HasSubsection(name) {
		return ""
	}
	return s.raw.Section("remote").Subsection(name).Option("url")
}

// RemoteURL returns the URL of the remote that the branch follows, else of
// origin, else of the only remote, without secrets; empty if there is none.
func (r *Repo) RemoteURL(_ context.Context, branch string) (string, error) {
	s, err := r.readConfig()
	if err != nil {
		return "", err
	}
	url := ""
	if b := s.raw.Section("branch"); branch != "" && b.HasSubsection(branch) {
		url = s.remoteURL(b.Subsection(branch).Option("remote"))
	}
	if url == "" {
		url = s.remoteURL("origin")
	}
	if subs := s.raw.Section("remote").Subsections; url == "" && len(subs) == 1 {
		url = s.remoteURL(subs[0].Name)
	}
	return StripSecrets(url), nil
}

// Datasets returns the roots of the datasets that are paired in this git
// repository, as Pair was given them, sorted. It reads one small file.
func (r *Repo) Datasets() ([]string, error) {
	s, err := r.readConfig()
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, section := range s.raw.Sections {
		if strings.EqualFold(section.Name, "mlvc") {
			roots = append(roots, section.OptionAll("dataset")...)
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots), nil
}
