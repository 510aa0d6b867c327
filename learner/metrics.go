package learner

import (
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/learner/counts"
)

type metrics struct {
	learned, forgotten, unreadable prometheus.Counter
	settle                         prometheus.Histogram
	gap, sequence, labels          *prometheus.GaugeVec
	retrains                       *prometheus.CounterVec
	refused                        *prometheus.CounterVec
	counts                         *counts.Metrics
	encoded, encodeFailures        prometheus.Counter
	unencoded                      *prometheus.GaugeVec
	scores                         map[string]*prometheus.GaugeVec // by metric name; of heads
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "hone", Subsystem: "learner", Name: name, Help: help})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "hone", Subsystem: "learner", Name: name, Help: help}, []string{"project"})
	}
	m := &metrics{
		learned:    counter("learned_total", "Examples that were new or changed, over all heads."),
		forgotten:  counter("forgotten_total", "Examples that were forgotten, over all heads."),
		unreadable: counter("unreadable_total", "Annotations whose result is no list of regions."),
		settle: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "hone", Subsystem: "learner", Name: "settle_seconds",
			Help:    "Time from a change to a model at its optimum.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
		gap:            gauge("optimality_gap", "The most by which a probability can differ from training from scratch; -1 while unknown."),
		sequence:       gauge("snapshot", "Number of the last snapshot."),
		labels:         gauge("labels", "Annotations learned from."),
		encoded:        counter("encoded_total", "Texts that a slow encoder has encoded."),
		encodeFailures: counter("encode_failures_total", "Batches that a slow encoder could not encode."),
		unencoded:      gauge("unencoded_tasks", "Tasks whose texts a slow encoder has not encoded yet."),
		retrains: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "hone", Subsystem: "learner", Name: "retrains_total", Help: "Full retrains by outcome.",
		}, []string{"outcome"}),
	}
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
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
	all := []prometheus.Collector{m.learned, m.forgotten, m.unreadable, m.refused, m.settle, m.gap, m.sequence, m.labels, m.retrains, m.encoded, m.encodeFailures, m.unencoded}
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

func (m *metrics) countLearned(c learnResult) {
	if c.learned {
		m.learned.Inc()
	}
	if c.forgotten {
		m.forgotten.Inc()
	}
	m.unreadable.Add(float64(c.unreadable))
}

func (m *metrics) published(s *snapshot) {
	project := strconv.FormatInt(int64(s.status.Project), 10)
	gap := -1.0
	if g := s.status.OptimalityGap; g != nil && !math.IsInf(*g, 0) {
		gap = *g
	}
	m.gap.WithLabelValues(project).Set(gap)
	m.sequence.WithLabelValues(project).Set(float64(s.status.Snapshot))
	m.labels.WithLabelValues(project).Set(float64(s.status.Labels))
	m.counts.Set(project, s.totals, len(s.status.Unlearnable))
	m.forgetScores(project)
	for _, h := range s.status.Heads {
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

// forgetScores deletes the scores of a project, so that those of removed heads go.
func (m *metrics) forgetScores(project string) {
	for _, v := range m.scores {
		v.DeletePartialMatch(prometheus.Labels{"project": project})
	}
}
