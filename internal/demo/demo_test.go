package demo_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/demo"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func examples(from, to int) (out []demo.Example) {
	for i := from; i < to; i++ {
		text, topic := apptest.Text(i)
		out = append(out, demo.Example{Text: text, Label: topic})
	}
	return out
}

// The annotator answers what Label Studio offers, each answer is learned, and accuracy is
// that of hone on the texts that are not in the project.
func TestAnnotatorLabelsWhatIsOffered(t *testing.T) {
	s := apptest.NewStudio(t)
	d := demo.Data{LabelConfig: apptest.LabelConfig, Tasks: examples(0, 60), Test: examples(60, 90)}
	p, err := demo.NewProject(t.Context(), s.Client, "demo", d)
	require.NoError(t, err)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	h.Register(p)
	cfg, err := labelconfig.Parse(apptest.LabelConfig)
	require.NoError(t, err)
	require.Len(t, cfg.Controls, 1)
	topic := cfg.Controls[0]
	var steps []demo.Step
	a := demo.Annotator{
		Studio: s.Client, Hone: h.Client, Project: p, Data: d, Control: topic,
		Progress: func(step demo.Step) { steps = append(steps, step) },
	}
	const labels = demo.MeasureEvery + 2
	require.NoError(t, a.Run(t.Context(), labels))
	require.Len(t, steps, labels)
	for i, step := range steps {
		assert.Equal(t, i+1, step.Labels)
		assert.Equal(t, i+1 == demo.MeasureEvery || i+1 == labels, step.Measured, "at the end and every %d labels", demo.MeasureEvery)
	}
	assert.Greater(t, steps[labels-1].Accuracy, 0.5, "a third would be chance")
	assert.Equal(t, steps[demo.MeasureEvery-1].Accuracy, steps[demo.MeasureEvery].Accuracy, "repeated until it is measured again")
	h.Await(p, "all are learned", func(p api.Project) bool { return p.Labels == labels })

	s.AddTasks(p, 61) // the last one is not of the data
	a.Data.Tasks = nil
	require.ErrorContains(t, a.Run(t.Context(), 1), "is not one of the demo's")
}

func TestLoadSaysWhatIsMissingOrBroken(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	_, err := demo.Load(dir)
	require.ErrorContains(t, err, "--data")
	write("label_config.xml", "<View/>")
	write("tasks.jsonl", `{"text":"a","label":"b"}`+"\n"+`{"text":`+"\n")
	_, err = demo.Load(dir)
	require.ErrorContains(t, err, "tasks.jsonl:2")
	write("tasks.jsonl", `{"text":"a","label":"b"}`+"\n")
	write("test.jsonl", "")
	d, err := demo.Load(dir)
	require.NoError(t, err)
	assert.Equal(t, demo.Data{LabelConfig: "<View/>", Tasks: []demo.Example{{Text: "a", Label: "b"}}}, d)
}

func TestTheDataInTheSourceCanBeLoaded(t *testing.T) {
	d, err := demo.Load(filepath.Join("..", "..", "data", "clinc10"))
	require.NoError(t, err)
	cfg, err := labelconfig.Parse(d.LabelConfig)
	require.NoError(t, err)
	require.Len(t, cfg.Controls, 1)
	topic := cfg.Controls[0]
	for _, e := range append(d.Tasks, d.Test...) {
		require.Contains(t, topic.LabelNames(), e.Label, e.Text)
	}
}
