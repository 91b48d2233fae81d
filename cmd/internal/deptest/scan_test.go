package deptest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mlvc/mlvc"

// unit is one package as its source says, for all platforms at once: build
// tags are not looked at, so that no import hides behind one. (Reading the
// files here, rather than asking `go list`, also lets the test cache see when
// one of them changes.)
type unit struct {
	imports []string // of its files
	tests   []string // of its _test.go files, the external test package's too
}

// scan reads the imports of every package below root, by path from the
// module's root. Our own packages are named the same way, others in full.
func scan(t *testing.T, root string) map[string]*unit {
	t.Helper()
	units := map[string]*unit{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != root && (base == "testdata" || base == "bin" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(base) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		imports, err := importsOf(name)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		u := units[pkg]
		if u == nil {
			u = &unit{}
			units[pkg] = u
		}
		if strings.HasSuffix(base, "_test.go") {
			u.tests = append(u.tests, imports...)
		} else {
			u.imports = append(u.imports, imports...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		u.imports = compact(u.imports)
		u.tests = compact(u.tests)
	}
	return units
}

// importsOf reads one file's imports.
func importsOf(name string) ([]string, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range file.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports = append(imports, strings.TrimPrefix(imp, module+"/"))
	}
	return imports, nil
}

func compact(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

// layer returns the place of a package of ours in layers, or -1.
func layer(pkg string) int {
	top, _, _ := strings.Cut(pkg, "/")
	return slices.Index(layers, top)
}

// ours reports whether an import is a package of this module.
func ours(imp string) bool { return layer(imp) >= 0 }

// std reports whether an import is of the standard library.
func std(imp string) bool {
	top, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(top, ".")
}

// allowed reports whether one of the patterns names pkg.
func allowed(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		tree, ok := strings.CutSuffix(p, "/...")
		return pkg == p || ok && within(pkg, tree)
	})
}

// within reports whether pkg is tree or lies below it.
func within(pkg, tree string) bool {
	return pkg == tree || strings.HasPrefix(pkg, tree+"/")
}

// chain returns the shortest path of imports from a package to the first one
// that bad names, or nil.
func chain(units map[string]*unit, from string, bad func(imp string) bool) []string {
	queue := [][]string{{from}}
	seen := map[string]bool{from: true}
	for len(queue) > 0 {
		way := queue[0]
		queue = queue[1:]
		u := units[way[len(way)-1]]
		if u == nil {
			continue
		}
		for _, imp := range u.imports {
			if seen[imp] {
				continue
			}
			seen[imp] = true
			next := append(slices.Clone(way), imp)
			if bad(imp) {
				return next
			}
			if ours(imp) {
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// importers returns who imports pkg, sorted: for messages.
func importers(units map[string]*unit, pkg string) []string {
	var who []string
	for name, u := range units {
		if slices.Contains(u.imports, pkg) {
			who = append(who, name)
		}
	}
	slices.Sort(who)
	return who
}

// root is the module's folder, three above this package's.
func root() string { return filepath.FromSlash(path.Join("..", "..", "..")) }
