package push

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
)

// Predictor gives the regions that annotators see as a suggestion, one JSON array a
// task in order, nil where the model abstains.
type Predictor interface {
	Regions(ctx context.Context, p event.ProjectID, tasks []event.Task) ([]json.RawMessage, error)
}

// Options configure a Pusher. All fields are required unless stated.
type Options struct {
	// LabelStudio may be nil: nothing is written until SetLabelStudio is called.
	LabelStudio LabelStudio
	// Predictor may be nil: predictions are then written without regions.
	Predictor Predictor
	// Suggester and Tasks keep predictions beside the queue; both or neither. Without them
	// those are left alone, and go with their version.
	Suggester Suggester
	Tasks     Tasks
	// Fits makes, of a label config, a test of whether a stored result says only what the
	// config has; it returns nil for a config that cannot be read. It may be nil: then
	// nothing is deleted for what it says.
	Fits func(labelConfig string) func(result json.RawMessage) bool

	// QueueSize is how many rows may lie behind the queue.
	QueueSize int
	// Front is how many places are written at once; those behind wait until nothing
	// has been heard for Settle.
	Front  int
	Settle time.Duration
	// GiveWay is how long after an answer was heard the front is not written yet: whoever gave it
	// asks for the next task now, and Label Studio takes twice as long for that beside a write.
	// Further news ends it.
	GiveWay time.Duration
	// PushRate limits writes to Label Studio a second, over all projects.
	PushRate float64
	// BackgroundWrites limits the predictions written an hour, over all projects, that
	// nobody waits for; a minute's worth may be written at once.
	BackgroundWrites int
	// ManageModelVersion keeps project.model_version at the live version.
	ManageModelVersion bool
	// CheckEvery is how often the project's model version and the number of its
	// predictions are compared with what they should be.
	CheckEvery time.Duration
	// BulkAbove is the number of new predictions from which one bulk import is
	// cheaper for Label Studio than single writes.
	BulkAbove int

	// Logger may be nil.
	Logger  *logrus.Entry
	Metrics Metrics
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if o.QueueSize < 1 || o.Front < 1 || !(o.PushRate > 0) || o.CheckEvery <= 0 || o.BulkAbove < 1 || o.BackgroundWrites < 1 {
		return errors.New("push: QueueSize, Front, PushRate, CheckEvery, BulkAbove and BackgroundWrites must be more than 0")
	}
	if (o.Suggester == nil) != (o.Tasks == nil) {
		return errors.New("push: a Suggester needs Tasks, and Tasks a Suggester")
	}
	if o.Metrics.Writes == nil || o.Metrics.Failures == nil || o.Metrics.VersionSet == nil {
		return errors.New("push: Metrics are required")
	}
	return nil
}

// Metrics are counted by a Pusher; whoever makes them registers them.
type Metrics struct {
	// Writes counts requests that write, by the label op.
	Writes *prometheus.CounterVec
	// Failures counts steps that failed, by the label cause.
	Failures *prometheus.CounterVec
	// VersionSet counts how often a project's model_version was set.
	VersionSet prometheus.Counter
}

// Pusher writes the queues of all projects to one Label Studio. Its methods may be
// called concurrently.
type Pusher struct {
	o      Options
	limit  *rate.Limiter // of writes, over all projects
	budget *rate.Limiter // of those that nobody waits for, over all projects

	mu sync.Mutex
	ls LabelStudio // guarded by mu; nil while there is no connection
}

// New checks the options. It sends nothing.
func New(o Options) (*Pusher, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Pusher{
		o: o, limit: rate.NewLimiter(rate.Limit(o.PushRate), o.Front), ls: o.LabelStudio,
		budget: rate.NewLimiter(rate.Limit(float64(o.BackgroundWrites)/time.Hour.Seconds()), max(1, o.BackgroundWrites/60)),
	}, nil
}

// SetLabelStudio replaces the connection; nil ends the writing. What a project held
// in the Label Studio before is kept until Project.Relist is called.
func (p *Pusher) SetLabelStudio(ls LabelStudio) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ls = ls
}

// Connected reports whether there is a connection.
func (p *Pusher) Connected() bool { return p.labelStudio() != nil }

func (p *Pusher) labelStudio() LabelStudio {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ls
}

// Project makes the part that keeps one project. Make one a project: two would undo
// each other's writes.
func (p *Pusher) Project(id event.ProjectID, interrupt Interrupt, listener Listener) *Project {
	return &Project{
		pusher: p, id: id, interrupt: interrupt, listener: listener,
		log: p.o.Logger.WithField("project", int64(id)), abstained: map[event.TaskID]struct{}{},
		// Three times a minute: somebody else may want another version, and
		// fighting over it would have Label Studio send events in a circle.
		versionLimiter: rate.NewLimiter(rate.Every(20*time.Second), 3),
	}
}
