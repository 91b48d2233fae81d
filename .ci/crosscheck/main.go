// Crosscheck type-checks the whole module, tests too, for other systems: that
// is what breaks there unseen. Unlike "go vet" it compiles nothing.
//
//	crosscheck GOOS/GOARCH …
package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	bad := 0
	for _, target := range os.Args[1:] {
		n, err := check(target)
		if err != nil {
			fmt.Fprintf(os.Stderr, "crosscheck %s: %v\n", target, err)
			n = 1
		}
		bad += n
	}
	if bad > 0 {
		os.Exit(1)
	}
}

// check prints what is wrong for a target, and counts it.
func check(target string) (bad int, err error) {
	system, arch, ok := strings.Cut(target, "/")
	if !ok {
		return 0, fmt.Errorf("not GOOS/GOARCH")
	}
	list, err := packages.Load(&packages.Config{
		// Without export data all is read from source; of other modules the
		// bodies of functions are left out.
		Mode:  packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps | packages.NeedTypes | packages.NeedTypesSizes,
		Tests: true,
		Env:   append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0"),
	}, "./...")
	if err != nil {
		return 0, err
	}
	if bad = packages.PrintErrors(list); bad == 0 {
		fmt.Printf("%s: %d packages\n", target, len(list))
	}
	return bad, nil
}
