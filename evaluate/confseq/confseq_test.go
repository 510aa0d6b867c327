package confseq_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/evaluate/confseq"
)

func draw(rng *rand.Rand, worse, better float64) (first, second bool) {
	switch u := rng.Float64(); {
	case u < worse:
		return false, true
	case u < worse+better:
		return true, false
	}
	return true, true
}

// Of many sequences that are looked at after each task, at most a share of alpha has an interval that misses
// the difference at any look.
func TestTheIntervalsHoldAtEveryLook(t *testing.T) {
	const runs, tasks, alpha = 150, 120, 0.05
	for _, p := range [][2]float64{{0.1, 0.1}, {0.3, 0.1}, {0.02, 0.2}, {0, 0.05}, {0.5, 0.5}, {0, 0}} {
		missed := 0
		for run := range runs {
			rng := rand.New(rand.NewPCG(uint64(run), 3))
			var d confseq.Differences
			for range tasks {
				d.Add(draw(rng, p[0], p[1]))
				if low, high := d.Interval(alpha); low > p[1]-p[0]+1e-9 || high < p[1]-p[0]-1e-9 {
					missed++
					break
				}
			}
		}
		if limit := alpha*runs + 3*math.Sqrt(runs*alpha*(1-alpha)); float64(missed) > limit {
			t.Errorf("worse %g, better %g: %d of %d sequences miss the difference at some look", p[0], p[1], missed, runs)
		}
	}
}

// A predictor that is as good at first and worse later is never said to be worse before, but for a share of
// alpha; and one that is worse by a fifth is found out.
func TestAWorsePredictorIsFoundOut(t *testing.T) {
	const runs, alpha = 400, 0.05
	early, found, after := 0, 0, 0
	for run := range runs {
		rng := rand.New(rand.NewPCG(uint64(run), 4))
		var d confseq.Differences
		for i := range 150 {
			d.Add(draw(rng, 0.28, 0.08))
			if d.High(alpha) < 0 {
				found++
				after += i
				break
			}
		}
		d = confseq.Differences{}
		for range 300 {
			d.Add(draw(rng, 0.1, 0.1+0.2*rng.Float64()))
			if d.High(alpha) < 0 {
				early++
				break
			}
		}
	}
	t.Logf("worse by .2: %d of %d found within 150 tasks, after %d on average; as good or better: %d", found, runs, after/max(1, found), early)
	if found < runs*95/100 || early > runs/20 {
		t.Errorf("found %d of %d, wrongly %d", found, runs, early)
	}
}

func TestAnyCountsHaveAnInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100_000)
		d := confseq.Differences{Worse: n.Draw(t, "worse"), Same: n.Draw(t, "same"), Better: n.Draw(t, "better")}
		alpha := rapid.Float64Range(0.001, 0.5).Draw(t, "alpha")
		low, high := d.Interval(alpha)
		if !(-1 <= low && low <= d.Mean()+1e-9 && d.Mean()-1e-9 <= high && high <= 1) {
			t.Fatalf("%+v: %g to %g, mean %g", d, low, high, d.Mean())
		}
		if wider, _ := d.Interval(alpha / 2); wider > low {
			t.Fatalf("%+v: with half of alpha the bound is %g, above %g", d, wider, low)
		}
		mirrored := confseq.Differences{Worse: d.Better, Same: d.Same, Better: d.Worse}
		if l, h := mirrored.Interval(alpha); math.Abs(l+high) > 1e-9 || math.Abs(h+low) > 1e-9 {
			t.Fatalf("%+v: %g to %g, the other way round %g to %g", d, low, high, l, h)
		}
		more := d
		more.Add(true, false)
		if more.Low(alpha/2) < low {
			t.Fatalf("%+v: one more that is better lowers the bound from %g to %g", d, low, more.Low(alpha/2))
		}
	})
}

func TestNothingIsKnownOfNoTasks(t *testing.T) {
	var d confseq.Differences
	if low, high := d.Interval(0.05); low > -0.999 || high < 0.999 || d.Mean() != 0 || d.N() != 0 {
		t.Errorf("%g to %g", low, high)
	}
}
