package learner

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
)

const nerConfig = `<View><Labels name="ner" toName="t"><Label value="PER"/><Label value="LOC"/></Labels><Text name="t" value="$text"/></View>`

// Through the learner: before anything was learned, with hints alone, with nothing
// drawn, and with a label that the config does not have.
func TestExtendThroughTheLearner(t *testing.T) {
	l, err := New(nothingStored{}, Options{Encoder: ngram.New()})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Stop(context.Background())) }()
	p := l.newProject(1)
	p.meta.LabelConfig = nerConfig
	p.configure()
	l.publish(p)
	data := json.RawMessage(`{"text":"Ada met Ada"}`)
	result := json.RawMessage(`[{"from_name":"ner","to_name":"t","type":"labels","value":{"start":0,"end":3,"text":"Ada","labels":["PER"]}}]`)
	task := event.Task{ID: 1, Data: data}
	drawn, err := regions.Decode(result)
	require.NoError(t, err)
	extend := func(config string, drawn []regions.Region) wire.Prediction {
		a, err := l.Extend(t.Context(), 1, config, task, drawn)
		require.NoError(t, err)
		return a
	}
	a := extend(nerConfig, drawn)
	require.Len(t, a.Result, 1)
	assert.JSONEq(t, `{"start":8,"end":11,"text":"Ada","labels":["PER"]}`, string(a.Result[0].Value))
	assert.Nil(t, a.Result[0].Score)
	assert.Equal(t, []regions.Region{}, extend(nerConfig, nil).Result)
	drawn[0].Hint = true
	assert.Equal(t, []regions.Region{}, extend(nerConfig, drawn).Result)
	drawn[0].Hint = false
	assert.True(t, extend(strings.Replace(nerConfig, "PER", "ORG", 1), drawn).Abstains(), "another config than was learned")
	drawn[0].Value = json.RawMessage(`{"start":0,"end":3,"labels":["ORG"]}`)
	assert.Empty(t, extend(nerConfig, drawn).Result)
}

// nothingStored is a store without a project.
type nothingStored struct{}

func (nothingStored) Load(context.Context, event.ProjectID) (event.ProjectState, error) {
	return event.ProjectState{}, nil
}

func (nothingStored) Plan(context.Context, []*event.Changed) ([]event.Delta, error) { return nil, nil }
func (nothingStored) Commit(context.Context, event.Commit) error                    { return nil }

func (nothingStored) Forget(context.Context, event.ProjectID) error { return nil }
