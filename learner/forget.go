package learner

import (
	"context"
	"strconv"

	"github.com/hone-ml/hone/event"
)

// afterForgotten returns the entries of a batch behind the last Forgotten, and whether there
// was one. What stands before it is about what is to be forgotten.
func afterForgotten(batch []event.Event) (rest []event.Event, forgotten bool) {
	for i := len(batch) - 1; i >= 0; i-- {
		if _, is := batch[i].(*event.Forgotten); is {
			return batch[i+1:], true
		}
	}
	return batch, false
}

// forget deletes everything stored of a lane's project and drops its models from memory. The
// lane's lock is held. Forgetting twice, as after a failure of what comes next, is harmless.
func (l *Learner) forget(ctx context.Context, ln *lane) error {
	if err := l.store.Forget(ctx, ln.id); err != nil {
		return err
	}
	if ln.project != nil {
		ln.project.generation = lastGeneration.Add(1) // what runs for it is void
	}
	ln.project = nil
	l.markLoaded(ln)
	l.snapshots.Delete(ln.id)
	name := strconv.FormatInt(int64(ln.id), 10)
	l.metrics.forgetScores(name)
	l.metrics.counts.Forget(name)
	for _, b := range l.backfills { // which then has none of its tasks, and deletes their vectors
		b.OnCommit(ln.id, &event.Delta{Meta: event.Meta{Project: ln.id}, New: true})
	}
	l.o.Logger.WithField("project", ln.id).Info("everything that was stored of a project is deleted")
	return nil
}
