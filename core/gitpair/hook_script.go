package gitpair

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Hooks are the hooks of git that pairing installs.
var Hooks = []string{
	"pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "post-index-change", "pre-push",
}

// asideDir is the folder, in that of the hooks, that keeps the user's hooks
// that are no shell scripts (or links, or switched off): under their names,
// called by mlvc's script of the same name, and put back by Uninstall.
const asideDir = "mlvc-before"

// stops says which hooks can stop what git does. Where mlvc is not found they
// do, for a pointer would go out unchecked.
func stops(hook string) bool { return hook == "pre-commit" || hook == "pre-push" }

// hasInput says which hooks get something to read.
func hasInput(hook string) bool { return hook == "pre-push" || hook == "post-rewrite" }

// after says which hooks come after the deed: the user's own hook runs
// whatever mlvc's says.
func after(hook string) bool { return strings.HasPrefix(hook, "post-") }

const scriptHead = "#!/bin/sh\n"

// shells are the interpreters whose scripts can have a block.
var shells = []string{"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"}

// hookBlock returns the lines that call mlvc. command is the program's path,
// empty for the one that is on the PATH.
//
// 1. What is read is kept, so that the user's own part can read it, too.
// 2. A hook before the deed ends with mlvc's status. One after it goes on to
// the user's part, and ends with mlvc's status if that part ends well.
// 3. Without mlvc, a hook that can stop git does, if this copy is paired: a
// hook in a tracked file also reaches those who do not use mlvc.
func hookBlock(hook, command string) []string {
	var list []string
	run := `"$mlvc" git hook ` + hook + ` "$@"`
	if hasInput(hook) {
		list = append(list, `mlvc_input=$(cat; echo x); mlvc_input=${mlvc_input%x}`)
		run = `printf %s "$mlvc_input" | ` + run
	}
	if command == "" {
		list = append(list, `mlvc=mlvc`)
	} else {
		list = append(list, `mlvc=`+shellQuote(command)+`; [ -x "$mlvc" ] || mlvc=mlvc`)
	}
	list = append(list, `if command -v "$mlvc" >/dev/null 2>&1; then`)
	if after(hook) {
		list = append(list, `  `+run+` || { mlvc_status=$?; trap 'mlvc_own=$?; [ $mlvc_own -ne 0 ] || mlvc_own=$mlvc_status; exit $mlvc_own' EXIT; }`)
	} else {
		list = append(list, `  `+run+` || exit $?`)
	}
	list = append(list, `elif git config --get mlvc.dataset >/dev/null 2>&1; then`)
	if stops(hook) {
		verb := strings.TrimPrefix(hook, "pre-")
		list = append(list,
			`  echo "mlvc: the program is not found, so the data that go with this `+verb+` are not checked" >&2`,
			`  echo "mlvc: put mlvc on the PATH, or: git `+verb+` --no-verify" >&2`,
			`  exit 1`)
	} else {
		list = append(list, `  echo "mlvc: the program is not found; `+hook+` did nothing" >&2`)
	}
	list = append(list, `fi`)
	if hasInput(hook) {
		// The line feed at the end is the here-document's own.
		list = append(list,
			`mlvc_input=${mlvc_input%?}`,
			`if [ -z "$mlvc_input" ]; then exec </dev/null; else exec <<MLVC_INPUT`,
			`$mlvc_input`,
			`MLVC_INPUT`,
			`fi`)
	}
	return list
}

// callAside returns the lines that end mlvc's script by the user's hook.
func callAside(hook string) []string {
	return []string{
		`mlvc_own=$(dirname "$0")/` + asideDir + `/` + hook,
		`if [ -x "$mlvc_own" ]; then "$mlvc_own" "$@" || exit $?; fi`,
	}
}

func shellQuote(s string) string { return `'` + strings.ReplaceAll(s, `'`, `'\''`) + `'` }

// isShell reports whether a hook's text is a script into which a block can be
// put. Without a first line that names an interpreter git runs it by sh.
func isShell(text []byte) bool {
	if bytes.IndexByte(text, 0) >= 0 {
		return false
	}
	line, ok := bytes.CutPrefix(text, []byte("#!"))
	if !ok {
		return utf8.Valid(text)
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) > 1 && path.Base(words[0]) == "env" {
		words = words[1:]
		for len(words) > 1 && (strings.HasPrefix(words[0], "-") || strings.Contains(words[0], "=")) {
			words = words[1:]
		}
	}
	return len(words) > 0 && slices.Contains(shells, path.Base(words[0]))
}

// blockPlace returns where in a script the block goes: below the first line
// if that names the interpreter, so that no later exec or exit skips it.
func blockPlace(text []byte) int {
	if !bytes.HasPrefix(text, []byte("#!")) {
		return 0
	}
	if at := bytes.IndexByte(text, '\n'); at >= 0 {
		return at + 1
	}
	return len(text)
}
