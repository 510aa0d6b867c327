package app_test

import (
	"context"
	"io"
	"math"
	"net/http"
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

// BenchmarkWhilePagesAreOpen measures as BenchmarkWhileAdapting does, with one sender and with 64 at
// half of the highest rate, alone and while 50 pages of the project are open, in turns.
func BenchmarkWhilePagesAreOpen(b *testing.B) {
	s := &learnedAt{done: map[event.AnnotationID]time.Time{}}
	h := apptest.StartWith(b, apptest.Settings(b.TempDir(), nil), app.Seams{Store: func(of learner.Store) learner.Store { s.Store = of; return s }})
	const warm = 200
	require.NoError(b, h.Pipeline.Publish(context.Background(), labelled(1, warm)))
	h.Await(1, "it is learned", func(got api.Project) bool {
		st, _ := h.Learner.Status(got.ID)
		return got.Labels == warm && st.Settled
	})
	r := &load{TB: b, h: h, store: s}
	open := func(measure func() (ack, learn float64)) (ack, learn float64) {
		ctx, cancel := context.WithCancel(context.Background())
		var wait, opened sync.WaitGroup
		client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 0}}
		for range 50 {
			opened.Add(1)
			wait.Go(func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Base+"/ui/events?project=1", http.NoBody)
				if err != nil {
					opened.Done()
					b.Error(err)
					return
				}
				res, err := client.Do(req)
				opened.Done()
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body) // until the context ends
				_ = res.Body.Close()
			})
		}
		opened.Wait()
		ack, learn = measure()
		cancel()
		wait.Wait()
		client.CloseIdleConnections()
		return ack, learn
	}
	full := r.full(2000)
	for _, k := range []struct {
		name    string
		measure func() (ack, learn float64)
	}{
		{"1", func() (float64, float64) { return r.paced(400, 1, 100) }},
		{"64", func() (float64, float64) { return r.paced(2000, 64, full/2) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			var acks, learns, ackRatios, learnRatios []float64
			for b.Loop() {
				for round := range 8 {
					var a, l, a2, l2 float64
					if round%2 == 1 {
						a2, l2 = open(k.measure)
					}
					a, l = k.measure()
					if round%2 == 0 {
						a2, l2 = open(k.measure)
					}
					acks, learns = append(acks, a), append(learns, l)
					ackRatios, learnRatios = append(ackRatios, math.Log(a2/a)), append(learnRatios, math.Log(l2/l))
				}
			}
			reportRatios(b, "ack", acks, ackRatios)
			reportRatios(b, "learn", learns, learnRatios)
			b.ReportMetric(0, "ns/op")
		})
	}
}
