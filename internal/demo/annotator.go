package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// Annotator labels a project as a person would: it takes the task Label Studio
// offers next, answers, and lets hone learn before it asks again.
type Annotator struct {
	Studio  *labelstudio.Client
	Hone    *api.Client
	Project event.ProjectID
	Data    Data
	// Control is the Choices control that Answers go to.
	Control labelconfig.Control
	// Progress is called after each label; may be nil.
	Progress func(Step)
}

// Step is the state after a label.
type Step struct {
	Labels int
	// Accuracy is hone's /predict on the texts that are not in the project. It is
	// measured every MeasureEvery labels and repeated in between.
	Accuracy float64
	// Measured is true when Accuracy is of this step.
	Measured bool
	// Took is the time from Label Studio accepting the label to the new queue
	// standing in Label Studio.
	Took time.Duration
}

// MeasureEvery is the number of labels between two measurements of accuracy.
const MeasureEvery = 10

// patience bounds the wait for the new queue: a person would not wait either.
const patience = 2 * time.Second

// NewProject creates the project and imports its tasks.
func NewProject(ctx context.Context, c *labelstudio.Client, title string, d Data) (event.ProjectID, error) {
	p, err := c.CreateProject(ctx, title, d.LabelConfig)
	if err != nil {
		return 0, err
	}
	type task struct {
		Data map[string]string `json:"data"`
	}
	tasks := make([]task, len(d.Tasks))
	for i, e := range d.Tasks {
		tasks[i] = task{map[string]string{"text": e.Text}}
	}
	if _, err := c.Import(ctx, p.ID, tasks); err != nil {
		return 0, err
	}
	return p.ID, nil
}

// Run labels n tasks.
func (a *Annotator) Run(ctx context.Context, n int) error {
	truth := make(map[string]string, len(a.Data.Tasks))
	for _, e := range a.Data.Tasks {
		truth[e.Text] = e.Label
	}
	var step Step
	for step.Labels < n {
		task, err := a.Studio.NextTask(ctx, a.Project)
		if err != nil {
			return err
		}
		var data struct{ Text string }
		if err := json.Unmarshal(task.Data, &data); err != nil {
			return fmt.Errorf("task %d: %w", task.ID, err)
		}
		label, ok := truth[data.Text]
		if !ok {
			return fmt.Errorf("task %d is not one of the demo's: %q", task.ID, data.Text)
		}
		lead := 2.0
		region := regions.EncodeChoices(a.Control, "", []string{label}, 0)
		if _, err := a.Studio.CreateAnnotation(ctx, task.ID, labelstudio.AnnotationWrite{Result: []regions.Region{region}, LeadTime: &lead}); err != nil {
			return err
		}
		step.Labels++
		if step.Took, err = a.wait(ctx, step.Labels); err != nil {
			return err
		}
		if step.Measured = step.Labels%MeasureEvery == 0 || step.Labels == n; step.Measured {
			if step.Accuracy, err = a.Accuracy(ctx); err != nil {
				return err
			}
		}
		if a.Progress != nil {
			a.Progress(step)
		}
	}
	return nil
}

// wait returns when the queue that knows the label stands in Label Studio, or
// when a person would have run out of patience.
func (a *Annotator) wait(ctx context.Context, labels int) (time.Duration, error) {
	from := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		p, err := a.Hone.Project(ctx, a.Project)
		if err != nil {
			return 0, err
		}
		took := time.Since(from)
		if (p.Queue.Labels >= labels && p.Queue.Pushed > 0) || took > patience {
			return took, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}

// Accuracy asks hone's /predict for the texts outside the project.
func (a *Annotator) Accuracy(ctx context.Context) (float64, error) {
	texts := make([]string, len(a.Data.Test))
	for i, e := range a.Data.Test {
		texts[i] = e.Text
	}
	labels, err := a.Hone.PredictChoices(ctx, a.Project, texts)
	if err != nil {
		return 0, err
	}
	right := 0
	for i, l := range labels {
		if l == a.Data.Test[i].Label {
			right++
		}
	}
	return float64(right) / float64(max(1, len(texts))), nil
}
