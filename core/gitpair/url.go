package gitpair

import (
	"net/url"
	"strings"
)

// StripSecrets returns a URL without its password and without parameters
// whose name says that they are secret. A user name alone stays for ssh, where
// it is no secret, and goes for the others, where it often is a token. What is
// no URL (a path, `user@host:path`) is returned as it is.
func StripSecrets(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := rest[:end]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		user, _, _ := strings.Cut(host[:at], ":")
		host = host[at+1:]
		if user != "" && (scheme == "ssh" || scheme == "git+ssh" || scheme == "sftp") {
			host = user + "@" + host
		}
	}
	return scheme + "://" + host + stripQuery(rest[end:])
}

// stripQuery takes secret parameters out of what follows the host.
func stripQuery(s string) string {
	path, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	query, fragment, hash := strings.Cut(query, "#")
	var keep []string
	for param := range strings.SplitSeq(query, "&") {
		if !secretParameter(param) {
			keep = append(keep, param)
		}
	}
	if len(keep) > 0 {
		path += "?" + strings.Join(keep, "&")
	}
	if hash {
		path += "#" + fragment
	}
	return path
}

func secretParameter(param string) bool {
	name, _, _ := strings.Cut(param, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.ToLower(name)
	for _, word := range []string{"token", "secret", "password", "signature", "credential"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "sig"
}
