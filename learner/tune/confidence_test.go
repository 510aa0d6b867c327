package tune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
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
	if math.Abs(difference) > 0.15 {
		t.Errorf("the confidence is %+.3f from the accuracy", difference)
	}
}
