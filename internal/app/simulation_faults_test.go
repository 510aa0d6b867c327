//go:build faults

package app_test

import (
	"testing"
	"time"

	"github.com/hone-ml/hone/internal/fault"
)

// mostSeeds is how many seeds the simulation has to find a fault.
const mostSeeds = 300

// A simulation that finds nothing may be blind. Here are faults, one at a time, that
// it must find.
func TestSimulationFinds(t *testing.T) {
	defer fault.Set(fault.None)
	for _, f := range []struct {
		name  fault.Name
		kinds string
	}{
		{fault.CursorAlone, ""},
		{fault.Tombstone, ""},
		{fault.LostRetry, ""},
		{fault.WrongProject, ""},
		{fault.OldSnapshot, ""},
	} {
		t.Run(string(f.name), func(t *testing.T) {
			kinds, err := kindsOf(f.kinds)
			if err != nil {
				t.Fatal(err)
			}
			fault.Set(f.name)
			began := time.Now()
			for seed := *firstFlag; seed < *firstFlag+mostSeeds; seed++ {
				if found := symptomsOf(t, seed, kinds, silent); len(found) > 0 {
					t.Logf("found by the %dth seed after %v: %s", seed-*firstFlag+1, time.Since(began).Round(time.Second), found[0])
					return
				}
			}
			t.Errorf("not found in %d seeds", mostSeeds)
		})
	}
}
