package app_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/trainprocess"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/learner"
)

// BenchmarkWhileAdapting has annotations come and measures from when one is published until it
// is durable in the log (ack), and until it is learned durably (learn): alone, and while an
// adapter is trained, in turns. 1 is one sender that waits 10 ms between two; 64 are as many
// senders at half of the highest rate, which full is. Of each it prints the 99th percentile
// alone, the median over rounds of the ratio of that while adapting, and of the ratio's
// logarithm the standard error. First it prints how long a training takes alone, and how much longer
// with an annotation a second.
func BenchmarkWhileAdapting(b *testing.B) {
	here, err := encoders.NewTrainer(encoders.MiniLM, encoders.Options{})
	if err != nil {
		b.Skip(err)
	}
	me, err := os.Executable()
	require.NoError(b, err)
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	trainer := &trainprocess.Trainer{
		Trainer: here, Command: []string{me, trainsFor, encoders.MiniLM}, Env: trainprocess.Environ(), Logger: logrus.NewEntry(quiet),
	}
	s := &learnedAt{done: map[event.AnnotationID]time.Time{}}
	h := apptest.StartWith(b, apptest.Settings(b.TempDir(), nil), app.Seams{Store: func(of learner.Store) learner.Store { s.Store = of; return s }})
	trainer.Foreground = &h.Foreground
	const warm = 200
	require.NoError(b, h.Pipeline.Publish(context.Background(), labelled(1, warm)))
	h.Await(1, "it is learned", func(got api.Project) bool {
		st, _ := h.Learner.Status(got.ID)
		return got.Labels == warm && st.Settled
	})
	r := &adaptLoad{TB: b, h: h, store: s}
	var texts []encode.LabelledText
	for i := range 200 {
		body, topic := apptest.Text(i)
		texts = append(texts, encode.LabelledText{Text: fmt.Sprintf("%s, number %d", body, i), Class: len(topic)})
	}
	adapting := func(measure func() (ack, learn float64)) (ack, learn float64) {
		ctx, cancel := context.WithCancel(context.Background())
		var wait sync.WaitGroup
		wait.Go(func() {
			for ctx.Err() == nil {
				_, _ = trainer.Train(ctx, texts)
			}
		})
		defer wait.Wait()
		defer cancel()
		return measure()
	}
	// both measures alone and while adapting. The one comes first in even rounds, the other in odd
	// ones: with more labels all takes longer.
	both := func(round int, measure func() (ack, learn float64)) (ack, learn, ackAdapting, learnAdapting float64) {
		if round%2 == 1 {
			ackAdapting, learnAdapting = adapting(measure)
		}
		ack, learn = measure()
		if round%2 == 0 {
			ackAdapting, learnAdapting = adapting(measure)
		}
		return ack, learn, ackAdapting, learnAdapting
	}
	b.Run("training", func(b *testing.B) {
		train := func() float64 {
			at := time.Now()
			_, err := trainer.Train(context.Background(), texts)
			require.NoError(b, err)
			return time.Since(at).Seconds()
		}
		var alone, busy float64
		for b.Loop() {
			for range 3 {
				alone += train()
				ctx, cancel := context.WithCancel(context.Background())
				var wait sync.WaitGroup
				wait.Go(func() {
					tick := time.NewTicker(time.Second)
					defer tick.Stop()
					for ctx.Err() == nil {
						r.publish()
						select {
						case <-tick.C:
						case <-ctx.Done():
						}
					}
				})
				busy += train()
				cancel()
				wait.Wait()
			}
		}
		b.ReportMetric(alone/3, "alone-s")
		b.ReportMetric(busy/alone, "ratio")
		b.ReportMetric(0, "ns/op")
	})
	full := r.full(2000)
	kinds := []struct {
		name    string
		measure func() (ack, learn float64)
	}{
		{"1", func() (float64, float64) { return r.paced(400, 1, 100) }},
		{"64", func() (float64, float64) { return r.paced(2000, 64, full/2) }},
	}
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			var acks, learns, ackRatios, learnRatios []float64
			for b.Loop() {
				for round := range 8 {
					a, l, a2, l2 := both(round, k.measure)
					acks, learns = append(acks, a), append(learns, l)
					ackRatios, learnRatios = append(ackRatios, math.Log(a2/a)), append(learnRatios, math.Log(l2/l))
				}
			}
			report := func(what string, alone, ratios []float64) {
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
			report("ack", acks, ackRatios)
			report("learn", learns, learnRatios)
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("full", func(b *testing.B) {
		var ratios []float64
		for b.Loop() {
			for round := range 8 {
				alone, _, loaded, _ := both(round, func() (float64, float64) { return r.full(2000), 0 })
				ratios = append(ratios, loaded/alone)
			}
		}
		slices.Sort(ratios)
		b.ReportMetric(full, "events/s")
		b.ReportMetric(ratios[len(ratios)/2], "rate-ratio")
		b.ReportMetric(0, "ns/op")
	})
}

// adaptLoad sends annotations of one project.
type adaptLoad struct {
	testing.TB
	h     *apptest.Instance
	store *learnedAt
	last  atomic.Int64
}

// publish publishes an annotation of a task that there was not before.
func (r *adaptLoad) publish() (id event.AnnotationID, began, acknowledged time.Time) {
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
func (r *adaptLoad) paced(n, senders int, perSecond float64) (ack, learn float64) {
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
func (r *adaptLoad) learned(began map[event.AnnotationID]time.Time) (took []float64) {
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
func (r *adaptLoad) full(n int) float64 {
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
