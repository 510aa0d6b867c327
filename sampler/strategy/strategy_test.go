package strategy

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
)

func dist(exclusive bool, p ...float64) event.Estimate {
	return event.Estimate{Control: "c", Classes: &event.Distribution{Labels: make([]string, len(p)), P: p, Exclusive: exclusive}}
}

func TestStrategyKnownAnswers(t *testing.T) {
	h := func(p float64) float64 { return -p*math.Log2(p) - (1-p)*math.Log2(1-p) }
	for _, c := range []struct {
		strategy string
		e        event.Estimate
		want     float64
	}{
		{NameMargin, dist(true, .5, .3, .2), .2},
		{NameMargin, dist(true, .25, .25, .5), .25},
		{NameMargin, dist(true, 1, 0), 1},
		{NameMargin, dist(true, 2, 1, 1), .25}, // numbers that do not sum to 1 are scaled
		{NameMargin, dist(false, .9, .4, .99), .2},
		{NameLeastConfidence, dist(true, .6, .4), .2},
		{NameLeastConfidence, dist(true, .4, .3, .3), .1},
		{NameLeastConfidence, dist(false, .9), .8},
		{NameLeastConfidence, dist(false, .9, .4), 2*math.Sqrt(.9*.6) - 1},
		{NameEntropy, dist(true, .9, .1), 1 - h(.9)},
		{NameEntropy, dist(true, .25, .25, .25, .25), 0},
		{NameEntropy, dist(true, 1, 0, 0), 1},
		{NameEntropy, dist(false, .9, .4), 1 - (h(.9)+h(.4))/2},
		{NameRandom, dist(true, .9, .1), .5},
	} {
		f, err := Named(c.strategy)
		require.NoError(t, err)
		got, ok := f.Score(c.e)
		assert.True(t, ok, "%s of %v", c.strategy, c.e.Classes.P)
		assert.InDelta(t, c.want, got, 1e-12, "%s of %v", c.strategy, c.e.Classes.P)
	}
}

func TestStrategyErrorListsTheNames(t *testing.T) {
	_, err := Named("uncertain")
	require.Error(t, err)
	for _, name := range Names() {
		assert.Contains(t, err.Error(), name)
		_, err := Named(name)
		assert.NoError(t, err)
	}
	assert.True(t, strings.Contains(err.Error(), `"uncertain"`))
}

// What a head may say at worst: any floats at all.
func TestStrategyScoresStayInRangeWhateverTheNumbers(t *testing.T) {
	for _, name := range []string{NameMargin, NameLeastConfidence, NameEntropy} {
		f, _ := Named(name)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			d := event.Distribution{
				P:         rapid.SliceOf(rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 1), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)))).Draw(t, "p"),
				Exclusive: rapid.Bool().Draw(t, "exclusive"),
			}
			in := slices.Clone(d.P)
			s, ok := f.Score(event.Estimate{Classes: &d})
			if ok && !(s >= 0 && s <= 1) {
				t.Fatalf("score %v", s)
			}
			for i := range in {
				if math.Float64bits(in[i]) != math.Float64bits(d.P[i]) {
					t.Fatalf("input was changed")
				}
				if math.IsNaN(in[i]) && ok {
					t.Fatalf("a NaN was scored")
				}
			}
		}))
	}
}

func TestStrategyDoesNotDependOnTheOrderOfLabels(t *testing.T) {
	for _, name := range []string{NameMargin, NameLeastConfidence, NameEntropy} {
		f, _ := Named(name)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			p := rapid.SliceOfN(rapid.Float64Range(0, 1), 2, 20).Draw(t, "p")
			p[0] = max(p[0], .01)
			d := dist(rapid.Bool().Draw(t, "exclusive"), p...)
			before, ok := f.Score(d)
			shuffled := dist(d.Classes.Exclusive, slices.Clone(p)...)
			q := shuffled.Classes.P
			rand.Shuffle(len(p), func(i, j int) { q[i], q[j] = q[j], q[i] })
			after, ok2 := f.Score(shuffled)
			if ok != ok2 || math.Abs(before-after) > 1e-12 {
				t.Fatalf("%v gives %v, %v gives %v", p, before, q, after)
			}
		}))
	}
}

// With two labels all measures must agree on which of two tasks is asked first.
func TestStrategiesAgreeOnTwoLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Float64Range(0.5, 1).Draw(t, "a")
		b := rapid.Float64Range(0.5, 1).Draw(t, "b")
		if b-a < 1e-6 {
			return
		}
		for _, name := range []string{NameMargin, NameLeastConfidence, NameEntropy} {
			for _, exclusive := range []bool{true, false} {
				f, _ := Named(name)
				sa, _ := f.Score(dist(exclusive, a, 1-a))
				sb, _ := f.Score(dist(exclusive, b, 1-b))
				if sa >= sb {
					t.Fatalf("%s: %v scores %v, %v scores %v", name, a, sa, b, sb)
				}
			}
		}
	})
}

// A head without classes is scored like a question of two labels, the answer's being right
// and its being wrong, whether these are written as one label or as two. So such a head
// keeps its place among heads with classes.
func TestCertaintiesAreScoredLikeAQuestionOfTwoLabels(t *testing.T) {
	for _, name := range Names() {
		f, _ := Named(name)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			c := rapid.Float64Range(0, 1).Draw(t, "certainty")
			p := (1 + c) / 2
			got, ok := f.Score(event.Estimate{Control: "c", Certainty: c})
			one, ok1 := f.Score(dist(false, p))
			two, ok2 := f.Score(dist(true, p, 1-p))
			if !ok || !ok1 || !ok2 {
				t.Fatalf("certainty %v: %v, %v, %v", c, ok, ok1, ok2)
			}
			if got != two {
				t.Fatalf("certainty %v scores %v, two labels %v", c, got, two)
			}
			// The likeliest set of labels is a product, by logarithms, which rounds.
			if rounded := name == NameLeastConfidence; !rounded && got != one || math.Abs(got-one) > 1e-15 {
				t.Fatalf("certainty %v scores %v, one label %v", c, got, one)
			}
		}))
	}
}

func TestACertaintyOutOfRangeSaysNothing(t *testing.T) {
	for _, name := range []string{NameMargin, NameLeastConfidence, NameEntropy} {
		f, _ := Named(name)
		for _, c := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
			_, ok := f.Score(event.Estimate{Certainty: c})
			assert.False(t, ok, "%s of %v", name, c)
		}
	}
}

func TestCombineTakesTheLeastSureHeadAndAbstainsWithoutAny(t *testing.T) {
	s, ok := Combine(Margin{}, []event.Estimate{dist(true, .9, .1), dist(true, .55, .45), dist(true, 1)})
	assert.True(t, ok)
	assert.InDelta(t, .1, s, 1e-12)
	s, ok = Combine(Margin{}, []event.Estimate{dist(true, math.NaN(), .1), dist(true), dist(false)})
	assert.False(t, ok)
	assert.Equal(t, 1.0, s)
}

func FuzzStrategy(f *testing.F) {
	f.Add(0.1, 0.2, 0.7, true)
	f.Fuzz(func(t *testing.T, a, b, c float64, exclusive bool) {
		for _, name := range Names() {
			fn, _ := Named(name)
			if s, ok := fn.Score(dist(exclusive, a, b, c)); ok && !(s >= 0 && s <= 1) {
				t.Fatalf("%s of %v, %v, %v: %v", name, a, b, c, s)
			}
		}
	})
}

func scale(p ...float64) event.Estimate {
	e := dist(true, p...)
	e.Classes.Ordered = true
	return e
}

// Of a scale what counts is how sure the median is: two likely levels at both ends leave it in
// doubt as far as the sides are even, and no more.
func TestScalesAreScoredByTheirSteps(t *testing.T) {
	h := func(p float64) float64 { return -p*math.Log2(p) - (1-p)*math.Log2(1-p) }
	for _, c := range []struct {
		strategy string
		e        event.Estimate
		want     float64
	}{
		{NameMargin, scale(.3, .1, .2, .1, .3), .2}, // the two likeliest levels are equal
		{NameMargin, scale(.1, .45, .45), .1},
		{NameMargin, scale(.05, .45, .5), 0},
		{NameMargin, scale(0, 1, 0), 1},
		{NameMargin, scale(2, 1, 1), 0},
		{NameLeastConfidence, scale(.5, 0, .5), 0},
		{NameLeastConfidence, scale(0, .5, .5), 2*math.Sqrt(.5) - 1},
		{NameEntropy, scale(.5, 0, .5), 0},
		{NameEntropy, scale(0, .5, .5), .5},
		{NameEntropy, scale(.2, .3, .5), 1 - (h(.2)+h(.5))/2},
	} {
		f, err := Named(c.strategy)
		require.NoError(t, err)
		got, ok := f.Score(c.e)
		assert.True(t, ok)
		assert.InDelta(t, c.want, got, 1e-12, "%s of %v", c.strategy, c.e.Classes.P)
	}
}

// Turning a scale around changes no score, whatever the numbers no score leaves its range, and with
// two levels a scale is a question of two labels.
func TestScoresOfScales(t *testing.T) {
	for _, name := range []string{NameMargin, NameLeastConfidence, NameEntropy} {
		f, _ := Named(name)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			p := rapid.SliceOfN(rapid.Float64Range(0, 1), 2, 12).Draw(t, "p")
			p[0] = max(p[0], .01)
			turned := slices.Clone(p)
			slices.Reverse(turned)
			a, ok := f.Score(scale(p...))
			b, ok2 := f.Score(scale(turned...))
			if !ok || !ok2 || math.Abs(a-b) > 1e-9 || a < 0 || a > 1 {
				t.Fatalf("%v scores %v, turned around %v", p, a, b)
			}
			two, _ := f.Score(scale(p[0], p[1]))
			if question, _ := f.Score(dist(true, p[0], p[1])); math.Abs(two-question) > 1e-9 {
				t.Fatalf("a scale of two scores %v, a question %v", two, question)
			}
			odd := rapid.SliceOf(rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)))).Draw(t, "odd")
			if s, ok := f.Score(scale(odd...)); ok && !(s >= 0 && s <= 1) {
				t.Fatalf("%v scores %v", odd, s)
			}
		}))
	}
}
