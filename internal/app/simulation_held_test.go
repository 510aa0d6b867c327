package app_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// holdUp has Label Studio not answer about one project, and sees to it that the
// other does not wait.
func (w *world) holdUp(r *rand.Rand) {
	held := w.any(r)
	w.heldUp(r, held, func() {
		w.network.mu.Lock()
		defer w.network.mu.Unlock()
		w.network.held, w.network.stuck = held, span{until: time.Now().Add(3 * time.Minute)}
	})
}

// holdUpDisk has nothing of one project be stored.
func (w *world) holdUpDisk(r *rand.Rand) {
	held := w.any(r)
	w.heldUp(r, held, func() {
		w.disk.mu.Lock()
		defer w.disk.mu.Unlock()
		w.disk.held, w.disk.stuck = held, span{until: time.Now().Add(3 * time.Minute)}
	})
}

func (w *world) heldUp(r *rand.Rand, held event.ProjectID, begin func()) {
	w.calm()
	w.rest(3 * time.Minute) // until what went before is over
	if !w.restored.IsZero() {
		// Label Studio gives ids again. Those of what was lost count for deleted until
		// two full comparisons after the one that found it have not seen them.
		w.rest(max(0, time.Until(w.restored.Add(threeFull))))
	}
	other := w.projects[0]
	if other == held {
		other = w.projects[1]
	}
	begin()
	var last event.AnnotationID
	for i := range 3 {
		for _, p := range []event.ProjectID{held, other} {
			tasks := w.there(p)
			if len(tasks) == 0 {
				return
			}
			t := tasks[(i*7+r.IntN(3))%len(tasks)]
			a, err := w.user.CreateAnnotation(context.Background(), t.ID, labelstudio.AnnotationWrite{Result: answers(t.Data, r)})
			w.must(err)
			last = a.ID
		}
	}
	learned := func() bool {
		return slices.ContainsFunc(w.stored(other), func(t event.TaskState) bool {
			return slices.ContainsFunc(t.Annotations, func(a event.Annotation) bool { return a.ID == last })
		})
	}
	for range 30 {
		w.rest(time.Second)
		if learned() && w.unpushed(other) == "" {
			return
		}
	}
	w.wrong("project %d waits for project %d: learned %v, %s", other, held, learned(), w.unpushed(other))
}
