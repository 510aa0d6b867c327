package poll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/reconcile"
)

const (
	// activeTime is how long after a change a project is polled at the shorter interval.
	activeTime = time.Minute
	// quietFactor is how many intervals are between two polls of a quiet project.
	quietFactor = 2
	// projectEvery: with every so many polls of a project, the project itself is read too.
	projectEvery = 5
	// pollsPerInterval is the budget: how many requests are made an interval, of all
	// projects together.
	pollsPerInterval = 2
	// restFactor is how many times as long as a poll took no other one of the project
	// begins, up to maxRest intervals: so polls take at most a quarter of the time of a Label
	// Studio that is slow.
	restFactor, maxRest = 3, 5
	// maxUnderWay bounds the polls under way, so that projects that hang do not take all
	// connections.
	maxUnderWay = 3
	// maxBackoff bounds the pause after a failure.
	maxBackoff = time.Minute
	// pollTimeout bounds one poll, retries included, so that it gives way to others.
	pollTimeout = time.Minute
)

// project is the schedule of one project. Poller.mu guards it.
type project struct {
	id       event.ProjectID
	polling  bool
	due      time.Time // when the next poll may begin
	began    time.Time // when the last one did
	polls    int       // how many have ended well
	found    time.Time // when one last found something
	failures int       // in a row
	status   Status
}

// schedule begins polls as they are due until the context ends.
func (p *Poller) schedule(ctx context.Context) {
	for ctx.Err() == nil {
		p.refresh(ctx)
		wait := p.beginDue(time.Now())
		if !backoff.SleepOrWake(ctx, wait, p.ended) {
			return
		}
	}
}

// refresh takes up the projects that are new and drops those that are not polled any more.
func (p *Poller) refresh(ctx context.Context) {
	ids, err := p.o.Projects(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.o.Logger.WithError(err).Debug("poll: the projects could not be listed")
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	polled := make(map[event.ProjectID]*project, len(ids))
	for _, id := range ids {
		if polled[id] = p.projects[id]; polled[id] == nil {
			polled[id] = &project{id: id}
		}
	}
	p.projects = polled
}

// beginDue begins the polls that are due and that the budget allows, and returns how long
// nothing is to be done.
func (p *Poller) beginDue(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.underWay < maxUnderWay && !p.nextSlot.After(now) {
		pr := p.choose(now)
		if pr == nil || !p.begin(pr, now) {
			break
		}
	}
	wait := p.o.Interval // new projects are looked for
	for _, pr := range p.projects {
		if !pr.polling {
			wait = min(wait, max(pr.due.Sub(now), p.nextSlot.Sub(now)))
		}
	}
	if p.underWay == maxUnderWay {
		return p.o.Interval // one that ends wakes the loop
	}
	return max(wait, time.Millisecond)
}

// choose returns the next project to poll: by turns the active one and the one, active or
// not, that has waited longest. So active projects get half of the budget, or more, and no
// project waits for ever. p.mu is held.
func (p *Poller) choose(now time.Time) *project {
	var longest, active *project
	for _, pr := range p.projects {
		if pr.polling || pr.due.After(now) {
			continue
		}
		longest = longerWaiting(longest, pr)
		if p.isActive(pr, now) {
			active = longerWaiting(active, pr)
		}
	}
	p.favoured = !p.favoured
	if p.favoured && active != nil {
		return active
	}
	return longest
}

func longerWaiting(a, b *project) *project {
	if a == nil || b.began.Before(a.began) || b.began.Equal(a.began) && b.id < a.id {
		return b
	}
	return a
}

func (p *Poller) isActive(pr *project, now time.Time) bool {
	return !pr.found.IsZero() && now.Sub(pr.found) < activeTime
}

// interval is the least time from one poll of a project to its next. p.mu is held.
func (p *Poller) interval(pr *project, now time.Time) time.Duration {
	if p.isActive(pr, now) {
		return p.o.Interval
	}
	return quietFactor * p.o.Interval
}

// begin polls a project in a goroutine and reports whether it does: not after Stop. p.mu is
// held.
func (p *Poller) begin(pr *project, now time.Time) bool {
	both := pr.polls%projectEvery == projectEvery-1
	slot := p.o.Interval / pollsPerInterval
	if both {
		slot *= 2
	}
	if !p.life.Go(func(ctx context.Context) { p.poll(ctx, pr, both) }) {
		return false
	}
	pr.polling, pr.began = true, now
	p.underWay++
	p.nextSlot = now.Add(slot)
	return true
}

func (p *Poller) poll(ctx context.Context, pr *project, both bool) {
	limit, cancel := context.WithTimeout(ctx, pollTimeout)
	found, err := p.o.Reader.Poll(limit, pr.id)
	if err == nil && both {
		err = p.o.Reader.PollProject(limit, pr.id)
	}
	if err != nil && limit.Err() != nil {
		err = fmt.Errorf("it took longer than %v: %w", pollTimeout, err)
	}
	cancel()
	if ctx.Err() == nil {
		p.finish(pr, found, err)
	}
	p.mu.Lock()
	pr.polling = false
	p.underWay--
	p.mu.Unlock()
	p.ended.Set()
}

// finish records how a poll ended, and when the next one is due.
func (p *Poller) finish(pr *project, found int, err error) {
	now := time.Now()
	log := p.o.Logger.WithField("project", int64(pr.id))
	p.mu.Lock()
	defer p.mu.Unlock()
	if found > 0 {
		pr.found = now
	}
	switch {
	case errors.Is(err, reconcile.ErrUnread): // the first reading is under way, and says what keeps it
		pr.due = now.Add(p.o.Interval)
		return
	case err != nil:
		p.metrics.polls.WithLabelValues("failed").Inc()
		if pr.failures++; pr.failures == 1 {
			pr.status.FailingSince = now
			log.WithError(err).Warn("poll: the changes cannot be read; hone tries again, ever more rarely up to once a minute")
		} else {
			log.WithError(err).Debug("poll: still failing")
		}
		pr.status.Error = err.Error()
		pr.due = now.Add(backoff.Exponential{Min: quietFactor * p.o.Interval, Max: max(maxBackoff, quietFactor*p.o.Interval)}.Delay(pr.failures - 1))
		return
	}
	result := "nothing"
	if found > 0 {
		result = "found"
	}
	p.metrics.polls.WithLabelValues(result).Inc()
	if pr.failures > 0 {
		log.Info("poll: works again")
	}
	pr.polls++
	pr.failures, pr.status = 0, Status{Last: pr.began}
	pr.due = pr.began.Add(p.interval(pr, now))
	if rested := now.Add(min(restFactor*now.Sub(pr.began), maxRest*p.o.Interval)); rested.After(pr.due) {
		pr.due = rested
	}
}
