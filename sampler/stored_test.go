package sampler

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// suggester is a brain that predicts many tasks at once.
type suggester struct{ *brain }

func (s suggester) Suggestions(_ context.Context, _ event.ProjectID, tasks []event.Task) (regions []json.RawMessage, scores []float64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range tasks {
		if s.opinion == "" {
			regions, scores = append(regions, nil), append(scores, 0)
			continue
		}
		regions, scores = append(regions, []byte(s.opinion)), append(scores, 0.7)
	}
	return regions, scores, nil
}

func (s suggester) Form(event.ProjectID) string { return "the same" }

const (
	sayX = `[{"id":"a","from_name":"c","value":{"choices":["x"]}}]`
	sayY = `[{"id":"a","from_name":"c","value":{"choices":["y"]}}]`
)

// runAsked is run with a model that says sayX, and predictions of hone-1 for the tasks
// beyond 100 that people asked for, beside a queue that stands.
func runAsked(t *testing.T, answers, anHour int, change func(*Options), f func(b *bench)) {
	run(t, 100+answers, func(o *Options, b *bench) {
		o.Suggester, o.BackgroundWrites = suggester{b.brain}, anHour
		b.brain.opinion = sayX
		b.ls.live = "hone-1"
		for id := 101; id <= 100+answers; id++ {
			b.ls.put(event.TaskID(id), labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.6, Result: json.RawMessage(sayX)})
		}
		if change != nil {
			change(o)
		}
	}, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		f(b)
	})
}

// asked are the tasks with a prediction of a version that people asked for.
func (f *fakeLS) asked(version string) map[event.TaskID]string {
	out := map[event.TaskID]string{}
	for _, r := range f.rows {
		if r.pred.ModelVersion == version && r.score != nil && *r.score >= 0.01 {
			out[r.task] = r.result()
		}
	}
	return out
}

func (b *bench) learn(version string) {
	b.tell(&event.Learned{Project: project, Since: time.Now(), Version: version})
}

func TestWhatPeopleAskedForFollowsWithinTheBudget(t *testing.T) {
	registry := prometheus.NewRegistry()
	runAsked(t, 40, 60, func(o *Options) { o.Registerer = registry }, func(b *bench) {
		behind := func() (n int) {
			b.ls.change(func() {
				for _, said := range b.ls.asked("hone-1") {
					if said != sayY {
						n++
					}
				}
			})
			return n
		}
		before := b.ls.writes()
		b.brain.is(func() { b.brain.opinion = sayY })
		b.learn("hone-1")
		b.after(12 * time.Second)
		assert.LessOrEqual(t, b.ls.writes()-before, 32)
		b.ls.change(func() {
			for _, r := range b.ls.rows {
				if *r.score < 0.01 {
					assert.JSONEq(t, sayY, r.result(), "the queue follows at once")
				}
			}
		})
		b.after(10 * time.Minute)
		left := behind()
		assert.InDelta(t, 40-11, left, 2, "one a minute")
		st, _ := b.s.Status(project)
		assert.Zero(t, st.Stored.QueueDiffering)
		assert.Equal(t, left, st.Stored.OthersDiffering)
		assert.Equal(t, map[string]float64{
			"hone_predictions_differing/queue": 0, "hone_predictions_differing/beside": float64(left), "hone_predictions_differing_oldest_seconds/": 600,
		}, gauges(t, registry, "hone_predictions_differing"), "counted from when the queue had been written")
		b.after(40 * time.Minute)
		assert.Zero(t, behind())
		writes := b.ls.writes()
		b.after(24 * time.Hour)
		assert.Equal(t, writes, b.ls.writes(), "then there is nothing to write")
	})
}

// The places of the queue tell how sure the model is of its answers, where it has any.
func TestTheQueueTellsConfidences(t *testing.T) {
	runAsked(t, 0, 60, nil, func(b *bench) {
		confidences := func() (out []*float64) {
			b.learn("hone-1")
			b.after(time.Minute)
			for _, item := range b.s.Next(project) {
				out = append(out, item.Confidence)
			}
			return out
		}
		for _, c := range confidences() {
			assert.Equal(t, new(0.7), c)
		}
		b.brain.is(func() { b.brain.opinion = "" })
		got := confidences()
		assert.Len(t, got, 30)
		for _, c := range got {
			assert.Nil(t, c, "it abstains")
		}
	})
}

// gauges are those whose names begin with prefix, by name and the label where, rounded to
// tens where they are seconds.
func gauges(t *testing.T, r *prometheus.Registry, prefix string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		for _, m := range f.GetMetric() {
			where := ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "where" {
					where = l.GetValue()
				}
			}
			v := m.GetGauge().GetValue()
			if strings.HasSuffix(f.GetName(), "seconds") {
				v = math.Round(v/10) * 10
			}
			out[f.GetName()+"/"+where] = v
		}
	}
	return out
}

// watch has every call check that no task that people asked about has lost its prediction
// of the version that the project goes by.
func (b *bench) watch(away func() bool) (lost *[]string) {
	var had map[event.TaskID]string
	b.ls.change(func() { had = b.ls.asked("hone-1") })
	lost = new([]string)
	b.ls.setFault(func(call string) (error, bool) {
		has := map[event.TaskID]bool{}
		for _, r := range b.ls.rows {
			has[r.task] = has[r.task] || r.pred.ModelVersion == b.ls.live
		}
		for id := range had {
			if !has[id] && len(*lost) < 3 {
				*lost = append(*lost, fmt.Sprintf("before %s task %d has no prediction of %s", call, id, b.ls.live))
			}
		}
		if away != nil && away() {
			return apiError(503), false
		}
		return nil, false
	})
	return lost
}

func (b *bench) wears(version string, answers int) {
	b.Helper()
	b.ls.mu.Lock()
	defer b.ls.mu.Unlock()
	assert.Equal(b, version, b.ls.live)
	assert.GreaterOrEqual(b, len(b.ls.asked(version)), answers)
	for _, r := range b.ls.rows {
		assert.Equal(b, version, r.pred.ModelVersion)
	}
}

func TestANewVersionWaitsForWhatPeopleAskedFor(t *testing.T) {
	runAsked(t, 40, 60, nil, func(b *bench) {
		lost := b.watch(nil)
		b.brain.is(func() { b.brain.version, b.brain.salt = "hone-2", b.brain.salt+1 })
		b.learn("hone-2")
		b.after(10 * time.Minute)
		assert.Equal(t, "hone-1", b.ls.live)
		st, _ := b.s.Status(project)
		assert.Equal(t, "hone-2", st.Stored.Staging)
		assert.InDelta(t, 30, st.Stored.StagingLeft, 2)
		b.inStep() // the queue is the new model's all the same
		b.after(time.Hour)
		b.wears("hone-2", 40)
		b.inStep()
		st, _ = b.s.Status(project)
		assert.Empty(t, st.Stored.Staging)
		assert.Empty(t, *lost)
		writes := b.ls.writes()
		b.after(24 * time.Hour)
		assert.Equal(t, writes, b.ls.writes())
	})
}

// Whatever happens while a new version's predictions are made, none is lost and it ends.
func TestWhileANewVersionsPredictionsAreMade(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(b *bench)
		ends      string
	}{
		"a rollback": {func(b *bench) {
			b.brain.is(func() { b.brain.version = "hone-1" })
			b.learn("hone-1")
		}, "hone-1"},
		"a further retrain": {func(b *bench) {
			b.brain.is(func() { b.brain.version = "hone-3" })
			b.learn("hone-3")
		}, "hone-3"},
		"a restart": {func(b *bench) {
			o := b.s.o
			require.NoError(b, b.s.Stop(b.Context()))
			var err error
			b.s, err = New(o)
			require.NoError(b, err)
			require.NoError(b, b.s.Start(b.Context()))
			b.s.Refresh(project)
		}, "hone-2"},
		"predictions that somebody deletes": {func(b *bench) {
			b.ls.change(func() {
				for id, r := range b.ls.rows {
					if r.pred.ModelVersion == "hone-2" {
						delete(b.ls.rows, id)
					}
				}
			})
		}, "hone-2"},
	} {
		t.Run(name, func(t *testing.T) {
			runAsked(t, 40, 60, nil, func(b *bench) {
				lost := b.watch(nil)
				b.brain.is(func() { b.brain.version = "hone-2" })
				b.learn("hone-2")
				b.after(10 * time.Minute)
				require.Equal(t, "hone-1", b.ls.live)
				c.meanwhile(b)
				b.after(3 * time.Hour)
				b.wears(c.ends, 40)
				b.inStep()
				assert.Empty(t, *lost)
			})
		})
	}
	t.Run("Label Studio is away", func(t *testing.T) {
		runAsked(t, 40, 60, nil, func(b *bench) {
			away := false
			lost := b.watch(func() bool { return away })
			b.brain.is(func() { b.brain.version = "hone-2" })
			b.learn("hone-2")
			b.after(10 * time.Minute)
			b.ls.change(func() { away = true })
			b.after(time.Hour)
			b.ls.change(func() { away = false })
			b.after(3 * time.Hour)
			b.wears("hone-2", 40)
			b.inStep()
			assert.Empty(t, *lost)
		})
	})
}

// A project that goes ends what was asked of it.
func TestPrelabelOfAProjectThatGoes(t *testing.T) {
	runAsked(t, 10, 60, nil, func(b *bench) {
		b.ls.setFault(func(call string) (error, bool) {
			if call == "version" {
				return apiError(404), false
			}
			return nil, false
		})
		_, err := b.s.Prelabel(t.Context(), project)
		require.NoError(t, err)
		b.after(time.Minute)
		st, _ := b.s.Status(project)
		assert.Contains(t, st.Stored.Prelabel.Fault, "no longer has the project")
	})
}

// An import that Label Studio says it took, and did not, is not tried for ever.
func TestPrelabelWithAnImportThatIsLost(t *testing.T) {
	runAsked(t, 10, 3600, nil, func(b *bench) {
		b.ls.setFault(func(call string) (error, bool) {
			if call == "import" {
				return apiError(500), false
			}
			return nil, false
		})
		_, err := b.s.Prelabel(t.Context(), project)
		require.NoError(t, err)
		b.after(10 * time.Minute)
		st, _ := b.s.Status(project)
		assert.Equal(t, 110, st.Stored.Prelabel.Predicted)
		assert.False(t, st.Stored.Prelabel.Done.IsZero())
		assert.Equal(t, 1, b.ls.count("import"))
		b.ls.change(func() { assert.Len(t, b.ls.asked("hone-1"), 110) })
	})
}
