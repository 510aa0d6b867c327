package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func writeModule(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const glossary = "| term | meaning | not |\n|---|---|---|\n| wake-up | ends a wait | `nudge`, `stir` |\n"

func TestIsSingleWord(t *testing.T) {
	for name, want := range map[string]bool{
		"add": true, "Client": true, "URL": true, "x": true,
		"addTask": false, "URLPath": false, "int8s": false, "a_b": false, "APIs": false,
	} {
		if got := isSingleWord(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Tests, testdata, methods, main, init and the blank name are not counted, and a name
// that two files declare under different build tags counts once.
func TestSingleWordsAreCounted(t *testing.T) {
	root := writeModule(t, map[string]string{
		"docs/GLOSSARY.md": glossary,
		"p/a.go": `package p
const a, bigB = 1, 2
var _ = 3
type thing struct{}
func (thing) get() {}
func main() {}
func init() {}
`,
		"p/a_arm64.go":      "package p\nconst a = 1\nfunc twoWords() {}\n",
		"p/a_test.go":       "package p\nfunc helper() {}\n",
		"p/testdata/src.go": "package broken {",
	})
	var out strings.Builder
	faults, err := run(root, &out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "single word: 2 of 4 (50.0 %)") {
		t.Error(out.String())
	}
	want := []string{"2 of 4 (50.0 %) of the package-level names are a single word; at most 45 % may be"}
	if !slices.Equal(faults, want) {
		t.Errorf("%q", faults)
	}
}

func TestAMethodNameOnSevenTypes(t *testing.T) {
	var src strings.Builder
	src.WriteString("package p\ntype reader interface { fetch() }\n")
	for _, typ := range []string{"aA", "bB", "cC", "dD", "eE", "fF", "gG"} {
		src.WriteString("type " + typ + "[T any] struct{}\n")
		for _, method := range []string{"take", "fetch", "String"} {
			src.WriteString("func (*" + typ + "[T]) " + method + "() {}\n")
		}
	}
	src.WriteString("func (aA[T]) put() {}\ntype Options struct{}\nfunc (*Options) take() {}\n")
	root := writeModule(t, map[string]string{"docs/GLOSSARY.md": glossary, "p/a.go": src.String()})
	faults, err := run(root, io.Discard)
	want := []string{"method take is on 7 types; at most 6 may have it: p.aA, p.bB, p.cC, p.dD, p.eE, p.fF, p.gG"}
	if err != nil || !slices.Equal(faults, want) {
		t.Errorf("%q, %v", faults, err)
	}
}

// A banned word is found in every scope, with either case of its first letter, and not as
// a part of a longer name.
func TestBannedWords(t *testing.T) {
	root := writeModule(t, map[string]string{"docs/GLOSSARY.md": glossary, "p/a.go": `package p
func fNudge(stir int) {
	for nudge := range 3 {
		nudgeAll := nudge
		_ = nudgeAll
	}
}
type tT struct { Stir int }
`})
	faults, err := run(root, io.Discard)
	want := []string{
		"p/a.go:2: stir is banned: the term is wake-up",
		"p/a.go:3: nudge is banned: the term is wake-up",
		"p/a.go:8: Stir is banned: the term is wake-up",
	}
	if err != nil || !slices.Equal(faults, want) {
		t.Errorf("%q, %v", faults, err)
	}
}

func TestAGlossaryMustBanSomething(t *testing.T) {
	root := writeModule(t, map[string]string{"docs/GLOSSARY.md": "# Words\n\n| term | meaning |\n|---|---|\n| a | `b` |\n"})
	if _, err := run(root, io.Discard); err == nil || !strings.Contains(err.Error(), "bans no word") {
		t.Error(err)
	}
}
