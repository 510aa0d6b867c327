package head

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// This is the example of docs/EXTENDING.md: all that a head needs. It learns a made-up
// <Switch name="c" toName="t"/>, which is on or off. decodeSwitch and encodeSwitch would be
// in labelstudio/regions/switch.go, switchKind and its predictor in
// learner/head/switch.go, and the entry in learner/head/table.go.

// decodeSwitch reads whether the switch is on; ok is false without an answer.
func decodeSwitch(c labelconfig.Control, result json.RawMessage) (on, ok bool, err error) {
	rs, err := regions.Decode(result)
	if err != nil {
		return false, false, err
	}
	for _, r := range rs {
		var v struct{ Switch *bool }
		if r.FromName != c.Name {
			continue
		}
		if err := json.Unmarshal(r.Value, &v); err != nil || v.Switch == nil {
			return false, false, fmt.Errorf("the region of %s is neither on nor off", c.Name)
		}
		return *v.Switch, true, nil
	}
	return false, false, nil
}

// encodeSwitch returns a region that says whether the switch is on.
func encodeSwitch(c labelconfig.Control, id string, on bool, score float64) regions.Region {
	value, _ := json.Marshal(map[string]bool{"switch": on}) // a bool always can be written
	return regions.Region{ID: id, FromName: c.Name, ToName: c.ToName[0], Type: "switch", Value: value, Score: &score}
}

// switchKind learns controls that are on or off, by logistic regression.
type switchKind struct{}

var (
	_ Kind      = switchKind{}
	_ Predictor = switchPredictor{}
)

func (switchKind) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	return textFeatures(q, data, e)
}

func (switchKind) Aggregate(q *Spec, t event.TaskState) Aggregate {
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		on, ok, err := decodeSwitch(q.Control, result)
		if !on {
			return nil, ok, err
		}
		return []model.Share{{P: 1}}, ok, err
	})
}

func (switchKind) Space() Space {
	return Space{Defaults: model.Defaults(), Ridges: ridges, Tunable: true}
}

func (switchKind) NewModel(_ *Spec, s model.Settings) Incremental {
	return model.New(1, model.Independent, s)
}

func (switchKind) Snapshot(q *Spec, m Incremental) Predictor {
	return switchPredictor{q, m.(*model.Model).View()}
}

func (k switchKind) Score(q *Spec, m Incremental, e model.Example, p *score.Prequential) {
	_, accuracy := k.Evaluate(q, m, []model.Example{e})
	p.Add(score.Outcome{Correct: accuracy == 1})
}

func (switchKind) Evaluate(_ *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	p := make([]float64, 1)
	var s model.Scratch
	correct := 0
	for _, e := range examples {
		m.(*model.Model).Predict(e.X, p, &s)
		on := 0.0
		if len(e.Target) > 0 {
			on = float64(e.Target[0].P)
		}
		loss += (p[0] - on) * (p[0] - on)
		if (p[0] >= 0.5) == (on >= 0.5) {
			correct++
		}
	}
	return loss, score.Ratio(float64(correct), float64(len(examples)))
}

type switchPredictor struct {
	*Spec
	view *model.View
}

func (p switchPredictor) probability(x vector.Vector, s *Scratch) float64 {
	on := s.floats(1)
	p.view.Predict(x, on, &s.Scratch)
	return on[0]
}

func (p switchPredictor) Examples() int { return p.view.Examples() }

func (p switchPredictor) Classes() int { return 0 }

func (p switchPredictor) Predict(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	on := p.probability(in.X, s)
	confidence := max(on, 1-on)
	return []regions.Region{encodeSwitch(p.Control, id, on >= 0.5, confidence)}, confidence
}

func (p switchPredictor) Estimate(in Sample, _ []float64, s *Scratch) event.Estimate {
	return event.Estimate{Control: p.Control.Name, Certainty: math.Abs(2*p.probability(in.X, s) - 1)}
}

func TestAnExampleHeadNeedsAKindAndAnEntry(t *testing.T) {
	before := controlTags
	t.Cleanup(func() { controlTags = before })
	controlTags = append(slices.Clone(controlTags), controlTag{name: "Switch", answer: Answer(100), kind: switchKind{}})

	decisions := Decide(mustParse(t, `<View><Text name="t" value="$text"/><Switch name="c" toName="t"/></View>`))
	require.Len(t, decisions.Learned(), 1)
	assert.ErrorContains(t, Decisions{}.Check(), "<Switch>", "people are told of it")
	q := NewSpec(decisions.Learned()[0])
	m, e := q.Kind.NewModel(q, q.Kind.Space().Defaults), ngram.New()
	state := func(id int, text string, results ...string) (event.TaskState, vector.Vector) {
		data, _ := json.Marshal(map[string]string{"text": text})
		s := event.TaskState{Task: event.Task{ID: event.TaskID(id), Data: data}}
		for i, r := range results {
			s.Annotations = append(s.Annotations, event.Annotation{ID: event.AnnotationID(i + 1), Result: json.RawMessage(r)})
		}
		return s, q.Kind.Features(q, data, e)
	}
	said := func(on bool) string {
		raw, err := json.Marshal([]regions.Region{encodeSwitch(q.Control, "r", on, 1)})
		require.NoError(t, err)
		return string(raw)
	}
	for i := range 40 {
		task, x := state(i+1, []string{"a quiet night", "a loud morning"}[i%2]+strings.Repeat(" yes", i%3), said(i%2 == 1))
		a := q.Kind.Aggregate(q, task)
		require.Len(t, a.Annotations, 1)
		require.NoError(t, m.Upsert(model.Example{ID: int64(i + 1), X: x, Target: a.Target, Weight: 1}))
	}
	require.True(t, m.Optimize(t.Context(), 1e-3).Done)

	p := q.Kind.Snapshot(q, m)
	assert.Equal(t, 40, p.Examples())
	for text, on := range map[string]bool{"the loud morning": true, "the quiet night": false} {
		task, x := state(99, text)
		answer, confidence := p.Predict("id", Sample{Data: task.Task.Data, X: x}, new(Scratch))
		raw, err := json.Marshal(answer)
		require.NoError(t, err)
		got, ok, err := decodeSwitch(q.Control, raw)
		assert.True(t, ok && err == nil && got == on, "%s: %s, %v", text, raw, err)
		estimate := p.Estimate(Sample{Data: task.Task.Data, X: x}, nil, new(Scratch))
		assert.InDelta(t, 2*confidence-1, estimate.Certainty, 1e-12)
		assert.Nil(t, estimate.Classes)
	}
	task, _ := state(1, "x", said(true), said(false), `[{"from_name":"c","to_name":"t","type":"switch","value":{}}]`)
	a := q.Kind.Aggregate(q, task)
	assert.Equal(t, []model.Share{{P: 0.5}}, a.Target)
	assert.Equal(t, 1, a.Unreadable)
	assert.Contains(t, a.Reason, "neither on nor off")
}
