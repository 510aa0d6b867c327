package sampler

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"github.com/hone-ml/hone/event"
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
}

// Pusher writes single predictions. An error that means an HTTP status has a
// method StatusCode() int or is a *labelstudio.APIError.
type Pusher interface {
	CreatePrediction(ctx context.Context, p event.ProjectID, t event.TaskID, pred Prediction) (PredictionID, error)
	UpdatePrediction(ctx context.Context, p event.ProjectID, id PredictionID, pred Prediction) error
	DeletePrediction(ctx context.Context, p event.ProjectID, id PredictionID) error
}

// Lister reads predictions, and writes many at once.
type Lister interface {
	// Predictions calls yield for every prediction of the project.
	Predictions(ctx context.Context, p event.ProjectID, yield func(Row) error) error
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
	var s interface{ StatusCode() int }
	if errors.As(err, &s) {
		return s.StatusCode()
	}
	return 0
}

func unauthorized(err error) bool {
	return status(err) == http.StatusUnauthorized || status(err) == http.StatusForbidden
}

func notFound(err error) bool { return status(err) == http.StatusNotFound }

// refused reports whether Label Studio will say the same however often it is
// asked.
func refused(err error) bool {
	s := status(err)
	return s >= 400 && s < 500 && s != http.StatusTooManyRequests && s != http.StatusRequestTimeout && !unauthorized(err)
}
