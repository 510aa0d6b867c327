package labelstudio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hone-ml/hone/event"
)

// PredictionID is Label Studio's id of a prediction row.
type PredictionID int64

// PredictionRow is a stored prediction without its result.
type PredictionRow struct {
	ID   PredictionID `json:"id"`
	Task event.TaskID `json:"task"`
	// Score is nil when Label Studio has none; such a row sorts first on SQLite, last on PostgreSQL.
	Score        *float64 `json:"score"`
	ModelVersion string   `json:"model_version"`
	// UpdatedAt is Label Studio's time of the last write of this row.
	UpdatedAt time.Time `json:"updated_at"`
}

// PredictionWrite is a prediction to store.
type PredictionWrite struct {
	Task event.TaskID `json:"task"`
	// Project may be 0; CreatePrediction then makes Label Studio look it up, and
	// warn of that in its log. ImportPredictions takes no notice of it.
	Project event.ProjectID `json:"project,omitempty"`
	// Result is encoded as JSON: a list of regions, or raw JSON; nil is stored as
	// an empty list.
	Result any `json:"result"`
	// Score is between 0 and 1; uncertainty sampling asks about the lowest first.
	Score        float64 `json:"score"`
	ModelVersion string  `json:"model_version"`
	// Cluster is a group uncertainty sampling balances over; nil for none.
	Cluster *int `json:"cluster,omitempty"`
}

func (p PredictionWrite) withEmptyResult() PredictionWrite {
	if p.Result == nil {
		p.Result = json.RawMessage("[]")
	}
	return p
}

// CreatePrediction stores one prediction. It is never repeated when it may have
// been executed: Label Studio keeps every copy.
func (c *Client) CreatePrediction(ctx context.Context, p PredictionWrite) (PredictionRow, error) {
	var row PredictionRow
	err := c.do(ctx, apiCall{
		op: fmt.Sprintf("create prediction of task %d", p.Task), method: http.MethodPost, path: "/api/predictions/",
		body: p.withEmptyResult(), into: decodeInto(&row),
	})
	return row, err
}

// Prediction reads one stored prediction and its result, a JSON array of regions as
// Label Studio stores it.
func (c *Client) Prediction(ctx context.Context, id PredictionID) (PredictionRow, json.RawMessage, error) {
	var stored struct {
		PredictionRow
		Result json.RawMessage `json:"result"`
	}
	err := c.do(ctx, apiCall{op: fmt.Sprintf("read prediction %d", id), method: http.MethodGet, path: predictionPath(id), into: decodeInto(&stored)})
	return stored.PredictionRow, stored.Result, err
}

// UpdatePrediction replaces a stored prediction's result, score and version.
// The task cannot change and may be 0.
func (c *Client) UpdatePrediction(ctx context.Context, id PredictionID, p PredictionWrite) (PredictionRow, error) {
	p = p.withEmptyResult()
	var row PredictionRow
	err := c.do(ctx, apiCall{
		op: fmt.Sprintf("change prediction %d", id), method: http.MethodPatch, path: predictionPath(id),
		body: map[string]any{"result": p.Result, "score": p.Score, "model_version": p.ModelVersion, "cluster": p.Cluster},
		into: decodeInto(&row),
	})
	return row, err
}

// DeletePrediction deletes one prediction; one that is gone already is no error.
func (c *Client) DeletePrediction(ctx context.Context, id PredictionID) error {
	return ignoreNotFound(c.do(ctx, apiCall{op: fmt.Sprintf("delete prediction %d", id), method: http.MethodDelete, path: predictionPath(id)}))
}

// ImportPredictions stores many predictions in one request. Its cost grows with
// the project, not with the list: about 14 s for 10,000 tasks, whether one
// prediction or all; below some 60 single writes are cheaper. Label Studio drops
// what it does not like without a word, so a smaller count than was sent is an
// error: *PartialImportError.
func (c *Client) ImportPredictions(ctx context.Context, project event.ProjectID, list []PredictionWrite) error {
	if len(list) == 0 {
		return nil
	}
	body := make([]PredictionWrite, len(list))
	for i, p := range list {
		body[i] = p.withEmptyResult()
	}
	var answer struct {
		Created int `json:"created"`
	}
	err := c.do(ctx, apiCall{
		op: fmt.Sprintf("import predictions into project %d", project), method: http.MethodPost,
		path: projectPath(project, "/import/predictions"), body: body, slow: true, into: decodeInto(&answer),
	})
	if err == nil && answer.Created != len(list) {
		return &PartialImportError{Project: project, Sent: len(list), Created: answer.Created}
	}
	return err
}

// PartialImportError says that Label Studio dropped some of the predictions.
type PartialImportError struct {
	Project       event.ProjectID
	Sent, Created int
}

func (e *PartialImportError) Error() string {
	return fmt.Sprintf("import predictions into project %d: Label Studio stored %d of %d and does not say which; it drops those whose result does not fit the label config or whose score is outside 0 to 1", e.Project, e.Created, e.Sent)
}

// StoredPrediction is a prediction as Label Studio stores it.
type StoredPrediction struct {
	PredictionRow
	// Result is a JSON array of regions, or whatever somebody stored in its place.
	Result json.RawMessage `json:"result"`
}

// Predictions reads every prediction row of a project without holding the
// results in memory. A yielded error ends the iteration. The request is open
// while the loop runs, so the loop should not call Label Studio.
func (c *Client) Predictions(ctx context.Context, project event.ProjectID) iter.Seq2[PredictionRow, error] {
	return listPredictions[PredictionRow](ctx, c, project, "id,task,score,model_version,updated_at")
}

// StoredPredictions is Predictions with what each row says; one result is held at a time.
func (c *Client) StoredPredictions(ctx context.Context, project event.ProjectID) iter.Seq2[StoredPrediction, error] {
	return listPredictions[StoredPrediction](ctx, c, project, "id,task,score,model_version,updated_at,result")
}

func listPredictions[Row any](ctx context.Context, c *Client, project event.ProjectID, fields string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		stopped := false
		err := c.do(ctx, apiCall{
			op: fmt.Sprintf("list predictions of project %d", project), method: http.MethodGet, path: "/api/predictions/",
			query: url.Values{"project": {strconv.FormatInt(int64(project), 10)}, "include": {fields}},
			slow:  true,
			into: func(r io.Reader, _ http.Header) error {
				return decodeList(r, "", nil, func(d *json.Decoder) error {
					var row Row
					if err := d.Decode(&row); err != nil {
						return err
					}
					if !yield(row, nil) {
						stopped = true
						return errStopped
					}
					return nil
				})
			},
		})
		if err != nil && !stopped {
			var none Row
			yield(none, err)
		}
	}
}

// ModelVersions counts a project's predictions by version. The title of a
// registered backend is among them, with 0, when no prediction has it.
func (c *Client) ModelVersions(ctx context.Context, project event.ProjectID) (map[string]int, error) {
	var answer map[string]int
	err := c.do(ctx, apiCall{op: fmt.Sprintf("list model versions of project %d", project), method: http.MethodGet, path: projectPath(project, "/model-versions/"), into: decodeInto(&answer)})
	return answer, err
}

// DeleteModelVersion deletes every prediction of a version, 5 to 6 ms each, and
// returns how many. Deleting the project's current version resets the project's
// model_version.
func (c *Client) DeleteModelVersion(ctx context.Context, project event.ProjectID, version string) (int, error) {
	var answer struct {
		Deleted int `json:"deleted_predictions"`
	}
	err := c.do(ctx, apiCall{
		op: fmt.Sprintf("delete model version %q of project %d", version, project), method: http.MethodDelete,
		path: projectPath(project, "/model-versions/"), body: map[string]string{"model_version": version}, slow: true, into: decodeInto(&answer),
	})
	return answer.Deleted, err
}

// DeleteTaskPredictions deletes all predictions of tasks, all of the project's
// when none is named, as the Data Manager does.
func (c *Client) DeleteTaskPredictions(ctx context.Context, project event.ProjectID, tasks ...event.TaskID) error {
	return c.action(ctx, project, "delete_tasks_predictions", tasks)
}

func (c *Client) action(ctx context.Context, project event.ProjectID, name string, tasks []event.TaskID) error {
	selected := map[string]any{"all": true, "excluded": []int{}}
	if len(tasks) > 0 {
		selected = map[string]any{"all": false, "included": tasks}
	}
	return c.do(ctx, apiCall{
		op: fmt.Sprintf("%s in project %d", name, project), method: http.MethodPost, path: "/api/dm/actions/",
		query: url.Values{"id": {name}, "project": {strconv.FormatInt(int64(project), 10)}},
		body:  map[string]any{"selectedItems": selected}, slow: true,
	})
}

func predictionPath(id PredictionID) string {
	return "/api/predictions/" + strconv.FormatInt(int64(id), 10) + "/"
}
