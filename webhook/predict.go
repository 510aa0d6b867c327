package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// Outcomes of /predict, for the metric.
const (
	predictOK      = "ok"
	predictUnknown = "unknown_project"
	predictRefused = "refused"
	predictFailed  = "failed"
)

// predict answers with one item per task, in order.
func (s *Server) predict(c *gin.Context) {
	start := time.Now()
	outcome := predictRefused
	defer func() {
		s.metrics.predict.Observe(time.Since(start).Seconds())
		s.metrics.predictions.WithLabelValues(outcome).Inc()
	}()
	body, f := readJSON(c, s.o.MaxPredictBytes)
	if f != nil {
		s.refuse(c, f)
		return
	}
	defer releaseBuffer(body)
	req, err := wire.DecodePredict(body.Bytes())
	if err != nil {
		s.refuse(c, malformedBody(err))
		return
	}
	interactive := req.Context != nil
	p, f := s.project(req.Project)
	preds := make([]wire.Prediction, len(req.Tasks))
	outcome = predictOK
	switch {
	case f != nil && req.Project != 0 && req.LabelConfig != "":
		// Label Studio itself asks, of a project hone has not heard of. It would
		// drop an error unseen; abstaining says the same without a fault.
		outcome = predictUnknown
	case f != nil:
		outcome = predictRefused
		s.refuse(c, f)
		return
	case interactive && nothingDrawn(req.Context):
		// Label Studio asks once more after a submit, and expects no answer.
	case len(req.Tasks) > 0:
		if s.o.OnPredict != nil && !interactive && isTrusted(c) {
			s.o.OnPredict(p, req.Tasks)
		}
		if interactive {
			preds, err = s.predictInteractive(c.Request.Context(), p, req)
		} else {
			preds, err = s.o.Predictor.Predict(c.Request.Context(), p, req.LabelConfig, req.Tasks)
		}
		if err == nil && len(preds) != len(req.Tasks) {
			s.log.WithField("project", p).Errorf("%d predictions were made for %d tasks", len(preds), len(req.Tasks))
			outcome = predictFailed
			failInStatusLine(c, http.StatusInternalServerError, "hone made a wrong number of predictions; its log says more")
			return
		}
		if err != nil {
			s.log.WithField("project", p).WithError(err).Error("prediction failed")
			outcome = predictFailed
			failInStatusLine(c, http.StatusInternalServerError, "hone could not predict; its log says why")
			return
		}
	}
	s.metrics.tasks.Add(float64(len(req.Tasks)))
	s.answer(c, preds, interactive)
}

// predictInteractive answers an annotator at work. What they drew is read loosely: what is no
// region is passed over.
func (s *Server) predictInteractive(ctx context.Context, p event.ProjectID, req wire.PredictRequest) ([]wire.Prediction, error) {
	drawn, err := regions.Decode(req.Context.Result)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Prediction, len(req.Tasks))
	for i, t := range req.Tasks {
		if out[i], err = s.o.Predictor.Extend(ctx, p, req.LabelConfig, t, drawn); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func nothingDrawn(c *wire.PredictContext) bool {
	drawn := bytes.TrimSpace(c.Result)
	return len(drawn) == 0 || bytes.Equal(drawn, []byte("[]"))
}

func (s *Server) answer(c *gin.Context, preds []wire.Prediction, interactive bool) {
	if interactive {
		// The annotation editor reads the result without looking whether there is one.
		preds = slices.Clone(preds)
		for i := range preds {
			if preds[i].Abstains() {
				preds[i].Result = []regions.Region{}
			}
		}
	}
	b, err := json.Marshal(wire.PredictResponse{Results: preds})
	if err != nil {
		s.log.WithError(err).Error("a prediction cannot be written as JSON")
		failInStatusLine(c, http.StatusInternalServerError, "hone made a prediction that cannot be sent; its log says more")
		return
	}
	c.Data(http.StatusOK, jsonType, b)
}
