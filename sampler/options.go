package sampler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/sampler/push"
	"github.com/hone-ml/hone/sampler/strategy"
	"github.com/hone-ml/hone/settings"
)

// Pool reads tasks from the state.
type Pool interface {
	// Tasks returns tasks by their ids, in order; one that is not there has Deleted set.
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
	// AllTasks yields all tasks of a project. An error ends it.
	AllTasks(ctx context.Context, p event.ProjectID) iter.Seq2[event.TaskState, error]
}

// Marks remember when predictions for all tasks of a project were asked for, until all are
// made; the zero time is that there are none to make.
type Marks interface {
	PrelabelDue(ctx context.Context, p event.ProjectID) (time.Time, error)
	SetPrelabelDue(ctx context.Context, p event.ProjectID, at time.Time) error
}

// Scorer reads the learner's last snapshot of a project. It must not wait for
// learning.
type Scorer interface {
	// Estimates says how sure every head is of every task, in the order of tasks; a
	// task on which no head has anything to say gets an empty list. version is the
	// live version's name, "" before there is one. The result may be reused by the
	// next call.
	Estimates(ctx context.Context, p event.ProjectID, tasks []event.Task) (estimates [][]event.Estimate, version string, err error)
}

// Sketcher makes sketches of tasks, and reads the learner's last snapshot by them. It must not
// wait for learning.
type Sketcher interface {
	// Sketches returns a sketch for each task, in order, nil for one without. whole is false of
	// one that will be another when more of the task's vectors have come. space is equal for
	// sketches that mean the same, and "" where there are none.
	Sketches(ctx context.Context, p event.ProjectID, tasks []event.Task) (sketches [][]byte, whole []bool, space string, err error)
	// EstimateSketches is Scorer.Estimates by sketches of a space, roughly. same is false when
	// that is not the space of the last snapshot.
	EstimateSketches(ctx context.Context, p event.ProjectID, space string, sketches [][]byte) (estimates [][]event.Estimate, version string, same bool, err error)
}

// Contents says what a task's data lack for what is learned. It must not wait for learning.
type Contents interface {
	// Lacks is "" when they lack nothing, or nothing is known of the project.
	Lacks(p event.ProjectID, data json.RawMessage) event.Lack
}

// Settings are what may differ from project to project. They must not wait for learning.
type Settings interface {
	// Ranking is how the project is ranked; the zero value says nothing.
	Ranking(p event.ProjectID) settings.Ranking
}

// Options configure a Sampler. Start from Defaults.
type Options struct {
	Pool   Pool
	Scorer Scorer
	// Vectors may be nil: margin then stands in for strategies that need them.
	Vectors Vectors
	// Sketcher may be nil: of a large pool then only a bounded number of tasks is scored at a time.
	Sketcher Sketcher
	// Contents may be nil: what tasks lack is then not counted.
	Contents Contents
	// Predictor may be nil: predictions are then written without regions.
	Predictor push.Predictor
	// Suggester keeps the predictions beside the queue that people asked for; nil: those
	// are left alone, and go with their version.
	Suggester push.Suggester
	// Fits is push.Options.Fits.
	Fits func(labelConfig string) func(result json.RawMessage) bool
	// Marks remember what is to be prelabelled over restarts; nil: nothing does.
	Marks Marks
	// Acquisitions store how tasks came to be asked; nil: that is not noted.
	Acquisitions Acquisitions
	// Draws store the draws of projects with odds; nil: none are drawn.
	Draws DrawLog
	// LabelStudio may be nil: the sampler then ranks and writes nothing until
	// SetLabelStudio is called.
	LabelStudio push.LabelStudio

	// LeftAlone, unless nil, says in a sentence why nothing may be written to a project; nil:
	// it may. It must answer at once. After it has changed call Refresh.
	LeftAlone func(event.ProjectID) error

	// Settings, unless nil, are those of a project, read before each ranking; Strategy,
	// QueueSize, RandomShare and Odds are then for projects of which they say nothing.
	Settings Settings

	// Strategy is a name that strategy.Named knows.
	Strategy string
	// QueueSize is K, the tasks kept in the queue; at least 1.
	QueueSize int
	// Front is how many places are written at once; those behind wait until
	// nothing has been learned for Settle. They give way for a quarter of it to the
	// request for the next task that follows an answer. At least 1.
	Front  int
	Settle time.Duration
	// RandomShare is the share of random tasks among those asked, 0 to 1.
	RandomShare float64
	// Odds is set when tasks are drawn with known odds, if there are Draws and the strategy says by how much a
	// task gains.
	Odds bool
	// Seed gives the random order; the same seed, the same order.
	Seed uint64
	// PushRate limits writes to Label Studio a second, over all projects.
	PushRate float64
	// BackgroundWrites limits the predictions written an hour, over all projects, that
	// nobody waits for: those beside the queue that follow the model, or are made under a
	// new version before the project goes by it. A minute's worth may be written at once.
	BackgroundWrites int
	// ManageModelVersion keeps project.model_version at the live version. Without
	// it Label Studio asks at random unless somebody sets it by hand.
	ManageModelVersion bool
	// CheckEvery is how often the project's model version and the number of its
	// predictions are compared with what they should be.
	CheckEvery time.Duration
	// BulkAbove is the number of new predictions from which one bulk import is
	// cheaper for Label Studio than single writes.
	BulkAbove int

	// RankWhole is the number of tasks up to which all of a pool are scored at each ranking, by a
	// strategy that looks at each task by itself; 20,000 if zero. Of larger ones the least sure so
	// far and a share of the rest are.
	RankWhole int

	// Jitter is the chance in pauses, from 0 to below 1; nil is math/rand.
	Jitter func() float64

	// Observer, when not nil, is called from the worker after each step. It must
	// return at once.
	Observer   func(Observation)
	Logger     *logrus.Entry
	Registerer prometheus.Registerer
}

// Defaults returns the options of a fresh hone, without the parts.
func Defaults() Options {
	return Options{
		Strategy:           strategy.NameCoverage,
		QueueSize:          30,
		Front:              5,
		Settle:             time.Second,
		RandomShare:        0.1,
		PushRate:           5,
		BackgroundWrites:   3600,
		ManageModelVersion: true,
		CheckEvery:         time.Minute,
		BulkAbove:          60,
	}
}

// of returns the options as they are for a project: what its settings say, if they say
// anything that can be.
func (o Options) of(p event.ProjectID) Options {
	if o.Settings == nil {
		return o
	}
	r := o.Settings.Ranking(p)
	if _, err := strategy.Named(r.Strategy); r.Strategy != "" && err == nil {
		o.Strategy = r.Strategy
	}
	if r.Queue > 0 {
		o.QueueSize, o.RandomShare, o.Odds = r.Queue, r.RandomShare, r.Odds
	}
	return o
}

// rankWhole returns RankWhole or its default.
func (o *Options) rankWhole() int { return cmp.Or(o.RankWhole, 20_000) }

func (o *Options) setDefaults() {
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

// optionFaults collects what is wrong with options.
type optionFaults []error

func (f *optionFaults) when(is bool, format string, args ...any) {
	if is {
		*f = append(*f, fmt.Errorf("sampler: "+format, args...))
	}
}

func (o *Options) validate() error {
	var f optionFaults
	f.when(o.Pool == nil, "Pool is missing")
	f = append(f, o.validateRanking()...)
	f.when(o.Settle < 0, "settle %v; it must not be negative", o.Settle)
	f.when(!(o.PushRate > 0), "push rate %v; it must be more than 0 writes a second", o.PushRate)
	f.when(o.BackgroundWrites < 1, "background writes %d; they must be at least 1 an hour", o.BackgroundWrites)
	f.when(o.CheckEvery <= 0, "check interval %v; it must be more than 0", o.CheckEvery)
	f.when(o.BulkAbove < 1, "bulk threshold %d; it must be at least 1", o.BulkAbove)
	return errors.Join(f...)
}

func (o *Options) validateRanking() optionFaults {
	var f optionFaults
	f.when(o.Scorer == nil, "Scorer is missing")
	f.when(o.QueueSize < 1, "queue size %d; it must be at least 1", o.QueueSize)
	f.when(o.RankWhole < 0, "pools of %d tasks are ranked whole; it must be 0, for the default, or more", o.RankWhole)
	f.when(o.Front < 1, "head %d; it must be at least 1", o.Front)
	f.when(!(o.RandomShare >= 0 && o.RandomShare <= 1), "random share %v; it must lie between 0 and 1", o.RandomShare)
	if _, err := strategy.Named(o.Strategy); err != nil {
		f = append(f, fmt.Errorf("sampler: %w", err))
	}
	return f
}

// Stage is a step of the worker: one of a push, or one of these.
type Stage = push.Stage

const (
	// Ranked: the queue is ranked; Sampler.Next returns it.
	Ranked Stage = "ranked"
	// Failed: a step failed; it is tried again later.
	Failed Stage = "failed"
)

// Observation tells an observer what the worker has just done.
type Observation struct {
	Project event.ProjectID
	Stage   Stage
	Version string
	// Rank counts the rankings of the project; an observation of a later stage
	// carries the number of the ranking it belongs to.
	Rank uint64
	Err  error
}
