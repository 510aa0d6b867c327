package sampler

import (
	"context"

	"github.com/hone-ml/hone/event"
)

// Acquisitions stores how labelled tasks came to be asked. Methods may be called concurrently.
type Acquisitions interface {
	Acquisitions(ctx context.Context, p event.ProjectID) (map[event.TaskID]event.Acquisition, error)
	// PutAcquisitions is durable when it returns nil.
	PutAcquisitions(ctx context.Context, p event.ProjectID, of map[event.TaskID]event.Acquisition) error
}

// acquisitions notes how the tasks of one project come to be asked. A task that is drawn at
// random is noted once it is queued, so that a label that comes while hone does not run counts
// too; every other task when it is labelled. One goroutine uses it.
type acquisitions struct {
	drawn    map[event.TaskID]bool // noted as random, and not labelled since; nil until read
	unstored map[event.TaskID]event.Acquisition
}

// labelled notes that a task has been labelled, and how the queue asked for it; asked is false
// when it did not.
func (a *acquisitions) labelled(t event.TaskID, of event.Acquisition, asked bool) {
	if !asked && a.drawn[t] {
		delete(a.drawn, t) // it was asked for a moment ago
		return
	}
	delete(a.drawn, t)
	a.note(t, of)
}

// queued notes the random tasks of a new queue.
func (a *acquisitions) queued(st Status) {
	for i, item := range st.Queue {
		if item.Random && !a.drawn[item.Task] {
			a.drawn[item.Task] = true
			a.note(item.Task, acquisitionAt(i, st))
		}
	}
}

func (a *acquisitions) note(t event.TaskID, of event.Acquisition) {
	if a.unstored == nil {
		a.unstored = map[event.TaskID]event.Acquisition{}
	}
	a.unstored[t] = of
}

// acquisitionOf returns how a queue asks for a task; asked is false when it does not.
func acquisitionOf(t event.TaskID, st Status) (of event.Acquisition, asked bool) {
	for i, item := range st.Queue {
		if item.Task == t {
			return acquisitionAt(i, st), true
		}
	}
	return event.Acquisition{}, false
}

// acquisitionAt returns how a queue asks for the task in its i-th place, from 0.
func acquisitionAt(i int, st Status) event.Acquisition {
	return event.Acquisition{Place: i + 1, Strategy: st.RankedBy, Snapshot: st.Snapshot, Random: st.Queue[i].Random}
}

// readAcquisitions reads which tasks were drawn before hone started.
func (w *worker) readAcquisitions(ctx context.Context) error {
	if w.s.o.Acquisitions == nil || w.acquired.drawn != nil {
		return nil
	}
	stored, err := w.s.o.Acquisitions.Acquisitions(ctx, w.id)
	if err != nil {
		return err
	}
	w.acquired.drawn = map[event.TaskID]bool{}
	for t, a := range stored {
		if a.Random {
			w.acquired.drawn[t] = true
		}
	}
	return nil
}

// storeAcquisitions stores what was noted. What cannot be stored is tried again with the next
// queue.
func (w *worker) storeAcquisitions(ctx context.Context) {
	if w.s.o.Acquisitions == nil || len(w.acquired.unstored) == 0 {
		return
	}
	if err := w.s.o.Acquisitions.PutAcquisitions(ctx, w.id, w.acquired.unstored); err != nil {
		w.log.WithError(err).Debug("queue: how tasks were asked cannot be stored now")
		return
	}
	w.acquired.unstored = nil
}
