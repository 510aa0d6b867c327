package learner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
)

// Backfill is the worker that has one slow encoder make its vectors in the background, as
// the learner needs it. It is safe for concurrent use.
type Backfill interface {
	// Name is the encoder's.
	Name() string
	// HasTokens reports whether the encoder has vectors of tokens too.
	HasTokens() bool
	// Has reports whether what was asked for under a key is there.
	Has(key event.TextKey) bool
	// Text is the vector of a text, of length 1; ok is false when it is not there yet. A
	// text that will never have one has nil. It never waits for the encoder.
	Text(text string) (x []float32, ok bool)
	// Tokens is Text for the n tokens of a text.
	Tokens(text string, n int) (xs [][]float32, ok bool)

	// Load reads which vectors are stored; before that none is found.
	Load(ctx context.Context) error
	// Service begins and ends the work.
	service.Service
	// Scan has all tasks of projects looked at. OnCommit tells of what a commit has
	// changed. Neither waits.
	Scan(projects ...event.ProjectID)
	OnCommit(p event.ProjectID, d *event.Delta)

	// Now encodes requests that somebody waits for, as many as can be done before the
	// context's deadline. The error is the encoder's.
	Now(ctx context.Context, requests []encode.Request) error
	// Progress is how far a project is. It never waits for the encoder.
	Progress(p event.ProjectID) BackfillProgress
	// WaitIdle returns when every text has its vector and every arrival has been consumed,
	// or with the context's error, or ErrClosed.
	WaitIdle(ctx context.Context) error
	// QuietFor is how long nothing has come of the encoder for somebody who has waited
	// since then.
	QuietFor(since time.Time) time.Duration
}

// BackfillOptions are what the learner gives the worker of a slow encoder.
type BackfillOptions struct {
	Encoder encode.BatchEncoder
	// Retain are the names of all slow encoders: what is stored of others may go.
	Retain []string
	// Needed is what a project's models read of the encoder now, nil when it is gone or
	// nothing is read of it.
	Needed func(event.ProjectID) NeededVectors
	// Consume has a project's models take in what has come. It may wait for the project.
	// After an error it is to be called again with the same and what came meanwhile.
	Consume func(ctx context.Context, p event.ProjectID, a Arrivals) error
	Now     func() time.Time
	Logger  *logrus.Entry
	// Encoded and Failures count texts that were encoded and batches that could not be.
	Encoded, Failures prometheus.Counter
	// Unencoded is told how many tasks of a project have no vector yet.
	Unencoded func(p event.ProjectID, tasks int)
}

// NeededVectors is what the models of a project read of a slow encoder, as of one moment.
// It is for one goroutine at a time.
type NeededVectors interface {
	// LabelNames are the requests of the names of labels.
	LabelNames() []encode.Request
	// Requests adds those of a task's data to all, by their keys.
	Requests(data []byte, all map[event.TextKey]encode.Request)
}

// Arrivals are the vectors of an encoder that have come for a project since the last time.
type Arrivals struct {
	// Tasks are those whose vectors have come, or may have come another way.
	Tasks []event.TaskID
	// LabelNames is true when the vectors of all label names have come.
	LabelNames bool
	// Publish is true when readers are to hear of it: not at every batch.
	Publish bool
}

// BackfillProgress is how far an encoder is with a project.
type BackfillProgress struct {
	// Tasks is how many tasks there are, Encoded how many of them have all their vectors.
	Tasks, Encoded int
	Done           bool    // nothing is left to do
	PerSecond      float64 // texts encoded a second, lately, of all projects; 0 before any were
	Err            error   // why it does not go on, nil when it does
}

// newBackfills makes the workers of the slow encoders, in their order.
func (l *Learner) newBackfills() (_ []Backfill, err error) {
	names := make([]string, len(l.o.Slow))
	for i, e := range l.o.Slow {
		names[i] = e.Name()
	}
	unencoded := &worstCounts{counts: map[event.ProjectID][]int{}, of: len(names), gauge: l.metrics.unencoded}
	all := make([]Backfill, len(names))
	for i, e := range l.o.Slow {
		all[i], err = l.o.NewBackfill(BackfillOptions{
			Encoder: e, Retain: names, Now: l.o.Now, Logger: l.o.Logger,
			Needed: func(p event.ProjectID) NeededVectors {
				if s := l.snapshot(p); s != nil {
					return needed{&l.features, i, s.heads}
				}
				return nil
			},
			Consume: l.takeIn,
			Encoded: l.metrics.encoded, Failures: l.metrics.encodeFailures,
			Unencoded: func(p event.ProjectID, tasks int) { unencoded.set(p, i, tasks) },
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// worstCounts shows the highest of the counts of several encoders, for each project.
type worstCounts struct {
	mu     sync.Mutex
	counts map[event.ProjectID][]int
	of     int
	gauge  *prometheus.GaugeVec // by project
}

func (w *worstCounts) set(p event.ProjectID, encoder, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts[p] == nil {
		w.counts[p] = make([]int, w.of)
	}
	w.counts[p][encoder] = n
	worst := 0
	for _, n := range w.counts[p] {
		worst = max(worst, n)
	}
	w.gauge.WithLabelValues(strconv.FormatInt(int64(p), 10)).Set(float64(worst))
}

// needed is what heads read of one slow encoder.
type needed struct {
	features *featurizer
	encoder  int
	heads    []frozen
}

func (n needed) LabelNames() (all []encode.Request) {
	for _, h := range n.heads {
		all = append(all, n.features.labelRequests(h.Spec)...)
	}
	return all
}

func (n needed) Requests(data []byte, all map[event.TextKey]encode.Request) {
	for _, h := range n.heads {
		n.features.requests(h.Spec, n.encoder, data, all)
	}
}

// Encoding is how far the slow encoders are with a project.
type Encoding struct {
	// Encoder is their names, with + between.
	Encoder string `json:"encoder"`
	// Tasks is how many tasks there are, Encoded how many of them have all their
	// vectors, of the encoder that is furthest behind.
	Tasks   int `json:"tasks"`
	Encoded int `json:"encoded"`
	// Done is true when nothing is left to do.
	Done bool `json:"done"`
	// PerSecond is how many texts were encoded a second, lately, by all of them; 0 before
	// any were.
	PerSecond float64 `json:"per_second"`
	// Fault is why it does not go on, "" when it does; with the names of the encoders where
	// there are several.
	Fault string `json:"fault,omitempty"`
}

// encoding is nil without a slow encoder.
func (l *Learner) encoding(id event.ProjectID) *Encoding {
	if len(l.backfills) == 0 {
		return nil
	}
	e := &Encoding{Done: true}
	var names, faults []string
	for i, b := range l.backfills {
		p := b.Progress(id)
		names = append(names, b.Name())
		e.Tasks = max(e.Tasks, p.Tasks)
		if i == 0 || p.Encoded < e.Encoded {
			e.Encoded = p.Encoded
		}
		e.Done = e.Done && p.Done
		e.PerSecond += p.PerSecond
		switch {
		case p.Err == nil:
		case len(l.backfills) == 1:
			faults = append(faults, p.Err.Error())
		default:
			faults = append(faults, b.Name()+": "+p.Err.Error())
		}
	}
	e.Encoder, e.Fault = strings.Join(names, "+"), strings.Join(faults, "; ")
	return e
}

// HasVectors reports whether the slow encoders have made all vectors of some tasks. It
// never waits for one.
func (l *Learner) HasVectors(p event.ProjectID, tasks []event.Task) bool {
	s := l.snapshot(p)
	if s == nil || len(l.backfills) == 0 {
		return true
	}
	for _, requests := range l.unencoded(s.heads, tasks) {
		if len(requests) > 0 {
			return false
		}
	}
	return true
}

// Encoded returns when every text has the vectors of every slow encoder and every
// example has taken them in, or with the context's error. Without a slow encoder it
// returns at once.
func (l *Learner) Encoded(ctx context.Context) error {
	for _, b := range l.backfills {
		if err := b.WaitIdle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// encodeNow has texts encoded that nobody has seen yet, for as long as somebody
// may be kept waiting; what is not done by then is answered with what is there.
func (l *Learner) encodeNow(ctx context.Context, heads []frozen, tasks []event.Task) {
	if len(l.backfills) == 0 {
		return
	}
	requests := l.unencoded(heads, tasks)
	ctx, cancel := context.WithTimeout(ctx, l.o.SlowWait)
	defer cancel()
	var all sync.WaitGroup
	for i, b := range l.backfills {
		if len(requests[i]) == 0 {
			continue
		}
		all.Go(func() {
			if err := b.Now(ctx, requests[i]); err != nil {
				l.o.Logger.WithError(err).Debug("predicting with what is there")
			}
		})
	}
	all.Wait()
}

// unencoded are the requests of tasks that have no vector yet, for each slow encoder, in
// the order of the tasks.
func (l *Learner) unencoded(heads []frozen, tasks []event.Task) [][]encode.Request {
	out := make([][]encode.Request, len(l.backfills))
	seen := make([]map[event.TextKey]bool, len(l.backfills))
	for _, t := range tasks {
		for _, h := range heads {
			for i := range l.features.entry(h.Spec, t.Data).encoders().each {
				if seen[i] == nil {
					seen[i] = map[event.TextKey]bool{}
				}
				of := map[event.TextKey]encode.Request{}
				l.features.requests(h.Spec, i, t.Data, of)
				for k, n := range of {
					if !seen[i][k] && !l.backfills[i].Has(k) {
						seen[i][k] = true
						out[i] = append(out[i], n)
					}
				}
			}
		}
	}
	return out
}

// maxSlow is how many slow encoders there may be: as many as an encoderSet has bits.
const maxSlow = 64

// checkSlow checks the slow encoders and what they need.
func (o *Options) checkSlow() error {
	if len(o.Slow) == 0 {
		return nil
	}
	if o.NewBackfill == nil || o.Tasks == nil {
		return errors.New("a slow encoder needs NewBackfill and Tasks")
	}
	if len(o.Slow) > maxSlow {
		return fmt.Errorf("%d slow encoders are too many: %d at most", len(o.Slow), maxSlow)
	}
	used := map[string]bool{}
	for _, e := range o.Slow {
		if used[e.Name()] {
			return fmt.Errorf("two slow encoders are named %s, and vectors are kept by name", e.Name())
		}
		used[e.Name()] = true
	}
	return nil
}
