package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
)

// predictor implements the API's port to predictions of texts of elsewhere.
type predictor struct{ *App }

var _ api.Predictor = predictor{}

func (p predictor) PredictTasks(ctx context.Context, id event.ProjectID, data []json.RawMessage) (api.PredictResponse, error) {
	got, ok, err := p.Learner.Answers(ctx, id, data)
	if err != nil {
		return api.PredictResponse{}, err
	}
	if !ok {
		return api.PredictResponse{}, p.whyNothing(ctx, id)
	}
	out := api.PredictResponse{ModelVersion: got.Version, Fields: got.Fields, Predictions: make([]api.TaskPrediction, len(data)), Unencoded: got.Unencoded}
	for _, c := range got.Controls {
		out.Controls = append(out.Controls, api.AnsweredControl(c))
	}
	for i, answers := range got.Answers {
		out.Predictions[i].Controls = make([]api.ControlPrediction, len(answers))
		for j, a := range answers {
			out.Predictions[i].Controls[j] = describeAnswer(a)
		}
	}
	return out, nil
}

// whyNothing says why nothing can be predicted for a project.
func (p predictor) whyNothing(ctx context.Context, id event.ProjectID) error {
	got, err := apiProjects(p).Get(ctx, id)
	if err != nil {
		return err
	}
	why := append([]string{fmt.Sprintf("project %d has learned nothing yet that could be predicted", id)}, got.Problems...)
	return withStatus{fmt.Errorf("%s: see `hone status --project %d`", strings.Join(why, ": "), id), http.StatusConflict}
}

func describeAnswer(a head.PredictedAnswer) api.ControlPrediction {
	out := api.ControlPrediction{Control: a.Control, Type: a.Type, Confidence: a.Confidence, Number: a.Number}
	if a.Labels != nil {
		out.Labels = &a.Labels
	}
	if a.Spans != nil {
		spans := make([]api.PredictedSpan, len(a.Spans))
		for i, s := range a.Spans {
			spans[i] = api.PredictedSpan(s)
		}
		out.Spans = &spans
	}
	if d := a.Classes; d != nil {
		out.Exclusive = d.Exclusive
		for i, l := range d.Labels {
			out.Probabilities = append(out.Probabilities, api.LabelProbability{Label: l, Probability: d.P[i]})
		}
	}
	return out
}
