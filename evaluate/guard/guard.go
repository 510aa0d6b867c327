package guard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/evaluate"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/service"
)

// every is the number of labels of which one more has a project looked at again. With more labels
// it takes as many more, in proportion.
const every = 50

// Models predicts random answers.
type Models interface {
	// Progress returns how many annotations a project's models have learned from, and the
	// number of their snapshot. It must not wait for learning.
	Progress(p event.ProjectID) (labels int, snapshot uint64)
	// Contest makes a bounded number of new trials.
	Contest(ctx context.Context, p event.ProjectID, of event.Entrants) (event.Contest, error)
}

// Store keeps how tasks were asked, and the comparisons. What it puts is durable.
type Store interface {
	Acquisitions(ctx context.Context, p event.ProjectID) (map[event.TaskID]event.Acquisition, error)
	Comparison(ctx context.Context, p event.ProjectID) (event.Comparison, error)
	PutComparison(ctx context.Context, p event.ProjectID, c event.Comparison) error
}

// Settings says how a project is to be ranked, whether or not its strategy was left: the
// strategy, and the share of random tasks among those asked. It must not wait for learning.
type Settings interface {
	Asking(p event.ProjectID) (strategy string, randomShare float64)
}

// Options configure a Guard.
type Options struct {
	Models   Models
	Store    Store
	Settings Settings
	// OnLeft, unless nil, is called once a strategy was left, which is stored then. It must return at
	// once.
	OnLeft     func(event.ProjectID)
	Now        func() time.Time
	Logger     *logrus.Entry
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func (o *Options) validate() error {
	if o.Models == nil || o.Store == nil || o.Settings == nil {
		return errors.New("guard: Models, Store and Settings are needed")
	}
	return nil
}

// Guard looks at one project after the other, in one goroutine, so that it never takes more than
// one core: Ask for those whose labels or settings may have changed. All methods may be called concurrently.
type Guard struct {
	*evaluate.Turns
	o       Options
	metrics metrics

	mu     sync.Mutex
	looked map[event.ProjectID]look // guarded by mu; the last look of this run

	// storing is held while what is stored is compared with what was read, and replaced.
	storing sync.Mutex
}

// look is what a project's models had learned when it was looked at.
type look struct {
	labels   int
	snapshot uint64
}

// New checks the options, and registers the metrics.
func New(o Options) (*Guard, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	g := &Guard{o: o, metrics: newMetrics(), looked: map[event.ProjectID]look{}}
	g.Turns = evaluate.NewTurns(g.Check, o.Logger, "the strategy cannot be compared with random; the next label tries it again")
	return g, g.metrics.register(o.Registerer)
}

var _ service.Service = (*Guard)(nil)

// isDue reports whether enough labels have come since the last look, or some have gone.
func (g *Guard) isDue(p event.ProjectID, now look) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	last, ok := g.looked[p]
	if !ok || now.labels == last.labels {
		return !ok || now.snapshot != last.snapshot && now.labels <= every
	}
	return max(now.labels-last.labels, last.labels-now.labels)*every >= now.labels
}

func (g *Guard) setLooked(p event.ProjectID, now look) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looked[p] = now
}

func (g *Guard) clearLooked(p event.ProjectID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.looked, p)
}

// Forget drops what is kept in memory of a project. What is stored goes with the project.
func (g *Guard) Forget(p event.ProjectID) {
	g.clearLooked(p)
	g.metrics.forget(p)
}
