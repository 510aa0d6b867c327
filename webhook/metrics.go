package webhook

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Reasons for which a request is refused: the values of the label "reason".
const (
	refusedAuth        = "unauthorized"
	refusedTooLarge    = "too_large"
	refusedContentType = "content_type"
	refusedCut         = "incomplete"
	refusedMalformed   = "malformed"
	refusedStorage     = "storage"
	refusedProject     = "project"
)

type serverMetrics struct {
	received    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	duplicates  prometheus.Counter
	ack         prometheus.Histogram
	panics      prometheus.Counter
	predictions *prometheus.CounterVec
	tasks       prometheus.Counter
	predict     prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (*serverMetrics, error) {
	m := &serverMetrics{
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hone_webhook_received_total",
			Help: "Webhooks accepted, duplicates included, by action; actions hone does not know are counted as unknown.",
		}, []string{"action"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hone_webhook_refused_total",
			Help: "Requests of Label Studio that were refused, by reason.",
		}, []string{"reason"}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hone_webhook_duplicates_total",
			Help: "Webhooks that said word for word what an earlier one had said: a project has two webhooks to hone.",
		}),
		ack: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hone_webhook_ack_seconds",
			Help:    "Time from a webhook's head to its answer. Label Studio gives up after 1 s.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, .9, 1},
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hone_http_panics_total",
			Help: "Requests whose handler failed unexpectedly.",
		}),
		predictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hone_predict_requests_total",
			Help: "Calls of /predict by outcome.",
		}, []string{"outcome"}),
		tasks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hone_predict_tasks_total",
			Help: "Tasks answered by /predict, abstentions included.",
		}),
		predict: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hone_predict_seconds",
			Help:    "Time a call of /predict took.",
			Buckets: prometheus.ExponentialBuckets(.0005, 4, 10),
		}),
	}
	for _, c := range []prometheus.Collector{
		m.received, m.refused, m.duplicates, m.ack, m.panics, m.predictions, m.tasks, m.predict,
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("webhook: register metrics: %w", err)
		}
	}
	return m, nil
}
