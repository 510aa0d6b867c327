package report

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/event"
)

// What a project lacks is what the encoder that is furthest behind lacks.
func TestTheHighestOfTheCountsIsShown(t *testing.T) {
	registry := prometheus.NewRegistry()
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "n"}, []string{"project"})
	registry.MustRegister(gauge)
	w := &Unencoded{counts: map[event.ProjectID][]int{}, encoders: 3, gauge: gauge}
	for _, step := range []struct {
		project event.ProjectID
		encoder int
		n       int
		want    float64
	}{{1, 0, 40, 40}, {1, 2, 40, 40}, {1, 0, 0, 40}, {2, 1, 7, 7}, {1, 2, 3, 3}, {1, 1, 2, 3}, {1, 2, 0, 2}, {1, 1, 0, 0}} {
		w.Set(step.project, step.encoder, step.n)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		of := families[0].GetMetric()[step.project-1] // by project
		if got := of.GetGauge().GetValue(); got != step.want {
			t.Errorf("after %+v it shows %v", step, got)
		}
	}
}
