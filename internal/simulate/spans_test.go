package simulate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tagged are n lines with people and places that the words around them tell.
func tagged(n int, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 4))
	names := []string{"Ada", "Bo", "Cy", "Di", "Ed", "Flo"}
	var b strings.Builder
	for range n {
		a, z := names[rng.IntN(6)], names[rng.IntN(6)]
		switch rng.IntN(3) {
		case 0:
			_, _ = fmt.Fprintf(&b, `{"tokens":["then","Mr.",%q,%q,"spoke"],"tags":["O","O","B-PER","I-PER","O"]}`+"\n", a, z)
		case 1:
			_, _ = fmt.Fprintf(&b, `{"tokens":["rain","in",%q,"😀"],"tags":["O","O","B-LOC","O"]}`+"\n", a)
		default:
			b.WriteString(`{"tokens":["nothing","happens"],"tags":["O","O"]}` + "\n")
		}
	}
	return b.String()
}

func TestLinesWithTagsMakeAConfigOfSpans(t *testing.T) {
	d := load(t, `{"tokens":["Mr.","Ada","Bo","😀","Rome"],"tags":["O","B-PER","I-PER","O","I-LOC"]}`+"\n"+`{"tokens":["no"],"tags":["O"]}`, tagged(3, 1))
	require.Len(t, d.questions, 1)
	assert.Equal(t, "Labels", d.questions[0].Type)
	assert.Equal(t, []string{"LOC", "PER"}, d.questions[0].labels)
	require.Equal(t, 2, d.Pool())
	assert.JSONEq(t, `{"text":"Mr. Ada Bo 😀 Rome"}`, string(d.pool[0].task.Data), "the model cannot read the answer")
	var regions []struct{ Value json.RawMessage }
	require.NoError(t, json.Unmarshal(d.pool[0].results[0], &regions))
	require.Len(t, regions, 2)
	assert.JSONEq(t, `{"start":4,"end":10,"text":"Ada Bo","labels":["PER"]}`, string(regions[0].Value))
	assert.JSONEq(t, `{"start":13,"end":17,"text":"Rome","labels":["LOC"]}`, string(regions[1].Value))
	assert.JSONEq(t, `[]`, string(d.pool[1].results[0]), "no spans is an answer too")
}

// An export of the same data makes the same curve, and anonymous labels change
// nothing, as the model does not read their names.
func TestSpansAreLearnedFromLinesAndExports(t *testing.T) {
	train, test := tagged(120, 1), tagged(60, 2)
	lines := load(t, train, test)
	o := options()
	o.Labels, o.Batch, o.Seeds = []int{0, 10, 60}, 5, 1
	res := simulated(t, lines, o)
	for _, c := range res.Curves {
		assert.Zero(t, c.Points[0].SpanF1)
		last := c.Points[len(c.Points)-1]
		assert.Greater(t, last.SpanF1, 0.9, c.Strategy)
		assert.Greater(t, last.MacroF1, 0.9)
		assert.Greater(t, last.Accuracy, 0.9)
		assert.Zero(t, last.ECE)
	}
	var table strings.Builder
	require.NoError(t, res.Table(&table))
	assert.Contains(t, table.String(), "span F1")

	export := func(items []labelledTask) string {
		var tasks []map[string]any
		for _, it := range items {
			tasks = append(tasks, map[string]any{"id": it.task.ID, "data": it.task.Data, "annotations": []any{map[string]any{"id": it.task.ID, "result": it.results[0]}}})
		}
		b, err := json.Marshal(tasks)
		require.NoError(t, err)
		return string(b)
	}
	exported := load(t, export(lines.pool), export(lines.test))
	assert.Equal(t, lines.Config, exported.Config)
	assert.Equal(t, res, simulated(t, exported, o))

	hidden, err := Load(Source{Train: file(t, "a.jsonl", train), Test: file(t, "b.jsonl", test), Anonymous: true})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"A1", "A2"}, hidden.questions[0].labels)
	again := simulated(t, hidden, o)
	for i, c := range again.Curves {
		assert.InDelta(t, res.Curves[i].Points[2].SpanF1, c.Points[2].SpanF1, 0.03)
	}
}
