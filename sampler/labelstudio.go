package sampler

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Prediction is what is written: the model's regions with the score that gives
// the task its place.
type Prediction struct {
	// Result is a JSON array of regions; nil means [].
	Result       json.RawMessage
	Score        float64
	ModelVersion string
}

// Row is a prediction that Label Studio holds.
type Row struct {
	ID           PredictionID
	Task         event.TaskID
	ModelVersion string
	// Score is nil when Label Studio has none.
	Score *float64
	// UpdatedAt is Label Studio's time of the row's last write.
	UpdatedAt time.Time
}

// Pusher writes single predictions and returns the rows as Label Studio has them
// then. What Label Studio refuses is a *labelstudio.APIError.
type Pusher interface {
	CreatePrediction(ctx context.Context, p event.ProjectID, t event.TaskID, pred Prediction) (Row, error)
	// UpdatePrediction changes the row of that id, whichever task's it is.
	UpdatePrediction(ctx context.Context, p event.ProjectID, id PredictionID, pred Prediction) (Row, error)
	DeletePrediction(ctx context.Context, p event.ProjectID, id PredictionID) error
}

// Lister reads predictions, and writes many at once.
type Lister interface {
	// Predictions calls yield for every prediction of the project.
	Predictions(ctx context.Context, p event.ProjectID, yield func(Row) error) error
	// Prediction reads one. One that is not there is a *labelstudio.APIError with
	// status 404.
	Prediction(ctx context.Context, p event.ProjectID, id PredictionID) (Row, error)
	// ImportPredictions creates many and returns how many Label Studio took.
	ImportPredictions(ctx context.Context, p event.ProjectID, tasks []event.TaskID, preds []Prediction) (created int, err error)
}

// Versions reads and sets which model version a project goes by.
type Versions interface {
	// ModelVersion is the project's version ("" if none) and how many
	// predictions of each version there are.
	ModelVersion(ctx context.Context, p event.ProjectID) (live string, rows map[string]int, err error)
	SetModelVersion(ctx context.Context, p event.ProjectID, version string) error
	// DeleteModelVersion deletes all predictions of a version, in one slow request.
	DeleteModelVersion(ctx context.Context, p event.ProjectID, version string) error
}

// LabelStudio is all the sampler asks of Label Studio. Its methods are called
// from one goroutine a project.
type LabelStudio interface {
	Pusher
	Lister
	Versions
}

// ownVersion matches the versions hone makes; no other is ever deleted.
var ownVersion = regexp.MustCompile(`^hone-[0-9]+$`)

// status is the HTTP status behind an error, 0 if there is none.
func status(err error) int {
	var api *labelstudio.APIError
	if errors.As(err, &api) {
		return api.Status
	}
	return 0
}

func unauthorized(err error) bool {
	return labelstudio.IsUnauthorized(err) || labelstudio.IsForbidden(err)
}

// refused reports whether Label Studio will say the same however often it is
// asked.
func refused(err error) bool {
	s := status(err)
	return s >= 400 && s < 500 && !labelstudio.Retryable(err) && !unauthorized(err)
}

// Over makes a client what the sampler asks for.
func Over(c *labelstudio.Client) LabelStudio { return client{c} }

type client struct{ c *labelstudio.Client }

func (p Prediction) write(t event.TaskID) labelstudio.PredictionWrite {
	w := labelstudio.PredictionWrite{Task: t, Score: p.Score, ModelVersion: p.ModelVersion}
	if p.Result != nil {
		w.Result = p.Result
	}
	return w
}

func rowOf(r labelstudio.PredictionRow) Row {
	return Row{ID: PredictionID(r.ID), Task: r.Task, ModelVersion: r.ModelVersion, Score: r.Score, UpdatedAt: r.UpdatedAt}
}

func (a client) CreatePrediction(ctx context.Context, project event.ProjectID, t event.TaskID, p Prediction) (Row, error) {
	w := p.write(t)
	w.Project = project
	row, err := a.c.CreatePrediction(ctx, w)
	return rowOf(row), err
}

func (a client) UpdatePrediction(ctx context.Context, _ event.ProjectID, id PredictionID, p Prediction) (Row, error) {
	row, err := a.c.UpdatePrediction(ctx, labelstudio.PredictionID(id), p.write(0))
	return rowOf(row), err
}

func (a client) Prediction(ctx context.Context, _ event.ProjectID, id PredictionID) (Row, error) {
	row, err := a.c.Prediction(ctx, labelstudio.PredictionID(id))
	return rowOf(row), err
}

func (a client) DeletePrediction(ctx context.Context, _ event.ProjectID, id PredictionID) error {
	return a.c.DeletePrediction(ctx, labelstudio.PredictionID(id))
}

func (a client) Predictions(ctx context.Context, p event.ProjectID, yield func(Row) error) error {
	for r, err := range a.c.Predictions(ctx, p) {
		if err != nil {
			return err
		}
		if err := yield(rowOf(r)); err != nil {
			return err
		}
	}
	return nil
}

func (a client) ImportPredictions(ctx context.Context, p event.ProjectID, tasks []event.TaskID, preds []Prediction) (int, error) {
	list := make([]labelstudio.PredictionWrite, len(tasks))
	for i, t := range tasks {
		list[i] = preds[i].write(t)
	}
	err := a.c.ImportPredictions(ctx, p, list)
	var partial *labelstudio.PartialImportError
	if errors.As(err, &partial) {
		return partial.Created, nil
	}
	return len(list), err
}

func (a client) ModelVersion(ctx context.Context, p event.ProjectID) (live string, rows map[string]int, err error) {
	project, err := a.c.Project(ctx, p)
	if err != nil {
		return "", nil, err
	}
	rows, err = a.c.ModelVersions(ctx, p)
	return project.ModelVersion, rows, err
}

func (a client) SetModelVersion(ctx context.Context, p event.ProjectID, version string) error {
	_, err := a.c.PatchProject(ctx, p, labelstudio.ProjectPatch{ModelVersion: &version})
	return err
}

func (a client) DeleteModelVersion(ctx context.Context, p event.ProjectID, version string) error {
	_, err := a.c.DeleteModelVersion(ctx, p, version)
	return err
}
