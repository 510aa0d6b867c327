package counts

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/event"
)

// Metrics shows the counts of projects. It is safe for concurrent use.
type Metrics struct {
	annotations, suggestions, lacking, unlearnable *prometheus.GaugeVec
}

// NewMetrics returns metrics to be registered.
func NewMetrics() *Metrics {
	vec := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "hone", Subsystem: "learner", Name: name, Help: help}, append([]string{"project"}, labels...))
	}
	return &Metrics{
		annotations: vec("annotations", "Annotations by whether they were learned, or why not.", "fate"),
		suggestions: vec("suggestions", "Suggestions that annotators started from, by what they made of them.", "outcome"),
		lacking:     vec("labelled_tasks_lacking", "Tasks with annotations whose data give no control anything to learn from.", "lack"),
		unlearnable: vec("unlearnable_controls", "Controls that are left alone; `hone status` says why."),
	}
}

func (m *Metrics) vecs() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{m.annotations, m.suggestions, m.lacking, m.unlearnable}
}

// Collectors are what there is to register.
func (m *Metrics) Collectors() (out []prometheus.Collector) {
	for _, v := range m.vecs() {
		out = append(out, v)
	}
	return out
}

// Set shows the counts of a project.
func (m *Metrics) Set(project string, t Totals, unlearnable int) {
	a, s := t.Annotations, t.Suggestions
	for vec, values := range map[*prometheus.GaugeVec]map[string]int{
		m.annotations: {
			"learned": a.Learned, "skipped": a.Skipped, "from_predictions": a.FromPredictions, "excluded": a.Excluded, "unanswered": a.Unanswered, "refused": a.Refused,
			"no_text": a.NoText, "identical_pair": a.IdenticalPair, "no_control": a.NoControl,
		},
		m.suggestions: {"accepted": s.Accepted, "changed": s.Changed, "rejected": s.Rejected, "empty": s.Empty},
		m.lacking:     {string(event.LackText): t.NoText, string(event.LackDifference): t.IdenticalPairs},
	} {
		for label, n := range values {
			vec.WithLabelValues(project, label).Set(float64(n))
		}
	}
	m.unlearnable.WithLabelValues(project).Set(float64(unlearnable))
}

// Forget drops a project that is gone.
func (m *Metrics) Forget(project string) {
	for _, v := range m.vecs() {
		v.DeletePartialMatch(prometheus.Labels{"project": project})
	}
}
