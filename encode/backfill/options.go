package backfill

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
)

// TaskStore reads tasks.
type TaskStore interface {
	// Known are all tasks of a project.
	Known(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error)
	// Tasks are those asked for, in order; what is not there is Deleted.
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
}

// VectorStore keeps the vectors of a slow encoder, by its name and the text. What
// their bytes mean is the business of package vector.
type VectorStore interface {
	VectorKeys(ctx context.Context, encoder string, f func(event.ContentKey)) error
	// Vector is nil when there is none.
	Vector(encoder string, key event.ContentKey) ([]byte, error)
	// ChangeVectors makes all of it durable, or nothing.
	ChangeVectors(ctx context.Context, encoder string, put map[event.ContentKey][]byte, drop []event.ContentKey) error
	// RetainEncoders drops the vectors of all encoders but those.
	RetainEncoders(ctx context.Context, encoders []string) error
}

// Needed is what the models of a project read of the encoder, as of one moment. It is
// used by one goroutine at a time.
type Needed interface {
	// LabelNames are the requests of the names of labels.
	LabelNames() []encode.Request
	// Requests adds those of a task's data to all, by their keys.
	Requests(data []byte, all map[event.ContentKey]encode.Request)
}

// Arrivals are what has come for a project since the last time.
type Arrivals struct {
	// Tasks are those whose vectors have come, or may have come another way.
	Tasks []event.TaskID
	// LabelNames is true when the vectors of all label names have come.
	LabelNames bool
	// Publish is true when readers are to hear of it: not at every batch.
	Publish bool
}

// Options are what a Service is made of. All is required unless stated.
type Options struct {
	Encoder encode.BatchEncoder
	// Retain are the names of the encoders beside it whose stored vectors stay, those of
	// other services on the same store. What is stored of any other is dropped.
	// It may be nil.
	Retain  []string
	Vectors VectorStore
	Tasks   TaskStore
	// Needed is what a project's models read now, nil when it is gone or nothing is read
	// of it.
	Needed func(event.ProjectID) Needed
	// Consume has a project's models take in what has come. It is called by one goroutine
	// a project, which may wait: no other project and not the encoder wait for it. After
	// an error it is called again with the same and what came meanwhile.
	Consume func(ctx context.Context, p event.ProjectID, a Arrivals) error
	// Next is what will be asked next, best first; its texts are encoded before those
	// nobody waits for. It may be nil.
	Next func(event.ProjectID) []event.TaskID
	// Cores is how many batches are encoded at once, 1 if zero.
	Cores int
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Logger may be nil.
	Logger  *logrus.Entry
	Metrics Metrics
}

func (o *Options) setDefaults() {
	if o.Next == nil {
		o.Next = func(event.ProjectID) []event.TaskID { return nil }
	}
	if o.Cores <= 0 {
		o.Cores = 1
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if o.Encoder == nil || o.Vectors == nil || o.Tasks == nil || o.Needed == nil || o.Consume == nil {
		return errors.New("backfill: Encoder, Vectors, Tasks, Needed and Consume are required")
	}
	if o.Metrics.Encoded == nil || o.Metrics.Failures == nil || o.Metrics.Unencoded == nil {
		return errors.New("backfill: Metrics are required")
	}
	return nil
}

// Metrics are what a Service counts.
type Metrics struct {
	Encoded, Failures prometheus.Counter
	// Unencoded is told how many tasks of a project have texts without a vector. It must
	// not wait.
	Unencoded func(p event.ProjectID, tasks int)
}
