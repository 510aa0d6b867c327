package app_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
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
	r := &load{TB: b, h: h, store: s}
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
			reportRatios(b, "ack", acks, ackRatios)
			reportRatios(b, "learn", learns, learnRatios)
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
