package learner

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/learner/features"
)

// Backfill is a worker that has one slow encoder compute vectors in the background. It is safe
// for concurrent use.
type Backfill interface {
	// Name returns the encoder's name.
	Name() string
	// HasTokens reports whether the encoder has vectors of tokens too.
	HasTokens() bool
	// Has reports whether the vector of the request with this key has been computed.
	Has(key event.ContentKey) bool
	// Parts are the kinds of the parts of a text's vector.
	Parts() []encode.Part
	// AppendText appends the vector of a request's text to dense, each of its parts of length 1. ok is
	// false when it has not been computed yet. Parts that are missing are nil, and so are
	// those of a text that will never have a vector. It never waits for the encoder.
	AppendText(dense [][]float32, request encode.Request) (_ [][]float32, ok bool)
	// Tokens does the like for each of the n tokens of a text, which have one part each.
	Tokens(text string, n int) (xs [][]float32, ok bool)

	// Load reads the keys of the stored vectors. Before that none is found. The error is the
	// store's.
	Load(ctx context.Context) error
	// Service starts and stops the work.
	service.Service
	// Scan has the worker look for missing vectors in all tasks of projects. OnCommit has it
	// look in the tasks that a commit has changed. Neither waits.
	Scan(projects ...event.ProjectID)
	OnCommit(p event.ProjectID, d *event.Delta)

	// Now encodes requests while a caller waits, as many as can be done before the context's
	// deadline. The error is the encoder's.
	Now(ctx context.Context, requests []encode.Request) error
	// Progress returns how much of a project is encoded. It never waits for the encoder.
	Progress(p event.ProjectID) BackfillProgress
	// WaitIdle returns when each text has its vector and each arrival has been consumed. The
	// errors are the context's and ErrClosed.
	WaitIdle(ctx context.Context) error
	// QuietFor returns for how long the encoder has produced nothing, for a caller that has
	// waited since then.
	QuietFor(since time.Time) time.Duration
}

// BackfillOptions configure the worker of a slow encoder. The learner sets all of them.
type BackfillOptions struct {
	Encoder encode.BatchEncoder
	// Retain holds the names of all slow encoders. Stored vectors of others may be deleted.
	Retain []string
	// Needed returns what the models of a project read of the encoder now, nil when the
	// project is gone or reads nothing.
	Needed func(event.ProjectID) NeededVectors
	// Consume applies arrivals to the models of a project. It may wait for the project's lane.
	// After an error the worker calls it again with these and later arrivals.
	Consume func(ctx context.Context, p event.ProjectID, a Arrivals) error
	Now     func() time.Time
	Logger  *logrus.Entry
	// Encoded counts encoded texts, Failures batches that could not be encoded.
	Encoded, Failures prometheus.Counter
	// Unencoded sets the number of tasks of a project that lack a vector.
	Unencoded func(p event.ProjectID, tasks int)
}

// NeededVectors says what the models of a project read of a slow encoder, as of one snapshot.
// It is for one goroutine at a time.
type NeededVectors interface {
	// LabelNames returns the requests for the names of labels.
	LabelNames() []encode.Request
	// Requests adds the requests for a task's data to all, by their keys.
	Requests(data []byte, all map[event.ContentKey]encode.Request)
}

// Arrivals says which vectors have come for a project since the last call of Consume.
type Arrivals struct {
	// Tasks holds the tasks whose vectors have come, or may have come by Now.
	Tasks []event.TaskID
	// LabelNames is true when the vectors of all label names have come.
	LabelNames bool
	// Publish is true when a snapshot is to be published, which is not after every batch.
	Publish bool
}

// BackfillProgress says how much of a project an encoder has encoded.
type BackfillProgress struct {
	// Tasks is the number of tasks, Encoded the number of those that lack no vector.
	Tasks, Encoded int
	Done           bool    // nothing is left to do
	PerSecond      float64 // recent number of texts encoded a second, of all projects; 0 before the first
	Err            error   // why the encoder fails, nil when it does not
}

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
func (l *Learner) newBackfills(slow []encode.BatchEncoder) (_ []Backfill, err error) {
	names := make([]string, len(slow))
	for i, e := range slow {
		names[i] = e.Name()
	}
	unencoded := &maxGauge{counts: map[event.ProjectID][]int{}, encoders: len(names), gauge: l.metrics.unencoded}
	all := make([]Backfill, len(names))
	for i, e := range slow {
		all[i], err = l.o.NewBackfill(BackfillOptions{
			Encoder: e, Retain: names, Now: l.o.Now, Logger: l.o.Logger,
			Needed: func(p event.ProjectID) NeededVectors {
				if s := l.snapshot(p); s != nil {
					return s.needed(i)
				}
				return nil
			},
			Consume: l.applyArrivals,
			Encoded: l.metrics.encoded, Failures: l.metrics.encodeFailures,
			Unencoded: func(p event.ProjectID, tasks int) { unencoded.set(p, i, tasks) },
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// needed says what the heads read of a slow encoder, now and with the next adapter; nil for nothing.
func (s *snapshot) needed(encoder int) NeededVectors {
	var all neededVectors
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

// neededVectors is what several extractors read of a slow encoder.
type neededVectors []features.Needed

func (n neededVectors) LabelNames() (all []encode.Request) {
	for _, f := range n {
		all = append(all, f.LabelNames()...)
	}
	return all
}

func (n neededVectors) Requests(data []byte, all map[event.ContentKey]encode.Request) {
	for _, f := range n {
		f.Requests(data, all)
	}
}

// maxGauge sets a gauge for each project to the highest of the counts of several encoders.
type maxGauge struct {
	mu       sync.Mutex
	counts   map[event.ProjectID][]int
	encoders int
	gauge    *prometheus.GaugeVec // by project
}

func (w *maxGauge) set(p event.ProjectID, encoder, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts[p] == nil {
		w.counts[p] = make([]int, w.encoders)
	}
	w.counts[p][encoder] = n
	worst := 0
	for _, n := range w.counts[p] {
		worst = max(worst, n)
	}
	w.gauge.WithLabelValues(strconv.FormatInt(int64(p), 10)).Set(float64(worst))
}

// Encoding says how much of a project the slow encoders have encoded.
type Encoding struct {
	// Encoder is the names of the encoders, with + between them.
	Encoder string `json:"encoder"`
	// Tasks is the number of tasks, Encoded the number of those that lack no vector of the
	// encoder that is furthest behind.
	Tasks   int `json:"tasks"`
	Encoded int `json:"encoded"`
	// Done is true when nothing is left to do.
	Done bool `json:"done"`
	// PerSecond is the recent number of texts encoded a second, by all encoders; 0 before the
	// first.
	PerSecond float64 `json:"per_second"`
	// Fault says why encoders fail, "" when none does. It has the encoders' names if there are
	// several.
	Fault string `json:"fault,omitempty"`
}

// encodingStatus returns the progress of a project that reads slow encoders, nil without any.
func (l *Learner) encodingStatus(id event.ProjectID, slow features.EncoderSet) *Encoding {
	if slow == 0 {
		return nil
	}
	e := &Encoding{Done: true}
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
