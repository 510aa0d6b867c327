package model_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/vector"
)

var hashed = ngram.New()

// text makes one of many short texts that share words.
func text(rng *rand.Rand) string {
	vocabulary := []string{"card", "lost", "transfer", "money", "fee", "why", "is", "my", "pending", "top", "up", "not", "working"}
	s := ""
	for range 2 + rng.IntN(6) {
		s += vocabulary[rng.IntN(len(vocabulary))] + " "
	}
	return s
}

func makeExample(rng *rand.Rand, id int64, classes int, link model.Link, dense bool) model.Example {
	e := model.Example{ID: id, X: hashed.Encode(text(rng)), Weight: 0.25 + rng.Float64()*2}
	if dense {
		d := make([]float32, 5)
		var sum float64
		for i := range d {
			d[i] = float32(rng.NormFloat64())
			sum += float64(d[i]) * float64(d[i])
		}
		for i := range d {
			d[i] /= float32(math.Sqrt(sum))
		}
		e.X.Dense = [][]float32{d}
	}
	if link == model.Independent {
		for y := range classes {
			if rng.IntN(2) == 0 {
				e.Target = append(e.Target, model.Share{Class: int32(y), P: []float32{0.5, 1}[rng.IntN(2)]})
			}
		}
		return e
	}
	a, b := rng.IntN(classes), rng.IntN(classes)
	if a == b {
		e.Target = []model.Share{{Class: int32(a), P: 1}}
	} else { // two annotators who disagree
		e.Target = []model.Share{{Class: int32(min(a, b)), P: 0.5}, {Class: int32(max(a, b)), P: 0.5}}
	}
	return e
}

// descend finds the optimum in the primal by plain gradient descent on explicit
// weights: slow, simple, and nothing shared with the dual solver.
func descend(examples []model.Example, classes int, link model.Link, s model.Settings, prior model.Prior) func(model.Example) []float64 {
	type point map[int]float64
	explicit := func(x vector.Vector) point {
		p := point{-1: s.Bias}
		part := func(i int) float64 {
			if i < len(s.Parts) {
				return math.Sqrt(s.Parts[i])
			}
			return 1
		}
		for _, t := range x.Terms {
			p[int(t.Bucket())] = float64(t.Units()) * float64(x.Scale) * part(0)
		}
		for k, d := range x.Dense {
			for j, v := range d {
				p[1e6*(k+1)+j] = float64(v) * part(k+1)
			}
		}
		return p
	}
	weights := make([]point, classes)
	for y := range weights {
		weights[y] = point{}
	}
	predict := func(e model.Example, x point) []float64 {
		p := make([]float64, classes)
		for y := range p {
			for i, v := range x {
				p[y] += weights[y][i] * v
			}
			for part, g := range prior {
				p[y] += s.Trust[part] * float64(g.Bias[y])
				for k, d := range e.X.Dense {
					for j, v := range d {
						if k == part {
							p[y] += s.Trust[part] * float64(v*g.Weights[j*classes+y])
						}
					}
				}
			}
		}
		var sum float64
		for y := range p {
			if link == model.Independent {
				p[y] = 1 / (1 + math.Exp(-p[y]))
			} else {
				p[y] = math.Exp(p[y])
				sum += p[y]
			}
		}
		if link == model.Exclusive {
			for y := range p {
				p[y] /= sum
			}
		}
		return p
	}
	points := make([]point, len(examples))
	lipschitz := s.Ridge
	for i, e := range examples {
		points[i] = explicit(e.X)
		for _, v := range points[i] {
			lipschitz += 0.5 * e.Weight * v * v
		}
	}
	for range 20000 {
		gradient := make([]point, classes)
		for y := range gradient {
			gradient[y] = point{}
			for i, v := range weights[y] {
				gradient[y][i] = s.Ridge * v
			}
		}
		for i, e := range examples {
			p := predict(e, points[i])
			for _, t := range e.Target {
				p[t.Class] -= float64(t.P)
			}
			for y := range p {
				for j, v := range points[i] {
					gradient[y][j] += e.Weight * p[y] * v
				}
			}
		}
		var norm float64
		for y := range gradient {
			for i, g := range gradient[y] {
				weights[y][i] -= g / lipschitz
				norm += g * g
			}
		}
		if norm < 1e-14 {
			break
		}
	}
	return func(e model.Example) []float64 { return predict(e, explicit(e.X)) }
}

func TestSettlesAtTheOptimumOfGradientDescent(t *testing.T) {
	for _, link := range []model.Link{model.Exclusive, model.Independent} {
		for _, dense := range []bool{false, true} {
			t.Run(fmt.Sprint(link, dense), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(7, 7))
				s := model.Settings{Ridge: 0.5, Bias: 0.5, Parts: []float64{0.5, 2}, Trust: []float64{1.5}}
				g := model.PriorMean{Bias: []float32{1, 0, -1}}
				for range 15 {
					g.Weights = append(g.Weights, float32(rng.NormFloat64()))
				}
				prior := model.Prior{g}
				m := model.NewFrom(prior, 3, link, s)
				var examples []model.Example
				for i := range 12 {
					e := makeExample(rng, int64(i), 3, link, dense)
					examples = append(examples, e)
					if err := m.Upsert(e); err != nil {
						t.Fatal(err)
					}
				}
				settled := m.Optimize(t.Context(), 1e-4)
				if settled.Bound > 1e-4 {
					t.Fatalf("did not settle: %+v", settled)
				}
				want := descend(examples, 3, link, s, prior)
				for i := range 20 {
					e := makeExample(rng, int64(100+i), 3, link, dense)
					near(t, want(e), predict(m.View(), e), 2e-4)
				}
			})
		}
	}
}

func predict(v *model.View, e model.Example) []float64 {
	p := make([]float64, v.Classes())
	v.Predict(e.X, p, new(model.Scratch))
	return p
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func near(t fataler, want, got []float64, tolerance float64) {
	t.Helper()
	for y := range want {
		if !(math.Abs(want[y]-got[y]) <= tolerance) {
			t.Fatalf("probabilities %v, want %v", got, want)
		}
	}
}

// steps is a context that is done after so many looks at it.
type steps struct {
	context.Context
	left int
}

// Deadline is one, as a short walk has.
func (s *steps) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

func (s *steps) Err() error {
	if s.left--; s.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestAnyHistoryEndsAtTheSameModel(t *testing.T) {
	for _, link := range []model.Link{model.Exclusive, model.Independent} {
		rapid.Check(t, func(t *rapid.T) {
			seed := rapid.Uint64().Draw(t, "seed")
			classes := rapid.IntRange(1, 6).Draw(t, "classes")
			s := model.Settings{
				Ridge: rapid.SampledFrom([]float64{0.003, 0.01, 0.1, 1}).Draw(t, "ridge"),
				Bias:  rapid.SampledFrom([]float64{0, 0.1, 1}).Draw(t, "bias"),
			}
			checkHistory(t, seed, classes, link, s, rapid.IntRange(0, 40).Draw(t, "steps"))
		})
	}
}

// The bound goes up and down on its way, and a few low ones at the start are no sign of
// stagnation. These histories once ended far from the optimum.
func TestHistoriesThatConvergeSlowly(t *testing.T) {
	checkHistory(t, 0xc3, 1, model.Independent, model.Settings{Ridge: 0.003}, 29)
	checkHistory(t, 0xa35, 2, model.Exclusive, model.Settings{Ridge: 0.003, Bias: 1}, 21)
	checkHistory(t, 0xa35, 2, model.Independent, model.Settings{Ridge: 0.003, Bias: 1}, 21)
}

// checkHistory makes changes that follow from the seed, and compares the model with one that
// got only the examples that are left.
func checkHistory(t fataler, seed uint64, classes int, link model.Link, s model.Settings, changes int) {
	t.Helper()
	const tolerance = 1e-3
	rng := rand.New(rand.NewPCG(seed, 1))
	m := model.New(classes, link, s)
	left := map[int64]model.Example{}
	for range changes {
		id := rng.Int64N(25)
		switch rng.IntN(5) {
		case 0:
			_, had := left[id]
			if m.Remove(id) != had {
				t.Fatalf("Remove(%d) is wrong about it", id)
			}
			delete(left, id)
		case 1:
			stopped, cancel := context.WithCancel(context.Background())
			cancel()
			m.Optimize(stopped, tolerance)
		case 2:
			m.Optimize(context.Background(), 0.1)
		default:
			e := makeExample(rng, id, classes, link, false)
			if err := m.Upsert(e); err != nil {
				t.Fatalf("%v", err)
			}
			left[id] = e
		}
	}
	fresh := model.New(classes, link, s)
	for _, e := range left {
		if err := fresh.Upsert(e); err != nil {
			t.Fatalf("%v", err)
		}
	}
	slice := &steps{Context: context.Background()}
	for m.Bound() > tolerance { // many short calls
		slice.left = 1 + rng.IntN(4)
		if m.Optimize(slice, tolerance).Done {
			break // at the tolerance, or where rounding begins
		}
	}
	a, b := m.Optimize(context.Background(), tolerance), fresh.Optimize(context.Background(), tolerance)
	if a.Bound > 10*tolerance || b.Bound > 10*tolerance || m.Len() != len(left) {
		t.Fatalf("not settled: %+v %+v", a, b)
	}
	for range 10 {
		e := makeExample(rng, 0, classes, link, false)
		near(t, predict(fresh.View(), e), predict(m.View(), e), a.Bound+b.Bound+1e-5) // and rounding
	}
}

func TestForgettingAllLeavesNothing(t *testing.T) {
	for _, link := range []model.Link{model.Exclusive, model.Independent} {
		rng := rand.New(rand.NewPCG(1, 2))
		m := model.New(4, link, model.Defaults())
		rare := model.Example{ID: 99, X: hashed.Encode("zebra xylitol"), Weight: 1, Target: []model.Share{{Class: 2, P: 1}}}
		probe := model.Example{X: rare.X}
		for i := range 30 {
			if err := m.Upsert(makeExample(rng, int64(i), 4, link, true)); err != nil {
				t.Fatal(err)
			}
		}
		m.Optimize(t.Context(), 1e-3)
		if err := m.Upsert(rare); err != nil {
			t.Fatal(err)
		}
		m.Optimize(t.Context(), 1e-3)
		if p := predict(m.View(), probe); p[2] < 0.9 {
			t.Fatalf("did not learn: %v", p)
		}
		if !m.Remove(99) {
			t.Fatal("not there")
		}
		// Words nothing else has weigh exactly zero, settled or not.
		near(t, predict(m.View(), model.Example{}), predict(m.View(), probe), 0)
		for i := range 30 {
			m.Remove(int64(i))
		}
		want := []float64{0.25, 0.25, 0.25, 0.25}
		if link == model.Independent {
			want = []float64{0.5, 0.5, 0.5, 0.5}
		}
		near(t, want, predict(m.View(), makeExample(rng, 1, 4, link, false)), 0)
		if m.Bound() != 0 {
			t.Errorf("an empty model is %g from its optimum", m.Bound())
		}
	}
}

func TestBoundHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, link := range []model.Link{model.Exclusive, model.Independent} {
		rough, exact := model.New(3, link, model.Defaults()), model.New(3, link, model.Defaults())
		for i := range 60 {
			e := makeExample(rng, int64(i), 3, link, false)
			if err := rough.Upsert(e); err != nil {
				t.Fatal(err)
			}
			if err := exact.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
		exact.Optimize(t.Context(), 1e-4)
		for _, tolerance := range []float64{0.3, 0.1, 0.03, 0.01} {
			bound := rough.Optimize(t.Context(), tolerance).Bound
			for range 50 {
				e := makeExample(rng, 0, 3, link, false)
				near(t, predict(exact.View(), e), predict(rough.View(), e), bound+1e-4)
			}
		}
	}
}

func TestSettleEndsWhereRoundingBegins(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := model.New(3, model.Exclusive, model.Settings{Ridge: 0.5, Bias: 0.1})
	for i := range 100 {
		if err := m.Upsert(makeExample(rng, int64(i), 3, model.Exclusive, false)); err != nil {
			t.Fatal(err)
		}
	}
	s := m.Optimize(t.Context(), 1e-30)
	if !s.Done || s.Bound > 1e-3 || s.Passes >= 900 {
		t.Errorf("asked for the impossible it settles at %+v", s)
	}
	if again := m.Optimize(t.Context(), 1e-30); again.Passes > 0 || !again.Done {
		t.Errorf("it does not know that it has: %+v", again)
	}
}

func TestResumeStartsWhereItEnded(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	m := model.New(5, model.Exclusive, model.Defaults())
	for i := range 80 {
		if err := m.Upsert(makeExample(rng, int64(i), 5, model.Exclusive, false)); err != nil {
			t.Fatal(err)
		}
	}
	m.Optimize(t.Context(), 5e-4)
	again := model.New(5, model.Exclusive, model.Defaults())
	m.Duals(func(e model.Example, p []float32) bool {
		if err := again.UpsertWarm(e, p); err != nil {
			t.Fatal(err)
		}
		return true
	})
	if s := again.Optimize(t.Context(), 1e-3); s.Passes > 0 {
		t.Errorf("a warm start took %d passes", s.Passes)
	}
	wrong := model.New(5, model.Exclusive, model.Defaults())
	m.Duals(func(e model.Example, p []float32) bool { // damaged duals cost time only
		p = append([]float32(nil), p...)
		p[0], p[1], p[2] = float32(math.NaN()), -7, float32(math.Inf(1))
		if err := wrong.UpsertWarm(e, p); err != nil {
			t.Fatal(err)
		}
		return true
	})
	if s := wrong.Optimize(t.Context(), 1e-3); s.Bound > 1e-3 {
		t.Errorf("damaged duals never settle: %+v", s)
	}
	for range 10 {
		e := makeExample(rng, 0, 5, model.Exclusive, false)
		near(t, predict(m.View(), e), predict(again.View(), e), 2e-3)
		near(t, predict(m.View(), e), predict(wrong.View(), e), 2e-3)
	}
}

func TestNoneFollowsTheExamples(t *testing.T) {
	m := model.New(2, model.Independent, model.Defaults())
	put := func(id int64, shares ...model.Share) {
		t.Helper()
		if err := m.Upsert(model.Example{ID: id, X: hashed.Encode("a card"), Weight: 1, Target: shares}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want float64) {
		t.Helper()
		if got := m.View().NoLabelShare(); math.Abs(got-want) > 1e-9 || m.NoLabelShare() != got {
			t.Errorf("%g and %g, want %g", got, m.NoLabelShare(), want)
		}
	}
	expect(0.5 / 2)
	put(1, model.Share{Class: 1, P: 1})
	expect(0.5 / 3)
	put(2)
	put(3, model.Share{Class: 0, P: 0.4}) // one annotator in two and a half
	expect(2.5 / 5)
	put(2, model.Share{Class: 0, P: 0.5})
	expect(1.5 / 5)
	m.Remove(3)
	expect(0.5 / 4)
}

func TestViewsStayWhatTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	m := model.New(3, model.Exclusive, model.Defaults())
	for i := range 20 {
		if err := m.Upsert(makeExample(rng, int64(i), 3, model.Exclusive, true)); err != nil {
			t.Fatal(err)
		}
	}
	probe := makeExample(rng, 0, 3, model.Exclusive, true)
	probe.X = hashed.Encode("card lost zebra1 zebra2 zebra3 zebra4")
	v := m.View()
	want := predict(v, probe)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() { // reads while the model learns on; the race detector looks too
		for {
			select {
			case <-stop:
				return
			default:
				if got := predict(v, probe); !cmp.Equal(want, got) {
					t.Errorf("a view changed from %v to %v", want, got)
					return
				}
			}
		}
	})
	for i := range 60 {
		e := makeExample(rng, int64(i), 3, model.Exclusive, true)
		if i%6 == 0 {
			e.X = hashed.Encode(fmt.Sprintf("zebra%d card", i/6))
		}
		if err := m.Upsert(e); err != nil {
			t.Fatal(err)
		}
		m.Optimize(t.Context(), 0.1)
		m.View()
		m.Remove(int64(i * 7 % 60))
	}
	close(stop)
	wg.Wait()
}

func TestPutRefusesWhatIsNoExample(t *testing.T) {
	x := hashed.Encode("card")
	for name, e := range map[string]model.Example{
		"no weight":     {X: x, Target: []model.Share{{0, 1}}},
		"weight NaN":    {X: x, Weight: math.NaN(), Target: []model.Share{{0, 1}}},
		"half a target": {X: x, Weight: 1, Target: []model.Share{{0, 0.5}}},
		"unknown class": {X: x, Weight: 1, Target: []model.Share{{3, 1}}},
		"class twice":   {X: x, Weight: 1, Target: []model.Share{{1, 0.5}, {1, 0.5}}},
		"negative":      {X: x, Weight: 1, Target: []model.Share{{-1, 1}}},
		"share NaN":     {X: x, Weight: 1, Target: []model.Share{{1, float32(math.NaN())}}},
	} {
		m := model.New(3, model.Exclusive, model.Defaults())
		if err := m.Upsert(e); err == nil {
			t.Errorf("%s: taken", name)
		}
		if m.Len() != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}

func TestWithoutExamplesThePriorSpeaks(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	for _, link := range []model.Link{model.Exclusive, model.Independent} {
		s := model.Settings{Ridge: 0.01, Bias: 0.1, Parts: []float64{1, 0}, Trust: []float64{10}}
		prior := model.Prior{{Weights: []float32{1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, Bias: []float32{0, -0.1}}}
		m := model.NewFrom(prior, 2, link, s)
		x := hashed.Encode("card")
		x.Dense = [][]float32{{1, 0, 0, 0, 0}}
		before := predict(m.View(), model.Example{X: x})
		if before[0] < 0.99 {
			t.Errorf("link %v: %v, the prior says the first", link, before)
		}
		for i := range 20 {
			if err := m.Upsert(makeExample(rng, int64(i), 2, link, false)); err != nil {
				t.Fatal(err)
			}
		}
		m.Optimize(t.Context(), 1e-3)
		for i := range 20 {
			m.Remove(int64(i))
		}
		near(t, before, predict(m.View(), model.Example{X: x}), 0)
	}
}

// A deadline ends the walk although no timer has fired: on one busy core none does
// for a while.
func TestSettleLooksAtTheClock(t *testing.T) {
	m, _ := filled(t, 100, 10)
	if err := m.Upsert(model.Example{ID: 1, X: hashed.Encode("another one"), Weight: 1, Target: []model.Share{{Class: 1, P: 1}}}); err != nil {
		t.Fatal(err)
	}
	if s := m.Optimize(late{t.Context()}, 1e-9); s.Done || s.Passes > 0 {
		t.Errorf("after the deadline it made %d passes, done %v", s.Passes, s.Done)
	}
}

// late is past its deadline, but nothing has said so.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// A walk that is cut into pieces takes the same steps, so that results do not
// depend on how busy the machine is.
func TestShortWalksEndExactlyWhereALongOneDoes(t *testing.T) {
	for _, link := range []model.Link{model.Exclusive, model.Independent} {
		shortWalks(t, link, 70)
	}
	shortWalks(t, model.Exclusive, 1100) // the long one measures on all cores
}

func shortWalks(t *testing.T, link model.Link, n int) {
	rng := rand.New(rand.NewPCG(11, 12))
	long, short := model.New(3, link, model.Defaults()), model.New(3, link, model.Defaults())
	for i := range n {
		e := makeExample(rng, int64(i), 3, link, true)
		for _, m := range []*model.Model{long, short} {
			if err := m.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	long.Optimize(t.Context(), 1e-3)
	slice := &steps{Context: context.Background()}
	for !short.Optimize(slice, 1e-3).Done {
		slice.left = rng.IntN(4)
	}
	for range 10 {
		e := makeExample(rng, 0, 3, link, true)
		near(t, predict(long.View(), e), predict(short.View(), e), 0)
	}
}
