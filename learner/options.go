package learner

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
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

// Options are what a Learner is made of. The zero value works.
type Options struct {
	// Encoder turns texts into features; encoders.Default if nil.
	Encoder encode.Encoder
	// Slow, if not nil, adds a dense part that takes time or may be down. Examples
	// and pool get it in the background, and Vectors and Tasks are then needed.
	Slow    encode.BatchEncoder
	Vectors backfill.VectorStore
	Tasks   backfill.TaskStore
	// Next is what will be asked next, best first; its texts are encoded before
	// those nobody waits for. It may be nil.
	Next func(event.ProjectID) []event.TaskID
	// SlowCores is how many batches of the slow encoder run at once in the
	// background, 1 if zero.
	SlowCores int
	// SlowWait bounds the time Predict waits for the slow part of texts it has not
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
	if o.SlowCores <= 0 {
		o.SlowCores = 1
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
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if o.Slow != nil && (o.Vectors == nil || o.Tasks == nil) {
		return errors.New("learner: a slow encoder needs Vectors and Tasks")
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
