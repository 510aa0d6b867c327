package backfill

import (
	"context"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
)

// arrivals holds vectors that the models of a project have not learned yet. A goroutine of the
// project hands them over as long as there are any. Service.mu guards it.
type arrivals struct {
	encoded        []event.TaskID // tasks whose vectors this worker has computed
	rechecked      []event.TaskID // tasks whose vectors may have come by Now
	labelNamesDone bool           // all label names have their vectors
	publish        bool           // a snapshot is to be published
	consuming      bool           // the goroutine is running
}

func (a *arrivals) empty() bool {
	return len(a.encoded) == 0 && len(a.rechecked) == 0 && !a.labelNamesDone && !a.publish
}

// recordEncoded adds an encoded batch to the arrivals of its project.
func (f *Service) recordEncoded(b encodeBatch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.projects[b.project]
	if p == nil {
		return
	}
	p.clearFailures()
	if b.tasks == nil {
		p.labelNames = p.labelNames[min(len(p.labelNames), len(b.requests)):]
		p.labelNamesDone = p.labelNamesDone || len(p.labelNames) == 0
	}
	for _, t := range b.tasks {
		delete(p.missing, t)
	}
	f.o.Metrics.Unencoded(b.project, len(p.missing)) // here, so that it never says less than Progress does
	p.encoded = append(p.encoded, b.tasks...)
	f.consume(b.project, p)
}

// recheck adds tasks to the arrivals of a project whose vectors may have come.
func (f *Service) recheck(id event.ProjectID, tasks []event.TaskID) {
	if len(tasks) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.queueFor(id)
	p.rechecked = append(p.rechecked, tasks...)
	f.consume(id, p)
}

// publishArrivals requests a snapshot of each project with new vectors, at most once each
// publishInterval, and always when last is true: nothing is left to encode.
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

// consume starts the goroutine of a project unless it is running. f.mu is held.
func (f *Service) consume(id event.ProjectID, p *projectQueue) {
	if !p.consuming && !p.arrivals.empty() {
		p.consuming = f.life.Go(func(ctx context.Context) { f.consumeAll(ctx, id, p) })
	}
}

// consumeAll hands arrivals to Consume until there are none, and retries after errors.
func (f *Service) consumeAll(ctx context.Context, id event.ProjectID, p *projectQueue) {
	for failures := 0; ; {
		f.mu.Lock()
		a := p.arrivals
		p.arrivals = arrivals{consuming: !a.empty()}
		if a.empty() || ctx.Err() != nil {
			p.consuming = false
			f.wakeUp() // it may be idle now
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		err := f.o.Consume(ctx, id, Arrivals{Tasks: slices.Concat(a.encoded, a.rechecked), LabelNames: a.labelNamesDone, Publish: a.publish})
		f.mu.Lock()
		if err == nil {
			failures = 0
			p.unpublished = p.unpublished || len(a.encoded) > 0 || a.labelNamesDone
			f.wakeUp()
			f.mu.Unlock()
			continue
		}
		p.encoded, p.rechecked = append(a.encoded, p.encoded...), append(a.rechecked, p.rechecked...)
		p.labelNamesDone, p.publish = p.labelNamesDone || a.labelNamesDone, p.publish || a.publish
		f.mu.Unlock()
		if failures++; backoff.ShouldLog(failures) && ctx.Err() == nil {
			f.o.Logger.WithError(err).WithField("project", id).Warn("new vectors cannot be taken in; others go on, and it is tried again")
		}
		backoff.Sleep(ctx, retryBackoff.Delay(failures-1))
	}
}
