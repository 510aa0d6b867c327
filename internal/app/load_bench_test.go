package app_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// reportRatios reports the median of what was measured alone, the median of the ratios, whose
// logarithms are given, and the standard error of the mean logarithm.
func reportRatios(b *testing.B, what string, alone, ratios []float64) {
	b.Helper()
	slices.Sort(alone)
	slices.Sort(ratios)
	var mean, square float64
	for _, x := range ratios {
		mean += x / float64(len(ratios))
	}
	for _, x := range ratios {
		square += (x - mean) * (x - mean)
	}
	b.ReportMetric(alone[len(alone)/2], what+"-p99-ms")
	b.ReportMetric(math.Exp(ratios[len(ratios)/2]), what+"-ratio")
	b.ReportMetric(math.Sqrt(square/float64((len(ratios)-1)*len(ratios))), what+"-se")
}

// load sends annotations of one project.
type load struct {
	testing.TB
	h     *apptest.Instance
	store *learnedAt
	last  atomic.Int64
}

// publish publishes an annotation of a task that there was not before.
func (r *load) publish() (id event.AnnotationID, began, acknowledged time.Time) {
	n := int(50_000_000 + r.last.Add(1))
	body, topic := apptest.Text(n)
	c := &event.Changed{
		Project: 1, Source: event.FromWebhook, At: time.Now(),
		Tasks: []event.Task{{ID: event.TaskID(n), Data: []byte(fmt.Sprintf(`{"text":"%s, number %d"}`, body, n))}},
		Annotations: []event.Annotation{{
			ID: event.AnnotationID(n), Task: event.TaskID(n), UpdatedAt: time.Now(),
			Result: []byte(`[{"id":"r","from_name":"topic","to_name":"t","type":"choices","value":{"choices":["` + topic + `"]}}]`),
		}},
	}
	began = time.Now()
	if err := r.h.Pipeline.Publish(context.Background(), c); err != nil {
		r.Error(err)
	}
	return event.AnnotationID(n), began, time.Now()
}

// paced publishes n annotations from so many senders, a second so many of all in all, and returns
// the 99th percentiles in milliseconds.
func (r *load) paced(n, senders int, perSecond float64) (ack, learn float64) {
	var mu sync.Mutex
	began := map[event.AnnotationID]time.Time{}
	var acks []float64
	turns := make(chan struct{}, n)
	var wait sync.WaitGroup
	for range senders {
		wait.Go(func() {
			for range turns {
				id, at, done := r.publish()
				mu.Lock()
				began[id] = at
				acks = append(acks, done.Sub(at).Seconds()*1000)
				mu.Unlock()
			}
		})
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
	for range n {
		<-tick.C
		turns <- struct{}{}
	}
	tick.Stop()
	close(turns)
	wait.Wait()
	learns := r.learned(began)
	slices.Sort(acks)
	slices.Sort(learns)
	return acks[n*99/100], learns[n*99/100]
}

// learned waits until annotations are learned durably and returns how many milliseconds each took.
func (r *load) learned(began map[event.AnnotationID]time.Time) (took []float64) {
	apptest.Until(r, "all are learned", func() bool {
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		took = took[:0]
		for id, at := range began {
			if done, ok := r.store.done[id]; ok {
				took = append(took, done.Sub(at).Seconds()*1000)
			}
		}
		return len(took) == len(began)
	})
	return took
}

// full publishes n annotations from 64 senders as fast as they are learned, and returns how many a
// second that are.
func (r *load) full(n int) float64 {
	at := time.Now()
	began := map[event.AnnotationID]time.Time{}
	var mu sync.Mutex
	var left atomic.Int64
	left.Store(int64(n))
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				id, at, _ := r.publish()
				mu.Lock()
				began[id] = at
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	r.learned(began)
	return float64(n) / time.Since(at).Seconds()
}
