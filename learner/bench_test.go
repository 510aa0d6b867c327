package learner_test

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/learner"
)

// BenchmarkApply is one annotation, learned, settled within the budget, and
// durable.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("%d_labels", n), func(b *testing.B) {
			l := start(b, openDisk(b), learner.Options{})
			apply(b, l, labels(n))
			rest(b, l)
			var took []time.Duration
			for b.Loop() {
				n++
				all := labels(0)
				s, label := sentence(uint64(n))
				all.Tasks = []event.Task{{ID: event.TaskID(n), Data: data(s), UpdatedAt: at(1)}}
				all.Annotations = []event.Annotation{{
					ID: event.AnnotationID(n), Task: event.TaskID(n), UpdatedAt: at(1), Result: result(region("c", label)),
				}}
				began := time.Now()
				apply(b, l, all)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkRetrain is a full retrain on 100,000 texts of 40 words, on all cores, and
// the memory that hone then holds.
func BenchmarkRetrain(b *testing.B) {
	const n, classes = 100000, 4
	config := `<View><Text name="t" value="$text"/><Choices name="c" toName="t">`
	for k := range classes {
		config += fmt.Sprintf("<Choice value='topic %c'/>", 'A'+k)
	}
	config += "</Choices></View>"
	encoder, err := encoders.Open(cmp.Or(os.Getenv("BENCH_ENCODER"), encoders.Hashed), encoders.Options{})
	must(b, err)
	l := start(b, openDisk(b), learner.Options{Encoder: encoder.Fast})
	c := &event.Changed{Project: 1, LabelConfig: config, At: at(1)}
	for i, text := range newslike.Make(n, classes, 1) {
		id := i + 1
		c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(id), Data: data(text.Text), UpdatedAt: at(1)})
		c.Annotations = append(c.Annotations, event.Annotation{
			ID: event.AnnotationID(id), Task: event.TaskID(id), UpdatedAt: at(1), Result: result(region("c", text.Label)),
		})
		if len(c.Tasks) == 256 || id == n {
			apply(b, l, c)
			c = &event.Changed{Project: 1, LabelConfig: config, At: at(1)}
		}
	}
	rest(b, l)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for b.Loop() {
		apply(b, l, &event.RetrainDue{Project: 1, At: at(2), Reason: "benchmark"})
		rest(b, l)
	}
	b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/retrain")
}

// BenchmarkPool is scoring a pool of 10,000 tasks whose encodings are cached, and of texts of 40 words
// for which the cache is too small.
func BenchmarkPool(b *testing.B) {
	b.Run("cached", func(b *testing.B) { benchmarkPool(b, 0, probes(10000)) })
	b.Run("texts", func(b *testing.B) {
		var pool []event.Task
		for i, t := range newslike.Make(10000, 4, 1) {
			pool = append(pool, event.Task{ID: event.TaskID(1000 + i), Data: data(t.Text)})
		}
		benchmarkPool(b, 1<<20, pool)
	})
}

func benchmarkPool(b *testing.B, cacheBytes int, pool []event.Task) {
	l := start(b, openDisk(b), learner.Options{CacheBytes: cacheBytes})
	apply(b, l, labels(500))
	rest(b, l)
	for b.Loop() {
		if _, _, err := l.Estimates(bg, 1, pool); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(pool)), "µs/task")
}
