package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func made(labels ...string) set {
	s := set{name: "made"}
	for i, l := range labels {
		s.texts = append(s.texts, labelled{fmt.Sprintf("one two three four five six %d", i), l})
	}
	return s
}

// share returns the share of the most frequent label.
func share(s set) float64 {
	n := 0.0
	for _, t := range s.texts {
		if t.Label == s.labels()[0] {
			n++
		}
	}
	return n / float64(len(s.texts))
}

func TestVariants(t *testing.T) {
	s := made(append(strings.Fields(strings.Repeat("a ", 300)), strings.Fields(strings.Repeat("b ", 100))...)...)
	byName := map[string]set{}
	for _, v := range s.variants() {
		byName[v.name] = v
	}
	if got := share(byName["made balanced"]); got != 0.5 || len(byName["made balanced"].texts) != 200 {
		t.Errorf("balanced: a share of %.3f", got)
	}
	if got := share(byName["made 95:5"]); math.Abs(got-0.95) > 0.01 {
		t.Errorf("95:5: a share of %.3f", got)
	}
	if v := byName["made 5 words"]; v.texts[0].Text != "one two three four five" {
		t.Errorf("5 words: %q", v.texts[0].Text)
	}
	if v := byName["made anonymous"]; v.texts[0].Label != "A1" || v.texts[399].Label != "A2" {
		t.Errorf("anonymous: %+v", v.texts[0])
	}
	if len(byName) != 4 {
		t.Errorf("%d variants", len(byName))
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprint("label ", i%25))
	}
	for _, v := range made(many...).variants()[2:] {
		var k int
		if _, err := fmt.Sscanf(v.name, "made in %d", &k); err != nil || len(v.labels()) != k || share(v) > 1/float64(k)+0.05 {
			t.Errorf("%s has %d labels, the first with a share of %.2f", v.name, len(v.labels()), share(v))
		}
	}
}

// The best cell is that of the half that chooses; the other half judges it.
func TestRegretIsJudgedOnTheOtherHalf(t *testing.T) {
	r := &result{orders: []outcome{
		{byDefault: 0.5, chosen: 0.6, one: []float64{0.9, 0.7}, other: []float64{0.7, 0.9}},
		{byDefault: 0.5, chosen: 0.8, one: []float64{0.5, 0.6}, other: []float64{0.7, 0.9}},
	}}
	if r.best() != 0 {
		t.Errorf("cell %d is best", r.best())
	}
	regret, se := r.regret(chosen)
	if math.Abs(regret) > 1e-12 || math.Abs(se-0.1) > 1e-12 {
		t.Errorf("regret %g ± %g", regret, se)
	}
	if regret, _ := r.regret(byDefault); math.Abs(regret-0.2) > 1e-12 {
		t.Errorf("regret of the default %g", regret)
	}
}

func TestWrittenSetsAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	s := made(append(strings.Fields(strings.Repeat("a ", 300)), strings.Fields(strings.Repeat("b ", 100))...)...)
	sets := append(s.variants(), s)
	if err := writeAll(dir, sets); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]set{"made": s, "made-5-words": sets[1], "made-95-5": sets[3]} {
		got, err := read(filepath.Join(dir, file+".jsonl"))
		if err != nil || !slices.Equal(got, want.texts) {
			t.Errorf("%s: %d texts, want %d (%v)", file, len(got), len(want.texts), err)
		}
	}
}
