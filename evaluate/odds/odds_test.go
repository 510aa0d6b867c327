package odds_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/evaluate/odds"
)

// stepOf is the draw of the task at, from those not drawn yet.
func stepOf(values, guesses, q []float64, drawn []bool, at int) odds.Step {
	s := odds.Step{Q: q[at], Value: values[at], Guess: guesses[at], Size: len(values), Foreseen: odds.Foresee(q, guesses)}
	for i := range values {
		if drawn[i] {
			s.Known += values[i]
		} else {
			s.Rest += guesses[i]
			s.Left++
		}
	}
	return s
}

// Whatever the values, the guesses and the odds, which may depend on what was drawn: the mean that a draw
// gives is right in expectation, given the past. All draws are enumerated.
func TestEachDrawIsUnbiased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "tasks")
		values := rapid.SliceOfN(rapid.Float64Range(0, 1), n, n).Draw(t, "values")
		drawn := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "drawn")
		drawn[0] = false
		guesses := rapid.SliceOfN(rapid.Float64Range(0, 1), n, n).Draw(t, "guesses")
		q := rapid.SliceOfN(rapid.Float64Range(0.01, 1), n, n).Draw(t, "odds")
		sum, truth, expected := 0.0, 0.0, 0.0
		for i := range q {
			if drawn[i] {
				q[i] = 0
			}
			sum += q[i]
			truth += values[i] / float64(n)
		}
		for i := range q {
			q[i] /= sum
		}
		for i := range q {
			if !drawn[i] {
				expected += q[i] * stepOf(values, guesses, q, drawn, i).Mean()
			}
		}
		if math.Abs(expected-truth) > 1e-9 {
			t.Fatalf("%g is expected of a mean of %g", expected, truth)
		}
	})
}

// Whatever the steps: bounds from 0 to 1 on the right sides, that do not contradict what is known.
func TestAnIntervalIsAlwaysOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "tasks")
		draws, known := rapid.IntRange(1, n).Draw(t, "draws"), 0.0
		var steps []odds.Step
		for m := range draws {
			left := float64(n - m)
			value := rapid.SampledFrom([]float64{0, 1}).Draw(t, "value")
			guess := rapid.Float64Range(0, 1).Draw(t, "guess")
			steps = append(steps, odds.Step{
				Q: rapid.Float64Range(0.05/left, 1).Draw(t, "q"), Value: value, Guess: guess, Known: known, Rest: guess + rapid.Float64Range(0, left-1).Draw(t, "rest"),
				Left: n - m, Size: n, Foreseen: rapid.OneOf(rapid.Float64Range(1e-12, 1e6), rapid.Just(1e-40)).Draw(t, "foreseen"),
			})
			known += value
		}
		e, ok := odds.Estimate(steps[0].Size, steps)
		if !ok {
			t.Fatal("draws say nothing")
		}
		least, most := known/float64(n), 1-(float64(draws)-known)/float64(n)
		const rounding = 1e-9
		if !(least-rounding <= e.Low && e.Low <= e.Estimate+rounding && e.Estimate <= e.High+rounding && e.High <= most+rounding) {
			t.Fatalf("%+v, between %g and %g", e, least, most)
		}
	})
	if _, ok := odds.Estimate(9, nil); ok {
		t.Error("no draw says something")
	}
}

// population is one of tasks with a label that some have, a model that guesses it, and a strategy.
type population struct {
	name string
	// share of the tasks that have the label; skill is how well a model that knows all tells them from the others.
	share, skill float64
	// sure is how much surer the model is than it should be: 1 for not at all.
	sure float64
	// power is that of the uncertainty by which tasks are drawn, negative for odds that go the wrong way.
	power float64
	tasks int
}

var populations = []population{
	{"a third, fair guesses", .35, 2, 1, 1, 1200},
	{"a third, too sure", .35, 2, 2, 1, 1200},
	{"a third, no model", .35, 0, 1, 1, 1200},
	{"a third, the wrong odds", .35, 2, 1, -1, 1200},
	{"rare", .03, 3, 1, 1, 1200},
	{"rare, too sure, sharp odds", .03, 3, 2, 2, 1200},
	{"very rare", .01, 3, 1, 1, 2000},
}

// draws replays n draws of a population whose model learns on the way.
func (p population) draws(rng *rand.Rand, n int) (steps []odds.Step, truth float64) {
	const floor = 0.1
	values, signal := make([]float64, p.tasks), make([]float64, p.tasks)
	base := math.Log(p.share / (1 - p.share))
	for i := range values {
		logit := base - p.skill*p.skill/4 + p.skill*rng.NormFloat64()
		signal[i] = logit
		if rng.Float64() < 1/(1+math.Exp(-logit)) {
			values[i] = 1
			truth += 1 / float64(p.tasks)
		}
	}
	noise := make([]float64, p.tasks)
	for i := range noise {
		noise[i] = rng.NormFloat64()
	}
	drawn, guesses := make([]bool, p.tasks), make([]float64, p.tasks)
	gains, q := make([]float64, p.tasks), make([]float64, p.tasks)
	for m := range n {
		sum := 0.0
		learns := m%10 == 0
		wrong := 1 / math.Sqrt(1+float64(m)/20) // the model's error
		for i := range guesses {
			if learns {
				guesses[i] = 1 / (1 + math.Exp(-p.sure*(signal[i]+wrong*p.skill*noise[i])))
				gains[i] = math.Pow(guesses[i]*(1-guesses[i])+1e-3, p.power/2)
			}
			if q[i] = gains[i]; drawn[i] {
				q[i] = 0
			}
			sum += q[i]
		}
		for i := range q {
			if q[i] > 0 {
				q[i] = floor/float64(p.tasks-m) + (1-floor)*q[i]/sum
			}
		}
		at, u := -1, rng.Float64()
		for i, x := range q {
			if x > 0 {
				if at, u = i, u-x; u < 0 {
					break
				}
			}
		}
		steps = append(steps, stepOf(values, guesses, q, drawn, at))
		drawn[at] = true
	}
	return steps, truth
}

// Of many runs the 95 % interval holds the mean in nearly as many as it says, and the estimate is right in the mean, whatever the
// model and the odds.
func TestIntervalsHoldTheMean(t *testing.T) {
	const runs = 150
	pooled, all := 0, 0
	for _, p := range populations {
		for _, n := range []int{40, 150} {
			rng := rand.New(rand.NewPCG(9, uint64(n)))
			held, off, squares := 0, 0.0, 0.0
			for range runs {
				steps, truth := p.draws(rng, n)
				e, _ := odds.Estimate(steps[0].Size, steps)
				if e.Low <= truth+1e-9 && truth <= e.High+1e-9 {
					held++
				}
				off += (e.Estimate - truth) / runs
				squares += (e.Estimate - truth) * (e.Estimate - truth) / runs
			}
			t.Logf("%s, %d draws: %d of %d hold, off by %.4f", p.name, n, held, runs, off)
			if held < runs*82/100 {
				t.Errorf("%s, %d draws: %d of %d intervals hold the mean", p.name, n, held, runs)
			}
			if limit := 4 * math.Sqrt(squares/runs); math.Abs(off) > limit {
				t.Errorf("%s, %d draws: off by %.4f, more than %.4f", p.name, n, off, limit)
			}
			pooled, all = pooled+held, all+runs
		}
	}
	if float64(pooled) < .9*float64(all) {
		t.Errorf("%d of %d hold", pooled, all)
	}
}

// Draws from a sample of the tasks say as much of all of them as such a sample can.
func TestASampleOfTheTasks(t *testing.T) {
	const runs, sample, tasks = 200, 300, 3000
	rng := rand.New(rand.NewPCG(3, 4))
	held, alone := 0, 0
	for range runs {
		values := make([]float64, tasks)
		truth := 0.0
		for i := range values {
			if rng.Float64() < .2 {
				values[i] = 1
				truth += 1.0 / tasks
			}
		}
		rng.Shuffle(tasks, func(i, j int) { values[i], values[j] = values[j], values[i] })
		var steps []odds.Step
		known := 0.0
		for m, v := range values[:200] {
			left := float64(sample - m)
			steps = append(steps, odds.Step{Q: 1 / left, Value: v, Guess: .2, Known: known, Rest: .2 * left, Left: sample - m, Size: sample, Foreseen: .16 * left * left})
			known += v
		}
		all, _ := odds.Estimate(tasks, steps)
		if all.Holds(truth) {
			held++
		}
		if one, _ := odds.Estimate(sample, steps); one.Holds(truth) {
			alone++
		}
	}
	if held < runs*9/10 || alone > held-runs/20 {
		t.Errorf("%d of %d hold the mean, and %d by the sample alone", held, runs, alone)
	}
}

// Wilson's bounds of 50 of 100 are .4038 and .5962 as published, of 0 of 20 they are 0 and .1611.
func TestTheWidthOfRandomLabels(t *testing.T) {
	const many = 1 << 40
	for _, c := range []struct {
		share         float64
		labels, tasks int
		want          float64
	}{{.5, 100, many, .1923}, {0, 20, many, .1611}, {.3, 50, 50, 0}, {.5, 300, 1200, .0976}} {
		if got := odds.RandomWidth(c.share, c.labels, c.tasks); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("%+v: %.4f", c, got)
		}
	}
}
