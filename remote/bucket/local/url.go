package local

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
)

const onWindows = runtime.GOOS == "windows"

// parse returns the folder that an absolute path or a file:// URL names.
func parse(text string) (string, error) {
	if len(text) >= 5 && strings.EqualFold(text[:5], "file:") {
		path, err := fromURL(text, onWindows)
		if err != nil {
			return "", err
		}
		text = path
	}
	if strings.ContainsRune(text, 0) {
		return "", errors.New("has a zero byte")
	}
	if !filepath.IsAbs(text) {
		return "", errors.New("is neither an absolute path nor a file:// URL")
	}
	return filepath.Clean(text), nil
}

// fromURL returns the path of a file URL on Windows or elsewhere.
func fromURL(text string, windows bool) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return "", err
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#") {
		return "", errors.New("a file URL has no query and no fragment (write %3F for ?, %23 for #)")
	}
	if u.User != nil || u.Port() != "" || u.Opaque != "" || u.Path == "" {
		return "", errors.New("a file URL is file:///PATH")
	}
	host := u.Host
	if strings.EqualFold(host, "localhost") {
		host = ""
	}
	if !windows {
		if host != "" {
			return "", fmt.Errorf("a file URL is file:///PATH; it names the host %q", host)
		}
		return u.Path, nil
	}
	path := strings.ReplaceAll(u.Path, "/", `\`)
	if host != "" {
		return `\\` + host + path, nil // a share
	}
	if len(path) >= 3 && path[0] == '\\' && path[2] == ':' {
		path = path[1:] // file:///C:/folder
	}
	return path, nil
}

// format returns the file URL of a folder.
func format(folder string) string { return toURL(folder, onWindows) }

func toURL(folder string, windows bool) string {
	u := url.URL{Scheme: "file", Path: folder}
	if !windows {
		return u.String()
	}
	path := strings.ReplaceAll(folder, `\`, "/")
	if share, ok := strings.CutPrefix(path, "//"); ok {
		u.Host, path, _ = strings.Cut(share, "/")
	}
	u.Path = "/" + path
	return u.String()
}
