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

// TaskStore reads tasks. It must be safe for concurrent use.
type TaskStore interface {
	// Known returns all tasks of a project.
	Known(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error)
	// Tasks returns the tasks with these ids, in their order. A task that is not stored is
	// Deleted.
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
}

// VectorStore stores vectors by the name of their encoder and the key of their request. Package
// vector packs them. It must be safe for concurrent use.
type VectorStore interface {
	// VectorKeys calls f with the key of each stored vector of an encoder.
	VectorKeys(ctx context.Context, encoder string, f func(event.ContentKey)) error
	// Vector returns a packed vector, nil when there is none.
	Vector(encoder string, key event.ContentKey) ([]byte, error)
	// ChangeVectors stores and deletes vectors in one transaction.
	ChangeVectors(ctx context.Context, encoder string, put map[event.ContentKey][]byte, drop []event.ContentKey) error
	// RetainEncoders deletes the vectors of all other encoders.
	RetainEncoders(ctx context.Context, encoders []string) error
}

// Needed says what the models of a project read of the encoder, as of one snapshot. Only one
// goroutine at a time uses it.
type Needed interface {
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

// Options configure a Service. All fields are required unless stated otherwise.
type Options struct {
	Encoder encode.BatchEncoder
	// Retain holds the names of the encoders of other services on the same store. Stored
	// vectors of all others are deleted. It may be nil.
	Retain  []string
	Vectors VectorStore
	Tasks   TaskStore
	// Needed returns what the models of a project read now, nil when the project is gone or
	// reads nothing.
	Needed func(event.ProjectID) Needed
	// Consume applies arrivals to the models of a project. One goroutine for each project
	// calls it, and it may wait: neither other projects nor the encoder wait for it. After an
	// error it is called again with these and later arrivals.
	Consume func(ctx context.Context, p event.ProjectID, a Arrivals) error
	// Next returns the tasks that will be asked next, best first. They are encoded before
	// other tasks without labels. It must not wait. It may be nil.
	Next func(event.ProjectID) []event.TaskID
	// Sample is the number of tasks of a project from which on not all of them get vectors, but
	// those with annotations, those of Next, and a sample of at most this size. 0: all do.
	Sample int
	// Cores is the number of batches that are encoded at once, 1 if zero.
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

// Metrics are the metrics of a Service. Encoded counts encoded requests, Failures failures of the
// encoder and of reading tasks.
type Metrics struct {
	Encoded, Failures prometheus.Counter
	// Unencoded sets the number of tasks of a project that lack a vector. It must not wait.
	Unencoded func(p event.ProjectID, tasks int)
}
