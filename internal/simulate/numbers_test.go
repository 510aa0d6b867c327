package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/sampler/strategy"
)

// worth are n texts whose words add up to a number from 0 to 20, written as a line
// of JSONL or as a task of an export with a number and stars.
func worth(n int, seed uint64, write func(text string, number int) string) string {
	rng := rand.New(rand.NewPCG(seed, 7))
	out := make([]string, n)
	for i := range out {
		text, sum := "", 0
		for range 5 {
			k := rng.IntN(5)
			text += fmt.Sprintf("worth%d%c ", k, 'a'+rng.IntN(2))
			sum += k
		}
		out[i] = write(text, sum)
	}
	return strings.Join(out, "\n")
}

func TestNumbersAndRatingsAreSimulated(t *testing.T) {
	const text = `<View><Text name="t" value="$text"/>`
	line := func(scale int) func(string, int) string {
		return func(text string, number int) string {
			return fmt.Sprintf(`{"text":%q,"label":%d}`, text, number/scale)
		}
	}
	for name, tc := range map[string]struct {
		config string
		scale  int
		macro  bool
	}{
		"number": {text + `<Number name="n" toName="t" min="0" max="20"/></View>`, 1, false},
		"rating": {text + `<Rating name="n" toName="t" maxRating="20"/></View>`, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			nonzero := func(text string, number int) string { return line(tc.scale)(text, max(1, number)) }
			s := Source{
				Train: file(t, "train.jsonl", worth(120, 1, nonzero)), Test: file(t, "test.jsonl", worth(60, 2, nonzero)),
				LabelConfig: file(t, "config.xml", tc.config),
			}
			for _, s.Anonymous = range []bool{false, true} {
				d, err := Load(s)
				require.NoError(t, err)
				o := options()
				o.Strategies, o.Labels, o.Seeds = []string{strategy.NameMargin, strategy.NameRandom}, []int{0, 100}, 1
				res := simulated(t, d, o)
				for _, c := range res.Curves {
					assert.Greater(t, c.Points[0].MAE, 1.5, "nothing is known: the mean of the answers")
					assert.Less(t, c.Points[1].MAE, 0.8*c.Points[0].MAE, "%s learns", c.Strategy)
					assert.GreaterOrEqual(t, c.Points[1].RMSE, c.Points[1].MAE)
					assert.Greater(t, c.Points[1].Accuracy, c.Points[0].Accuracy)
					assert.Equal(t, tc.macro, c.Points[1].MacroF1 > 0)
				}
				var table strings.Builder
				require.NoError(t, res.Table(&table))
				assert.Contains(t, table.String(), "mean error")
			}
		})
	}
}

func TestExportWithRatingsAndNumbersMakesAConfig(t *testing.T) {
	export := func(n int, seed uint64) string {
		return "[" + strings.ReplaceAll(worth(n, seed, func(text string, number int) string {
			return fmt.Sprintf(`{"id":1,"data":{"text":%q},"annotations":[{"result":[`+
				`{"from_name":"n","to_name":"t","type":"number","value":{"number":%d.5}},`+
				`{"from_name":"stars","to_name":"t","type":"rating","value":{"rating":%d}}]}]}`, text, number, 1+number/3)
		}), "\n", ",") + "]"
	}
	d, err := Load(Source{Train: file(t, "train.json", export(30, 1)), Test: file(t, "test.json", export(10, 2))})
	require.NoError(t, err)
	require.Len(t, d.questions, 2)
	assert.Equal(t, "Number", d.questions[0].Type)
	assert.Equal(t, "Rating", d.questions[1].Type)
	assert.GreaterOrEqual(t, len(d.questions[1].labels), 5)
	assert.True(t, strings.HasSuffix(d.pool[0].truth[0].labels[0], ".5"), "numbers stay as they were typed")
}

func TestTaxonomiesAndPairsAreSimulated(t *testing.T) {
	config := `<View><Text name="a" value="$text"/><Text name="b" value="$other"/><Pairwise name="pw" toName="a,b"/>
		<Taxonomy name="tax" toName="a"><Choice value="Low"><Choice value="Very"/></Choice><Choice value="High"/></Taxonomy></View>`
	export := func(n int, seed uint64) string {
		return "[" + strings.ReplaceAll(worth(n, seed, func(text string, number int) string {
			path, side := `["Low"]`, "right"
			if number < 6 {
				path = `["Low","Very"]`
			}
			if number > 10 {
				path, side = `["High"]`, "left"
			}
			return fmt.Sprintf(`{"id":1,"data":{"text":%q,"other":"worth2a worth2b"},"annotations":[{"result":[`+
				`{"from_name":"tax","to_name":"a","type":"taxonomy","value":{"taxonomy":[%s]}},`+
				`{"from_name":"pw","to_name":"a","type":"pairwise","value":{"selected":%q}}]}]}`, text, path, side)
		}), "\n", ",") + "]"
	}
	s := Source{
		Train: file(t, "train.json", export(120, 1)), Test: file(t, "test.json", export(60, 2)),
		LabelConfig: file(t, "config.xml", config),
	}
	for _, s.Anonymous = range []bool{false, true} {
		d, err := Load(s)
		require.NoError(t, err)
		require.Len(t, d.questions, 2)
		o := options()
		o.Strategies, o.Labels, o.Seeds = []string{strategy.NameMargin}, []int{100}, 1
		p := simulated(t, d, o).Curves[0].Points[0]
		assert.Greater(t, p.Accuracy, 0.65, "of both controls")
		assert.Zero(t, p.MAE)
	}
}

func TestLinesThatANumberDoesNotTake(t *testing.T) {
	s := Source{
		Train:       file(t, "train.jsonl", `{"text":"a","label":"many"}`),
		Test:        file(t, "test.jsonl", `{"text":"a","label":3}`),
		LabelConfig: file(t, "config.xml", `<View><Text name="t" value="$text"/><Number name="n" toName="t" max="5"/></View>`),
	}
	_, err := Load(s)
	assert.ErrorContains(t, err, `"many" is no answer that <Number name="n">`)
	s.Train = file(t, "train.jsonl", `{"text":"a","label":6}`)
	_, err = Load(s)
	assert.ErrorContains(t, err, `"6" is no answer`)
}
