package labelstudio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// AnnotationWrite is an annotation to submit or to change. In a change nil
// fields are left alone.
type AnnotationWrite struct {
	// Result is encoded as JSON: a list of regions, or raw JSON. A skip has an
	// empty list.
	Result    any   `json:"result,omitempty"`
	Cancelled *bool `json:"was_cancelled,omitempty"`
	// LeadTime is in seconds.
	LeadTime    *float64 `json:"lead_time,omitempty"`
	GroundTruth *bool    `json:"ground_truth,omitempty"`
	// UniqueID makes creating it idempotent: a second one with the same is
	// refused with 409.
	UniqueID string `json:"unique_id,omitempty"`
	// ParentPrediction is the prediction it started from.
	ParentPrediction *int64 `json:"parent_prediction,omitempty"`
}

// Annotations reads a task's annotations, skips included.
func (c *Client) Annotations(ctx context.Context, task event.TaskID) ([]event.Annotation, error) {
	var all []event.Annotation
	err := c.do(ctx, apiCall{
		op: fmt.Sprintf("list annotations of task %d", task), method: http.MethodGet, path: taskPath(task, "/annotations/"),
		into: func(r io.Reader, _ http.Header) error {
			return decodeList(r, "", nil, func(d *json.Decoder) error {
				var w wire.Annotation
				if err := d.Decode(&w); err != nil {
					return err
				}
				w.Task = task
				a, err := checkedAnnotation(w)
				all = append(all, a)
				return err
			})
		},
	})
	return all, err
}

// CreateAnnotation submits an annotation as the token's user.
func (c *Client) CreateAnnotation(ctx context.Context, task event.TaskID, a AnnotationWrite) (event.Annotation, error) {
	if a.Result == nil {
		a.Result = json.RawMessage("[]")
	}
	return c.annotation(ctx, apiCall{op: fmt.Sprintf("annotate task %d", task), method: http.MethodPost, path: taskPath(task, "/annotations/"), body: a})
}

func (c *Client) annotation(ctx context.Context, k apiCall) (event.Annotation, error) {
	var w wire.Annotation
	k.into = decodeInto(&w)
	if err := c.do(ctx, k); err != nil {
		return event.Annotation{}, err
	}
	a, err := checkedAnnotation(w)
	if err != nil {
		return a, fmt.Errorf("%s: %w", k.op, err)
	}
	return a, nil
}
