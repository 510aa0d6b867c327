package learner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/settings"
)

// Store keeps what the learner learns from and what it has learned. It must be safe for
// concurrent use.
type Store interface {
	// Load returns all of a project. An unknown project is empty.
	Load(ctx context.Context, p event.ProjectID) (event.ProjectState, error)
	// Plan merges changes with what is stored and returns what they change, a delta for each
	// project. It writes nothing.
	Plan(ctx context.Context, changes []*event.Changed) ([]event.Delta, error)
	// Commit makes all of c durable in one transaction, or nothing.
	Commit(ctx context.Context, c event.Commit) error
	// Forget durably deletes everything stored of a project. Forgetting one that is unknown
	// is no error.
	Forget(ctx context.Context, p event.ProjectID) error
}

// TaskReader reads tasks. It must be safe for concurrent use.
type TaskReader interface {
	// Tasks returns the tasks with these ids, in their order. A task that is not stored is
	// Deleted.
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
}

// Options configure a Learner. The zero value works.
type Options struct {
	// Encoder computes the features of texts at once; encoders.Default if nil.
	Encoder encode.Encoder
	// Slow encoders add a dense part each, in this order. They take time and may be down, so
	// their vectors are computed in the background. None waits for another. Their names must
	// differ. With any, here or in Others, NewBackfill and Tasks are required.
	Slow []encode.BatchEncoder
	// Others are the encoders that the setting `encoder` of a project may name, by that name.
	// A name that is not there stands for Encoder and Slow. Slow encoders with equal names are
	// one.
	Others map[string]features.Encoding
	// NewBackfill returns the worker of a slow encoder, not started.
	NewBackfill func(features.BackfillOptions) (features.Backfill, error)
	// Adapting has a slow encoder adapt to the labels of each project, as one more part of the
	// vectors; nil for none. It requires NewBackfill and Tasks.
	Adapting *adapt.Options
	Tasks    TaskReader
	// SlowWait bounds how long Predict and Extend wait for vectors of new texts, 5 s if
	// zero.
	SlowWait time.Duration
	// Budget bounds how long one Apply optimizes, 3 ms if zero. The background does the
	// rest, so it decides when the optimum is reached, not which.
	Budget time.Duration
	// Steps, unless zero, bounds one Apply and one background step in place of time, so that
	// a run can be repeated exactly. A step is a few examples.
	Steps int
	// Tolerance is by how much a probability may differ from that of the exact optimum when
	// a project has settled, 0.005 if zero. It is a worst case over all texts; on real texts
	// the difference is some ten times smaller.
	Tolerance float64
	// CacheBytes bounds the memory for encodings of texts that are no examples, 128 MiB if
	// zero.
	CacheBytes int
	// CheckpointEvery is the least time between two large checkpoints, 10 s if
	// zero. Small ones are part of every commit.
	CheckpointEvery time.Duration
	// Settings is the table of the settings of single projects; one without strategies if nil.
	Settings *settings.Table
	// Now is the clock for dates of versions and for pauses, time.Now if nil. No prediction
	// depends on it.
	Now        func() time.Time
	Logger     *logrus.Entry
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() {
	if o.Encoder == nil {
		o.Encoder = encoders.Default()
	}
	if o.SlowWait <= 0 {
		o.SlowWait = 5 * time.Second
	}
	if o.Budget <= 0 {
		o.Budget = 3 * time.Millisecond
	}
	if o.Tolerance <= 0 {
		o.Tolerance = 0.005
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 128 << 20
	}
	if o.CheckpointEvery <= 0 {
		o.CheckpointEvery = 10 * time.Second
	}
	if o.Settings == nil {
		o.Settings = settings.NewTable(settings.Defaults{Adapt: settings.AdaptAuto}, nil, nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	slow, err := o.allSlow()
	if err == nil && len(slow) > 0 && (o.NewBackfill == nil || o.Tasks == nil) {
		err = errors.New("a slow encoder needs NewBackfill and Tasks")
	}
	if err != nil {
		return fmt.Errorf("learner: %w", err)
	}
	return nil
}

// byDefault returns the default encoder.
func (o *Options) byDefault() features.Encoding {
	return features.Encoding{Fast: o.Encoder, Slow: o.Slow}
}

// allSlow returns the slow encoders of all encoders, each once, those of the default one first.
func (o *Options) allSlow() ([]encode.BatchEncoder, error) {
	all, err := features.AllSlow(o.byDefault(), o.Others)
	if err == nil && o.Adapting != nil {
		all = append(all, o.Adapting.Encoder)
	}
	return all, err
}

// ErrWhichProject says that a prediction names no project while several are connected.
var ErrWhichProject = errors.New(`several projects are connected: say which one with "project"`)

// ErrClosed says that the Learner was stopped.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string { return "the learner is closed" }

// Passing tells the pipeline that the same events can be handled after the next start.
func (closedError) Passing() bool { return true }

// ReasonSchedule is the RetrainDue.Reason of the nightly retrain. It makes a new
// version only when the settings changed or labels were added, and none while a rollback
// holds the settings. A retrain for any other reason was asked for by a person and always
// makes a version.
const ReasonSchedule = "schedule"

// ReasonFirst is the event.Version.Reason of the version that a project begins with.
const ReasonFirst = "first"

// MinMeasured is how many examples a head needs for a retrain to measure its accuracy.
const MinMeasured = tune.MinCompared
