package reconcile

import (
	"maps"
	"time"

	"github.com/hone-ml/hone/event"
)

// maxTasks is how many single tasks may be asked for; beyond, all ids are compared.
const maxTasks = 1000

// request is what has been asked for; requests add up.
type request struct {
	// changed asks for what has changed since the last time; full for all ids and
	// times too; contents for everything; anew states it again without comparing.
	changed, full, contents, anew bool
	tasks                         map[event.TaskID]struct{}
	// doubted: tasks were among what was asked for.
	doubted bool
}

// maxPause bounds the pause after a run.
const maxPause = time.Minute

// pauseAfter is how long the next run waits after one that took so long. Whoever knows the
// secret of webhooks can have tasks doubted all the time: reading them takes half of
// Label Studio's time at most.
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
