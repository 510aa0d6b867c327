// Package golden holds for tests what must not change unnoticed: it compares what a
// test made with a file under testdata, and fills values for it.
//
//	go test ./state -run TestGolden -update
//
// writes the files anew; look at the difference before committing it.
package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata anew; look at the difference before committing it")

// Updating reports whether the test was run with -update.
func Updating() bool { return *update }

// Check fails the test when got is not what testdata/name holds.
func Check(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // part of the source
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing: run the test with -update", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
		t.Errorf("%s: what is on disk or on the wire has changed (-want +got):\n%s", path, diff)
	}
}

// JSON is Check of v as indented JSON.
func JSON(t testing.TB, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	Check(t, name, b.Bytes())
}

func lines(b []byte) []string { return strings.Split(string(b), "\n") }
