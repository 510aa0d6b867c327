package guard

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/event"
)

// metrics are gauges of each project.
type metrics struct{ left, trials, difference *prometheus.GaugeVec }

func newMetrics() metrics {
	return metrics{
		left: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hone_strategy_left", Help: "1 when the strategy of a project was worse than random and was left for it, 0 when not.",
		}, []string{"project"}),
		trials: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hone_strategy_trials", Help: "Random answers by which the strategy is compared with random.",
		}, []string{"project", "control"}),
		difference: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hone_strategy_difference", Help: "Accuracy on random answers of a model of answers that the strategy asked for, less that of one of as many random answers.",
		}, []string{"project", "control"}),
	}
}

func (m metrics) all() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{m.left, m.trials, m.difference}
}

func (m metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, g := range m.all() {
		errs = append(errs, r.Register(g))
	}
	return errors.Join(errs...)
}

// publish sets the gauges of a project.
func (m metrics) publish(p event.ProjectID, left bool, c event.Comparison) {
	project := strconv.FormatInt(int64(p), 10)
	is := 0.0
	if left {
		is = 1
	}
	m.forget(p)
	m.left.WithLabelValues(project).Set(is)
	for name, control := range c.Controls {
		d := differences(control.Trials)
		m.trials.WithLabelValues(project, name).Set(float64(d.N()))
		m.difference.WithLabelValues(project, name).Set(d.Mean())
	}
}

func (m metrics) forget(p event.ProjectID) {
	for _, g := range m.all() {
		g.DeletePartialMatch(prometheus.Labels{"project": strconv.FormatInt(int64(p), 10)})
	}
}
