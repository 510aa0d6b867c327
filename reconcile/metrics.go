package reconcile

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

type runMetrics struct {
	runs   *prometheus.CounterVec
	took   prometheus.Histogram
	stated prometheus.Counter
}

func newMetrics(r prometheus.Registerer, statuses func() []Status) (*runMetrics, error) {
	m := &runMetrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hone_reconcile_runs_total", Help: "Comparisons with Label Studio, by how they ended.",
		}, []string{"result"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hone_reconcile_seconds", Help: "Time of one comparison that ended well.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 1200},
		}),
		stated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hone_reconcile_stated_total",
			Help: "Tasks, annotations and deletions that hone did not know when it compared; some were on their way.",
		}),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.runs, m.took, m.stated, missedCollector{statuses}} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// missedCollector exports the count that is stored with the project and survives a restart.
// The count is read when a run begins, so that what a run finds shows after the next one.
type missedCollector struct{ statuses func() []Status }

var missedDesc = prometheus.NewDesc("hone_reconcile_missed_total",
	"Changes that no webhook told and only a comparison found.", []string{"project"}, nil)

func (c missedCollector) Describe(ch chan<- *prometheus.Desc) { ch <- missedDesc }

func (c missedCollector) Collect(ch chan<- prometheus.Metric) {
	for _, st := range c.statuses() {
		ch <- prometheus.MustNewConstMetric(missedDesc, prometheus.CounterValue, float64(st.Missed), strconv.FormatInt(int64(st.Project), 10))
	}
}
