//go:build linux

package worktree

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What git itself says of each path is compared with ours, on a system whose
// disks take any name.

// ignoreTree is what a differential test asks about; a path that ends in a
// slash is a folder.
type ignoreTree []string

// someTree returns paths over a small alphabet, so that patterns often match.
func someTree(r *rand.Rand) ignoreTree {
	names := []string{
		"a", "b", "ab", "foo", "bar", "foobar", "a.txt", ".txt", "x y", "x ", "[a]", "a*b", "#a", "!a", "é",
		"a\xff", "A", "1", "a-b", "a]", "_", "\t", "\v", "back\\slash", "foo.bar.txt", "**", "?", "-", "^", "~",
	}
	seen := map[string]bool{}
	var tree ignoreTree
	folders := []string{""}
	for range 140 {
		dir := folders[r.IntN(len(folders))]
		p := dir + names[r.IntN(len(names))]
		if seen[p] {
			continue
		}
		seen[p] = true
		if r.IntN(2) == 0 && strings.Count(p, "/") < 4 {
			folders = append(folders, p+"/")
			p += "/"
		}
		tree = append(tree, p)
	}
	return tree
}

func (tree ignoreTree) write(t *testing.T, root string) {
	t.Helper()
	for _, p := range tree {
		name := filepath.Join(root, p)
		var err error
		if strings.HasSuffix(p, "/") {
			err = os.MkdirAll(name, 0o755)
		} else {
			err = os.WriteFile(name, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// somePattern returns a line that is often a pattern of a path of the tree.
func somePattern(r *rand.Rand, tree ignoreTree) string {
	parts := []string{
		"*", "**", "***", "?", "/", "a", "b", "foo", "bar", ".txt", "[ab]", "[!a]", "[^b]", "[a-z]", "[]a]", "[", "]",
		`\`, `\*`, ` `, `\ `, "#", "!", "[[:alpha:]]", "[[:space:]]", "[[:upper:][:digit:]]", "[[:nope:]]", "[[:punct:]-a]",
		"**/", "/**", "/*", "*/", "-", "[a-", "[+--]", `[\]]`, `[a\-z]`, "\xff", "é", "[z-a]", "[[:alpha:]-z]", "[[:]", "\t", `\/`, `[a-\z]`,
		"[!]a]", "[/]", "[.-0]", "[[a]", "[:a:]",
	}
	var b strings.Builder
	if r.IntN(3) > 0 {
		b.WriteString(mutated(r, tree[r.IntN(len(tree))], parts))
	} else {
		for range 1 + r.IntN(5) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
	}
	line := b.String()
	if r.IntN(4) == 0 {
		line = "!" + line
	}
	if r.IntN(6) == 0 {
		line = "/" + line
	}
	if r.IntN(6) == 0 {
		line += "/"
	}
	return line + []string{"", "", "", " ", "  ", `\ `, "\r", " \t"}[r.IntN(8)]
}

// mutated replaces pieces of a path by wildcards.
func mutated(r *rand.Rand, p string, parts []string) string {
	p = strings.TrimSuffix(p, "/")
	for range r.IntN(4) {
		from := r.IntN(len(p) + 1)
		to := from + r.IntN(min(4, len(p)-from)+1)
		p = p[:from] + parts[r.IntN(len(parts))] + p[to:]
	}
	if r.IntN(3) == 0 {
		p = p[strings.LastIndexByte(p, '/')+1:]
	}
	return p
}

// gitIgnored asks git which of the tree's paths are ignored.
func gitIgnored(t *testing.T, root string, tree ignoreTree) []string {
	t.Helper()
	cmd := exec.Command("git", "check-ignore", "--no-index", "--stdin", "-z")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	var in bytes.Buffer
	for _, p := range tree {
		in.WriteString(strings.TrimSuffix(p, "/") + "\x00")
	}
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: none is ignored
		t.Fatalf("git check-ignore: %v: %s", err, stderr.Bytes())
	}
	return sortedLines(string(out))
}

func sortedLines(out string) []string {
	list := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	slices.Sort(list)
	if list[0] == "" {
		return list[1:]
	}
	return list
}

func gitInit(t *testing.T, root string) {
	t.Helper()
	if out, err := exec.Command("git", "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestIgnoreAgreesWithGit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pairs, ignored := 0, 0
	for round := range 8 {
		root := t.TempDir()
		gitInit(t, root)
		tree := someTree(r)
		tree.write(t, root)
		for range 40 {
			var text strings.Builder
			for range 1 + r.IntN(4) {
				text.WriteString(somePattern(r, tree) + "\n")
			}
			if err := os.WriteFile(filepath.Join(root, ".gitignore"), []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			want := gitIgnored(t, root, tree)
			ig, _ := ParseIgnore([]byte(text.String()))
			var got []string
			for _, p := range tree {
				name, isDir := strings.CutSuffix(p, "/")
				if ig.Covers(name, isDir) {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
				t.Errorf("round %d: rules %q: (-git +mlvc)\n%s", round, text.String(), diff)
			}
			pairs += len(tree)
			ignored += len(want)
		}
	}
	t.Logf("%d pairs, %d ignored", pairs, ignored)
	if ignored < pairs/20 {
		t.Errorf("only %d of %d paths were ignored: the comparison says little", ignored, pairs)
	}
}

// Ignore files in many folders: what a walk takes is what git would add.
func TestWalkAgreesWithGit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 25 {
		root := t.TempDir()
		gitInit(t, root)
		tree := someTree(r)
		tree.write(t, root)
		for _, dir := range append(tree, "./") {
			if !strings.HasSuffix(dir, "/") || dir != "./" && r.IntN(3) > 0 {
				continue
			}
			var text strings.Builder
			for range 1 + r.IntN(3) {
				text.WriteString(somePattern(r, tree) + "\n")
			}
			for _, name := range []string{".gitignore", IgnoreName} {
				if err := os.WriteFile(filepath.Join(root, dir, name), []byte(text.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd := exec.Command("git", "ls-files", "--others", "--exclude-standard", "-z")
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(sortedLines(string(out)), func(p string) bool { return p == IgnoreName })
		got := slices.DeleteFunc(walked(t, WalkOptions{Root: root}), func(p string) bool {
			return p == IgnoreName || strings.HasSuffix(p, " ignored") || strings.HasSuffix(p, "/")
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("round %d: (-git +mlvc)\n%s", round, diff)
		}
	}
}
