package backfill_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/event"
)

// Of a project with many tasks those get vectors that have annotations, those that are asked next, and a
// sample; and those that are asked next later on.
func TestASampleOfManyTasks(t *testing.T) {
	w := newWorld()
	w.sample, w.next, w.answers = 10, []event.TaskID{3, 4}, map[event.TaskID]bool{30: true, 31: true, 32: true}
	s := w.serviceOf(w, nil, func(event.ProjectID, backfill.Arrivals) {})
	defer func() { _ = s.Stop(context.Background()) }()
	rest := func() (have []event.TaskID) {
		t.Helper()
		if err := s.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p := s.Progress(1); !p.Done || p.Tasks != 40 || p.Encoded != 40 {
			t.Errorf("%+v", p)
		}
		for id := range event.TaskID(40) {
			if s.Has(encode.Request{Text: fmt.Sprintf(`"text %d of 1"`, id+1)}.Key()) {
				have = append(have, id+1)
			}
		}
		return have
	}
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Scan(1)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := rest()
	for _, id := range []event.TaskID{3, 4, 30, 31, 32} {
		if !slices.Contains(first, id) {
			t.Errorf("task %d has no vector", id)
		}
	}
	if n := len(first); n < 7 || n > 25 { // 10 of 40 on average
		t.Errorf("%d of 40 tasks have one", n)
	}
	var others []event.TaskID
	for id := range event.TaskID(40) {
		if !slices.Contains(first, id+1) {
			others = append(others, id+1)
		}
	}
	w.mu.Lock()
	w.next = others[:2]
	w.mu.Unlock()
	s.ScanNext(1)
	second := rest()
	want := slices.Sorted(slices.Values(append(slices.Clone(first), others[:2]...)))
	if !slices.Equal(second, want) {
		t.Errorf("%v have vectors, want %v", second, want)
	}
	// An annotation brings one, too.
	w.mu.Lock()
	w.answers[others[2]] = true
	w.mu.Unlock()
	s.OnCommit(1, &event.Delta{Tasks: []event.TaskState{{Task: event.Task{ID: others[2]}}}})
	if third := rest(); !slices.Contains(third, others[2]) {
		t.Errorf("task %d has an annotation and no vector", others[2])
	}
}
