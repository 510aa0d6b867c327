package app_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// manyControls asks in every way at once, and in some that hone leaves alone.
const manyControls = `<View><Text name="t" value="$text"/><Text name="u" value="$other"/>
	<Choices name="topic" toName="t"><Choice value="Money"/><Choice value="Food"/></Choices>
	<Taxonomy name="tree" toName="t"><Choice value="Things"><Choice value="Money"/><Choice value="Food"/></Choice></Taxonomy>
	<Rating name="stars" toName="t" maxRating="3"/><Number name="price" toName="t" min="0" max="10" step="1"/>
	<Pairwise name="better" toName="t,u"/>
	<TextArea name="why" toName="t"/><Ranker name="order" toName="t"/><DateTime name="when" toName="t"/></View>`

// TestManyControlsAtOnce goes from Label Studio's webhooks to hone's answers.
func TestManyControlsAtOnce(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.Sampler.RandomShare = 0.5
	h := apptest.Start(t, cfg)
	created, err := s.CreateProject(t.Context(), "many", manyControls)
	require.NoError(t, err)
	const labelled = 16
	texts := map[string]string{"Money": "the bank took a fee from my account", "Food": "bread and soup for dinner tonight"}
	var data []map[string]string
	topicAt := func(i int) (string, string) {
		if i%2 == 0 {
			return "Money", "Food"
		}
		return "Food", "Money"
	}
	for i := range labelled + 4 {
		this, other := topicAt(i)
		data = append(data, map[string]string{"text": fmt.Sprint(texts[this], " ", i), "other": fmt.Sprint(texts[other], " ", i)})
	}
	_, err = s.Import(t.Context(), created.ID, data)
	require.NoError(t, err)
	h.Register(created.ID)
	h.Await(created.ID, "the pool is read", func(p api.Project) bool { return p.Pool == len(data) })
	region := func(name, kind, value string) regions.Region {
		return regions.Region{ID: name, FromName: name, ToName: "t", Type: kind, Value: json.RawMessage(value)}
	}
	for range labelled {
		task, err := s.NextTask(t.Context(), created.ID)
		require.NoError(t, err)
		var d struct{ Text string }
		require.NoError(t, json.Unmarshal(task.Data, &d))
		topic, stars, side := "Money", 3, "left"
		if d.Text[0] == 'b' {
			topic, stars, side = "Food", 1, "right"
		}
		_, err = s.CreateAnnotation(t.Context(), task.ID, labelstudio.AnnotationWrite{Result: []regions.Region{
			region("topic", "choices", `{"choices":["`+topic+`"]}`),
			region("tree", "taxonomy", `{"taxonomy":[["Things","`+topic+`"]]}`),
			region("stars", "rating", fmt.Sprintf(`{"rating":%d}`, stars)),
			region("price", "number", fmt.Sprintf(`{"number":%d}`, 3*stars)),
			region("better", "pairwise", `{"selected":"`+side+`"}`),
			region("why", "textarea", `{"text":["because"]}`),
		}})
		require.NoError(t, err)
	}
	got := h.Await(created.ID, "all is learned, and the queue stands in Label Studio", func(p api.Project) bool {
		return p.Labels == labelled && p.Queue.Labels == labelled && p.Queue.Pushed == 4
	})
	require.Len(t, got.Heads, 5)
	for _, head := range got.Heads {
		assert.Equal(t, labelled, head.Examples, head.Control)
		assert.NotNil(t, head.Accuracy, head.Control)
		assert.NotNil(t, head.ECE, head.Control)
		numeric := head.Type == "Rating" || head.Type == "Number"
		assert.Equal(t, numeric, head.MAE != nil && head.RMSE != nil, head.Control)
		assert.Equal(t, head.Type != "Number", head.MacroF1 != nil && head.LogLoss != nil, head.Control)
	}
	got = h.Await(created.ID, "the accuracy of every control is estimated", func(p api.Project) bool {
		for _, head := range p.Heads {
			if head.PoolAccuracy == nil || head.PoolAccuracy.Labels != labelled {
				return false
			}
		}
		return true
	})
	for _, head := range got.Heads {
		require.NotNil(t, head.PoolAccuracy.Estimate, head.Control)
		assert.Positive(t, head.PoolAccuracy.Random)
		assert.Greater(t, *head.PoolAccuracy.Estimate, 0.8, head.Control)
	}
	why := map[string]string{}
	for _, u := range got.Unlearnable {
		why[u.Control] = u.Reason
	}
	require.Len(t, why, 3)
	assert.Contains(t, why["why"], "own words")
	assert.Contains(t, why["order"], "does not learn")
	assert.Contains(t, why["when"], "does not learn")

	answers := func(text, other string) map[string]string {
		body, err := json.Marshal(map[string]any{
			"project": fmt.Sprint(created.ID), "label_config": manyControls,
			"tasks": []any{map[string]any{"data": map[string]string{"text": text, "other": other}}},
		})
		require.NoError(t, err)
		code, raw := h.Post("/predict", string(body))
		require.Equal(t, 200, code, raw)
		var out struct {
			Results []struct{ Result []regions.Region }
		}
		require.NoError(t, json.Unmarshal([]byte(raw), &out))
		said := map[string]string{}
		for _, r := range out.Results[0].Result {
			said[r.FromName] = string(r.Value)
		}
		return said
	}
	assert.Equal(t, map[string]string{
		"topic": `{"choices":["Money"]}`, "tree": `{"taxonomy":[["Things","Money"]]}`, "stars": `{"rating":3}`,
		"price": `{"number":9}`, "better": `{"selected":"left"}`,
	}, answers("the bank took a fee from my account 5", "bread and soup for dinner tonight 5"))
	swapped := answers("bread and soup for dinner tonight 5", "the bank took a fee from my account 5")
	assert.Equal(t, `{"selected":"right"}`, swapped["better"])
	assert.Equal(t, `{"rating":1}`, swapped["stars"])
}
