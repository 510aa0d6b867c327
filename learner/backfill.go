package learner

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/report"
)

// openEncoders makes the workers of all slow encoders, and the extractors. The errors are those
// of the options and of Options.NewBackfill.
func (l *Learner) openEncoders() error {
	slow, err := l.o.allSlow()
	if err != nil {
		return err
	}
	if l.backfills, err = l.newBackfills(slow); err != nil {
		return err
	}
	lookups := make([]features.Lookup, len(l.backfills))
	for i, b := range l.backfills {
		lookups[i] = b
	}
	l.encoders = features.NewEncoders(l.o.byDefault(), l.o.Others, lookups, l.o.CacheBytes)
	return nil
}

// newBackfills returns a worker for each slow encoder, in this order.
func (l *Learner) newBackfills(slow []encode.BatchEncoder) (_ []features.Backfill, err error) {
	names := make([]string, len(slow))
	for i, e := range slow {
		names[i] = e.Name()
	}
	unencoded := l.metrics.Unencoded(len(names))
	all := make([]features.Backfill, len(names))
	for i, e := range slow {
		sample := 0
		if l.o.Adapting != nil && i == len(slow)-1 {
			sample = cmp.Or(l.o.Adapting.Sample, adapt.DefaultSample)
		}
		all[i], err = l.o.NewBackfill(features.BackfillOptions{
			Encoder: e, Sample: sample, Retain: names, Now: l.o.Now, Logger: l.o.Logger,
			Needed: func(p event.ProjectID) features.NeededVectors {
				if s := l.snapshot(p); s != nil {
					return s.needed(i)
				}
				return nil
			},
			Consume: l.applyArrivals,
			Encoded: l.metrics.Encoded, Failures: l.metrics.EncodeFailures,
			Unencoded: func(p event.ProjectID, tasks int) { unencoded.Set(p, i, tasks) },
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// needed says what the heads read of a slow encoder, now and with the next adapter; nil for nothing.
func (s *snapshot) needed(encoder int) features.NeededVectors {
	var all features.NeededBySeveral
	for _, f := range []*features.Extractor{s.features, s.next} {
		if f != nil && f.Slow().Has(encoder) {
			all = append(all, features.Needed{Features: f, Encoder: encoder, Specs: specsOf(s.heads)})
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// encodingStatus returns the progress of a project that reads slow encoders, nil without any.
func (l *Learner) encodingStatus(id event.ProjectID, slow features.EncoderSet) *report.Encoding {
	if slow == 0 {
		return nil
	}
	e := &report.Encoding{Done: true}
	var names, failing, faults []string
	for i := range slow.Each {
		b := l.backfills[i]
		p := b.Progress(id)
		if len(names) == 0 || p.Encoded < e.Encoded {
			e.Encoded = p.Encoded
		}
		names = append(names, b.Name())
		e.Tasks = max(e.Tasks, p.Tasks)
		e.Done = e.Done && p.Done
		e.PerSecond += p.PerSecond
		if p.Err != nil {
			failing, faults = append(failing, b.Name()), append(faults, p.Err.Error())
		}
	}
	for i := range faults {
		if len(names) > 1 {
			faults[i] = failing[i] + ": " + faults[i]
		}
	}
	e.Encoder, e.Fault = strings.Join(names, "+"), strings.Join(faults, "; ")
	return e
}

// OnQueue has vectors made of the tasks of a project that are asked next now, where an encoder makes them of
// some tasks only. It never waits. Safe for concurrent use.
func (l *Learner) OnQueue(p event.ProjectID) {
	s := l.snapshot(p)
	if s == nil {
		return
	}
	for i := range s.features.Slow().Each {
		l.backfills[i].ScanNext(p)
	}
}

// HasVectors reports whether the slow encoders have computed all vectors of some tasks. It
// never waits for one. Safe for concurrent use.
func (l *Learner) HasVectors(p event.ProjectID, tasks []event.Task) bool {
	s := l.snapshot(p)
	return s == nil || len(s.features.Unencoded(specsOf(s.heads), tasks)) == 0
}

// WaitEncoded returns when each text has the vectors of each slow encoder and the examples have
// them. Without a slow encoder it returns at once. The errors are the context's and
// ErrClosed. Safe for concurrent use.
func (l *Learner) WaitEncoded(ctx context.Context) error {
	for _, b := range l.backfills {
		if err := b.WaitIdle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// encodeNow has the missing vectors of tasks computed that some heads of a snapshot read, for
// Options.SlowWait at most. Predictions are made without those that are then still missing.
func (l *Learner) encodeNow(ctx context.Context, s *snapshot, heads []headSnapshot, tasks []event.Task) {
	if s.features.Slow() == 0 {
		return
	}
	requests := s.features.Unencoded(specsOf(heads), tasks)
	ctx, cancel := context.WithTimeout(ctx, l.o.SlowWait)
	defer cancel()
	var all sync.WaitGroup
	for i, missing := range requests {
		all.Go(func() {
			if err := l.backfills[i].Now(ctx, missing); err != nil {
				l.o.Logger.WithError(err).Debug("predicting with what is there")
			}
		})
	}
	all.Wait()
}

// readersOf returns those of some projects whose vectors a slow encoder is to look for at the
// start. One of the default encoder looks at all projects, to drop what none of them reads.
// Vectors of another one stay until a project that reads it leaves it.
func (l *Learner) readersOf(encoder int, projects []event.ProjectID) []event.ProjectID {
	if encoder < len(l.o.Slow) {
		return projects
	}
	return slices.DeleteFunc(slices.Clone(projects), func(id event.ProjectID) bool {
		s := l.snapshot(id)
		return s == nil || !s.features.Slow().Has(encoder)
	})
}

// scan has slow encoders look for missing vectors in all tasks of a project. It does not wait.
func (l *Learner) scan(id event.ProjectID, encoders features.EncoderSet) {
	for i := range encoders.Each {
		l.backfills[i].Scan(id)
	}
}
