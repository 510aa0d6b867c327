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
	"unicode"
)

// standardMethods are the method names that interfaces of the standard library declare
// and that types of this module implement.
var standardMethods = setOf(
	"String", "Error", "Unwrap", "Is", "As", "Format", "Close", "Read", "Write", "Seek", "WriteTo", "ReadFrom",
	"Len", "Less", "Swap", "Push", "Pop", "ServeHTTP", "RoundTrip", "Header", "WriteHeader", "Flush",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "MarshalBinary", "UnmarshalBinary",
	"LogValue", "Handle", "Enabled", "WithAttrs", "WithGroup", "Set", "Type", "Temporary", "Timeout",
)

// declarations holds what a module declares outside of tests.
type declarations struct {
	packageNames     map[string]map[string]bool // directory -> names of const, var, type, func
	methods          map[string]map[string]bool // method name -> "directory.Type"
	interfaceMethods map[string]bool            // names that an interface declares
	declared         []declaredName             // every name, in any scope
}

type declaredName struct {
	name     string
	position string // path:line
}

// parseModule reads all Go files below root, whatever their build tags say. A name that
// several files of a package declare under different tags counts once.
func parseModule(root string) (*declarations, error) {
	d := &declarations{
		packageNames:     map[string]map[string]bool{},
		methods:          map[string]map[string]bool{},
		interfaceMethods: map[string]bool{},
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(path) // #nosec G304 -- the module's own files
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return d.addFile(filepath.ToSlash(rel), src)
	})
	return d, err
}

func (d *declarations) addFile(path string, src []byte) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := filepath.ToSlash(filepath.Dir(path))
	for _, decl := range file.Decls {
		d.addTopLevel(dir, decl)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if it, ok := n.(*ast.InterfaceType); ok {
			for _, m := range it.Methods.List {
				for _, name := range m.Names {
					d.interfaceMethods[name.Name] = true
				}
			}
		}
		for _, id := range namesDeclaredBy(n) {
			if id.Name != "_" {
				d.declared = append(d.declared, declaredName{id.Name, fmt.Sprintf("%s:%d", path, fset.Position(id.Pos()).Line)})
			}
		}
		return true
	})
	return nil
}

func (d *declarations) addTopLevel(dir string, decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv != nil {
			if typ := receiverType(decl.Recv.List[0].Type); typ != "Options" {
				addTo(d.methods, decl.Name.Name, dir+"."+typ)
			}
		} else if decl.Name.Name != "main" && decl.Name.Name != "init" {
			d.addPackageName(dir, decl.Name)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			for _, id := range namesDeclaredBy(spec) {
				d.addPackageName(dir, id)
			}
		}
	}
}

func (d *declarations) addPackageName(dir string, id *ast.Ident) {
	if id.Name != "_" {
		addTo(d.packageNames, dir, id.Name)
	}
}

// namesDeclaredBy returns the names that a node itself declares, not those of its children.
func namesDeclaredBy(n ast.Node) (ids []*ast.Ident) {
	switch n := n.(type) {
	case *ast.FuncDecl:
		return []*ast.Ident{n.Name}
	case *ast.TypeSpec:
		return []*ast.Ident{n.Name}
	case *ast.ValueSpec:
		return n.Names
	case *ast.Field:
		return n.Names
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return identsOf(n.Lhs...)
		}
	case *ast.RangeStmt:
		if n.Tok == token.DEFINE {
			return identsOf(n.Key, n.Value)
		}
	}
	return nil
}

func identsOf(exprs ...ast.Expr) (ids []*ast.Ident) {
	for _, e := range exprs {
		if id, ok := e.(*ast.Ident); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// receiverType returns the name of a receiver's type, without pointer and type parameters.
func receiverType(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiverType(e.X)
	case *ast.IndexExpr:
		return receiverType(e.X)
	case *ast.IndexListExpr:
		return receiverType(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

// isSingleWord reports whether a name has neither an inner word boundary nor a digit: add,
// Client and URL are single words; addTask, URLPath and float32s are not.
func isSingleWord(name string) bool {
	rest := []rune(name)[1:]
	lower := strings.ContainsFunc(name, unicode.IsLower)
	for _, r := range rest {
		if unicode.IsDigit(r) || r == '_' || lower && unicode.IsUpper(r) {
			return false
		}
	}
	return true
}

func addTo(sets map[string]map[string]bool, key, member string) {
	if sets[key] == nil {
		sets[key] = map[string]bool{}
	}
	sets[key][member] = true
}

func setOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	return set
}
