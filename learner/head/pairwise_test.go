package head

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/score"
)

func pair(t testing.TB) *Spec {
	t.Helper()
	cfg, err := labelconfig.Parse(`<View><Pairwise name="c" toName="a,b"/><Text name="a" value="$left"/><Text name="b" value="$right"/></View>`)
	if err != nil || len(Decide(cfg).Learned()) != 1 {
		t.Fatal(err, cfg)
	}
	return NewSpec(Decide(cfg).Learned()[0])
}

func pairData(left, right string) []byte {
	return []byte(`{"left":"` + left + `","right":"` + right + `"}`)
}

// Swapping the texts swaps the answer, and a model that learned every example
// with its sides swapped is the same model.
func TestPairwiseIsAntisymmetric(t *testing.T) {
	q := pair(t)
	h := ngram.New()
	texts, _ := graded(12, 4)
	rapid.Check(t, func(t *rapid.T) {
		m, mirrored := q.Kind.NewModel(q, q.Kind.Space().Defaults), q.Kind.NewModel(q, q.Kind.Space().Defaults)
		for id := range rapid.IntRange(1, 15).Draw(t, "examples") {
			left, right := rapid.SampledFrom(texts).Draw(t, "left"), rapid.SampledFrom(texts).Draw(t, "right")
			said, other := "left", "right"
			if rapid.Bool().Draw(t, "right is better") {
				said, other = other, said
			}
			for _, to := range []struct {
				data []byte
				said string
				m    Incremental
			}{
				{pairData(left, right), said, m},
				{pairData(right, left), other, mirrored},
			} {
				state := event.TaskState{
					Task:        event.Task{ID: event.TaskID(id + 1), Data: to.data},
					Annotations: []event.Annotation{{ID: 1, Result: []byte(`[{"from_name":"c","value":{"selected":"` + to.said + `"}}]`)}},
				}
				teach(t, q, to.m, state, q.Kind.Features(q, to.data, h), nil)
			}
		}
		if m.Len() == 0 {
			return
		}
		m.Optimize(t.Context(), 1e-3)
		mirrored.Optimize(t.Context(), 1e-3)
		var s Scratch
		left, right := rapid.SampledFrom(texts).Draw(t, "left"), rapid.SampledFrom(texts).Draw(t, "right")
		there, back := q.Kind.Features(q, pairData(left, right), h), q.Kind.Features(q, pairData(right, left), h)
		p := q.Kind.Snapshot(q, m).Estimate(Sample{X: there}, make([]float64, 2), &s).Classes.P
		swapped := q.Kind.Snapshot(q, m).Estimate(Sample{X: back}, make([]float64, 2), &s).Classes.P
		if math.Abs(p[0]-swapped[1]) > 1e-12 || math.Abs(p[0]+p[1]-1) > 1e-12 {
			t.Fatalf("%v, swapped %v", p, swapped)
		}
		other := q.Kind.Snapshot(q, mirrored).Estimate(Sample{X: there}, make([]float64, 2), &s).Classes.P
		if math.Abs(p[0]-other[0]) > 2.1e-3 {
			t.Fatalf("%v, learned from swapped examples %v", p, other)
		}
	})
}

func TestPairwiseLearnsWhatIsBetter(t *testing.T) {
	q := pair(t)
	m, e := q.Kind.NewModel(q, q.Kind.Space().Defaults), ngram.New()
	var progress score.Prequential
	texts, worth := graded(800, 6)
	right := 0
	for i := 0; i < len(texts); i += 2 {
		data := pairData(texts[i], texts[i+1])
		said := "left"
		if worth[i+1] > worth[i] {
			said = "right"
		}
		x := q.Kind.Features(q, data, e)
		if i >= 600 {
			answer, sure := q.Kind.Snapshot(q, m).Predict("i", Sample{X: x}, new(Scratch))
			if a := regions.Choices(q.Control, answer); !a.OK || sure < 0.5 || sure > 1 {
				t.Fatalf("%+v, %g", answer, sure)
			} else if a.Labels[0] == said {
				right++
			}
			continue
		}
		state := event.TaskState{
			Task:        event.Task{ID: event.TaskID(i + 1), Data: data},
			Annotations: []event.Annotation{{ID: 1, Result: []byte(`[{"from_name":"c","to_name":"c","value":{"selected":"` + said + `"}}]`)}},
		}
		teach(t, q, m, state, x, &progress)
		m.Optimize(t.Context(), 0.01)
	}
	if right < 75 {
		t.Errorf("%d of 100 right", right)
	}
	if progress.Cumulative.Tasks != 299 || progress.Cumulative.Accuracy() < 0.6 || progress.Cumulative.MacroF1() < 0.6 {
		t.Errorf("progressive scores %+v", progress.Cumulative)
	}
}

// A pair and a question about the same two texts do not share encodings, and a
// pair without one of its texts, or of the same text twice, has nothing to go by.
func TestPairsAreEncodedByThemselves(t *testing.T) {
	cfg, err := labelconfig.Parse(`<View><Pairwise name="c" toName="a,b"/><Text name="a" value="$left"/><Text name="b" value="$right"/>
		<Choices name="d" toName="a,b"><Choice value="x"/><Choice value="y"/></Choices><Rating name="e" toName="a,b"/></View>`)
	if err != nil || len(Decide(cfg).Learned()) != 3 {
		t.Fatal(err)
	}
	e := ngram.New()
	seeds := map[uint64]bool{}
	var terms []int
	for _, d := range Decide(cfg).Learned() {
		q := NewSpec(d)
		seeds[q.Seed] = true
		terms = append(terms, len(q.Kind.Features(q, pairData("alpha beta", "alpha gamma"), e).Terms))
	}
	if terms[0] == terms[1] || terms[1] != terms[2] || len(seeds) != 2 {
		t.Errorf("numbers of terms %v, %d keys", terms, len(seeds))
	}
	q := pair(t)
	for _, data := range []string{`{"left":"alpha"}`, `{"left":"alpha","right":"alpha"}`, `{"left":"alpha","right":""}`} {
		if x := q.Kind.Features(q, []byte(data), e); !x.Empty() {
			t.Errorf("%s: %+v", data, x)
		}
	}
}
