package sampler

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/sampler/push"
)

type samplerMetrics struct {
	ready, lag prometheus.Histogram
	writes     *prometheus.CounterVec
	failures   *prometheus.CounterVec
	asked      *prometheus.CounterVec
	lacking    *prometheus.GaugeVec
	superseded prometheus.Counter
	versionSet prometheus.Counter
}

func (m *samplerMetrics) push() push.Metrics {
	return push.Metrics{Writes: m.writes, Failures: m.failures, VersionSet: m.versionSet}
}

func newMetrics(r prometheus.Registerer) (*samplerMetrics, error) {
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 4, 8, 15, 30, 60, 300}
	m := &samplerMetrics{
		ready: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hone_queue_ready_seconds", Buckets: buckets,
			Help: "From hearing of an annotation to having ranked the queue that follows from it.",
		}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hone_queue_lag_seconds", Buckets: buckets,
			Help: "From hearing of an annotation to Label Studio having the best task of the queue that follows from it in front.",
		}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hone_queue_writes_total", Help: "Predictions written to Label Studio, by kind of write.",
		}, []string{"op"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hone_queue_failures_total", Help: "Steps of ranking and pushing that failed, by cause.",
		}, []string{"cause"}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hone_queue_labelled_total", Help: "Tasks labelled while they were queued, by how they were picked.",
		}, []string{"pick"}),
		lacking: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hone_pool_tasks_lacking", Help: "Tasks of the pool that no control can be predicted for, by what their data lack.",
		}, []string{"project", "lack"}),
		superseded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hone_queue_superseded_total", Help: "Queues replaced by a newer one before they were written in full.",
		}),
		versionSet: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hone_model_version_set_total", Help: "Times a project's model_version was set to the live version.",
		}),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.ready, m.lag, m.writes, m.failures, m.asked, m.lacking, m.superseded, m.versionSet} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// differingCollector tells, when it is asked, how many stored predictions differ from the
// model, and for how long.
type differingCollector struct{ s *Sampler }

var (
	differingDesc = prometheus.NewDesc("hone_predictions_differing",
		"Predictions in Label Studio that do not say what the model says now: in the queue, or beside it.", []string{"project", "where"}, nil)
	differingSecondsDesc = prometheus.NewDesc("hone_predictions_differing_oldest_seconds",
		"For how long the oldest of them has been known to differ; 0 if none does.", []string{"project"}, nil)
)

// Describe implements prometheus.Collector.
func (c differingCollector) Describe(out chan<- *prometheus.Desc) {
	out <- differingDesc
	out <- differingSecondsDesc
}

// Collect implements prometheus.Collector.
func (c differingCollector) Collect(out chan<- prometheus.Metric) {
	c.s.mu.Lock()
	workers := slices.Collect(maps.Values(c.s.projects))
	c.s.mu.Unlock()
	for _, w := range workers {
		held, project := w.status.get().Stored, strconv.FormatInt(int64(w.id), 10)
		age := 0.0
		if !held.OldestDiffering.IsZero() {
			age = max(0, time.Since(held.OldestDiffering).Seconds())
		}
		out <- prometheus.MustNewConstMetric(differingDesc, prometheus.GaugeValue, float64(held.QueueDiffering), project, "queue")
		out <- prometheus.MustNewConstMetric(differingDesc, prometheus.GaugeValue, float64(held.OthersDiffering), project, "beside")
		out <- prometheus.MustNewConstMetric(differingSecondsDesc, prometheus.GaugeValue, age, project)
	}
}
