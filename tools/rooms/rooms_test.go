package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const root = "../.."

// mostLines is how long a package may be without its tests.
const mostLines = 4000

// upward are the imports of tests that go to a package above, and why. A test that wants
// another one is better at home in the package above, unless it is about the one below.
var upward = map[string][]string{
	"config":                {"encode/encoders", "sampler", "sampler/strategy"}, // the defaults and names are theirs
	"encode":                {"encode/text/ngram"},                              // an encoder to ask
	"encode/text/ngram":     {"internal/newslike"},                              // texts to be measured with
	"encode/text/wordpiece": {"encode/text/static"},                             // the vocabulary that is in the program
	"learner":               {"internal/app/core"},                              // its port to the background worker
	"labelstudio/regions":   {"learner/head"},                                   // which controls have answers
	"learner/features":      {"learner/tune"},                                   // whose defaults depend on the parts
	"settings":              {"encode/encoders", "sampler/strategy"},            // their names
	"vector":                {"encode/text/ngram", "internal/newslike"},         // vectors as they are
}

func loaded(t *testing.T) map[string]room {
	t.Helper()
	rooms, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	return rooms
}

// places are the packages in their order.
func places() map[string]int {
	at := map[string]int{}
	for _, l := range layers {
		for _, p := range l.rooms {
			at[p] = len(at)
		}
	}
	return at
}

func TestEveryPackageHasItsPlace(t *testing.T) {
	rooms, at := loaded(t), places()
	for p := range rooms {
		if _, is := at[p]; !is {
			t.Errorf("%s is in no layer", p)
		}
	}
	for p := range at {
		if _, is := rooms[p]; !is {
			t.Errorf("there is no package %s", p)
		}
	}
}

// With an order of all packages there is no circle of folders either.
func TestNoArrowGoesUp(t *testing.T) {
	at := places()
	forTests := layers[len(layers)-1].rooms
	for p, r := range loaded(t) {
		test := slices.Contains(forTests, p)
		for _, q := range r.Imports {
			switch {
			case slices.Contains(forTests, q) && !test:
				t.Errorf("%s imports %s, which is for tests", p, q)
			case at[q] >= at[p]:
				t.Errorf("%s imports %s, which is above it", p, q)
			}
		}
	}
}

func TestNoArrowOfATestGoesUpUnnoticed(t *testing.T) {
	at := places()
	forTests := layers[len(layers)-1].rooms
	for p, r := range loaded(t) {
		var up []string
		for _, q := range r.TestImports {
			if at[q] > at[p] && !slices.Contains(forTests, q) {
				up = append(up, q)
			}
		}
		if !slices.Equal(up, upward[p]) {
			t.Errorf("%s: its tests import %q from above; the exceptions say %q", p, up, upward[p])
		}
	}
}

func TestTheFigureIsTheImports(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := redraw(string(b), figure(loaded(t))); err != nil || text != string(b) {
		t.Errorf("docs/ARCHITECTURE.md shows other imports than there are (%v); go run ./tools/rooms", err)
	}
}

func TestNoPackageIsTooLong(t *testing.T) {
	for p, r := range loaded(t) {
		lines := 0
		for _, f := range r.GoFiles {
			b, err := os.ReadFile(filepath.Join(r.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(b, []byte("\n"))
		}
		if lines > mostLines {
			t.Errorf("%s has %d lines; at most %d", p, lines, mostLines)
		}
	}
}
