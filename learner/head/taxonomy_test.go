package head

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
)

func parsed(t testing.TB, control string) *Spec {
	t.Helper()
	cfg, err := labelconfig.Parse(`<View><Text name="t" value="$text"/>` + control + `</View>`)
	if err != nil || len(Decide(cfg).Learned()) != 1 {
		t.Fatal(err, cfg)
	}
	return NewSpec(Decide(cfg).Learned()[0])
}

const tree = `<Taxonomy name="c" toName="t"><Choice value="Animal"><Choice value="Cat"/><Choice value="Dog"/></Choice><Choice value="Plant"/></Taxonomy>`

// Which of the two models a taxonomy has, and where it ends, depends on the
// examples that are left.
func TestTaxonomyIsAFunctionOfItsExamples(t *testing.T) {
	q := parsed(t, tree)
	words := []string{"whiskers", "barks", "leaf", "paw tail", "green leaf", "whiskers barks"}
	h := ngram.New()
	settings := q.Kind.Space().Defaults
	settings.Ridge = 0.1
	rapid.Check(t, func(t *rapid.T) {
		m := q.Kind.NewModel(q, settings)
		left := map[int64]model.Example{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			id := rapid.Int64Range(1, 8).Draw(t, "id")
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				m.Remove(id)
				delete(left, id)
				continue
			}
			e := model.Example{ID: id, Weight: 1, X: h.Encode(rapid.SampledFrom(words).Draw(t, "text"))}
			for y := range q.Labels {
				if rapid.IntRange(0, 3).Draw(t, "chosen") == 0 {
					e.Target = append(e.Target, model.Share{Class: int32(y), P: 1})
				}
			}
			if len(e.Target) == 0 || rapid.Bool().Draw(t, "one") {
				e.Target = []model.Share{{Class: int32(id % 4), P: 1}}
			}
			if err := m.Upsert(e); err != nil {
				t.Fatal(err)
			}
			left[id] = e
		}
		fresh := q.Kind.NewModel(q, settings)
		several := false
		for _, e := range left {
			several = several || len(e.Target) > 1
			if err := fresh.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
		m.Optimize(t.Context(), 1e-3)
		fresh.Optimize(t.Context(), 1e-3)
		if m.Len() != len(left) || m.(*taxonomyModel).multiLabel != several {
			t.Fatalf("%d examples, want %d; several %v, want %v", m.Len(), len(left), m.(*taxonomyModel).multiLabel, several)
		}
		got, want := q.Kind.Snapshot(q, m), q.Kind.Snapshot(q, fresh)
		var s Scratch
		for _, w := range words {
			a := got.Estimate(Sample{X: h.Encode(w)}, make([]float64, 4), &s).Classes
			b := want.Estimate(Sample{X: h.Encode(w)}, make([]float64, 4), &s).Classes
			if a.Exclusive != !several || a.Exclusive != b.Exclusive {
				t.Fatalf("exclusive %v and %v with several %v", a.Exclusive, b.Exclusive, several)
			}
			for y := range a.P {
				if math.Abs(a.P[y]-b.P[y]) > 2.1e-3 {
					t.Fatalf("%q: %v, from scratch %v", w, a.P, b.P)
				}
			}
		}
	})
}

func TestTaxonomyAnswersArePathsOfTheConfig(t *testing.T) {
	for _, tc := range []struct {
		attrs string
		most  int
	}{{``, 4}, {` maxUsages="1"`, 1}, {` maxUsages="2"`, 2}} {
		q := parsed(t, `<Taxonomy name="c" toName="t"`+tc.attrs+tree[len(`<Taxonomy name="c" toName="t"`):])
		h := ngram.New()
		m := q.Kind.NewModel(q, q.Kind.Space().Defaults)
		for id := range int64(20) {
			e := model.Example{ID: id, Weight: 1, X: h.Encode("whiskers")}
			for y := range min(tc.most, 3) {
				e.Target = append(e.Target, model.Share{Class: int32(y), P: 1})
			}
			if err := m.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
		m.Optimize(t.Context(), 1e-3)
		var s Scratch
		for text, fewest := range map[string]int{"whiskers": min(tc.most, 3), "an unheard text": 1} {
			answer, sure := q.Kind.Snapshot(q, m).Predict("i", Sample{X: h.Encode(text)}, &s)
			said := regions.Choices(q.Control, answer)
			if len(said.Labels) < fewest || len(said.Labels) > tc.most || len(said.Unknown) > 0 || !(sure > 0 && sure <= 1) {
				t.Errorf("%s %q: %+v, %g", tc.attrs, text, said, sure)
			}
		}
	}
}

func TestUnopenedTaxonomyTeachesNothing(t *testing.T) {
	q := parsed(t, tree)
	said := q.Kind.Aggregate(q, event.TaskState{Annotations: []event.Annotation{
		{ID: 1, Result: []byte(`[]`)},
		{ID: 2, Result: []byte(`[{"from_name":"c","value":{"taxonomy":[["Animal","Cat"],["Plant"]]}}]`)},
	}})
	if len(said.Annotations) != 1 || said.Annotations[0] != 2 || len(said.Target) != 2 {
		t.Errorf("aggregate = %+v", said)
	}
}
