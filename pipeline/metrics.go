package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/prometheus/client_golang/prometheus"
)

type pipelineMetrics struct {
	published, handled, failed, dead *prometheus.CounterVec
	seconds                          *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, p *Pipeline) (*pipelineMetrics, error) {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"topic", "kind"})
	}
	m := &pipelineMetrics{
		published: counter("hone_events_published_total", "Events stored in the log."),
		handled:   counter("hone_events_handled_total", "Events handled, by each group that did."),
		failed:    counter("hone_events_failed_total", "Attempts to handle an event that failed and are repeated."),
		dead:      counter("hone_events_dead_total", "Events moved to the dead letters."),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hone_handler_seconds", Help: "How long a handler took for one batch of events.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		}, []string{"topic", "group"}),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.published, m.handled, m.failed, m.dead, m.seconds, lagCollector{p}} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *pipelineMetrics) countHandled(topic event.Topic, events []event.Event) {
	for _, e := range events {
		m.handled.WithLabelValues(string(topic), event.Kind(e)).Inc()
	}
}

// lagCollector looks into the log when Prometheus asks.
type lagCollector struct{ p *Pipeline }

var (
	lagEntries = prometheus.NewDesc("hone_log_lag_entries",
		"Entries of a topic that a group has not handled yet.", []string{"topic", "group"}, nil)
	lagSeconds = prometheus.NewDesc("hone_log_lag_seconds",
		"Age of the oldest entry that a group has not handled yet.", []string{"topic", "group"}, nil)
	deadLetters = prometheus.NewDesc("hone_dead_letters",
		"Events that wait in the dead letters.", nil, nil)
)

func (lagCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- lagEntries
	ch <- lagSeconds
	ch <- deadLetters
}

// Collect leaves out what it cannot read, because an error here would hide every
// other metric of hone too.
func (c lagCollector) Collect(ch chan<- prometheus.Metric) {
	lags, err := c.p.Lag()
	if err != nil {
		c.p.logger.WithError(err).Warn("cannot measure the lag")
	}
	for _, l := range lags {
		age := 0.0
		if !l.Since.IsZero() {
			age = max(0, time.Since(l.Since).Seconds())
		}
		ch <- prometheus.MustNewConstMetric(lagEntries, prometheus.GaugeValue, float64(l.Entries), string(l.Topic), l.Group)
		ch <- prometheus.MustNewConstMetric(lagSeconds, prometheus.GaugeValue, age, string(l.Topic), l.Group)
	}
	n, err := c.p.CountDeadLetters(context.Background())
	if err != nil {
		c.p.logger.WithError(err).Warn("cannot count the dead letters")
		return
	}
	ch <- prometheus.MustNewConstMetric(deadLetters, prometheus.GaugeValue, float64(n))
}
