package app_test

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// The simulation is a whole hone beside a stand-in for Label Studio, in one process
// and on a clock of their own, in which people, networks, disks and power supplies
// do what they do. Everything that happens follows from a seed.
var (
	seedFlag  = flag.Uint64("seed", 0, "simulate this seed only, and tell what happened")
	firstFlag = flag.Uint64("first", 1, "the first seed to simulate")
	timeFlag  = flag.Duration("simtime", 0, "how long to simulate one seed after the other; 0 for a few seeds")
	kindsFlag = flag.String("kinds", "", "what may happen: names with commas between, -name to leave one out of the usual, +name to add one, or all")
)

// fewSeeds are simulated where no time is given.
const fewSeeds = 3

func TestSimulation(t *testing.T) {
	kinds, err := kindsOf(*kindsFlag)
	if err != nil {
		t.Fatal(err)
	}
	if *seedFlag != 0 {
		for _, s := range symptomsOf(t, *seedFlag, kinds, t.Logf) {
			t.Error(s)
		}
		return
	}
	began, done := time.Now(), uint64(0)
	for more := true; more; more = *timeFlag == 0 && done < fewSeeds || time.Since(began) < *timeFlag {
		seed := *firstFlag + done
		for _, s := range symptomsOf(t, seed, kinds, silent) {
			t.Errorf("seed %d: %s\n%s", seed, s, replay(seed))
		}
		done++
	}
	fmt.Printf("simulated seeds %d to %d in %v; %s\n", *firstFlag, *firstFlag+done-1, time.Since(began).Round(time.Second), replay(*firstFlag)) //nolint:forbidigo // which seeds is worth knowing of a run that passes too
}

func replay(seed uint64) string {
	s := fmt.Sprintf("to see it again: go test ./internal/app -run 'TestSimulation$' -seed %d", seed)
	if *kindsFlag != "" {
		s += " -kinds " + *kindsFlag
	}
	return s
}

func silent(string, ...any) {}

// symptomsOf plays one seed and returns what was not as it must be.
func symptomsOf(t *testing.T, seed uint64, kinds []kind, say func(string, ...any)) (symptoms []string) {
	t.Helper()
	return play(t, seed, kinds, say).symptoms
}

func play(t *testing.T, seed uint64, kinds []kind, say func(string, ...any)) (w *world) {
	t.Helper()
	// On one processor goroutines take turns much the same way each time.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, dir, seed, say)
		defer w.end()
		plan := makePlan(seed, kinds)
		for i, s := range plan {
			w.step(i, s)
			if len(w.symptoms) > 0 {
				return
			}
		}
		if w.calmDown(); len(w.symptoms) == 0 {
			w.check()
		}
	})
	return w
}
