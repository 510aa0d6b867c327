package labelstudio

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/hone-ml/hone/event"
)

// Sampling values of a project, as Label Studio spells them.
const (
	SequentialSampling  = "Sequential sampling"
	UniformSampling     = "Uniform sampling"
	UncertaintySampling = "Uncertainty sampling"
)

// Project holds the fields of a Label Studio project that hone reads.
type Project struct {
	ID          event.ProjectID `json:"id"`
	Title       string          `json:"title"`
	LabelConfig string          `json:"label_config"`
	CreatedAt   time.Time       `json:"created_at"`
	// ModelVersion is the version whose predictions annotators see and
	// uncertainty sampling orders by. It may be a backend's title instead.
	ModelVersion       string `json:"model_version"`
	Sampling           string `json:"sampling"`
	MaximumAnnotations int    `json:"maximum_annotations"`
	// Tasks counts all tasks; 0 in the answer that created the project.
	Tasks int `json:"task_number"`
	// Annotations counts the annotations that were not skipped, Skipped the others.
	Annotations int `json:"total_annotations_number"`
	Skipped     int `json:"skipped_annotations_number"`
	// ShowPredictions is on by default and makes Label Studio ask the backend
	// whenever a task without predictions is opened.
	ShowPredictions bool `json:"show_collab_predictions"`
	// Evaluate asks the backend for every listed task without predictions.
	Evaluate bool `json:"evaluate_predictions_automatically"`
}

// ProjectPatch names the fields to set; nil leaves a field alone.
type ProjectPatch struct {
	Title       *string `json:"title,omitempty"`
	LabelConfig *string `json:"label_config,omitempty"`
	Sampling    *string `json:"sampling,omitempty"`
	// ModelVersion must be a version that at least one prediction of the project
	// carries, or a backend's title; Label Studio answers 400 otherwise.
	ModelVersion       *string `json:"model_version,omitempty"`
	MaximumAnnotations *int    `json:"maximum_annotations,omitempty"`
	ShowPredictions    *bool   `json:"show_collab_predictions,omitempty"`
	Evaluate           *bool   `json:"evaluate_predictions_automatically,omitempty"`
}

// Project reads one project.
func (c *Client) Project(ctx context.Context, id event.ProjectID) (Project, error) {
	var p Project
	err := c.do(ctx, apiCall{op: fmt.Sprintf("read project %d", id), method: http.MethodGet, path: projectPath(id, "/"), into: decodeInto(&p)})
	return p, err
}

// Projects reads every project the token may see.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	var all []Project
	for page := 1; ; page++ {
		var answer struct {
			Next    *string   `json:"next"`
			Results []Project `json:"results"`
		}
		err := c.do(ctx, apiCall{
			op: "list projects", method: http.MethodGet, path: "/api/projects/",
			query: url.Values{"page": {strconv.Itoa(page)}, "page_size": {"100"}, "ordering": {"id"}},
			into:  decodeInto(&answer),
		})
		if pastTheEnd(err) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Results...)
		if answer.Next == nil || len(answer.Results) == 0 {
			return all, nil
		}
	}
}

// CreateProject makes a project. Label Studio wants a title of at least three
// characters.
func (c *Client) CreateProject(ctx context.Context, title, labelConfig string) (Project, error) {
	var p Project
	err := c.do(ctx, apiCall{
		op: "create project", method: http.MethodPost, path: "/api/projects/",
		body: ProjectPatch{Title: &title, LabelConfig: &labelConfig}, into: decodeInto(&p),
	})
	return p, err
}

// PatchProject sets fields of a project. Label Studio sends PROJECT_UPDATED to
// the project's webhooks for it, our own included.
//
// Label Studio reads the whole row of the project and saves the whole row, so of two changes
// at the same time one is lost, whatever fields they set. Those of one Client wait for each
// other. Others may still overlap: only reading the project again tells.
func (c *Client) PatchProject(ctx context.Context, id event.ProjectID, patch ProjectPatch) (Project, error) {
	var p Project
	lock, _ := c.patching.LoadOrStore(id, semaphore.NewWeighted(1))
	turn := lock.(*semaphore.Weighted) //nolint:forcetypeassert // nothing else is stored
	if err := turn.Acquire(ctx, 1); err != nil {
		return p, fmt.Errorf("change project %d: %w", id, err)
	}
	defer turn.Release(1)
	err := c.do(ctx, apiCall{op: fmt.Sprintf("change project %d", id), method: http.MethodPatch, path: projectPath(id, "/"), body: patch, into: decodeInto(&p)})
	return p, err
}

// DeleteProject deletes a project and everything in it. A project that is
// already gone is no error.
func (c *Client) DeleteProject(ctx context.Context, id event.ProjectID) error {
	return ignoreNotFound(c.do(ctx, apiCall{op: fmt.Sprintf("delete project %d", id), method: http.MethodDelete, path: projectPath(id, "/"), slow: true}))
}

func projectPath(id event.ProjectID, rest string) string {
	return "/api/projects/" + strconv.FormatInt(int64(id), 10) + rest
}

// ignoreNotFound turns a 404 of a deletion into nil: a repeated DELETE whose first answer was
// lost gets one.
func ignoreNotFound(err error) error {
	if IsNotFound(err) {
		return nil
	}
	return err
}

// pastTheEnd recognises how Label Studio says that there are no more pages.
func pastTheEnd(err error) bool {
	if !IsNotFound(err) {
		return false
	}
	e, _ := asAPIError(err)
	return strings.Contains(e.Detail, "Invalid page")
}
