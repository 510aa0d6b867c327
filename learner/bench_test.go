package learner_test

import (
	"fmt"
	"testing"

	"github.com/hone-ml/hone/event"
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
			for b.Loop() {
				n++
				all := labels(0)
				s, label := sentence(uint64(n))
				all.Tasks = []event.Task{{ID: event.TaskID(n), Data: data(s), UpdatedAt: at(1)}}
				all.Annotations = []event.Annotation{{
					ID: event.AnnotationID(n), Task: event.TaskID(n), UpdatedAt: at(1), Result: result(region("c", label)),
				}}
				apply(b, l, all)
			}
		})
	}
}

// BenchmarkPool is scoring a pool of 10,000 tasks whose encodings are cached.
func BenchmarkPool(b *testing.B) {
	l := start(b, openDisk(b), learner.Options{})
	apply(b, l, labels(500))
	rest(b, l)
	pool := probes(10000)
	for b.Loop() {
		if _, _, err := l.Distributions(bg, 1, pool); err != nil {
			b.Fatal(err)
		}
	}
}
