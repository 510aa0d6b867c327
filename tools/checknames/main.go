// Checknames measures how the project's names are chosen, prints the figures, and fails
// where a name breaks a rule. It reads syntax only: nothing is type-checked, so it takes
// about a second. Tests and testdata are not counted.
//
// The rules:
//
//   - At most 45 % of all package-level names are a single word. A single word says what
//     kind of thing is meant, seldom which one.
//   - No method name is used by more than six types, unless an interface declares it.
//     Methods of types named Options do not count: all of these have one shape on purpose.
//   - No declared name is a banned word. docs/GLOSSARY.md lists the banned words beside the
//     terms that replace them.
package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxSingleWordPercent = 45
	maxTypesPerMethod    = 6
	glossaryPath         = "docs/GLOSSARY.md"
)

func main() {
	faults, err := run(".", os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(faults) > 0 {
		fmt.Println("names that break a rule (see docs/GLOSSARY.md):")
		fmt.Println(strings.Join(faults, "\n"))
		os.Exit(1)
	}
}

// run writes the figures of the module at root to out and returns one line for each
// broken rule. Its error says that a file could not be read or parsed.
func run(root string, out io.Writer) (faults []string, err error) {
	banned, err := bannedWords(filepath.Join(root, filepath.FromSlash(glossaryPath)))
	if err != nil {
		return nil, err
	}
	decls, err := parseModule(root)
	if err != nil {
		return nil, err
	}
	faults = append(faults, checkSingleWords(decls, out)...)
	faults = append(faults, checkMethods(decls, out)...)
	return append(faults, checkBanned(decls, banned, out)...), nil
}

// checkSingleWords prints the share of single-word names, in total and by package, the
// packages with the most of them first.
func checkSingleWords(d *declarations, out io.Writer) (faults []string) {
	type row struct {
		pkg           string
		single, total int
	}
	var rows []row
	var single, total int
	for pkg, names := range d.packageNames {
		r := row{pkg: pkg, total: len(names)}
		for name := range names {
			if isSingleWord(name) {
				r.single++
			}
		}
		single, total = single+r.single, total+r.total
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int {
		if a.single != b.single {
			return b.single - a.single
		}
		return strings.Compare(a.pkg, b.pkg)
	})
	_, _ = fmt.Fprintf(out, "package-level names of a single word: %s\n", share(single, total))
	for _, r := range rows {
		_, _ = fmt.Fprintf(out, "  %-32s %s\n", r.pkg, share(r.single, r.total))
	}
	if single*100 > maxSingleWordPercent*total {
		faults = append(faults, fmt.Sprintf("%s of the package-level names are a single word; at most %d %% may be",
			share(single, total), maxSingleWordPercent))
	}
	return faults
}

// checkMethods prints the method names that most types share.
func checkMethods(d *declarations, out io.Writer) (faults []string) {
	var names []string
	for name, types := range d.methods {
		if len(types) >= maxTypesPerMethod && !d.interfaceMethods[name] && !standardMethods[name] {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if n := len(d.methods[b]) - len(d.methods[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	_, _ = fmt.Fprintf(out, "method names on %d types or more that no interface declares:", maxTypesPerMethod)
	for _, name := range names {
		n := len(d.methods[name])
		_, _ = fmt.Fprintf(out, " %s %d", name, n)
		if n > maxTypesPerMethod {
			faults = append(faults, fmt.Sprintf("method %s is on %d types; at most %d may have it: %s",
				name, n, maxTypesPerMethod, strings.Join(slices.Sorted(maps.Keys(d.methods[name])), ", ")))
		}
	}
	_, _ = fmt.Fprintln(out)
	return faults
}

// checkBanned prints how many declarations use a banned word.
func checkBanned(d *declarations, banned map[string]string, out io.Writer) (faults []string) {
	for _, n := range d.declared {
		if term, ok := banned[strings.ToLower(n.name[:1])+n.name[1:]]; ok {
			faults = append(faults, fmt.Sprintf("%s: %s is banned: %s", n.position, n.name, term))
		}
	}
	_, _ = fmt.Fprintf(out, "banned words: %d, declared: %d times\n", len(banned), len(faults))
	return faults
}

func share(part, whole int) string {
	return fmt.Sprintf("%d of %d (%.1f %%)", part, whole, 100*float64(part)/float64(max(whole, 1)))
}
