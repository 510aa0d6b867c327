package shares_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/evaluate/odds"
	"github.com/hone-ml/hone/evaluate/shares"
	"github.com/hone-ml/hone/event"
)

// pool is tasks of two labels, of which some are labelled before the first draw, and what a model guesses of them.
type pool struct {
	answers event.ControlAnswers
	guess   map[event.TaskID]float64
	known   []event.TaskID
	left    []event.TaskID
}

func newPool(r *rand.Rand, tasks, known int) *pool {
	p := &pool{answers: event.ControlAnswers{Control: "topic", Labels: []string{"a", "b"}, Exclusive: true, Of: map[event.TaskID][]float64{}}, guess: map[event.TaskID]float64{}}
	for id := range event.TaskID(tasks) {
		y := 0.0
		if r.Float64() < .3 {
			y = 1
		}
		p.answers.Of[id] = []float64{y, 1 - y}
		p.guess[id] = .7*y + .1 + .1*r.Float64()
		if int(id) < known { // all of them have label a: they are no fair sample
			p.answers.Of[id] = []float64{1, 0}
			p.known = append(p.known, id)
		} else {
			p.left = append(p.left, id)
		}
	}
	return p
}

func (p *pool) share(label int) (share float64) {
	for _, y := range p.answers.Of {
		share += y[label] / float64(len(p.answers.Of))
	}
	return share
}

// draw draws n tasks, those of which the model is less sure more often. whole is the bound of what may be drawn.
func (p *pool) draw(r *rand.Rand, n int, within uint64) (out []event.Draw) {
	for range n {
		var ids []event.TaskID
		var q, a, b []float64
		sum := 0.0
		for _, id := range p.left {
			if id.Hash() <= within {
				w := .2 + p.guess[id]*(1-p.guess[id])
				ids, q, a, b = append(ids, id), append(q, w), append(a, p.guess[id]), append(b, 1-p.guess[id])
				sum += w
			}
		}
		d := event.Draw{Number: uint64(len(out)), Left: len(ids), Within: within}
		at, u := 0, r.Float64()
		rest := [2]float64{}
		for i := range q {
			q[i] /= sum
			d.Inverse += 1 / q[i]
			rest[0], rest[1] = rest[0]+a[i], rest[1]+b[i]
		}
		for ; at < len(q)-1 && u > q[at]; at++ {
			u -= q[at]
		}
		d.Task, d.Q = ids[at], q[at]
		d.Controls = []event.DrawnControl{{
			Control: "topic", Labels: []string{"a", "b"}, Guess: []float32{float32(a[at]), float32(b[at])}, Rest: []float32{float32(rest[0]), float32(rest[1])},
			Foreseen: []float32{float32(odds.Foresee(q, a)), float32(odds.Foresee(q, b))},
		}}
		if len(out) == 0 {
			d.Known = p.known
		}
		out = append(out, d)
		for i, id := range p.left {
			if id == d.Task {
				p.left = append(p.left[:i:i], p.left[i+1:]...)
				break
			}
		}
	}
	return out
}

// The intervals hold the truth though tasks were labelled otherwise before, all with one label; also where the draws are from a
// sample of the tasks, and where the model guessed nothing.
func TestIntervalsHoldWithLabelsOfOtherOrigin(t *testing.T) {
	for _, c := range []struct {
		name    string
		within  uint64
		ignores bool
	}{{"all tasks", 1<<64 - 1, false}, {"a third of them", 1 << 64 / 3, false}, {"without guesses", 1<<64 - 1, true}} {
		held, sum, truth := 0, 0.0, 0.0
		const runs = 200
		for seed := range uint64(runs) {
			r := rand.New(rand.NewPCG(seed, 1))
			p := newPool(r, 600, 60)
			draws := p.draw(r, 60, c.within)
			for i := range draws {
				if c.ignores {
					draws[i].Controls = nil
				}
			}
			got := shares.Estimate(600, draws, p.answers, nil)
			require.Len(t, got.Shares, 2)
			assert.InDelta(t, 1, got.Shares[0].Estimate+got.Shares[1].Estimate, 1e-4, "of two labels one is the other's rest")
			if got.Shares[0].Holds(p.share(0)) {
				held++
			}
			sum, truth = sum+got.Shares[0].Estimate/runs, truth+p.share(0)/runs
		}
		assert.GreaterOrEqual(t, held, runs*90/100, c.name)
		assert.InDelta(t, truth, sum, .01, c.name)
	}
}

// Draws count up to the first that may still be answered. Skipped ones do not count, and change nothing of the others.
func TestDrawsCountInTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		p := newPool(r, 80, 5)
		draws := p.draw(r, 20, 1<<64-1)
		first := rapid.IntRange(0, 20).Draw(t, "first open")
		open := map[event.TaskID]bool{}
		for _, d := range draws[first:] {
			if d.Number == uint64(first) || rapid.Bool().Draw(t, "open") {
				open[d.Task] = true
				delete(p.answers.Of, d.Task)
			}
		}
		missing := 0
		for _, d := range draws[:first] {
			if rapid.IntRange(0, 4).Draw(t, "skipped") == 0 {
				delete(p.answers.Of, d.Task)
				missing++
			}
		}
		got := shares.Estimate(80, draws, p.answers, open)
		if got.Draws != first-missing || got.Missing != missing || got.Waiting != 20-first {
			t.Fatalf("%d draws, %d missing, %d waiting", got.Draws, got.Missing, got.Waiting)
		}
		if (len(got.Shares) == 0) != (got.Draws == 0) {
			t.Fatalf("%d draws and shares %v", got.Draws, got.Shares)
		}
		for _, s := range got.Shares {
			if !(0 <= s.Low && s.Low <= s.Estimate && s.Estimate <= s.High && s.High <= 1) {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// When all tasks are labelled the shares are known.
func TestAllLabelledAllKnown(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	p := newPool(r, 50, 10)
	got := shares.Estimate(50, p.draw(r, 40, 1<<64-1), p.answers, nil)
	for l, s := range got.Shares {
		assert.InDelta(t, p.share(l), s.Low, 1e-9)
		assert.InDelta(t, p.share(l), s.High, 1e-9)
	}
}
