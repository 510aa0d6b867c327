//go:build !race

package app_test

import (
	"slices"
	"testing"
)

// A seed that is played again does the same again. What goroutines do at one moment
// of the clock is in the scheduler's hands, which a busy machine may disturb: one
// play of three may differ. The race detector shuffles them on purpose.
func TestSimulationReplays(t *testing.T) {
	kinds, err := kindsOf(*kindsFlag)
	if err != nil {
		t.Fatal(err)
	}
	seed := max(*seedFlag, 1)
	var plays [][]string
	for range 3 {
		now := play(t, seed, kinds, silent).history()
		if slices.ContainsFunc(plays, func(before []string) bool { return slices.Equal(before, now) }) {
			return
		}
		plays = append(plays, now)
	}
	for i := range plays[0] {
		if i >= len(plays[1]) || plays[0][i] != plays[1][i] {
			t.Fatalf("seed %d differs after %d of %d steps: %s", seed, i, len(plays[0]), plays[0][i])
		}
	}
	t.Fatalf("seed %d goes on after %d steps", seed, len(plays[0]))
}
