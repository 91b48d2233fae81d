package deptest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestImports holds the module's source against the table.
func TestImports(t *testing.T) {
	for _, problem := range check(scan(t, root()), rows, owners) {
		t.Error(problem)
	}
}

// TestTopLevel: the repository's top level stays as small as it is.
func TestTopLevel(t *testing.T) {
	may := slices.Concat(layers, []string{"testdata", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "bin"})
	entries, err := os.ReadDir(root())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(may, e.Name()) {
			t.Errorf("%s does not belong at the top level of the repository", e.Name())
		}
	}
}

// check returns every import that the table does not allow, in order. Each
// line gives the path by which it arrived.
func check(units map[string]*unit, rows []row, owners []owner) []string {
	table := map[string]row{}
	for _, r := range rows {
		table[r.pkg] = r
	}
	var problems []string
	for _, pkg := range slices.Sorted(maps.Keys(units)) {
		r, ok := table[pkg]
		if !ok {
			problems = append(problems, fmt.Sprintf("%s is not in the table: add a row (imported by %v)", pkg, importers(units, pkg)))
			continue
		}
		problems = append(problems, checkShipped(units, table, r, owners)...)
		problems = append(problems, checkTests(units[pkg], table, r, owners)...)
	}
	return problems
}

// checkShipped looks at what a package itself imports, directly by its row
// and, for the layers, by any number of steps.
func checkShipped(units map[string]*unit, table map[string]row, r row, owners []owner) []string {
	var problems []string
	for _, imp := range units[r.pkg].imports {
		if why := refuse(table, r, owners, imp); why != "" {
			problems = append(problems, fmt.Sprintf("%s → %s: %s", r.pkg, imp, why))
		}
	}
	way := chain(units, r.pkg, func(imp string) bool { return ours(imp) && layer(imp) > layer(r.pkg) })
	if way != nil {
		problems = append(problems, fmt.Sprintf("%s: the layer %s is to the right of %s", strings.Join(way, " → "), layers[layer(way[len(way)-1])], r.pkg))
	}
	if r.help {
		return problems
	}
	way = chain(units, r.pkg, func(imp string) bool { return table[imp].help || within(imp, "testing") })
	if way != nil {
		problems = append(problems, fmt.Sprintf("%s: a test helper would ship", strings.Join(way, " → ")))
	}
	return problems
}

// refuse says why a package may not import something, or "".
func refuse(table map[string]row, r row, owners []owner, imp string) string {
	if ours(imp) {
		if allowed(imp, r.may) || r.help && table[imp].help {
			return ""
		}
		return fmt.Sprintf("the row of %s does not allow it", r.pkg)
	}
	i := ownerOf(owners, imp)
	switch {
	case i < 0 && std(imp):
		return ""
	case i < 0:
		return "the module is not in the table: add its owner"
	case allowed(r.pkg, owners[i].may) || r.help && owners[i].test:
		return ""
	}
	return fmt.Sprintf("only %v may import %s", owners[i].may, owners[i].module)
}

// checkTests looks at what a package's tests import: helpers, and anything
// that is not to the right.
func checkTests(u *unit, table map[string]row, r row, owners []owner) []string {
	var problems []string
	for _, imp := range u.tests {
		why := ""
		switch i := ownerOf(owners, imp); {
		case ours(imp) && layer(imp) > layer(r.pkg):
			why = fmt.Sprintf("the layer %s is to the right", layers[layer(imp)])
		case ours(imp):
		case i >= 0 && owners[i].test:
		default:
			why = refuse(table, r, owners, imp)
		}
		if why != "" {
			problems = append(problems, fmt.Sprintf("%s (test) → %s: %s", r.pkg, imp, why))
		}
	}
	return problems
}

// ownerOf finds the row of a module by an import path in it. A row for a
// standard package covers that package alone.
func ownerOf(owners []owner, imp string) int {
	return slices.IndexFunc(owners, func(o owner) bool {
		return imp == o.module || !std(imp) && within(imp, o.module)
	})
}

// TestRowsLookLeft: no row allows what its layer forbids, and none is there
// twice.
func TestRowsLookLeft(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.pkg] {
			t.Errorf("%s has two rows", r.pkg)
		}
		seen[r.pkg] = true
		if layer(r.pkg) < 0 {
			t.Errorf("%s is in no layer", r.pkg)
		}
		for _, p := range r.may {
			if layer(p) < 0 || layer(p) > layer(r.pkg) {
				t.Errorf("the row of %s allows %s, which is not to its left", r.pkg, p)
			}
		}
	}
}

// TestCheckFinds shows that the check sees each kind of offence.
func TestCheckFinds(t *testing.T) {
	rows := []row{
		{pkg: "objects"},
		{pkg: "objects/lab", may: []string{"objects"}, help: true},
		{pkg: "refs", may: []string{"objects"}},
		{pkg: "core", may: []string{"refs"}},
	}
	owners := []owner{{module: "example.com/db", may: []string{"objects"}}, {module: "testing", test: true}, {module: "log", may: []string{"cmd/..."}}}
	units := map[string]*unit{
		"objects":     {imports: []string{"core", "example.com/db/sub", "log/slog"}, tests: []string{"objects/lab", "testing"}},
		"objects/lab": {imports: []string{"objects", "testing"}},
		"refs":        {imports: []string{"example.com/db", "log", "objects", "objects/lab"}, tests: []string{"core"}},
		"core":        {imports: []string{"example.com/new", "refs"}},
		"cmd/tool":    {},
	}
	want := []string{
		"cmd/tool is not in the table: add a row (imported by [])",
		"core → example.com/new: the module is not in the table: add its owner",
		"core → refs → objects/lab: a test helper would ship",
		"objects → core: the row of objects does not allow it",
		"objects → core: the layer core is to the right of objects",
		"objects → core → refs → objects/lab: a test helper would ship",
		"objects/lab → objects → core: the layer core is to the right of objects/lab",
		"refs → example.com/db: only [objects] may import example.com/db",
		"refs → log: only [cmd/...] may import log",
		"refs → objects/lab: the row of refs does not allow it",
		"refs → objects → core: the layer core is to the right of refs",
		"refs → objects/lab: a test helper would ship",
		"refs (test) → core: the layer core is to the right",
	}
	if diff := cmp.Diff(want, check(units, rows, owners)); diff != "" {
		t.Errorf("the check found (-want +got):\n%s", diff)
	}
}
