package sampler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/hone-ml/hone/event"
)

// worker does one project. What it hears of goes into news; a single goroutine
// takes the news, ranks and pushes, and looks at the news again between any two
// writes.
type worker struct {
	s    *Sampler
	id   event.ProjectID
	log  *logrus.Entry
	wake chan struct{}

	mu     sync.Mutex
	news   news
	status Status

	// The rest belongs to the goroutine.
	pool      *pool // nil until read
	queue     []Item
	version   string
	announced string    // the version Learned named last
	since     time.Time // when the oldest change not yet seen in Label Studio was heard
	newest    time.Time // when the newest change in the ranking was heard
	seen      time.Time // when the newest change seen in Label Studio was heard
	rank      uint64
	theirs    theirs
	writes    uint64    // predictions written so far
	checked   uint64    // those of them before the last check
	retryAt   time.Time // no pushing before that
	checkAt   time.Time
	failures  int
	sets      *rate.Limiter // how often model_version is set
	gone      bool          // Label Studio does not have the project
}

// news is what was heard since the worker last looked.
type news struct {
	any     bool
	all     bool // read the whole pool again
	relist  bool // ask Label Studio again what it holds
	tasks   map[event.TaskID]struct{}
	since   time.Time // of all Learned, the oldest and the newest Since
	newest  time.Time
	version string
	labels  int
}

// between widens the span of the changes behind the news.
func (n *news) between(oldest, newest time.Time) {
	if !oldest.IsZero() && (n.since.IsZero() || oldest.Before(n.since)) {
		n.since = oldest
	}
	if newest.After(n.newest) {
		n.newest = newest
	}
}

// after is when the oldest of the changes was heard that come after one that is
// dealt with already; zero if there is none. A snapshot that only brings earlier
// changes closer to the optimum repeats their time, which is no delay.
func (n *news) after(dealt time.Time) time.Time {
	if n.since.After(dealt) {
		return n.since
	}
	if n.newest.After(dealt) {
		return n.newest
	}
	return time.Time{}
}

func (n *news) learned(l *event.Learned) {
	n.all = n.all || l.All
	if n.tasks == nil {
		n.tasks = map[event.TaskID]struct{}{}
	}
	for _, t := range l.Tasks {
		n.tasks[t] = struct{}{}
	}
	n.between(l.Since, l.Since)
	n.version, n.labels = l.Version, l.Labels
}

func newWorker(s *Sampler, p event.ProjectID) *worker {
	return &worker{
		s: s, id: p, log: s.log.WithField("project", int64(p)),
		wake:   make(chan struct{}, 1),
		news:   news{any: true, all: true},
		status: Status{Strategy: s.o.Strategy},
		// Three times a minute: somebody else may want another version, and
		// fighting over it would have Label Studio send events in a circle.
		sets: rate.NewLimiter(rate.Every(20*time.Second), 3),
	}
}

// believes reports whether Label Studio is thought to hold a place of the queue
// for any of the tasks.
func (w *worker) believes(tasks []event.Task) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.status.Queue[:min(w.status.Pushed, len(w.status.Queue))] {
		if slices.ContainsFunc(tasks, func(t event.Task) bool { return t.ID == i.Task }) {
			return true
		}
	}
	return false
}

func (w *worker) hear(add func(*news)) {
	w.mu.Lock()
	add(&w.news)
	w.news.any = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) pending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.news.any
}

func (w *worker) take() news {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.news
	w.news = news{}
	return n
}

// giveBack returns news that could not be used.
func (w *worker) giveBack(n news) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.all = n.all || w.news.all
	n.relist = n.relist || w.news.relist
	if n.tasks == nil {
		n.tasks = w.news.tasks
	} else {
		for t := range w.news.tasks {
			n.tasks[t] = struct{}{}
		}
	}
	n.between(w.news.since, w.news.newest)
	if w.news.version != "" {
		n.version, n.labels = w.news.version, w.news.labels
	}
	n.any = true
	w.news = n
}

// errSuperseded ends a push that a newer queue has made pointless.
var errSuperseded = errors.New("superseded by a newer queue")

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !w.pending() && !w.wait(ctx) {
			return
		}
		if n := w.take(); n.any {
			if err := w.update(ctx, n); err != nil {
				if ctx.Err() != nil {
					return
				}
				w.giveBack(n)
				w.failed("rank", fmt.Errorf("rank the pool: %w", err))
				if !w.sleep(ctx, w.backoff()) {
					return
				}
				continue
			}
		}
		if time.Now().Before(w.retryAt) {
			continue
		}
		err := w.push(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			w.failures, w.retryAt = 0, time.Time{}
		case errors.Is(err, errSuperseded):
			w.s.metrics.superseded.Inc()
		default:
			w.pushFailed(err)
		}
	}
}

// wait sleeps until there is something to do; it is false when ctx is done.
func (w *worker) wait(ctx context.Context) bool {
	var due <-chan time.Time
	if w.s.labelStudio() != nil {
		at := w.checkAt
		if !w.retryAt.IsZero() {
			at = w.retryAt
		}
		if !at.IsZero() {
			t := time.NewTimer(time.Until(at))
			defer t.Stop()
			due = t.C
		}
	}
	select {
	case <-ctx.Done():
		return false
	case <-w.wake:
	case <-due:
	}
	return true
}

// sleep is false when ctx is done.
func (w *worker) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// settled waits until nothing has been heard for d.
func (w *worker) settled(ctx context.Context, d time.Duration) error {
	if w.pending() {
		return errSuperseded
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			return nil
		case <-w.wake:
			if w.pending() {
				return errSuperseded
			}
		}
	}
}

// backoff doubles from a second to a minute, give or take a half, so that many
// projects do not come back at the same moment.
func (w *worker) backoff() time.Duration {
	d := time.Second << min(w.failures, 6)
	w.failures++
	return time.Duration(float64(min(d, time.Minute)) * (0.5 + w.s.o.Jitter()))
}

func (w *worker) pushFailed(err error) {
	cause := "label_studio"
	switch {
	case errors.Is(err, errGone):
		// Until the project is heard of again there is nothing to do.
		cause = "project_gone"
		w.gone, w.retryAt = true, time.Now().Add(24*time.Hour)
	case unauthorized(err):
		cause = "credentials"
		w.retryAt = time.Now().Add(time.Minute)
		err = fmt.Errorf("label studio refuses the token, nothing is pushed until it is right: set LABEL_STUDIO_API_KEY (tried again every minute): %w", err)
	default:
		w.retryAt = time.Now().Add(w.backoff())
	}
	w.theirs.known, w.theirs.refused = false, nil
	w.failed(cause, err)
}

func (w *worker) failed(cause string, err error) {
	w.s.metrics.failures.WithLabelValues(cause).Inc()
	w.mu.Lock()
	repeated := w.status.Note == err.Error()
	w.status.Note = err.Error()
	w.mu.Unlock()
	if repeated {
		w.log.WithError(err).Debug("queue: still failing")
	} else {
		w.log.WithError(err).Warn("queue: not up to date in Label Studio")
	}
	w.observe(Failed, err)
}

func (w *worker) observe(stage Stage, err error) {
	if w.s.o.Observer != nil {
		w.s.o.Observer(Observation{Project: w.id, Stage: stage, Version: w.version, Rank: w.rank, Err: err})
	}
}

func (w *worker) note(f func(*Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.status)
}

func (w *worker) snapshot() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.status
	st.Queue = slices.Clone(st.Queue)
	return st
}
