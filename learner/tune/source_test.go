package tune

import (
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/settings"
)

const sourceConfig = `<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="animal"/><Choice value="money"/></Choices></View>`

// Lines that are swapped are given up for the names by few labels, of which every fourth is
// wrong; those that are right are kept. With a whole standard error swapped ones are kept too, and
// with none right ones are given up.
func TestTheLabelsChooseBetweenNamesAndLines(t *testing.T) {
	e := encode.Union(ngram.New(), static.Default())
	texts := [][]string{
		{"the dog barks", "a cat sleeps all day", "horses and cows", "my puppy is small", "feed the birds", "a wild wolf", "sheep on the farm", "lions hunt", "the fish swims", "a bear in the woods"},
		{"cash and coins", "the bank lends", "pay the bill", "dollars and euros", "a loan with interest", "stocks and bonds", "my salary came", "a cheap price", "buy and sell", "the debt is due"},
	}
	described := func(animal, money string) *head.Spec {
		d, err := settings.ParseDescriptions([]byte(`{"animal":["` + animal + `"],"money":["` + money + `"]}`))
		if err != nil {
			t.Fatal(err)
		}
		return headtest.SpecOf(t, sourceConfig).WithSettings(settings.Values{Descriptions: d}).WithEncoder(e)
	}
	const animals, moneys = "dogs, cats, birds and other animals", "cash, banks, prices and pay"
	right, swapped := described(animals, moneys), described(moneys, animals)
	for _, n := range []int{4, 5, 6, 7, 8, 9} { // of each label
		var examples []model.Example
		for i := range n {
			for class := range texts {
				label := int32(class)
				if i%4 == 3 {
					label = 1 - label
				}
				examples = append(examples, model.Example{ID: int64(len(examples) + 1), X: e.Encode(texts[class][i]), Weight: 1, Target: []model.Share{{Class: label, P: 1}}})
			}
		}
		choose := func(q *head.Spec) model.Settings {
			steps := 0
			s, err := Search(t.Context(), q, examples, make(chan struct{}, 1), func() { steps++ })
			if err != nil {
				t.Fatal(err)
			}
			if steps > Steps(q) {
				t.Errorf("%d steps, said at most %d", steps, Steps(q))
			}
			return s
		}
		if s := choose(right); s.Lines != 1 {
			t.Errorf("%d labels: right lines have the share %g", 2*n, s.Lines)
		}
		if s := choose(swapped); s.Lines != 0 || s.Trust[0] == 0 {
			t.Errorf("%d labels: swapped lines have the share %g, and the prior the trust %g", 2*n, s.Lines, s.Trust)
		}
	}
}
