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
	"github.com/hone-ml/hone/settings"
)

// Store is what the learner needs of the state.
type Store interface {
	// Load returns a project whole; one never heard of is empty.
	Load(ctx context.Context, p event.ProjectID) (event.Stored, error)
	// Plan says what changes really change. It writes nothing.
	Plan(ctx context.Context, changes []*event.Changed) ([]event.Delta, error)
	// Commit makes everything durable, with the cursor and what was learned, or
	// nothing of it.
	Commit(ctx context.Context, c event.Commit) error
}

// TaskReader reads tasks.
type TaskReader interface {
	// Tasks are those asked for, in order; what is not there is Deleted.
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
}

// Options are what a Learner is made of. The zero value works.
type Options struct {
	// Encoder turns texts into features; encoders.Default if nil.
	Encoder encode.Encoder
	// Slow each add a dense part, in this order, that takes time or may be down. Examples
	// and pool get theirs in the background, and NewBackfill and Tasks are then needed.
	// None waits for another, and their names differ.
	Slow []encode.BatchEncoder
	// NewBackfill makes the worker of a slow encoder, which does nothing yet.
	NewBackfill func(BackfillOptions) (Backfill, error)
	Tasks       TaskReader
	// SlowWait bounds the time Predict waits for the slow parts of texts it has not
	// seen, 5 s if zero.
	SlowWait time.Duration
	// Budget is the time one Apply may spend on walking to the optimum, 3 ms if
	// zero. What is left is done when idle, so it decides when, not what.
	Budget time.Duration
	// Steps, if not zero, bound in place of time what one Apply and one slice of idle
	// work may do, so that a run can be repeated exactly; a step is a few examples.
	Steps int
	// Tolerance is how far a probability may be from the exact optimum's when the
	// learner rests, 0.005 if zero. It is a worst case over all texts; on real ones
	// the distance is some ten times smaller.
	Tolerance float64
	// CacheBytes bounds the encodings kept of texts that are no examples, 128 MiB
	// if zero.
	CacheBytes int
	// CheckpointEvery is the least time between two large checkpoints, 10 s if
	// zero. Small ones are part of every commit.
	CheckpointEvery time.Duration
	// Settings is the table of what is set for single projects; one with nothing to choose
	// from if nil.
	Settings *settings.Table
	// Now is the clock of version names and dates, time.Now if nil. No result
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
		o.Settings = settings.NewTable(settings.Ranking{}, nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if err := o.checkSlow(); err != nil {
		return fmt.Errorf("learner: %w", err)
	}
	return nil
}

// ErrWhichProject is the error of a prediction that names no project while
// several are connected.
var ErrWhichProject = errors.New(`several projects are connected: say which one with "project"`)

// ErrClosed is the error of a Learner that was closed.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string { return "the learner is closed" }

// Passing tells the pipeline that the next start handles the same events again.
func (closedError) Passing() bool { return true }

// ReasonSchedule is the RetrainDue.Reason of the nightly retrain. It makes a new
// version only when the settings changed or labels were added, and none while a
// rollback holds the settings; every other reason is a person's wish and always
// makes one.
const ReasonSchedule = "schedule"
