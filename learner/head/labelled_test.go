package head_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
)

// An estimate says how many examples have each label: of those that are there now, whatever was
// there before.
func TestEstimatesCountTheLabelled(t *testing.T) {
	data := json.RawMessage(`{"text":"one text"}`)
	share := func(shares ...model.Share) []model.Share { return shares }
	one := func(class int32) []model.Share { return share(model.Share{Class: class, P: 1}) }
	for tag, c := range map[string]struct {
		before, targets [][]model.Share
		want            []int
		ordered         bool
	}{
		`<Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices>`: {
			before:  [][]model.Share{one(0), one(0), one(1), one(2)},
			targets: [][]model.Share{one(1), one(1), share(model.Share{Class: 0, P: .4}, model.Share{Class: 2, P: .6})}, want: []int{0, 2, 1},
		},
		`<Choices name="c" toName="t" choice="multiple"><Choice value="a"/><Choice value="b"/></Choices>`: {
			before:  [][]model.Share{nil, one(1)},
			targets: [][]model.Share{nil, share(model.Share{P: 1}, model.Share{Class: 1, P: 1}), share(model.Share{P: .3}, model.Share{Class: 1, P: .5})}, want: []int{1, 2},
		},
		`<Taxonomy name="c" toName="t"><Choice value="a"/><Choice value="b"/></Taxonomy>`: {
			before: [][]model.Share{one(0)}, targets: [][]model.Share{one(1), share(model.Share{P: 1}, model.Share{Class: 1, P: 1})}, want: []int{1, 2},
		},
		// Targets of a scale are the steps that are passed: levels 1, 3, 3 and 5.
		`<Rating name="c" toName="t" maxRating="5"/>`: {
			before: [][]model.Share{nil, nil},
			targets: [][]model.Share{
				nil, share(model.Share{P: 1}, model.Share{Class: 1, P: 1}), share(model.Share{P: 1}, model.Share{Class: 1, P: 1}),
				share(model.Share{P: 1}, model.Share{Class: 1, P: 1}, model.Share{Class: 2, P: 1}, model.Share{Class: 3, P: 1}),
			},
			want: []int{1, 0, 2, 0, 1}, ordered: true,
		},
	} {
		q := headtest.SpecOf(t, `<View><Text name="t" value="$text"/>`+tag+`</View>`)
		m := q.Kind.NewModel(q, q.Kind.Space().Defaults)
		x := q.Kind.Features(q, data, ngram.New())
		for round, targets := range [][][]model.Share{c.before, c.targets} {
			for i, target := range targets {
				if err := m.Upsert(model.Example{ID: int64(i), X: x, Weight: 1, Target: target}); err != nil {
					t.Fatal(err)
				}
			}
			for i := len(targets); round == 1 && i < len(c.before); i++ {
				m.Remove(int64(i))
			}
		}
		p := q.Kind.Snapshot(q, m)
		if err := m.Upsert(model.Example{ID: 99, X: x, Weight: 1, Target: c.targets[len(c.targets)-1]}); err != nil { // no part of the snapshot
			t.Fatal(err)
		}
		got := p.Estimate(head.Sample{Data: data, X: x}, make([]float64, p.Classes()), new(head.Scratch)).Classes
		if !slices.Equal(got.Labelled, c.want) || got.Ordered != c.ordered {
			t.Errorf("%s: %v, ordered %v, want %v", tag, got.Labelled, got.Ordered, c.want)
		}
	}
}

// Which side of a pair is better has no meaning of its own, so there is nothing to balance.
func TestSidesOfPairsAreNotCounted(t *testing.T) {
	q := headtest.SpecOf(t, `<View><Text name="t" value="$text"/><Pairwise name="c" toName="t,u"/><Text name="u" value="$u"/></View>`)
	p := q.Kind.Snapshot(q, q.Kind.NewModel(q, q.Kind.Space().Defaults))
	data := json.RawMessage(`{"text":"one text","u":"another"}`)
	got := p.Estimate(head.Sample{Data: data, X: q.Kind.Features(q, data, ngram.New())}, make([]float64, 2), new(head.Scratch))
	if got.Classes.Labelled != nil || got.Classes.Ordered {
		t.Errorf("%+v", got.Classes)
	}
	// A pair of equal texts has no features, and so no estimate: no answer would teach anything.
	same := json.RawMessage(`{"text":"one text","u":"one text"}`)
	if x := q.Kind.Features(q, same, ngram.New()); !x.Empty() {
		t.Errorf("%+v", x)
	}
}

// A text is the less certain, the less is known of what it says: the variance of the prediction
// (Cohn, Ghahramani & Jordan 1996).
func TestNumbersAreCertainWhereTheVarianceIsSmall(t *testing.T) {
	q := headtest.SpecOf(t, `<View><Text name="t" value="$text"/><Number name="c" toName="t" min="0" max="100"/></View>`)
	m := q.Kind.NewModel(q, q.Kind.Space().Defaults)
	h := ngram.New()
	for i, text := range []string{"cheap small flat", "cheap flat", "small cheap flat", "dear large house", "dear house", "large dear house", "cheap house", "dear flat"} {
		if err := m.Upsert(model.Example{ID: int64(i), X: h.Encode(text), Weight: 1, Target: []model.Share{{P: []float32{10, 12, 9, 80, 82, 85, 30, 55}[i]}}}); err != nil {
			t.Fatal(err)
		}
	}
	m.Optimize(t.Context(), 1e-6)
	p := q.Kind.Snapshot(q, m)
	certainty := func(text string) float64 {
		return p.Estimate(head.Sample{X: h.Encode(text)}, nil, new(head.Scratch)).Certainty
	}
	known, half, unknown := certainty("cheap small flat"), certainty("cheap small yacht"), certainty("zeppelin without windows")
	if !(known > half && half > unknown && unknown > 0 && known < 1) {
		t.Errorf("%g of a text that is known, %g of half of it, %g of a new one", known, half, unknown)
	}
}
