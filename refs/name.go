package refs

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Name is the full name of something that moves: HEAD, or a namespace and a
// short name as in branch/main, tag/v1, model/ID, remote/origin/main, git/….
type Name string

// HEAD is the name of what the working tree stands on.
const HEAD Name = "HEAD"

// The namespaces. Each ends in a slash and is a prefix for View.List.
const (
	Branches = "branch/"
	Tags     = "tag/"
	Models   = "model/"
	Remotes  = "remote/"
	Gits     = "git/"
)

// MaxName is the most bytes that a name may have, its namespace included.
const MaxName = 255

// ErrBadName is for text that cannot be a name; the error around it says why.
var ErrBadName = errors.New("not a valid name")

// Branch returns the full name of a branch. It does not check it.
func Branch(short string) Name { return Name(Branches + short) }

// Tag returns the full name of a tag. It does not check it.
func Tag(short string) Name { return Name(Tags + short) }

// ParseName reads a full name.
func ParseName(s string) (Name, error) {
	n := Name(s)
	return n, n.Validate()
}

// IsBranch reports whether n lies in the namespace of branches.
func (n Name) IsBranch() bool { return strings.HasPrefix(string(n), Branches) }

// IsTag reports whether n lies in the namespace of tags.
func (n Name) IsTag() bool { return strings.HasPrefix(string(n), Tags) }

// IsModel reports whether n lies in the namespace of models.
func (n Name) IsModel() bool { return strings.HasPrefix(string(n), Models) }

// Short returns n as people write it: without branch/, tag/ or remote/, which
// a revision is looked up in, and in full otherwise.
func (n Name) Short() string {
	for _, space := range []string{Branches, Tags, Remotes} {
		if short, ok := strings.CutPrefix(string(n), space); ok {
			return short
		}
	}
	return string(n)
}

// Validate says what is wrong with n, or returns nil. Errors wrap ErrBadName.
//
// The rules are git's, so that a name can be paired with a git ref, and a few
// more that keep every name apart from an option and from the grammar of
// revisions.
func (n Name) Validate() error {
	if err := n.wellFormed(); err != nil {
		return err
	}
	if n == HEAD {
		return nil
	}
	for _, space := range []string{Branches, Tags, Models, Gits} {
		if strings.HasPrefix(string(n), space) {
			return nil
		}
	}
	if rest, ok := strings.CutPrefix(string(n), Remotes); ok {
		if !strings.Contains(rest, "/") {
			return n.bad("a remote's name lacks the name on that remote (remote/REMOTE/NAME)")
		}
		return nil
	}
	return n.bad("it begins with none of HEAD, branch/, tag/, model/, remote/, git/")
}

// wellFormed checks everything but the namespace: a later version may have
// more of those, and its operations still decode.
func (n Name) wellFormed() error {
	switch s := string(n); {
	case s == "":
		return n.bad("it is empty")
	case len(s) > MaxName:
		return n.bad(fmt.Sprintf("it has %d bytes, more than %d", len(s), MaxName))
	case !utf8.ValidString(s):
		return n.bad("it is not UTF-8")
	case strings.Contains(s, ".."):
		return n.bad(`it contains ".."`)
	case strings.Contains(s, "@{"):
		return n.bad(`it contains "@{"`)
	}
	for _, r := range string(n) {
		if r < ' ' || r == 0x7f {
			return n.bad(fmt.Sprintf("it contains the control character %U", r))
		}
		if strings.ContainsRune(` ~^:?*[\`, r) {
			return n.bad(fmt.Sprintf("it contains %q", r))
		}
	}
	if n == HEAD {
		return nil
	}
	parts := strings.Split(string(n), "/")
	if len(parts) < 2 {
		return n.bad("it has no namespace such as branch/")
	}
	for _, part := range parts {
		if why := badPart(part); why != "" {
			return n.bad(why)
		}
	}
	if len(parts) == 2 && (parts[1] == string(HEAD) || parts[1] == "@") {
		return n.bad(fmt.Sprintf("%s stands for the current commit", parts[1]))
	}
	return nil
}

// badPart says what is wrong with one part of a name between slashes.
func badPart(part string) string {
	switch {
	case part == "":
		return `it has an empty part (a slash at an end, or "//")`
	case part[0] == '-':
		return `a part of it begins with "-"`
	case part[0] == '.':
		return `a part of it begins with "."`
	case strings.HasSuffix(part, "."):
		return `a part of it ends in "."`
	case strings.HasSuffix(part, ".lock"):
		return `a part of it ends in ".lock"`
	}
	return ""
}

func (n Name) bad(why string) error {
	return fmt.Errorf("%q is %w: %s", string(n), ErrBadName, why)
}

// folders returns the names that n would need to be folders of names, and
// which therefore must not be names themselves: branch/a for branch/a/b.
func (n Name) folders() []Name {
	var names []Name
	for i := 0; i < len(n); i++ {
		if n[i] == '/' {
			names = append(names, n[:i])
		}
	}
	if len(names) == 0 {
		return nil
	}
	return names[1:] // the namespace is no name
}
