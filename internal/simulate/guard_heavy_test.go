//go:build !race

package simulate

import (
	"testing"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/sampler/strategy"
)

const heavySeeds = 20

// guardedRuns simulates a strategy and returns in how many runs it was left.
func guardedRuns(t *testing.T, o Options) (left int) {
	t.Helper()
	d := load(t, madeTexts(2500, 1), madeTexts(200, 2))
	o.QueueSize, o.Front, o.RandomShare, o.Seeds = 30, 5, 0.1, heavySeeds
	res := simulated(t, d, o)
	asked, random := 0, 0
	for _, c := range res.Curves {
		asked, random = asked+c.Guard.Asked, random+c.Guard.Random
		of := c.Guard.Controls[0]
		after := 0
		if c.Guard.Left != nil {
			left++
			after = c.Guard.Left.Labels
		}
		t.Logf("seed %d: left after %d labels; of %d trials %.3f right, random %.3f, difference at most %+.3f", c.Seed, after, of.Trials, of.Asked, of.Random, of.High)
	}
	share := float64(asked) / float64(asked+random)
	t.Logf("%s: left in %d of %d runs, the strategy chose %.3f", o.Strategies[0], left, len(res.Curves), share)
	if share < 0.8 {
		t.Errorf("the strategy chose %.3f of what was labelled", share)
	}
	return left
}

// A planted strategy, which costs .2 of accuracy at as many labels, is left for random within 1,500
// labels in at least 18 of 20 runs.
func TestHeavyAStrategyThatLosesIsLeft(t *testing.T) {
	if left := guardedRuns(t, Options{Strategies: []string{strategy.NameMargin}, Labels: []int{1500}, Batch: 50, scorer: newRegion, Encoder: ngram.New()}); left < 18 {
		t.Errorf("left in %d of %d runs", left, heavySeeds)
	}
}

// Good strategies are left in at most one of 20 runs.
func TestHeavyGoodStrategiesStay(t *testing.T) {
	for _, o := range []Options{
		{Strategies: []string{strategy.NameMargin}, Labels: []int{1000}, Batch: 20, Encoder: ngram.New()},
		{Strategies: []string{strategy.NameCoverage}, Labels: []int{1000}, Batch: 50, Encoder: encoders.Default()}, // it needs dense vectors
	} {
		t.Run(o.Strategies[0], func(t *testing.T) {
			if left := guardedRuns(t, o); left > 1 {
				t.Errorf("left in %d of %d runs", left, heavySeeds)
			}
		})
	}
}
