package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

type completer = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// fixed completes one of a few words.
func fixed(choices ...string) completer { return cobra.FixedCompletions(choices, noFiles) }

// filesHere leaves completion to the shell: files and folders.
func filesHere(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// complete asks the repository; what cannot be found out completes nothing.
func (a *app) complete(cmd *cobra.Command, ask func(r *core.Repo) []string) ([]string, cobra.ShellCompDirective) {
	if err := a.prepare(cmd, nil); err != nil {
		return nil, noFiles
	}
	var found []string
	err := a.read(cmd.Context(), func(r *core.Repo) error {
		found = ask(r)
		return nil
	})
	if err != nil {
		return nil, noFiles
	}
	return found, noFiles
}

func described(names []core.NameInfo, what string) []string {
	var found []string
	for _, n := range names {
		found = append(found, n.Name+"\t"+what+" at "+n.Commit.Short())
	}
	return found
}

func (a *app) completeBranch(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(r *core.Repo) []string {
		names, _ := r.Branches(cmd.Context())
		return described(names, "branch")
	})
}

func (a *app) completeTag(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(r *core.Repo) []string {
		names, _ := r.Tags(cmd.Context())
		return described(names, "tag")
	})
}

func (a *app) completeRevision(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	branches, _ := a.completeBranch(cmd, args, begun)
	tags, _ := a.completeTag(cmd, args, begun)
	return append(append(branches, tags...), "HEAD\twhat the files stand on"), noFiles
}

func (a *app) completeRevisionThenPaths(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeRevision(cmd, args, begun)
	}
	return a.completeTracked(cmd, args, begun)
}

func (a *app) completeRevisionOrPath(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	revisions, _ := a.completeRevision(cmd, args, begun)
	paths, directive := a.completeTracked(cmd, args, begun)
	return append(revisions, paths...), directive
}

// completeInRevision completes REV:PATH.
func (a *app) completeInRevision(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	rev, path, inside := strings.Cut(begun, ":")
	if !inside {
		revisions, directive := a.completeRevision(cmd, args, begun)
		for i, r := range revisions {
			name, _, _ := strings.Cut(r, "\t")
			revisions[i] = name + ":"
		}
		return revisions, directive | cobra.ShellCompDirectiveNoSpace
	}
	found, directive := a.complete(cmd, func(r *core.Repo) []string {
		a.dir = r.Root() // the path after the colon is relative to the root
		return a.namesBelow(cmd, r, rev, path)
	})
	for i, f := range found {
		found[i] = rev + ":" + f
	}
	return found, directive | cobra.ShellCompDirectiveNoSpace
}

func (a *app) completeOperation(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	const most = 50
	return a.complete(cmd, func(r *core.Repo) []string {
		var found []string
		for op, err := range first(r.OpLog(cmd.Context()), most) {
			if err == nil {
				found = append(found, op.ID.Short()+"\t"+op.Reason)
			}
		}
		return found
	})
}

// completeTracked completes paths of the last commit, one folder at a time, as
// shells do: what is deleted on the disk can be restored.
func (a *app) completeTracked(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	found, directive := a.complete(cmd, func(r *core.Repo) []string {
		return a.namesBelow(cmd, r, "HEAD", begun)
	})
	return found, directive | cobra.ShellCompDirectiveNoSpace
}

// maxCompleted bounds what is offered.
const maxCompleted = 500

// namesBelow lists the names of a commit in the folder of a path being
// written, folders with a slash. Each folder found is passed over at once.
func (a *app) namesBelow(cmd *cobra.Command, r *core.Repo, rev, begun string) []string {
	ctx := cmd.Context()
	written := begun[:strings.LastIndexByte(begun, '/')+1]
	dir, err := a.treePath(r, either(filepath.FromSlash(written), "."))
	if err != nil {
		return nil
	}
	prefix := ""
	if dir != "." {
		prefix = dir + "/"
	}
	target, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil
	}
	o, err := r.Store().Get(ctx, target.ID)
	if err != nil {
		return nil
	}
	commit, err := objects.DecodeCommit(o)
	if err != nil || commit.Tree.IsZero() {
		return nil
	}
	tree := prolly.Open(commit.Tree)
	from := []byte(prefix + begun[len(written):])
	var found []string
	for len(found) < maxCompleted {
		key, ok := firstKey(cmd, r, tree, from)
		if !ok || !strings.HasPrefix(key, prefix) {
			break
		}
		name := key[len(prefix):]
		from = append([]byte(key), 0)
		if slash := strings.IndexByte(name, '/'); slash >= 0 {
			name = name[:slash+1]
			from = []byte(prefix + name[:slash] + "0") // the byte after "/"
		}
		if !strings.HasPrefix(written+name, begun) {
			break
		}
		found = append(found, written+name)
	}
	return found
}

func firstKey(cmd *cobra.Command, r *core.Repo, tree prolly.Map, from []byte) (string, bool) {
	for item, err := range tree.Range(cmd.Context(), r.Store(), from, nil) {
		return string(item.Key), err == nil
	}
	return "", false
}
