package state

import (
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

func importOf(n int, annotated bool) *event.Changed {
	c := webhook(1, event.Changed{LabelConfig: "<View/>"})
	for i := 1; i <= n; i++ {
		c.Tasks = append(c.Tasks, task(i, 1, fmt.Sprintf(`{"text":"%d %s"}`, i, strings.Repeat("some words ", 12))))
		if annotated {
			c.Annotations = append(c.Annotations, annotation(i, i, 1, "x"))
		}
	}
	return c
}

func project10k(b *testing.B, annotated bool) *Store {
	b.Helper()
	s := open(b, b.TempDir(), Options{})
	apply(b, s, importOf(10_000, annotated))
	return s
}

func BenchmarkImport10k(b *testing.B) {
	c := importOf(10_000, false)
	for b.Loop() {
		b.StopTimer()
		s := open(b, b.TempDir(), Options{})
		b.StartTimer()
		apply(b, s, c)
	}
}

func benchmarkOneAnnotation(b *testing.B, sync bool) {
	s := project10k(b, true)
	s.db.NoSync = !sync
	checkpoint := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		n := 1 + i*7919%10_000
		deltas, err := s.Plan(ctx, []*event.Changed{webhook(2+i, event.Changed{
			Tasks:       []event.Task{task(n, 2+i, fmt.Sprintf(`{"text":"%d %s"}`, n, strings.Repeat("some words ", 12)))},
			Annotations: []event.Annotation{annotation(20_000+i, n, 1, "y")},
		})})
		must(b, err)
		c := commitOf(deltas)
		c.Projects[0].Checkpoint = checkpoint
		must(b, s.Commit(ctx, c))
	}
}

// The two differ by what the disk needs.
func BenchmarkOneAnnotation(b *testing.B)       { benchmarkOneAnnotation(b, true) }
func BenchmarkOneAnnotationNoSync(b *testing.B) { benchmarkOneAnnotation(b, false) }

// BenchmarkOnePut is the least a durable commit costs here.
func BenchmarkOnePut(b *testing.B) {
	s := project10k(b, true)
	value := make([]byte, 4096)
	for b.Loop() {
		must(b, s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(keyRoot).Put([]byte("bench"), value) }))
	}
}

func BenchmarkLoad10kLabelled(b *testing.B) {
	s := project10k(b, true)
	for b.Loop() {
		stored, err := s.Load(ctx, 1)
		must(b, err)
		if n := len(labelled(b, stored)); n != 10_000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkTasks10k(b *testing.B) {
	s := project10k(b, false)
	for b.Loop() {
		tasks, err := s.Tasks(ctx, 1, nil)
		must(b, err)
		if len(tasks) != 10_000 {
			b.Fatal(len(tasks))
		}
	}
}

func BenchmarkKnown10k(b *testing.B) {
	s := project10k(b, true)
	for b.Loop() {
		_, err := s.Known(ctx, 1)
		must(b, err)
	}
}

func BenchmarkCount10k(b *testing.B) {
	s := project10k(b, true)
	for b.Loop() {
		_, err := s.Count(ctx, 1)
		must(b, err)
	}
}
