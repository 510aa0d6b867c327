package report

import (
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/counts"
)

// Metrics are those of the learner. They are safe for concurrent use.
type Metrics struct {
	// Settle takes the seconds from a change to a model at its optimum.
	Settle prometheus.Histogram
	// Retrains counts full retrains by outcome, Refused answers by project and control.
	Retrains, Refused *prometheus.CounterVec
	// Encoded counts texts that slow encoders have encoded, EncodeFailures batches that they
	// could not encode.
	Encoded, EncodeFailures prometheus.Counter

	learned, forgotten, unreadable prometheus.Counter
	gap, sequence, labels          *prometheus.GaugeVec
	unencoded                      *prometheus.GaugeVec
	counts                         *counts.Metrics
	scores                         map[string]*prometheus.GaugeVec // by metric name; of heads
}

// NewMetrics returns metrics, registered unless r is nil. The error is that of registering.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "hone", Subsystem: "learner", Name: name, Help: help})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "hone", Subsystem: "learner", Name: name, Help: help}, []string{"project"})
	}
	m := &Metrics{
		learned:    counter("learned_total", "Examples that were new or changed, over all heads."),
		forgotten:  counter("forgotten_total", "Examples that were forgotten, over all heads."),
		unreadable: counter("unreadable_total", "Annotations whose result is no list of regions."),
		Settle: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "hone", Subsystem: "learner", Name: "settle_seconds",
			Help:    "Time from a change to a model at its optimum.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
		gap:            gauge("optimality_gap", "The most by which a probability can differ from training from scratch; -1 while unknown."),
		sequence:       gauge("snapshot", "Number of the last snapshot."),
		labels:         gauge("labels", "Annotations learned from."),
		Encoded:        counter("encoded_total", "Texts that a slow encoder has encoded."),
		EncodeFailures: counter("encode_failures_total", "Batches that a slow encoder could not encode."),
		unencoded:      gauge("unencoded_tasks", "Tasks whose texts a slow encoder has not encoded yet."),
		Retrains: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "hone", Subsystem: "learner", Name: "retrains_total", Help: "Full retrains by outcome.",
		}, []string{"outcome"}),
	}
	m.Refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "hone", Subsystem: "learner", Name: "refused_total",
		Help: "Answers that no model can take and that were passed over; `hone status` names the tasks.",
	}, []string{"project", "control"})
	m.counts = counts.NewMetrics()
	m.scores = map[string]*prometheus.GaugeVec{}
	for name, what := range map[string]string{
		"accuracy": "Share of answers that were right", "macro_f1": "Mean F1 over the labels", "log_loss": "Mean log-loss",
		"ece": "Expected calibration error", "mae": "Mean absolute error", "rmse": "Root of the mean squared error",
	} {
		m.scores[name] = prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "hone", Subsystem: "learner", Name: name,
			Help: what + " of predictions made just before each task was learned, by control; window is all, or recent: about 50 tasks.",
		}, []string{"project", "control", "window"})
	}
	if r == nil {
		return m, nil
	}
	all := []prometheus.Collector{m.learned, m.forgotten, m.unreadable, m.Refused, m.Settle, m.gap, m.sequence, m.labels, m.Retrains, m.Encoded, m.EncodeFailures, m.unencoded}
	all = append(all, m.counts.Collectors()...)
	for _, v := range m.scores {
		all = append(all, v)
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// CountLearned counts what learning a task changed, and its unreadable annotations.
func (m *Metrics) CountLearned(learned, forgotten bool, unreadable int) {
	if learned {
		m.learned.Inc()
	}
	if forgotten {
		m.forgotten.Inc()
	}
	m.unreadable.Add(float64(unreadable))
}

// Publish sets what a project's snapshot says.
func (m *Metrics) Publish(s *Status, totals counts.Totals) {
	project := label(s.Project)
	gap := -1.0
	if g := s.OptimalityGap; g != nil && !math.IsInf(*g, 0) {
		gap = *g
	}
	m.gap.WithLabelValues(project).Set(gap)
	m.sequence.WithLabelValues(project).Set(float64(s.Snapshot))
	m.labels.WithLabelValues(project).Set(float64(s.Labels))
	m.counts.Set(project, totals, len(s.Unlearnable))
	m.forgetScores(project)
	for _, h := range s.Heads {
		if h.Tested == 0 {
			continue
		}
		set := func(name string, all, recent float64) {
			m.scores[name].WithLabelValues(project, h.Control, "all").Set(all)
			m.scores[name].WithLabelValues(project, h.Control, "recent").Set(recent)
		}
		set("accuracy", h.AccuracyOverall, h.Accuracy)
		set("ece", h.ECEOverall, h.ECE)
		if h.Labelled {
			set("macro_f1", h.MacroF1Overall, h.MacroF1)
			set("log_loss", h.LogLossOverall, h.LogLoss)
		}
		if h.Numeric {
			set("mae", h.MAEOverall, h.MAE)
			set("rmse", h.RMSEOverall, h.RMSE)
		}
	}
}

// Forget deletes the scores and counts of a project.
func (m *Metrics) Forget(p event.ProjectID) {
	m.forgetScores(label(p))
	m.counts.Forget(label(p))
}

// label is how a project is named in metrics.
func label(p event.ProjectID) string { return strconv.FormatInt(int64(p), 10) }

// forgetScores deletes the scores of a project, so that those of removed heads go.
func (m *Metrics) forgetScores(project string) {
	for _, v := range m.scores {
		v.DeletePartialMatch(prometheus.Labels{"project": project})
	}
}

// Unencoded sets for each project the number of tasks that lack the vector of one of several slow
// encoders, the highest of these numbers.
type Unencoded struct {
	mu       sync.Mutex
	counts   map[event.ProjectID][]int
	encoders int
	gauge    *prometheus.GaugeVec // by project
}

// Unencoded returns the gauge for so many slow encoders.
func (m *Metrics) Unencoded(encoders int) *Unencoded {
	return &Unencoded{counts: map[event.ProjectID][]int{}, encoders: encoders, gauge: m.unencoded}
}

// Set sets the number of a project's tasks that lack the vector of an encoder.
func (w *Unencoded) Set(p event.ProjectID, encoder, tasks int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts[p] == nil {
		w.counts[p] = make([]int, w.encoders)
	}
	w.counts[p][encoder] = tasks
	w.gauge.WithLabelValues(label(p)).Set(float64(slices.Max(w.counts[p])))
}
