package gitpair

import (
	"context"
	"strings"
)

// CommentMark returns what begins a comment in the text of a commit message.
// Where git chooses it for each message ("auto") it is looked for in the text.
func (r *Repo) CommentMark(ctx context.Context, message []byte) (string, error) {
	mark := ""
	for _, key := range []string{"core.commentString", "core.commentChar"} {
		out, err := r.git(ctx, "config", "--get", key)
		if err == nil {
			mark = strings.TrimRight(string(out), "\r\n")
			break
		}
		if exitStatus(err) != 1 { // 1: not set
			return "", err
		}
	}
	switch mark {
	case "":
		return "#", nil
	case "auto":
		return autoMark(message), nil
	}
	return mark, nil
}

// autoMark finds the mark of the comments that end a message, as git writes
// them.
func autoMark(message []byte) string {
	lines := strings.Split(strings.TrimRight(string(message), "\n"), "\n")
	last := lines[len(lines)-1]
	if last != "" && strings.ContainsAny(last[:1], "#;@!$%^&|:") {
		return last[:1]
	}
	return "#"
}
