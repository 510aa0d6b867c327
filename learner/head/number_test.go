package head

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// graded are texts of five words of which each is worth something, and their
// worth, 0 to 10, give or take a little.
func graded(n int, seed uint64) (texts []string, worth []float64) {
	rng := rand.New(rand.NewPCG(seed, 8))
	for range n {
		text, sum := "", 0.0
		for range 5 {
			k := rng.IntN(11)
			text += fmt.Sprintf("word%c ", 'a'+k)
			sum += float64(k) / 5
		}
		texts = append(texts, text)
		worth = append(worth, min(10, max(0, sum+rng.NormFloat64()/4)))
	}
	return texts, worth
}

// teach has a model learn what annotators said of a task, and counts in p, if not nil, how
// well it predicts that before.
func teach(t interface{ Fatal(...any) }, q *Spec, m Incremental, state event.TaskState, x vector.Vector, p *score.Prequential) {
	said := q.Kind.Aggregate(q, state)
	if said.Unreadable > 0 || len(said.Annotations) == 0 {
		t.Fatal(said)
	}
	e := model.Example{ID: int64(state.Task.ID), X: x, Target: said.Target, Weight: 1}
	if p != nil && m.Len() > 0 {
		q.Kind.Score(q, m, e, p)
	}
	if err := m.Upsert(e); err != nil {
		t.Fatal(err)
	}
}

// learned is a model that has learned what write makes of each text's worth.
func learned(t testing.TB, q *Spec, n int, write func(worth float64) regions.Region) Incremental {
	t.Helper()
	m := q.Kind.NewModel(q, q.Kind.Space().Defaults)
	e := ngram.New()
	texts, worth := graded(n, 1)
	for i, text := range texts {
		raw, err := (wire.PredictResponse{Results: []wire.Prediction{{Result: []regions.Region{write(worth[i])}}}}).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		raw = raw[len(`{"results":[{"result":`):]
		raw = raw[:len(raw)-len(`,"score":0}]}`)]
		state := event.TaskState{Task: event.Task{ID: event.TaskID(i + 1)}, Annotations: []event.Annotation{{ID: event.AnnotationID(i + 1), Result: raw}}}
		teach(t, q, m, state, e.Encode(text), nil)
	}
	if !m.Optimize(t.Context(), 1e-3).Done {
		t.Fatal("it does not settle")
	}
	return m
}

func TestRatingFollowsTheText(t *testing.T) {
	q := parsed(t, `<Rating name="c" toName="t"/>`)
	level := func(worth float64) int { return 1 + int(min(4, worth/2)) }
	m := learned(t, q, 300, func(worth float64) regions.Region {
		return regions.EncodeChoices(q.Control, "r", []string{fmt.Sprint(level(worth))}, 1)
	})
	mind, e := q.Kind.Snapshot(q, m), ngram.New()
	texts, worth := graded(200, 2)
	var off, blind, sure float64
	right := 0
	for i, text := range texts {
		var s Scratch
		answer, confidence := mind.Predict("i", Sample{X: e.Encode(text)}, &s)
		said := regions.Choices(q.Control, answer)
		if !said.OK || len(said.Unknown) > 0 {
			t.Fatalf("the answer is %+v", said)
		}
		far := math.Abs(float64(q.class[said.Labels[0]]) + 1 - float64(level(worth[i])))
		off += far / 200
		blind += math.Abs(3-float64(level(worth[i]))) / 200
		sure += confidence / 200
		if far == 0 {
			right++
		}
		d := mind.Estimate(Sample{X: e.Encode(text)}, make([]float64, mind.Classes()), &s).Classes
		var sum float64
		for _, p := range d.P {
			sum += p
			if p < 0 {
				t.Fatalf("distribution %v", d.P)
			}
		}
		if math.Abs(sum-1) > 1e-9 || !d.Exclusive || len(d.Labels) != 5 {
			t.Fatalf("distribution %+v", d)
		}
	}
	if off > 0.7*blind || math.Abs(sure-float64(right)/200) > 0.15 {
		t.Errorf("mean error %.3f (always 3: %.3f), %d of 200 right where it was sure of %.3f", off, blind, right, sure)
	}
	if _, accuracy := q.Kind.Evaluate(q, m, examples(200, func(w float64) []model.Share { return above(level(w)) })); math.Abs(accuracy-float64(right)/200) > 0.01 {
		t.Errorf("judged accuracy %g, counted %d of 200", accuracy, right)
	}
}

func above(level int) (out []model.Share) {
	for k := range level - 1 {
		out = append(out, model.Share{Class: int32(k), P: 1})
	}
	return out
}

func examples(n int, target func(float64) []model.Share) (out []model.Example) {
	e := ngram.New()
	texts, worth := graded(n, 2)
	for i, text := range texts {
		out = append(out, model.Example{ID: int64(i), X: e.Encode(text), Target: target(worth[i]), Weight: 1})
	}
	return out
}

func TestLevelsAreADistributionInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		above := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 9).Draw(t, "above")
		p := make([]float64, len(above)+1)
		levelProbabilities(above, p)
		var sum float64
		for _, v := range p {
			if v < 0 {
				t.Fatalf("%v becomes %v", above, p)
			}
			sum += v
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("%v becomes %v", above, p)
		}
	})
	p := make([]float64, 4)
	levelProbabilities([]float64{0.9, 0.6, 0.2}, p)
	for y, want := range []float64{0.1, 0.3, 0.4, 0.2} {
		if math.Abs(p[y]-want) > 1e-12 {
			t.Fatalf("levels %v", p)
		}
	}
	if median(p) != 2 {
		t.Errorf("median %d", median(p))
	}
}

func TestAnnotatorsWhoDisagreeOnARating(t *testing.T) {
	q := parsed(t, `<Rating name="c" toName="t"/>`)
	said := q.Kind.Aggregate(q, event.TaskState{Annotations: []event.Annotation{
		{ID: 1, Result: []byte(`[{"from_name":"c","value":{"rating":1}}]`)},
		{ID: 2, Result: []byte(`[{"from_name":"c","value":{"rating":3}}]`)},
		{ID: 3, Result: []byte(`[{"from_name":"c","value":{"rating":9}}]`)}, // of another scale
	}})
	if got := fmt.Sprint(said.Target); got != "[{0 0.5} {1 0.5}]" || len(said.Annotations) != 2 {
		t.Errorf("target %s of %v", got, said.Annotations)
	}
}

func TestNumberFollowsTheTextAndTheConfig(t *testing.T) {
	for attrs, unit := range map[string]float64{``: 0, ` min="0" max="10"`: 0, ` min="0.5" max="9.25" step="0.5"`: 0.5} {
		q := parsed(t, `<Number name="c" toName="t"`+attrs+`/>`)
		m := learned(t, q, 300, func(worth float64) regions.Region { return regions.EncodeNumber(q.Control, "r", worth, 1) })
		mind, e := q.Kind.Snapshot(q, m), ngram.New()
		texts, worth := graded(200, 2)
		var off, blind, sure float64
		right := 0
		var s Scratch
		for i, text := range texts {
			answer, confidence := mind.Predict("i", Sample{X: e.Encode(text)}, &s)
			v, ok := regions.Number(q.Control, answer)
			if !ok || unit > 0 && math.Abs(math.Remainder(v-0.5, unit)) > 1e-9 {
				t.Fatalf("%s: the answer is %g, %v", attrs, v, ok)
			}
			off += math.Abs(v-worth[i]) / 200
			blind += math.Abs(5-worth[i]) / 200
			sure += confidence / 200
			if math.Abs(v-q.Control.Numbers.Nearest(worth[i])) <= newNumberPredictor(q, m).tolerance {
				right++
			}
			if got := mind.Estimate(Sample{X: e.Encode(text)}, nil, &s); got.Certainty != confidence {
				t.Fatalf("estimate %+v, confidence %v", got, confidence)
			}
		}
		if off > 0.6*blind || math.Abs(sure-float64(right)/200) > 0.15 {
			t.Errorf("%s: mean error %.3f (always 5: %.3f), %d of 200 right where it was sure of %.3f", attrs, off, blind, right, sure)
		}
	}
}

func TestOneNumberIsNotCertain(t *testing.T) {
	q := parsed(t, `<Number name="c" toName="t"/>`)
	m := q.Kind.NewModel(q, q.Kind.Space().Defaults)
	e := ngram.New()
	for i := range 3 {
		if err := m.Upsert(model.Example{ID: int64(i), Weight: 1, X: e.Encode("a text"), Target: []model.Share{{P: 7}}}); err != nil {
			t.Fatal(err)
		}
		m.Optimize(t.Context(), 1e-3)
		answer, sure := q.Kind.Snapshot(q, m).Predict("i", Sample{X: e.Encode("another text")}, new(Scratch))
		if v, ok := regions.Number(q.Control, answer); v != 7 || !ok || sure > float64(i+1)/float64(i+2) {
			t.Errorf("after %d answers of 7: %g, sure %g", i+1, v, sure)
		}
	}
}
