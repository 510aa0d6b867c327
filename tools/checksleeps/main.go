// Checksleeps lists the calls of time.Sleep in tests that may sleep in real time. A test
// that waits a fixed time is slow when it passes and flaky when it does not.
//
// A call is allowed where its function uses testing/synctest, whose clock is simulated,
// or, in a helper of such functions, where the line says "// simulated".
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	bad, err := check(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(bad) > 0 {
		fmt.Println("tests that sleep (wait for a condition, or use testing/synctest):")
		fmt.Println(strings.Join(bad, "\n"))
		os.Exit(1)
	}
}

// check returns the places in all test files below a directory.
func check(root string) (bad []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(path) // #nosec G304 -- the module's own files
		if err != nil {
			return err
		}
		found, err := checkFile(path, src)
		bad = append(bad, found...)
		return err
	})
	return bad, err
}

func checkFile(path string, src []byte) (bad []string, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(src), "\n")
	for _, d := range file.Decls {
		simulated := false
		var sleeps []int
		ast.Inspect(d, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch pkg, _ := sel.X.(*ast.Ident); {
			case pkg == nil:
			case pkg.Name == "synctest":
				simulated = true
			case pkg.Name == "time" && sel.Sel.Name == "Sleep":
				sleeps = append(sleeps, fset.Position(n.Pos()).Line)
			}
			return true
		})
		for _, line := range sleeps {
			if !simulated && !strings.Contains(lines[line-1], "// simulated") {
				bad = append(bad, fmt.Sprintf("%s:%d: %s", path, line, strings.TrimSpace(lines[line-1])))
			}
		}
	}
	return bad, nil
}
