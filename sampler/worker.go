package sampler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/sampler/push"
)

// worker does one project: a single goroutine, run, takes what is in the inbox, ranks
// the pool and pushes the queue. A push asks the inbox between any two writes.
type worker struct {
	s      *Sampler
	id     event.ProjectID
	log    *logrus.Entry
	inbox  *inbox       // any goroutine enqueues, run drains
	status *statusBoard // run writes, any goroutine reads

	// The rest is read and written by run alone.
	pool      *taskPool // nil until read
	queue     Queue
	size      int    // how long the queue may be
	rank      uint64 // counts the rankings
	announced string // the version Learned named last
	lag       lagClock
	remote    *push.Project
	retry     pushRetry
	acquired  acquisitions
	drawings  drawings

	forgotten context.Context //nolint:containedctx // ends with the worker, not with a call
	forget    context.CancelFunc
	ended     chan struct{} // closed when run has ended
}

func newWorker(s *Sampler, p event.ProjectID) *worker {
	w := &worker{
		s: s, id: p, log: s.o.Logger.WithField("project", int64(p)),
		inbox:  newInbox(pending{wholePool: true}),
		status: &statusBoard{st: Status{Strategy: s.o.Strategy}},
		retry:  pushRetry{jitter: s.o.Jitter},
	}
	w.forgotten, w.forget = context.WithCancel(context.Background())
	w.ended = make(chan struct{})
	w.remote = s.pusher.Project(p, quietScan{w}, w)
	return w
}

func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.forgotten, cancel)()
	defer close(w.ended)
	for ctx.Err() == nil {
		if !w.inbox.Pending() && w.scanDue() && !w.isDue() {
			w.scanTurn(ctx)
			continue
		}
		if !w.inbox.Pending() && !w.wait(ctx) {
			return
		}
		if p, ok := w.inbox.drain(); ok {
			if err := w.update(ctx, p); err != nil {
				if ctx.Err() != nil {
					return
				}
				w.inbox.requeue(p)
				w.failed("rank", fmt.Errorf("rank the pool: %w", err))
				if !backoff.Sleep(ctx, w.retry.backoff()) {
					return
				}
				continue
			}
		}
		if time.Now().Before(w.retry.at) {
			continue
		}
		if w.leftAlone() {
			continue
		}
		err := w.push(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			w.retry.succeeded()
		case errors.Is(err, push.ErrSuperseded):
			w.s.metrics.superseded.Inc()
		default:
			w.failed(w.retry.failed(err), err)
		}
	}
}

// whyLeftAlone says why nothing may be written to the project, nil when it may.
func (w *worker) whyLeftAlone() error {
	if w.s.o.LeftAlone == nil {
		return nil
	}
	return w.s.o.LeftAlone(w.id)
}

// leftAlone reports whether nothing may be written to the project. Then nothing is tried
// until it is heard of again.
func (w *worker) leftAlone() bool {
	err := w.whyLeftAlone()
	if err == nil {
		return false
	}
	w.retry.gone, w.retry.at = true, time.Now().Add(gonePause)
	w.status.set(func(st *Status) { st.Note, st.Pushed, st.Complete = err.Error(), 0, false })
	return true
}

// due is when something is to be done though nothing is heard; zero: never.
func (w *worker) due() time.Time {
	if !w.s.pusher.Connected() {
		return time.Time{}
	}
	if !w.retry.at.IsZero() {
		return w.retry.at
	}
	return w.remote.NextCheck()
}

// isDue reports whether that has come.
func (w *worker) isDue() bool {
	due := w.due()
	return !due.IsZero() && !time.Now().Before(due)
}

// wait sleeps until there is something to do; it is false when ctx is done.
func (w *worker) wait(ctx context.Context) bool {
	due := w.due()
	if due.IsZero() {
		select {
		case <-ctx.Done():
			return false
		case <-w.inbox.wake:
			return true
		}
	}
	return backoff.SleepOrWake(ctx, time.Until(due), w.inbox.wake)
}

func (w *worker) push(ctx context.Context) error {
	q := push.Queue{Version: w.queue.Version, Rank: w.rank, Changed: w.lag.ranked, Size: w.size, Tasks: make([]event.TaskID, len(w.queue.Items))}
	for i, item := range w.queue.Items {
		q.Tasks[i] = item.Task
	}
	return w.remote.Push(ctx, q, w.pool)
}

// Placed implements push.Listener.
func (w *worker) Placed(correct, total int) {
	var lag time.Duration
	if correct > 0 || total == 0 {
		var ok bool
		if lag, ok = w.lag.show(time.Now()); ok && total > 0 {
			w.s.metrics.lag.Observe(lag.Seconds())
		}
	}
	w.status.set(func(st *Status) {
		st.Pushed = correct
		if lag > 0 {
			st.FrontLag = lag
		}
	})
}

// Wrote implements push.Listener.
func (w *worker) Wrote() { w.status.set(func(st *Status) { st.LastPush = time.Now() }) }

// Holds implements push.Listener.
func (w *worker) Holds(now push.Stored) {
	var before push.Stored
	w.status.set(func(st *Status) { before, st.Stored = st.Stored, now })
	ended := func(l push.Prelabel) bool { return !l.Done.IsZero() || l.Fault != "" }
	if ended(now.Prelabel) && !ended(before.Prelabel) && w.s.o.Marks != nil {
		if err := w.s.o.Marks.SetPrelabelDue(context.Background(), w.id, time.Time{}); err != nil {
			w.log.WithError(err).Warn("prelabel: that all is done cannot be stored; the next start looks again")
		}
	}
}

// Noted implements push.Listener.
func (w *worker) Noted(note string) { w.status.set(func(st *Status) { st.Note = note }) }

// Reached implements push.Listener.
func (w *worker) Reached(stage Stage) {
	if stage == push.Pushed {
		w.status.set(func(st *Status) { st.Complete = true })
	}
	w.observe(stage, nil)
}

func (w *worker) failed(cause string, err error) {
	w.s.metrics.failures.WithLabelValues(cause).Inc()
	repeated := false
	w.status.set(func(st *Status) {
		repeated = st.Note == err.Error()
		st.Note = err.Error()
	})
	if repeated {
		w.log.WithError(err).Debug("queue: still failing")
	} else {
		w.log.WithError(err).Warn("queue: not up to date in Label Studio")
	}
	w.observe(Failed, err)
}

func (w *worker) observe(stage Stage, err error) {
	if w.s.o.Observer != nil {
		w.s.o.Observer(Observation{Project: w.id, Stage: stage, Version: w.queue.Version, Rank: w.rank, Err: err})
	}
}

var _ push.Listener = (*worker)(nil)
