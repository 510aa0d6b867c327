package features

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
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
	// ScanNext has it look in the tasks that are asked next, where BackfillOptions.Sample has it
	// leave tasks out. It does not wait.
	ScanNext(p event.ProjectID)

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
	// Sample is the number of tasks of a project from which on not all of them get vectors, but
	// those with annotations, those that are asked next, and a sample of at most this size. 0:
	// all do.
	Sample int
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

// NeededBySeveral is what several extractors read of a slow encoder.
type NeededBySeveral []Needed

// LabelNames implements NeededVectors.
func (n NeededBySeveral) LabelNames() (all []encode.Request) {
	for _, f := range n {
		all = append(all, f.LabelNames()...)
	}
	return all
}

// Requests implements NeededVectors.
func (n NeededBySeveral) Requests(data []byte, all map[event.ContentKey]encode.Request) {
	for _, f := range n {
		f.Requests(data, all)
	}
}
