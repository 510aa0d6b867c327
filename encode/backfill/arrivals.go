package backfill

import (
	"context"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
)

// arrivals are vectors that a project's model has not taken in. It does so in a
// goroutine of its own, as long as there are any, so that a project whose lane is busy
// keeps the encoder waiting for nobody. It is guarded by Service.mu.
type arrivals struct {
	arrived   []event.TaskID // tasks whose vectors have come
	checked   []event.TaskID // tasks whose vectors may have come another way
	named     bool           // those of all label names have come
	publish   bool           // readers are to hear of it
	consuming bool           // the goroutine is at work
}

func (a *arrivals) empty() bool {
	return len(a.arrived) == 0 && len(a.checked) == 0 && !a.named && !a.publish
}

// arrive has a project take in what was encoded.
func (f *Service) arrive(b encodeBatch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.projects[b.project]
	if p == nil {
		return
	}
	p.well()
	if b.tasks == nil {
		p.names = p.names[min(len(p.names), len(b.needs)):]
		p.named = p.named || len(p.names) == 0
	}
	for _, t := range b.tasks {
		delete(p.missing, t)
	}
	f.o.Metrics.Unencoded(b.project, len(p.missing)) // here, so that it never says less than Progress does
	p.arrived = append(p.arrived, b.tasks...)
	f.consume(b.project, p)
}

// check has a project look whether the vectors of tasks have come.
func (f *Service) check(id event.ProjectID, tasks []event.TaskID) {
	if len(tasks) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.queueFor(id)
	p.checked = append(p.checked, tasks...)
	f.consume(id, p)
}

// publishArrivals has a project published, and so ranked, whose tasks have got vectors;
// not at every batch unless it was the last.
func (f *Service) publishArrivals(now time.Time, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, p := range f.projects {
		if p.unpublished && (last || now.Sub(p.publishedAt) > publishInterval) {
			p.unpublished, p.publishedAt, p.publish = false, now, true
			f.consume(id, p)
		}
	}
}

// consume starts the goroutine of a project unless it is at work. f.mu is held.
func (f *Service) consume(id event.ProjectID, p *projectQueue) {
	if !p.consuming && !p.arrivals.empty() {
		p.consuming = f.life.Go(func(ctx context.Context) { f.consumeAll(ctx, id, p) })
	}
}

func (f *Service) consumeAll(ctx context.Context, id event.ProjectID, p *projectQueue) {
	for failures := 0; ; {
		f.mu.Lock()
		a := p.arrivals
		p.arrivals = arrivals{consuming: !a.empty()}
		if a.empty() || ctx.Err() != nil {
			p.consuming = false
			f.wakeUp() // it may be at rest now
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		err := f.o.Consume(ctx, id, Arrivals{Tasks: slices.Concat(a.arrived, a.checked), LabelNames: a.named, Publish: a.publish})
		f.mu.Lock()
		if err == nil {
			failures = 0
			p.unpublished = p.unpublished || len(a.arrived) > 0 || a.named
			f.wakeUp()
			f.mu.Unlock()
			continue
		}
		p.arrived, p.checked = append(a.arrived, p.arrived...), append(a.checked, p.checked...)
		p.named, p.publish = p.named || a.named, p.publish || a.publish
		f.mu.Unlock()
		if failures++; backoff.ShouldLog(failures) && ctx.Err() == nil {
			f.o.Logger.WithError(err).WithField("project", id).Warn("new vectors cannot be taken in; others go on, and it is tried again")
		}
		backoff.Sleep(ctx, retry.Delay(failures-1))
	}
}
