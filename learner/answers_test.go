package learner_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/head"
)

// Every kind of control answers texts of elsewhere with its values, and with the
// probabilities of all labels where it has labels.
func TestAnswersOfEveryKind(t *testing.T) {
	config := `<View><Text name="t" value="$text"/><Text name="u" value="$other"/>
		<Choices name="c" toName="t"><Choice value="card"/><Choice value="app"/></Choices>
		<Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices>
		<Rating name="stars" toName="t" maxRating="4"/><Number name="n" toName="t" min="0" max="20"/>
		<Labels name="s" toName="t"><Label value="thing"/></Labels>
		<Pairwise name="pw" toName="t,u"/></View>`
	l := start(t, openDisk(t), learner.Options{})
	_, ok, err := l.Answers(bg, 1, nil)
	require.NoError(t, err)
	assert.False(t, ok, "nothing is known")

	apply(t, l, &event.Changed{Project: 1, At: at(0), LabelConfig: config})
	for i := range 12 {
		label, word, side := "card", "lost my card", "left"
		if i%2 == 1 {
			label, word, side = "app", "open the app", "right"
		}
		b, err := json.Marshal([]map[string]any{
			region("c", label), region("m", "urgent"), valued("stars", "rating", "rating", 1+i%4), valued("n", "number", "number", i),
			{"id": "s", "from_name": "s", "to_name": "t", "type": "labels", "value": map[string]any{"start": 2, "end": 6, "labels": []string{"thing"}}},
			{"id": "p", "from_name": "pw", "to_name": "t", "type": "pairwise", "value": map[string]any{"selected": side}},
		})
		require.NoError(t, err)
		apply(t, l, &event.Changed{
			Project: 1, At: at(i + 1), Tasks: []event.Task{{ID: event.TaskID(i + 1), Data: json.RawMessage(fmt.Sprintf(`{"text":"é %s","other":"another text"}`, word))}},
			Annotations: []event.Annotation{{ID: event.AnnotationID(i + 1), Task: event.TaskID(i + 1), Result: b, UpdatedAt: at(i + 1)}},
		})
	}
	require.NoError(t, l.WaitSettled(bg))
	got, ok, err := l.Answers(bg, 1, []json.RawMessage{
		json.RawMessage(`{"text":"é lost my card","other":"open the app"}`), json.RawMessage(`{"text":"open the app"}`), json.RawMessage(`{"body":"no text"}`),
	})
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, "hone-1", got.Version)
	assert.Equal(t, []string{"other", "text"}, got.Fields)
	require.Len(t, got.Controls, 6)
	assert.Equal(t, head.AnsweredControl{Control: "c", Type: "Choices", Answer: "labels", Labels: []string{"card", "app"}}, got.Controls[0])
	assert.Equal(t, "number", got.Controls[3].Answer)
	assert.Equal(t, head.AnsweredControl{Control: "s", Type: "Labels", Answer: "spans", Labels: []string{"thing"}}, got.Controls[4])
	assert.Equal(t, []string{"left", "right"}, got.Controls[5].Labels)
	require.Len(t, got.Answers, 3)
	assert.Empty(t, got.Answers[2])
	by := map[string]head.PredictedAnswer{}
	for _, a := range got.Answers[0] {
		by[a.Control] = a
		assert.GreaterOrEqual(t, a.Confidence, 0.0)
		if a.Classes != nil && a.Classes.Exclusive {
			sum := 0.0
			for _, p := range a.Classes.P {
				sum += p
			}
			assert.InDelta(t, 1, sum, 1e-6, a.Control)
		}
	}
	require.Len(t, by, 6)
	assert.Equal(t, []string{"card"}, by["c"].Labels)
	assert.Equal(t, []string{"card", "app"}, by["c"].Classes.Labels)
	assert.Greater(t, by["c"].Classes.P[0], 0.5)
	assert.Equal(t, []string{"urgent"}, by["m"].Labels)
	assert.False(t, by["m"].Classes.Exclusive)
	assert.Len(t, by["stars"].Labels, 1)
	assert.Len(t, by["stars"].Classes.P, 4)
	require.NotNil(t, by["n"].Number)
	assert.False(t, math.IsNaN(*by["n"].Number))
	assert.Nil(t, by["n"].Classes)
	assert.NotNil(t, by["s"].Spans)
	for _, s := range by["s"].Spans {
		assert.Equal(t, s.Text, string([]rune("é lost my card")[s.Start:s.End]), "places count characters")
		assert.Equal(t, []string{"thing"}, s.Labels)
	}
	assert.Len(t, by["pw"].Labels, 1)
	for _, a := range got.Answers[1] {
		assert.NotEqual(t, "pw", a.Control, "there is nothing to compare with")
	}
}

// What is kept from annotators is known all the same.
func TestAnswersDoNotDependOnWhatIsSuggested(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	apply(t, l, &event.Changed{Project: 1, At: at(0), LabelConfig: single})
	apply(t, l, &event.Configured{Project: 1, At: at(1), Set: map[string]string{"suggestions": "off"}})
	require.NoError(t, l.WaitSettled(bg))
	text := data("my card is lost")
	silent, err := l.Predict(bg, 1, "", []event.Task{{ID: 1, Data: text}})
	require.NoError(t, err)
	assert.True(t, silent[0].Abstains())
	got, ok, err := l.Answers(bg, 1, []json.RawMessage{text})
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, got.Answers[0], 1)
	assert.Len(t, got.Answers[0][0].Labels, 1)
}
