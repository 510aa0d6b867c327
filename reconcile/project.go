package reconcile

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/wake"
)

// projectRunner runs the comparisons of one project, one after the other.
type projectRunner struct {
	r    *Reconciler
	id   event.ProjectID
	log  *logrus.Entry
	wake wake.Signal

	// running is held while a run goes on, or Hold keeps one from beginning.
	running chan struct{}

	mu      sync.Mutex
	pending *request
	status  Status

	compared comparedTimes
	poll     pollState
}

// comparedTimes are the times of tasks that differ although the contents are the same,
// because hone's own predictions change Label Studio's. Its methods may be called
// concurrently.
type comparedTimes struct {
	mu    sync.Mutex
	pairs map[event.TaskID]timePair
}

// record notes that a task with these times is the same.
func (c *comparedTimes) record(id event.TaskID, theirs, ours time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if theirs.Equal(ours) {
		delete(c.pairs, id)
	} else {
		c.pairs[id] = timesOf(theirs, ours)
	}
}

// same reports whether a task with these times was found to be the same.
func (c *comparedTimes) same(id event.TaskID, theirs, ours time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return theirs.Equal(ours) || c.pairs[id] == timesOf(theirs, ours)
}

// keep forgets the tasks that are not there any more.
func (c *comparedTimes) keep(there map[event.TaskID]struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.pairs, func(id event.TaskID, _ timePair) bool { _, is := there[id]; return !is })
}

// clear forgets all.
func (c *comparedTimes) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.pairs)
}

// timePair holds Label Studio's time of a task and hone's, in nanoseconds.
type timePair struct{ theirs, ours int64 }

func timesOf(theirs, ours time.Time) timePair { return timePair{theirs.UnixNano(), ours.UnixNano()} }

func (w *projectRunner) enqueueAndWake(d request) {
	w.enqueue(d)
	w.wake.Set()
}

func (w *projectRunner) enqueue(d request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending == nil {
		w.pending = &request{}
	}
	w.pending.merge(d)
}

func (w *projectRunner) takeRequest() *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.pending
	w.pending = nil
	return d
}

func (w *projectRunner) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		d := w.takeRequest()
		if d == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case w.running <- struct{}{}:
		}
		began := time.Now()
		w.runOnce(ctx, *d)
		<-w.running
		if !backoff.Sleep(ctx, d.pauseAfter(w.r.o.Spacing, time.Since(began))) {
			return
		}
	}
}

var errNotConnected = errors.New("not connected to Label Studio: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")

// runOnce makes one run. A failure is counted and shown in the status, nothing more: what was
// not read is read by the next run, since the watermark has not moved, and requested single
// tasks are kept.
func (w *projectRunner) runOnce(ctx context.Context, d request) {
	w.mu.Lock()
	w.status.Running, w.status.Read, w.status.Total, w.status.Left = true, 0, 0, 0
	d.full = d.full || d.changed && time.Since(w.status.LastFull) >= w.r.o.FullEvery
	w.mu.Unlock()

	began := time.Now()
	c := comparison{r: w.r, w: w, id: w.id, log: w.log, source: w.r.currentSource(), request: d, began: began, polled: w.r.o.Polled(w.id)}
	err := errNotConnected
	if c.source != nil {
		err = c.compareAll(ctx)
	}
	took := time.Since(began)

	w.mu.Lock()
	st := &w.status
	repeated := err != nil && st.Error == err.Error()
	mended := err == nil && st.Error != "" && st.Error != errNotConnected.Error()
	st.Running, st.Took, st.Read, st.Stated, st.Left = false, took, c.read, c.published, 0
	st.Runs++
	if c.projectRead {
		st.Missed, st.ModelVersion, st.Sampling = c.meta.Missed, c.project.ModelVersion, c.project.Sampling
	}
	if err == nil {
		st.Error = ""
		for last, is := range map[*time.Time]bool{&st.LastRun: c.changed, &st.LastFull: c.full, &st.LastContents: c.contents, &st.LastAnew: c.anew} {
			if is {
				*last = began
			}
		}
	} else if ctx.Err() == nil {
		st.Error = err.Error()
		st.Failures++
	}
	now := *st
	w.mu.Unlock()
	if err != nil && (len(d.tasks) > 0 || d.contents) {
		w.enqueue(request{changed: d.contents, contents: d.contents, anew: d.anew, tasks: d.tasks}) // with whatever comes next
	}

	switch {
	case err == nil:
		w.r.metrics.runs.WithLabelValues("ok").Inc()
		w.r.metrics.took.Observe(took.Seconds())
		if mended {
			w.log.Info("reconcile: works again")
		}
	case ctx.Err() != nil:
		return
	case errors.Is(err, errNotConnected):
		// Whoever looks for a Label Studio says so, once.
		w.r.metrics.runs.WithLabelValues("failed").Inc()
		w.log.WithError(err).Debug("reconcile: cannot begin")
	case repeated:
		w.r.metrics.runs.WithLabelValues("failed").Inc()
		w.log.WithError(err).Debug("reconcile: still failing")
	default:
		w.r.metrics.runs.WithLabelValues("failed").Inc()
		w.log.WithError(err).Warn("reconcile: failed; it is tried again at the next occasion")
	}
	if w.r.o.Observer != nil {
		w.r.o.Observer(w.id, now)
	}
}

// progress stores in the status how far a run is that has taken so long.
func (w *projectRunner) progress(read, total int, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	total = max(read, total)
	w.status.Read, w.status.Total = read, total
	w.status.Left = time.Duration(float64(took) * float64(total-read) / float64(max(1, read)))
}

func (w *projectRunner) snapshot() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}
