package pipeline_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
	"github.com/prometheus/client_golang/prometheus"
)

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := newRig(t, pipeline.Options{Registerer: reg})
	if _, err := pipeline.New(r.log, pipeline.Options{Registerer: reg}); err == nil {
		t.Error("a second pipeline took the same metrics")
	}
	r.publish(changed(1), changed(2), changed(3), &event.RetrainDue{Project: 4}, &event.ReconcileDue{Project: 5})
	if _, err := r.log.Append(string(event.Changes), []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	failed := false
	done, hold := make(chan struct{}, 1), make(chan struct{})
	r.Handle("g", event.Changes, 1, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		switch batch[0].ProjectOf() {
		case 1:
			if !failed {
				failed = true
				return errAgain
			}
		case 2:
			return pipeline.MarkPermanent(errors.New("no"))
		}
		return nil
	})
	r.Handle("idle", event.Reconciles, 1, func(context.Context, []event.Event, event.Cursor) error {
		done <- struct{}{}
		<-hold
		return nil
	})
	got := gather(t, reg)
	if got["hone_log_lag_entries changes g"] != 5 || got["hone_log_lag_seconds changes g"] <= 0 {
		t.Errorf("before the start: %v", got)
	}
	r.start()
	wait(t, done)
	wait(t, r.caughtUp())
	got = gather(t, reg)
	if got["hone_log_lag_seconds reconciles idle"] <= 0 {
		t.Error("an entry in flight has no age")
	}
	// One observation an attempt: 5 entries, one of them twice. The last is
	// counted a moment after its cursor moved, so stop first.
	close(hold)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	got = gather(t, reg)
	delete(got, "hone_log_lag_seconds changes g")
	delete(got, "hone_log_lag_seconds reconciles idle")
	want := map[string]float64{
		"hone_events_published_total changes changed":          3,
		"hone_events_published_total changes retrain_due":      1,
		"hone_events_published_total reconciles reconcile_due": 1,
		"hone_events_handled_total changes changed":            2,
		"hone_events_handled_total changes retrain_due":        1,
		"hone_events_handled_total reconciles reconcile_due":   1,
		"hone_events_failed_total changes changed":             1,
		"hone_events_dead_total changes changed":               1,
		"hone_events_dead_total changes unreadable":            1,
		"hone_handler_seconds changes g":                       6,
		"hone_handler_seconds reconciles idle":                 1,
		"hone_log_lag_entries changes g":                       0,
		"hone_log_lag_entries reconciles idle":                 0,
		"hone_dead_letters":                                    2,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// gather returns each metric under its name and label values; of a histogram,
// the number of observations. Labels come sorted by name, so topic is put first.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key, rest := f.GetName(), ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "topic" {
					key += " " + l.GetValue()
				} else {
					rest += " " + l.GetValue()
				}
			}
			values[key+rest] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}
