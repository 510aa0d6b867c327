package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// LabelStudio is what a Pusher asks of Label Studio; *labelstudio.Client does it.
// What Label Studio refuses is a *labelstudio.APIError. The methods are called from
// one goroutine a project.
type LabelStudio interface {
	// StoredPredictions are all rows of a project with what each suggests.
	StoredPredictions(ctx context.Context, p event.ProjectID) iter.Seq2[labelstudio.StoredPrediction, error]
	// Prediction is a row and what it suggests, a JSON array of regions.
	Prediction(ctx context.Context, id labelstudio.PredictionID) (labelstudio.PredictionRow, json.RawMessage, error)
	CreatePrediction(ctx context.Context, p labelstudio.PredictionWrite) (labelstudio.PredictionRow, error)
	// UpdatePrediction changes the row of that id, whichever task's it is.
	UpdatePrediction(ctx context.Context, id labelstudio.PredictionID, p labelstudio.PredictionWrite) (labelstudio.PredictionRow, error)
	DeletePrediction(ctx context.Context, id labelstudio.PredictionID) error
	// ImportPredictions creates many. A *labelstudio.PartialImportError says that
	// Label Studio took some of them only.
	ImportPredictions(ctx context.Context, p event.ProjectID, list []labelstudio.PredictionWrite) error

	Project(ctx context.Context, p event.ProjectID) (labelstudio.Project, error)
	PatchProject(ctx context.Context, p event.ProjectID, patch labelstudio.ProjectPatch) (labelstudio.Project, error)
	// ModelVersions is how many predictions of each version there are.
	ModelVersions(ctx context.Context, p event.ProjectID) (map[string]int, error)
	// DeleteModelVersion deletes all predictions of a version, in one slow request.
	DeleteModelVersion(ctx context.Context, p event.ProjectID, version string) (deleted int, err error)
}

// Errors of Project.Push; test for them with errors.Is.
var (
	// ErrSuperseded ends a push that a newer queue has made pointless.
	ErrSuperseded = errors.New("superseded by a newer queue")
	// ErrGone means that Label Studio no longer has the project.
	ErrGone = errors.New("label studio no longer has the project")
	// ErrUnauthorized means that Label Studio refuses hone's token.
	ErrUnauthorized = errors.New("label studio refuses the token, nothing is pushed until it is right: set LABEL_STUDIO_API_KEY (tried again every minute)")
)

// errReplan: what Label Studio holds is not what was thought; plan again.
var errReplan = errors.New("label studio holds other predictions than thought")

func isUnauthorized(err error) bool {
	return labelstudio.IsUnauthorized(err) || labelstudio.IsForbidden(err)
}

// isRefusal reports whether Label Studio will say the same however often it is
// asked.
func isRefusal(err error) bool {
	var api *labelstudio.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.Status >= 400 && api.Status < 500 && !labelstudio.Retryable(err) && !isUnauthorized(err)
}

// wrapProjectError says what was being done, and turns "not found" into ErrGone.
func wrapProjectError(err error, doing string) error {
	if labelstudio.IsNotFound(err) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// readProject reads the project, and how many predictions of each version there are.
func (p *Project) readProject(ctx context.Context, ls LabelStudio) (project labelstudio.Project, counts map[string]int, err error) {
	project, err = ls.Project(ctx, p.id)
	if err == nil {
		counts, err = ls.ModelVersions(ctx, p.id)
	}
	if err != nil {
		return project, nil, wrapProjectError(err, "read the project's model versions")
	}
	return project, counts, nil
}
