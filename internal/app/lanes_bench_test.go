package app_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/learner"
)

// learnedAt notes when annotations are learned durably.
type learnedAt struct {
	learner.Store
	mu   sync.Mutex
	done map[event.AnnotationID]time.Time
}

func (s *learnedAt) Commit(ctx context.Context, c event.Commit) error {
	err := s.Store.Commit(ctx, c)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range c.Projects {
		if err != nil || p.Delta == nil {
			continue
		}
		for _, t := range p.Delta.Tasks {
			for _, a := range t.Annotations {
				if _, known := s.done[a.ID]; !known {
					s.done[a.ID] = now
				}
			}
		}
	}
	return err
}

// BenchmarkLanes has the same number of annotations a second come, all for one project
// or for ten in turn, and measures from when the webhook's handler has one to when it is
// learned durably. ratio-p99 is that of ten projects over that of one, the median of
// rounds in turns.
func BenchmarkLanes(b *testing.B) {
	const (
		warm     = 200 // labels a project has before
		n        = 400
		pause    = 10 * time.Millisecond
		projects = 10
	)
	s := &learnedAt{done: map[event.AnnotationID]time.Time{}}
	h := apptest.StartWith(b, apptest.Settings(b.TempDir(), nil), app.Seams{Store: func(of learner.Store) learner.Store { s.Store = of; return s }})
	for p := range event.ProjectID(projects + 1) {
		require.NoError(b, h.Pipeline.Publish(context.Background(), labelled(p+1, warm)))
		h.Await(p+1, "it is learned", func(got api.Project) bool {
			st, _ := h.Learner.Status(got.ID) // there is no Label Studio to hold a queue
			return got.Labels == warm && st.Settled
		})
	}
	id := 50_000_000
	round := func(projects ...event.ProjectID) (p50, p99 float64) {
		began := map[event.AnnotationID]time.Time{}
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for i := range n {
			id++
			body, topic := apptest.Text(id)
			c := &event.Changed{
				Project: projects[i%len(projects)], Source: event.FromWebhook, At: time.Now(),
				Tasks: []event.Task{{ID: event.TaskID(id), Data: []byte(fmt.Sprintf(`{"text":"%s, number %d"}`, body, id))}},
				Annotations: []event.Annotation{{
					ID: event.AnnotationID(id), Task: event.TaskID(id), UpdatedAt: time.Now(),
					Result: []byte(`[{"id":"r","from_name":"topic","to_name":"t","type":"choices","value":{"choices":["` + topic + `"]}}]`),
				}},
			}
			<-tick.C
			began[event.AnnotationID(id)] = time.Now()
			require.NoError(b, h.Pipeline.Publish(context.Background(), c))
		}
		var took []float64
		apptest.Until(b, "all are learned", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			took = took[:0]
			for id, at := range began {
				if done, ok := s.done[id]; ok {
					took = append(took, done.Sub(at).Seconds()*1000)
				}
			}
			return len(took) == n
		})
		slices.Sort(took)
		return took[n/2], took[n*99/100]
	}
	var ten []event.ProjectID
	for p := range event.ProjectID(projects) {
		ten = append(ten, p+2)
	}
	var one50, one99, ten50, ten99, ratios []float64
	for b.Loop() {
		a50, a99 := round(1)
		b50, b99 := round(ten...)
		one50, one99, ten50, ten99, ratios = append(one50, a50), append(one99, a99), append(ten50, b50), append(ten99, b99), append(ratios, b99/a99)
	}
	median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
	b.ReportMetric(median(one50), "one-p50-ms")
	b.ReportMetric(median(one99), "one-p99-ms")
	b.ReportMetric(median(ten50), "ten-p50-ms")
	b.ReportMetric(median(ten99), "ten-p99-ms")
	b.ReportMetric(median(ratios), "ratio-p99")
	b.ReportMetric(0, "ns/op")
}
