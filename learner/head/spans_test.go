package head_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/head/span/spantest"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
)

// markedExample is what the annotators of a text marked, each in a copy of it.
func markedExample(t testing.TB, q *head.Spec, id int64, marked ...string) model.Example {
	t.Helper()
	c, objects := spantest.Parse(t, spantest.Config)
	task := event.TaskState{Task: event.Task{ID: event.TaskID(id)}}
	for i, m := range marked {
		data, drawn := spantest.Mark(t, c, objects[0], m)
		result, err := json.Marshal(drawn)
		require.NoError(t, err)
		task.Task.Data = data
		task.Annotations = append(task.Annotations, event.Annotation{ID: event.AnnotationID(i + 1), Result: result})
	}
	a := q.Kind.Aggregate(q, task)
	require.Len(t, a.Annotations, len(marked))
	return model.Example{ID: id, X: q.Kind.Features(q, task.Task.Data, ngram.New()), Target: a.Target, Weight: 1}
}

// trainedSpans is a model that has learned n sentences.
func trainedSpans(t testing.TB, q *head.Spec, n int) head.Incremental {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m := q.Kind.NewModel(q, q.Kind.Space().Defaults)
	for i := range n {
		require.NoError(t, m.Upsert(markedExample(t, q, int64(i+1), spantest.Sentence(rng))))
	}
	m.Optimize(t.Context(), 0.01)
	return m
}

// Two annotators who disagree make a soft target.
func TestSpansOfSeveralAnnotatorsAreAveraged(t *testing.T) {
	q := headtest.SpecOf(t, spantest.Config)
	e := markedExample(t, q, 1, "[PER Ada]", "Ada")
	require.Len(t, e.Target, 1)
	assert.InDelta(t, 0.5, e.Target[0].P, 0)
	_, most := q.Kind.Evaluate(q, trainedSpans(t, q, 80), []model.Example{
		markedExample(t, q, 1, "in [LOC Rome] it rains", "in [LOC Rome] it rains", "in Rome it rains"),
		markedExample(t, q, 2, "in [LOC Rome] it rains", "in Rome it rains", "in Rome it rains"),
	})
	assert.InDelta(t, 0.5, most, 0, "what most marked is the truth")
}

// Spans do not go over from one object to the next, carry labels of the config and
// are found in unseen texts.
func TestSpansArePredicted(t *testing.T) {
	two := `<View><Labels name="ner" toName="t,u"><Label value="PER"/><Label value="LOC"/></Labels><Text name="t" value="$text"/><HyperText name="u" value="$html"/></View>`
	one, q := headtest.SpecOf(t, spantest.Config), headtest.SpecOf(t, two)
	m := q.Kind.Snapshot(q, trainedSpans(t, one, 60))
	data := json.RawMessage(`{"text":"yesterday Bob Marley","html":"<p>went to <b>Rome</b> again</p>"}`)
	in := head.Sample{Data: data, X: q.Kind.Features(q, data, ngram.New())}
	var s head.Scratch
	regions, confidence := m.Predict("id", in, &s)
	require.Len(t, regions, 2)
	assert.JSONEq(t, `{"start":10,"end":20,"text":"Bob Marley","labels":["PER"]}`, string(regions[0].Value))
	assert.Equal(t, "t", regions[0].ToName)
	assert.JSONEq(t, `{"start":"/p[1]/b[1]/text()[1]","end":"/p[1]/b[1]/text()[1]","startOffset":0,"endOffset":4,"globalOffsets":{"start":8,"end":12},"text":"Rome","labels":["LOC"]}`, string(regions[1].Value))
	for _, r := range regions {
		assert.Greater(t, *r.Score, 0.3)
		assert.LessOrEqual(t, *r.Score, 1.0)
	}
	assert.Greater(t, confidence, 0.1)
	assert.LessOrEqual(t, confidence, 1.0)
	estimate := m.Estimate(in, nil, &s)
	assert.InDelta(t, confidence, estimate.Certainty, 1e-3) // which does not look where passages start
}

func TestScoresOfSpans(t *testing.T) {
	q := headtest.SpecOf(t, spantest.Config)
	m := trainedSpans(t, q, 80)
	var p score.Prequential
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 20 {
		q.Kind.Score(q, m, markedExample(t, q, int64(1000+i), spantest.Sentence(rng)), &p)
	}
	assert.InDelta(t, 20, p.Cumulative.Tasks, 0)
	assert.Greater(t, p.Cumulative.Accuracy(), 0.8)
	assert.Greater(t, p.Cumulative.MacroF1(), 0.8)
	assert.Less(t, p.Cumulative.MeanLogLoss(), 0.5)
	for l := range p.Cumulative.Labels {
		assert.Contains(t, q.Labels, l)
	}
	loss, accuracy := q.Kind.Evaluate(q, m, []model.Example{markedExample(t, q, 1, "in [LOC Rome] it rains"), markedExample(t, q, 2, "in Rome it rains")})
	assert.Positive(t, loss)
	assert.InDelta(t, 0.5, accuracy, 0)
}
