package model_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/vector"
)

// measured is a text with a number that some of its words tell.
func measured(rng *rand.Rand, id int64, base, unit float64) model.Example {
	text, y := "", 0.0
	for range 5 {
		k := rng.IntN(12)
		text += fmt.Sprintf("w%d ", k)
		y += float64(k-6) / 3
	}
	e := model.Example{ID: id, X: hashed.Encode(text), Weight: 1}
	d := make([]float32, 3)
	for i := range d {
		d[i] = float32(rng.NormFloat64() / 3)
	}
	e.X.Dense = [][]float32{d}
	e.Target = []model.Share{{P: float32(base + unit*(y+rng.NormFloat64()/2))}}
	return e
}

// inner is the product of two texts' features.
func inner(a, b vector.Vector) float64 {
	at := map[uint32]float64{}
	for _, t := range a.Terms {
		at[t.Bucket()] = float64(a.Scale * t.Units())
	}
	var sum float64
	for _, t := range b.Terms {
		sum += at[t.Bucket()] * float64(b.Scale*t.Units())
	}
	for i := range a.Dense {
		for j := range a.Dense[i] {
			sum += float64(a.Dense[i][j]) * float64(b.Dense[i][j])
		}
	}
	return sum
}

// solve is Gauss-Jordan elimination; the columns of rhs become the solutions.
func solve(a, rhs [][]float64) {
	for c := range a {
		p := a[c][c]
		for i := range a {
			if i == c {
				continue
			}
			f := a[i][c] / p
			for j := range a {
				a[i][j] -= f * a[c][j]
			}
			for j := range rhs[i] {
				rhs[i][j] -= f * rhs[c][j]
			}
		}
	}
	for i := range a {
		for j := range rhs[i] {
			rhs[i][j] /= a[i][i]
		}
	}
}

// The dual walk ends where the closed form of ridge regression with a free
// intercept is, for numbers of any size.
func TestRegressionSettlesAtTheClosedForm(t *testing.T) {
	for _, scale := range []struct{ base, unit float64 }{{0, 1}, {50, 10}, {10000, 0.5}, {-3, 1e-4}} {
		rng := rand.New(rand.NewPCG(5, 5))
		s := model.Settings{Ridge: 0.4}
		m := model.NewRegression(s)
		var examples []model.Example
		for i := range 30 {
			e := measured(rng, int64(i), scale.base, scale.unit)
			examples = append(examples, e)
			if err := m.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
		n := len(examples)
		a, rhs := make([][]float64, n), make([][]float64, n)
		for i := range a {
			a[i] = make([]float64, n)
			for j := range a[i] {
				a[i][j] = inner(examples[i].X, examples[j].X)
			}
			a[i][i] += s.Ridge
			rhs[i] = []float64{float64(examples[i].Target[0].P), 1}
		}
		solve(a, rhs)
		var sum0, sum1 float64
		for _, r := range rhs {
			sum0, sum1 = sum0+r[0], sum1+r[1]
		}
		b := sum0 / sum1
		got := m.Optimize(context.Background(), 1e-3)
		if !got.Done {
			t.Errorf("base %g: settled %+v", scale.base, got)
		}
		var scratch model.Scratch
		for i := range 20 {
			x := measured(rng, int64(i), 0, 0).X
			want := b
			for i, e := range examples {
				want += inner(x, e.X) * (rhs[i][0] - b*rhs[i][1])
			}
			mean, sd := m.Predict(x, &scratch)
			if math.Abs(mean-want) > 2e-3*3*scale.unit {
				t.Errorf("base %g: %g, want %g", scale.base, mean, want)
			}
			if !(sd > 0.1*scale.unit && sd < 10*scale.unit) {
				t.Errorf("base %g, unit %g: sd %g", scale.base, scale.unit, sd)
			}
		}
	}
}

// Whatever was put, replaced, removed and resumed, a settled model predicts as
// one that was trained from scratch on the examples that are left.
func TestAnyHistoryEndsAtTheSameRegression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		s := model.Settings{Ridge: rapid.SampledFrom([]float64{0.03, 0.3, 3}).Draw(t, "ridge")}
		base := rapid.SampledFrom([]float64{0, 1000}).Draw(t, "base")
		m := model.NewRegression(s)
		left := map[int64]model.Example{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			id := rng.Int64N(20)
			switch rng.IntN(5) {
			case 0:
				if _, had := left[id]; m.Remove(id) != had {
					t.Fatalf("Remove(%d) does not say %v", id, had)
				}
				delete(left, id)
			case 1:
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				m.Optimize(ctx, 1e-3)
			case 2: // a restart
				next := model.NewRegression(s)
				m.Duals(func(e model.Example, d []float32) bool {
					if err := next.UpsertWarm(e, d); err != nil {
						t.Fatal(err)
					}
					return true
				})
				m = next
			default:
				e := measured(rng, id, base, 1)
				if err := m.Upsert(e); err != nil {
					t.Fatal(err)
				}
				left[id] = e
			}
		}
		fresh := model.NewRegression(s)
		for _, e := range left {
			if err := fresh.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
		a, b := m.Optimize(context.Background(), 1e-3), fresh.Optimize(context.Background(), 1e-3)
		if !a.Done || !b.Done || m.Len() != len(left) {
			t.Fatalf("settled %+v, %+v with %d of %d", a, b, m.Len(), len(left))
		}
		spread, whole := m.View().Spread()
		if want, same := fresh.View().Spread(); math.Abs(spread-want) > 1e-3*want || whole != same {
			t.Fatalf("spread %g, %v; want %g, %v", spread, whole, want, same)
		}
		var scratch model.Scratch
		for i := range 10 {
			x := measured(rng, int64(i), 0, 0).X
			mean, sd := m.View().Predict(x, &scratch)
			mean2, sd2 := fresh.View().Predict(x, &scratch)
			if math.Abs(mean-mean2) > 3e-3*max(spread, 1e-3) || math.Abs(sd-sd2) > 0.01*max(sd, 1e-3) {
				t.Fatalf("%g ± %g, from scratch %g ± %g", mean, sd, mean2, sd2)
			}
		}
	})
}

// The standard deviation is one: about two thirds of new numbers are within it.
func TestRegressionKnowsHowSureItIs(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for _, n := range []int{20, 300} {
		m := model.NewRegression(model.Settings{Ridge: 0.3})
		for i := range n {
			if err := m.Upsert(measured(rng, int64(i), 5, 2)); err != nil {
				t.Fatal(err)
			}
		}
		m.Optimize(context.Background(), 1e-3)
		var s model.Scratch
		within := 0
		for i := range 500 {
			e := measured(rng, int64(i), 5, 2)
			if mean, sd := m.Predict(e.X, &s); math.Abs(float64(e.Target[0].P)-mean) < sd {
				within++
			}
		}
		if within < 270 || within > 420 {
			t.Errorf("%d examples: %d of 500 within one standard deviation", n, within)
		}
		known, _ := m.Predict(hashed.Encode("w1 w2"), &s)
		_, heard := m.Predict(hashed.Encode("w1 w2"), &s)
		_, unheard := m.Predict(hashed.Encode("zebra xylitol"), &s)
		if !(unheard > heard) || math.IsNaN(known) {
			t.Errorf("sd %g for heard words, %g for others", heard, unheard)
		}
	}
}

func TestRegressionRefusesWhatIsNoNumber(t *testing.T) {
	m := model.NewRegression(model.Settings{Ridge: 1})
	x := hashed.Encode("a text")
	for _, e := range []model.Example{
		{ID: 1, X: x, Weight: 1},
		{ID: 1, X: x, Weight: 0, Target: []model.Share{{P: 1}}},
		{ID: 1, X: x, Weight: 1, Target: []model.Share{{Class: 1, P: 1}}},
		{ID: 1, X: x, Weight: 1, Target: []model.Share{{P: float32(math.NaN())}}},
		{ID: 1, X: x, Weight: 1, Target: []model.Share{{P: float32(math.Inf(1))}}},
	} {
		if m.Upsert(e) == nil || m.Len() != 0 {
			t.Errorf("%+v is taken", e)
		}
	}
}
