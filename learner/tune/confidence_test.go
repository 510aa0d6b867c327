package tune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
)

// With about as many labels as classes a model is as sure of its answers as they are right, though it
// cannot know the classes that nobody has labelled.
func TestAModelThatHasNotSeenAllClassesIsAsSureAsItIsRight(t *testing.T) {
	const classes, n, tested = 40, 50, 1000
	var config strings.Builder
	config.WriteString(`<View><Text name="t" value="$text"/><Choices name="c" toName="t">`)
	for y := range classes {
		fmt.Fprintf(&config, `<Choice value="A%d"/>`, y)
	}
	config.WriteString(`</Choices></View>`)
	q := headtest.SpecOf(t, config.String())
	var difference float64
	const orders = 5
	for seed := range uint64(orders) {
		rng := rand.New(rand.NewPCG(seed, 1))
		h := ngram.New()
		made := func(id int) model.Example {
			class := rng.IntN(classes)
			text := fmt.Sprintf("topic%d word%d word%d word%d word%d", class, rng.IntN(50), rng.IntN(50), rng.IntN(50), rng.IntN(50))
			return model.Example{ID: int64(id), X: h.Encode(text), Weight: 1, Target: []model.Share{{Class: int32(class), P: 1}}}
		}
		var examples []model.Example
		for id := range n {
			examples = append(examples, made(id))
		}
		s, err := Search(t.Context(), q, examples, make(chan struct{}, 2), func() {})
		if err != nil {
			t.Fatal(err)
		}
		m, err := Build(t.Context(), q, examples, s, 0.1, func(float64) {})
		if err != nil {
			t.Fatal(err)
		}
		p, scratch := q.Kind.Snapshot(q, m), new(head.Scratch)
		for id := range tested {
			e := made(n + id)
			d := p.Estimate(head.Sample{X: e.X}, make([]float64, classes), scratch).Classes
			best := 0
			for y := range d.P {
				if d.P[y] > d.P[best] {
					best = y
				}
			}
			difference += d.P[best] / tested / orders
			if best == int(e.Target[0].Class) {
				difference -= 1.0 / tested / orders
			}
		}
	}
	if math.Abs(difference) > 0.1 {
		t.Errorf("the confidence is %+.3f from the accuracy", difference)
	}
}

// A model that knows classes by their names is right about those that nobody has labelled too, and
// nothing is taken from how sure it is of them.
func TestAModelIsSureOfClassesThatItKnowsByName(t *testing.T) {
	names := strings.Fields("dog bank river guitar bread hospital football winter airplane painting church elephant")
	config := `<View><Text name="t" value="$text"/><Choices name="c" toName="t">`
	for _, n := range names {
		config += `<Choice value="` + n + `"/>`
	}
	e := encode.Union(ngram.New(), static.Default())
	q := headtest.SpecOf(t, config+`</Choices></View>`).WithEncoder(e)
	var examples []model.Example
	for i, n := range names[:10] {
		examples = append(examples, model.Example{ID: int64(i + 1), X: e.Encode("this one is about the " + n), Weight: 1, Target: []model.Share{{Class: int32(i), P: 1}}})
	}
	s, err := Search(t.Context(), q, examples, make(chan struct{}, 1), func() {})
	if err != nil {
		t.Fatal(err)
	}
	if s.Power < 1 {
		t.Errorf("the power of probabilities that are right is %.2g", s.Power)
	}
}

func TestExpectedKnown(t *testing.T) {
	const classes = 50
	for _, c := range []struct {
		name      string
		frequency func(class int) float64
	}{
		{"equally frequent", func(int) float64 { return 1 }},
		{"ever rarer", func(class int) float64 { return 1 / float64(class+1) }},
		{"two frequent ones", func(class int) float64 { return 1 / float64(1+99*min(1, class/2)) }},
	} {
		var sum float64
		for class := range classes {
			sum += c.frequency(class)
		}
		var difference, squares float64
		const runs = 200
		for seed := range uint64(runs) {
			rng := rand.New(rand.NewPCG(seed, 1))
			counts := map[int32]float64{}
			for range classes {
				class, at := 0, rng.Float64()*sum
				for ; class < classes-1 && at >= c.frequency(class); class++ {
					at -= c.frequency(class)
				}
				counts[int32(class)]++
			}
			known := 0.0
			for class := range counts {
				known += c.frequency(int(class)) / sum
			}
			d := expectedKnown(counts, classes) - known
			difference += d / runs
			squares += d * d / runs
		}
		if math.Abs(difference) > 0.05 || math.Sqrt(squares) > 0.08 {
			t.Errorf("%s: %+.3f too much, by %.3f", c.name, difference, math.Sqrt(squares))
		}
	}
	if k := expectedKnown(map[int32]float64{0: 1, 1: 2}, 2); k != 1 {
		t.Errorf("all classes were seen, and %g of them are known", k)
	}
}
