package wire

import (
	"encoding/json"
	"strings"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio/regions"
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
	AccessToken secret.Secret
	// ExtraParams is what the user typed beside the backend's URL: JSON, or nil.
	ExtraParams json.RawMessage
}

// SetupResponse answers POST /setup; Label Studio reads the version alone.
type SetupResponse struct {
	ModelVersion string `json:"model_version"`
	// Hint is for whoever looks at the answer: what is still to be done.
	Hint string `json:"hint,omitempty"`
}

// Versions answers GET /versions.
type Versions struct {
	Versions []string `json:"versions"`
}

// MarshalJSON writes a list also when there is none: Label Studio wants one.
func (v Versions) MarshalJSON() ([]byte, error) {
	if v.Versions == nil {
		v.Versions = []string{}
	}
	type plain Versions
	return json.Marshal(plain(v))
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
	Result []regions.Region `json:"result"`
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
		s, ok := regions.ClampScore(r.Score)
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
	var out SetupRequest
	var p projectRef
	err := jsonscan.Document(body, func(s *jsonscan.Scanner, key []byte) (err error) {
		var token string
		switch string(key) {
		case "project":
			err = p.read(s)
		case "schema":
			out.LabelConfig, err = s.Text()
		case "hostname":
			out.Hostname, err = s.Text()
		case "access_token":
			token, err = s.Text()
			out.AccessToken = secret.Secret(token)
		case "extra_params":
			out.ExtraParams, err = readExtraParams(s)
		default:
			err = s.Skip()
		}
		return err
	})
	if err != nil {
		return SetupRequest{}, err
	}
	if !p.Known {
		return SetupRequest{}, &BodyError{Field: "project", Fault: "is missing; Label Studio sends \"<id>.<unix seconds>\""}
	}
	out.Project, out.CreatedAt = p.ID, p.CreatedAt
	if out.LabelConfig == "" {
		out.LabelConfig = p.LabelConfig
	}
	return out, nil
}

// readExtraParams takes JSON, JSON inside a text, null and the empty text.
func readExtraParams(s *jsonscan.Scanner) (json.RawMessage, error) {
	switch s.Kind() {
	case jsonscan.Null:
		return nil, s.Skip()
	case jsonscan.String:
		text, err := s.Text()
		if err != nil || strings.TrimSpace(text) == "" {
			return nil, err
		}
		if !json.Valid([]byte(text)) {
			return nil, &BodyError{Fault: "is a text that is not JSON"}
		}
		return json.RawMessage(text), nil
	}
	return s.Raw()
}

// DecodePredict reads the body of POST /predict. Errors are of type *BodyError.
func DecodePredict(body []byte) (PredictRequest, error) {
	var out PredictRequest
	var p projectRef
	err := jsonscan.Document(body, func(s *jsonscan.Scanner, key []byte) (err error) {
		switch string(key) {
		case "tasks":
			out.Tasks, err = readTasks(s)
		case "project":
			err = p.read(s)
		case "label_config":
			out.LabelConfig, err = s.Text()
		case "params":
			out.Context, err = readContext(s)
		default:
			err = s.Skip()
		}
		return err
	})
	if err != nil {
		return PredictRequest{}, err
	}
	if out.Tasks == nil {
		return PredictRequest{}, &BodyError{Field: "tasks", Fault: `is missing; send {"tasks":[{"data":{"text":"some text"}}]}`}
	}
	out.Project, out.CreatedAt = p.ID, p.CreatedAt
	return out, nil
}

func readTasks(s *jsonscan.Scanner) ([]event.Task, error) {
	if s.Kind() == jsonscan.Null {
		return nil, s.Skip()
	}
	tasks := []event.Task{}
	err := s.Array(func(int) error {
		var t Task
		if err := t.read(s); err != nil {
			return err
		}
		if jsonscan.KindOf(t.Data) != jsonscan.Object {
			return &BodyError{Field: "data", Fault: `is not an object such as {"text":"some text"}`}
		}
		tasks = append(tasks, t.Event())
		return nil
	})
	return tasks, err
}

// readContext finds the context of an interactive request in its params.
func readContext(s *jsonscan.Scanner) (*PredictContext, error) {
	var c *PredictContext
	err := s.Object(func(key []byte) error {
		if string(key) != "context" || s.Kind() == jsonscan.Null {
			return s.Skip()
		}
		c = new(PredictContext)
		return s.Object(func(key []byte) (err error) {
			if string(key) != "result" || s.Kind() != jsonscan.Array {
				return s.Skip()
			}
			c.Result, err = s.Raw()
			return err
		})
	})
	return c, err
}

// DecodeTrain reads the body of POST /train, which Label Studio versions before
// webhooks send: the project, 0 when it is not said. Errors are of type *BodyError.
func DecodeTrain(body []byte) (event.ProjectID, error) {
	var p projectRef
	err := jsonscan.Document(body, func(s *jsonscan.Scanner, key []byte) error {
		if string(key) != "project" {
			return s.Skip()
		}
		return p.read(s)
	})
	if err != nil {
		return 0, err
	}
	return p.ID, nil
}
