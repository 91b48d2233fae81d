package cli

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"strings"

	"github.com/mlvc/mlvc/objects"
)

type signature = objects.Signature

// signer finds out who signs.
type signer func() signature

// nobody is for verbs that sign nothing.
func nobody() signature { return signature{} }

// signature is who signs where the repository's own settings (user.name,
// user.email) do not say it: MLVC_AUTHOR_NAME and MLVC_AUTHOR_EMAIL, else what
// git would write here, else the user and the host. Each of the two is found
// on its own.
func (a *app) signature(ctx context.Context) signature {
	who := signature{Name: a.env.Getenv("MLVC_AUTHOR_NAME"), Email: a.env.Getenv("MLVC_AUTHOR_EMAIL")}
	if who.Name == "" || who.Email == "" {
		git := gitSignature(ctx, a.dir)
		who.Name, who.Email = either(who.Name, git.Name), either(who.Email, git.Email)
	}
	if who.Name == "" || who.Email == "" {
		name, email := systemUser()
		who.Name, who.Email = either(who.Name, name), either(who.Email, email)
	}
	return who
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// gitSignature asks git, if there is one: its settings have includes and
// conditions that only it can read.
func gitSignature(ctx context.Context, dir string) signature {
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "config", "-z", "--get-regexp", `^user\.(name|email)$`).Output()
	if err != nil {
		return signature{}
	}
	var who signature
	for setting := range strings.SplitSeq(string(out), "\x00") {
		switch key, value, _ := strings.Cut(setting, "\n"); key {
		case "user.name":
			who.Name = value
		case "user.email":
			who.Email = value
		}
	}
	return who
}

// systemUser is the last resort.
func systemUser() (name, email string) {
	login := "unknown"
	if u, err := user.Current(); err == nil {
		login = u.Username
		name = u.Name
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	if i := strings.LastIndexAny(login, `\/`); i >= 0 {
		login = login[i+1:] // DOMAIN\user
	}
	return either(name, login), login + "@" + host
}
