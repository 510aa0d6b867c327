package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/event"
)

// The bounds of one request for predictions.
const (
	MaxPredictBody  = 32 << 20
	MaxPredictTasks = 500
	// maxPredicting bounds how many requests are read and answered at a time; others wait.
	maxPredicting = 4
)

// PredictRequest asks what a project's model answers to texts that need be no tasks.
type PredictRequest struct {
	Tasks []PredictTask `json:"tasks"`
}

// PredictTask is one of them.
type PredictTask struct {
	// Data is an object with the fields that the label config shows.
	Data json.RawMessage `json:"data"`
}

// PredictResponse is the answer, with a prediction for each task, in order.
type PredictResponse struct {
	ModelVersion string `json:"model_version"`
	// Fields are the fields of Data that the model reads.
	Fields []string `json:"fields"`
	// Controls are those that can be answered, in the order of the label config.
	Controls    []AnsweredControl `json:"controls"`
	Predictions []TaskPrediction  `json:"predictions"`
	// Unencoded counts the tasks whose vectors of a slow encoder did not come in time: they
	// were predicted without.
	Unencoded int `json:"unencoded,omitempty"`
}

// AnsweredControl is a control whose answers can be predicted.
type AnsweredControl struct {
	Control string `json:"control"`
	Type    string `json:"type"`
	// Answer is what an answer consists of: "labels", "number" or "spans".
	Answer string `json:"answer"`
	// Labels may be chosen, or mark spans; nil of a number.
	Labels []string `json:"labels,omitempty"`
}

// TaskPrediction is what the model answers to one task.
type TaskPrediction struct {
	// Controls has an answer for each control that annotators would see and whose text is
	// there; empty without a text.
	Controls []ControlPrediction `json:"controls"`
}

// ControlPrediction is the answer to one control.
type ControlPrediction struct {
	Control    string  `json:"control"`
	Type       string  `json:"type"`
	Confidence float64 `json:"confidence"`
	// Labels are those that are chosen; absent where a number is asked for, or spans.
	Labels *[]string `json:"labels,omitempty"`
	// Probabilities has that of each label, in the order of the label config. They sum to 1 if
	// Exclusive is set, and each stands for itself otherwise.
	Probabilities []LabelProbability `json:"probabilities,omitempty"`
	Exclusive     bool               `json:"exclusive,omitempty"`
	Number        *float64           `json:"number,omitempty"`
	// Spans is absent where labels of the whole text are asked for, or a number.
	Spans *[]PredictedSpan `json:"spans,omitempty"`
}

// LabelProbability is the probability of a label.
type LabelProbability struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// PredictedSpan is a labelled span of a text.
type PredictedSpan struct {
	Object string `json:"object"`
	// Start and End count characters.
	Start  int      `json:"start"`
	End    int      `json:"end"`
	Text   string   `json:"text"`
	Labels []string `json:"labels"`
	Score  float64  `json:"score"`
}

// Predictor predicts texts. Safe for concurrent use.
type Predictor interface {
	// PredictTasks returns a prediction for each object of task data. The error wraps
	// ErrUnknownProject, or says why nothing can be predicted.
	PredictTasks(ctx context.Context, id event.ProjectID, data []json.RawMessage) (PredictResponse, error)
}

func (s *Server) predict() gin.HandlerFunc {
	slots := make(chan struct{}, maxPredicting)
	return func(c *gin.Context) {
		id, ok := projectID(c)
		if !ok {
			return
		}
		// Before the body is read: bodies that wait are not in memory.
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-c.Request.Context().Done():
			return
		}
		data, err := readPredict(c.Request.Body)
		if err != nil {
			writeBodyError(c, err, fmt.Sprintf("the body is larger than %d MiB: send fewer tasks at a time", MaxPredictBody>>20),
				fmt.Sprintf(`%v; the body must be {"tasks": [{"data": {"text": "..."}}]}`, err))
			return
		}
		out, err := s.Predictor.PredictTasks(c, id, data)
		if err != nil {
			writeError(c, err)
			return
		}
		c.JSON(http.StatusOK, out)
	}
}

// readPredict reads a PredictRequest. It stops at the first task that is too many, so that a
// body of millions of empty ones takes no memory.
func readPredict(body io.Reader) ([]json.RawMessage, error) {
	d := json.NewDecoder(body)
	if err := expect(d, json.Delim('{')); err != nil {
		return nil, err
	}
	data, found := []json.RawMessage{}, false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		if key != "tasks" {
			var other json.RawMessage
			if err := d.Decode(&other); err != nil {
				return nil, notJSON(err)
			}
			continue
		}
		if found {
			return nil, errors.New(`"tasks" comes twice`)
		}
		found = true
		if data, err = readTasks(d); err != nil {
			return nil, err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(errors.New("something follows the JSON object"), largeBody(err))
	}
	if !found {
		return nil, errors.New(`it has no "tasks"`)
	}
	return data, nil
}

func readTasks(d *json.Decoder) ([]json.RawMessage, error) {
	if err := expect(d, json.Delim('[')); err != nil {
		return nil, err
	}
	data := []json.RawMessage{}
	for d.More() {
		if len(data) == MaxPredictTasks {
			return nil, fmt.Errorf("it has more than %d tasks: send them in several requests", MaxPredictTasks)
		}
		var t PredictTask
		if err := d.Decode(&t); err != nil {
			return nil, fmt.Errorf("task %d of the list: %w", len(data)+1, notJSON(err))
		}
		if len(t.Data) == 0 || t.Data[0] != '{' {
			return nil, fmt.Errorf(`task %d of the list has no "data" object`, len(data)+1)
		}
		data = append(data, t.Data)
	}
	return data, expect(d, json.Delim(']'))
}

// expect takes the next token, which is to be a delimiter.
func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return notJSON(err)
	}
	if got != want {
		return fmt.Errorf("%v is where %q should be", got, want.String())
	}
	return nil
}

// Predict asks what the model answers to texts, at most MaxPredictTasks of them.
func (c *Client) Predict(ctx context.Context, id event.ProjectID, data []json.RawMessage) (PredictResponse, error) {
	req := PredictRequest{Tasks: make([]PredictTask, len(data))}
	for i, d := range data {
		req.Tasks[i].Data = d
	}
	var out PredictResponse
	err := c.do(ctx, http.MethodPost, projectPath(id, "/predict"), req, &out)
	if err == nil && len(out.Predictions) != len(data) {
		err = fmt.Errorf("%s answered %d predictions for %d tasks; is that a hone?", c.Base, len(out.Predictions), len(data))
	}
	return out, err
}
