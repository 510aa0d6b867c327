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

// texts returns the texts of tasks.
func texts(t *testing.T, tasks []labelledTask) (out []string) {
	t.Helper()
	for _, it := range tasks {
		var fields struct{ Text string }
		require.NoError(t, json.Unmarshal(it.task.Data, &fields))
		out = append(out, fields.Text)
	}
	return out
}

// The same texts are held out whatever their order and number, about as many as were asked
// for, and no text is on both sides.
func TestHoldingOutFollowsFromTheText(t *testing.T) {
	var lines []string
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf(`{"text":"text %d","label":"c%d","id":%d}`, i%900, i%3, i))
	}
	of := func(lines []string) *Data {
		d, err := Load(Source{Train: file(t, "a.jsonl", strings.Join(lines, "\n")), HoldOut: 0.2})
		require.NoError(t, err)
		return d
	}
	d := of(lines)
	held := d.HeldOut()
	assert.Equal(t, 1000, d.Pool()+d.Test())
	assert.InDelta(t, 200, d.Test(), 40)
	assert.Equal(t, HeldOut{Share: 0.2, Tasks: d.Test(), Of: 1000, Numbers: held.Numbers}, *held)
	assert.Len(t, held.Numbers, d.Test())
	pool, test := texts(t, d.pool), texts(t, d.test)
	for _, text := range test {
		assert.NotContains(t, pool, text)
	}
	for i, n := range held.Numbers {
		assert.Contains(t, lines[n-1], fmt.Sprintf("%q", test[i]), "the line is named")
	}
	mixed := append([]string(nil), lines...)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	assert.ElementsMatch(t, test, texts(t, of(mixed).test))
	assert.Subset(t, test, texts(t, of(lines[:500]).test), "what comes later changes nothing")
	ids := map[any]bool{}
	for _, it := range append(d.pool, d.test...) {
		assert.False(t, ids[it.task.ID])
		ids[it.task.ID] = true
	}
}

func TestHoldingOutOfFewOrOfAnExport(t *testing.T) {
	_, err := Load(Source{Train: file(t, "a.jsonl", `{"review":"a","label":"g"}`), LabelConfig: file(t, "c.xml", config), HoldOut: 0.2})
	require.ErrorContains(t, err, "1 tasks are too few to hold 0.2 of them out: give data to measure on with --test")
	d, err := Load(Source{Train: file(t, "a.json", reviews), HoldOut: 0.999999})
	require.ErrorContains(t, err, "too few")
	assert.Nil(t, d)
	d = load(t, someLines, someLines)
	assert.Nil(t, d.HeldOut())
}
