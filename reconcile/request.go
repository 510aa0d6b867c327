package reconcile

import (
	"maps"
	"time"

	"github.com/hone-ml/hone/event"
)

// maxTasks is how many single tasks may be requested; for more, all ids are compared.
const maxTasks = 1000

// request says what a run shall compare. Requests can be merged.
type request struct {
	// changed requests what has changed since the last run; full all ids and times too;
	// contents everything; anew publishes everything without comparing.
	changed, full, contents, anew bool
	tasks                         map[event.TaskID]struct{}
	// doubted: the request included single tasks.
	doubted bool
}

// maxPause bounds the pause after a run.
const maxPause = time.Minute

// pauseAfter returns the pause after a run that took a time took. A caller with the secret
// of webhooks can have tasks marked as doubted all the time; with this pause, reading them
// takes at most half of Label Studio's time.
func (d *request) pauseAfter(spacing, took time.Duration) time.Duration {
	if !d.doubted {
		return spacing
	}
	return max(spacing, min(took, maxPause))
}

func requestOf(e *event.ReconcileDue) request {
	d := request{full: e.Full, contents: e.Contents || e.Anew, anew: e.Anew, doubted: len(e.Tasks) > 0}
	d.changed = e.Changed || d.full || d.contents || len(e.Tasks) == 0
	d.tasks = make(map[event.TaskID]struct{}, len(e.Tasks))
	for _, id := range e.Tasks {
		d.tasks[id] = struct{}{}
	}
	return d
}

func (d *request) merge(o request) {
	d.changed, d.full = d.changed || o.changed, d.full || o.full
	d.contents, d.anew, d.doubted = d.contents || o.contents, d.anew || o.anew, d.doubted || o.doubted
	if len(d.tasks)+len(o.tasks) > maxTasks { // one list of all costs less
		d.changed, d.full, d.tasks = true, true, nil
		return
	}
	if d.tasks == nil {
		d.tasks = make(map[event.TaskID]struct{}, len(o.tasks))
	}
	maps.Copy(d.tasks, o.tasks)
}
