package labelstudio

import (
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/event"
)

// Health answers GET / and GET /health of the ML-backend protocol.
type Health struct {
	// Status is "UP".
	Status string `json:"status"`
	// ModelClass is shown to people only.
	ModelClass string `json:"model_class,omitempty"`
}

// SetupRequest is the body of POST /setup: Label Studio introduces a project.
type SetupRequest struct {
	// Project and CreatedAt (unix seconds, 0 if not said) name the project.
	Project   event.ProjectID
	CreatedAt int64
	// LabelConfig is the project's XML; it may be empty.
	LabelConfig string
	// Hostname is Label Studio's own idea of its URL.
	Hostname string
	// AccessToken is the legacy token of the project's creator, which may be
	// switched off in Label Studio and then opens nothing.
	AccessToken Secret
	// ExtraParams is what the user typed beside the backend's URL: JSON, or nil.
	ExtraParams json.RawMessage
}

// SetupResponse answers POST /setup; Label Studio reads nothing else.
type SetupResponse struct {
	ModelVersion string `json:"model_version"`
}

// Versions answers GET /versions.
type Versions struct {
	Versions []string `json:"versions"`
}

// PredictRequest is the body of POST /predict.
type PredictRequest struct {
	// Project is 0 in the bare form {"tasks":[{"data":{…}}]} that people send by
	// hand. CreatedAt is in unix seconds, 0 if not said.
	Project   event.ProjectID
	CreatedAt int64
	// LabelConfig is empty when the sender did not say.
	LabelConfig string
	// Tasks in the order in which answers are expected. ID is 0 when not said.
	Tasks []event.Task
	// Context is what the annotator has drawn so far, in an interactive request;
	// nil in a batch.
	Context *PredictContext
}

// PredictContext is the context of an interactive request.
type PredictContext struct {
	// Result is a list of regions, untouched; nil when empty.
	Result json.RawMessage
}

// Prediction is one answer to one task. The zero value abstains.
type Prediction struct {
	Result []Region `json:"result"`
	// Score is 0 to 1; Label Studio's uncertainty sampling asks the lowest first.
	Score        float64 `json:"score"`
	ModelVersion string  `json:"model_version,omitempty"`
}

// Abstains reports whether the prediction says nothing. A Result that is empty
// but not nil is an answer without regions.
func (p Prediction) Abstains() bool { return p.Result == nil }

// PredictResponse answers POST /predict: one prediction per task, in order.
type PredictResponse struct {
	Results []Prediction
}

// MarshalJSON writes {} for a prediction that abstains, which makes Label Studio
// skip that task alone. A score outside of 0 to 1 would cost the whole batch, so
// it is clamped; not a number abstains.
func (p PredictResponse) MarshalJSON() ([]byte, error) {
	items := make([]any, len(p.Results))
	for i, r := range p.Results {
		s, ok := finite(r.Score)
		if !ok || r.Abstains() {
			items[i] = struct{}{}
			continue
		}
		r.Score = s
		items[i] = r
	}
	return json.Marshal(struct {
		Results []any `json:"results"`
	}{items})
}

// DecodeSetup reads the body of POST /setup. Errors are of type *BodyError.
func DecodeSetup(body []byte) (SetupRequest, error) {
	var b struct {
		Project     projectRef      `json:"project"`
		Schema      string          `json:"schema"`
		LabelConfig string          `json:"label_config"`
		Hostname    string          `json:"hostname"`
		AccessToken Secret          `json:"access_token"`
		ExtraParams json.RawMessage `json:"extra_params"`
	}
	if err := decodeBody(body, &b); err != nil {
		return SetupRequest{}, err
	}
	if b.Project.ID == 0 {
		return SetupRequest{}, &BodyError{Field: "project", Fault: "is missing; Label Studio sends \"<id>.<unix seconds>\""}
	}
	if b.Schema == "" {
		b.Schema = b.LabelConfig
	}
	extra, err := extraParams(b.ExtraParams)
	if err != nil {
		return SetupRequest{}, err
	}
	return SetupRequest{
		Project: b.Project.ID, CreatedAt: b.Project.CreatedAt, LabelConfig: b.Schema,
		Hostname: b.Hostname, AccessToken: b.AccessToken, ExtraParams: extra,
	}, nil
}

// extraParams takes JSON, JSON inside a text, null and the empty text.
func extraParams(raw json.RawMessage) (json.RawMessage, error) {
	switch kindOf(raw) {
	case kindNone, kindNull:
		return nil, nil
	case kindString:
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, &BodyError{Field: "extra_params", Fault: "is not a text: " + err.Error()}
		}
		if s == "" {
			return nil, nil
		}
		if !json.Valid([]byte(s)) {
			return nil, &BodyError{Field: "extra_params", Fault: "is a text that is not JSON"}
		}
		return json.RawMessage(s), nil
	}
	return raw, nil
}

// DecodePredict reads the body of POST /predict. Errors are of type *BodyError.
func DecodePredict(body []byte) (PredictRequest, error) {
	var b struct {
		Tasks       []wireTask `json:"tasks"`
		Project     projectRef `json:"project"`
		LabelConfig string     `json:"label_config"`
		Params      struct {
			Context *struct {
				Result json.RawMessage `json:"result"`
			} `json:"context"`
		} `json:"params"`
	}
	if err := decodeBody(body, &b); err != nil {
		return PredictRequest{}, err
	}
	if b.Tasks == nil {
		return PredictRequest{}, &BodyError{Field: "tasks", Fault: `is missing; send {"tasks":[{"data":{"text":"some text"}}]}`}
	}
	out := PredictRequest{
		Project: b.Project.ID, CreatedAt: b.Project.CreatedAt, LabelConfig: b.LabelConfig,
		Tasks: make([]event.Task, len(b.Tasks)),
	}
	for i, t := range b.Tasks {
		if kindOf(t.Data) != kindObject {
			return PredictRequest{}, &BodyError{Field: fmt.Sprintf("tasks[%d].data", i), Fault: `is not an object such as {"text":"some text"}`}
		}
		out.Tasks[i] = t.task()
	}
	if c := b.Params.Context; c != nil {
		out.Context = &PredictContext{}
		if kindOf(c.Result) == kindArray {
			out.Context.Result = c.Result
		}
	}
	return out, nil
}

// DecodeTrain reads the body of POST /train, which Label Studio versions before
// webhooks send: the project, 0 when it is not said. Errors are of type *BodyError.
func DecodeTrain(body []byte) (event.ProjectID, error) {
	var b struct {
		Project projectRef `json:"project"`
	}
	if err := decodeBody(body, &b); err != nil {
		return 0, err
	}
	return b.Project.ID, nil
}
