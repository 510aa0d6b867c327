package backfill_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/event"
)

// ordered is an encoder that notes in which order it was given texts, and how many tasks had been
// read when the first of them came.
type ordered struct {
	*world
	first int
	texts []string
}

func (o *ordered) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	o.mu.Lock()
	if texts[0] != "label" {
		o.texts = append(o.texts, texts...)
		if o.first == 0 {
			o.first = o.read
		}
	}
	o.mu.Unlock()
	return o.world.EncodeBatch(ctx, texts)
}

// Of a large pool labelled texts come first, then those that are asked next, then those that samples are
// drawn from first; and before all tasks have been read.
func TestALargePoolIsEncodedByUrgency(t *testing.T) {
	const tasks = 12_000
	w := newWorld()
	w.tasks, w.next, w.answers = tasks, []event.TaskID{9000, 9001}, map[event.TaskID]bool{5000: true}
	o := &ordered{world: w}
	s := w.serviceOf(o, nil, func(event.ProjectID, backfill.Arrivals) {})
	defer func() { _ = s.Stop(context.Background()) }()
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Scan(1)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := s.Progress(1); !p.Done || p.Tasks != tasks || p.Encoded != tasks {
		t.Errorf("%+v", p)
	}
	if o.first > tasks*3/4 {
		t.Errorf("%d tasks were read before the first text was encoded", o.first)
	}
	if len(o.texts) != tasks {
		t.Fatalf("%d texts", len(o.texts))
	}
	place := map[string]int{}
	for i, text := range o.texts {
		place[text] = i
	}
	text := func(id event.TaskID) string { return fmt.Sprintf(`"text %d of 1"`, id) }
	if place[text(5000)] != 0 {
		t.Errorf("the labelled text came as number %d", place[text(5000)])
	}
	const batch = 2 * 32
	for _, id := range w.next {
		if at := place[text(id)]; at >= 1+batch {
			t.Errorf("task %d, which is asked next, came as number %d", id, at)
		}
	}
	var all []event.TaskID
	for id := range event.TaskID(tasks) {
		all = append(all, id+1)
	}
	slices.SortFunc(all, func(a, b event.TaskID) int { return cmp.Compare(a.Hash(), b.Hash()) })
	for i, id := range all[:2000] {
		if at := place[text(id)]; at > i+2*batch+3 {
			t.Fatalf("the task of place %d in the sample came as number %d", i, at)
		}
	}
}
