package poll

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/event"
)

type pollMetrics struct{ polls *prometheus.CounterVec }

func newMetrics(r prometheus.Registerer, last func() map[event.ProjectID]time.Time) (*pollMetrics, error) {
	m := &pollMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hone_polls_total", Help: "Polls of projects that Label Studio does not tell hone about, by what came of them.",
	}, []string{"result"})}
	if r == nil {
		return m, nil
	}
	return m, errors.Join(r.Register(m.polls), r.Register(ageCollector{last}))
}

// ageCollector exports how old the last good poll of each polled project is.
type ageCollector struct {
	last func() map[event.ProjectID]time.Time
}

var ageDesc = prometheus.NewDesc("hone_poll_age_seconds", "Time since the last poll that succeeded began.", []string{"project"}, nil)

func (c ageCollector) Describe(ch chan<- *prometheus.Desc) { ch <- ageDesc }

func (c ageCollector) Collect(ch chan<- prometheus.Metric) {
	for p, at := range c.last() {
		ch <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, time.Since(at).Seconds(), strconv.FormatInt(int64(p), 10))
	}
}
