package head_test

import (
	"encoding/json"
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
)

// A head gives probabilities to its control's labels if it chooses among them, and none
// otherwise: what reads them must not take a number or spans for a choice.
func TestEstimatesHaveTheClassesOfTheControlOrNone(t *testing.T) {
	for tag, classes := range map[string]bool{
		`<Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/></Choices>`:                   true,
		`<Choices name="c" toName="t" choice="multiple"><Choice value="a"/><Choice value="b"/></Choices>`: true,
		`<Taxonomy name="c" toName="t"><Choice value="a"/><Choice value="b"/></Taxonomy>`:                 true,
		`<Rating name="c" toName="t"/>`:                                true,
		`<Number name="c" toName="t"/>`:                                false,
		`<Labels name="c" toName="t"><Label value="a"/></Labels>`:      false,
		`<Pairwise name="c" toName="t,u"/><Text name="u" value="$u"/>`: true,
	} {
		q := headtest.SpecOf(t, `<View><Text name="t" value="$text"/>`+tag+`</View>`)
		p := q.Kind.Snapshot(q, q.Kind.NewModel(q, q.Kind.Space().Defaults))
		data := json.RawMessage(`{"text":"one text","u":"another"}`)
		got := p.Estimate(head.Sample{Data: data, X: q.Kind.Features(q, data, ngram.New())}, make([]float64, p.Classes()), new(head.Scratch))
		if got.Control != "c" || (got.Classes != nil) != classes || (p.Classes() > 0) != classes {
			t.Errorf("%s: estimate %+v, %d classes", tag, got, p.Classes())
		}
		if got.Classes == nil {
			continue
		}
		if len(got.Classes.P) != len(q.Labels) || len(got.Classes.Labels) != len(q.Labels) || p.Classes() != len(q.Labels) {
			t.Errorf("%s: estimate %+v of %v", tag, got.Classes, q.Labels)
		}
	}
}
