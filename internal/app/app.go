// Package app builds one hone from its parts: database, log, learner, sampler,
// reconciler, connection and HTTP server. It connects the parts and has the adapters between
// them. Flags and commands are in cmd/hone.
package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/trainprocess"
	"github.com/hone-ml/hone/evaluate"
	"github.com/hone-ml/hone/evaluate/guard"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/internal/priority"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/notify"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/hone-ml/hone/poll"
	"github.com/hone-ml/hone/reconcile"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/settings"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/webhook"
)

// App is a whole hone. New builds it and Run runs it, once. Only New sets the exported fields. The
// type of each says how it may be used concurrently.
type App struct {
	cfg     config.Config
	log     *logrus.Entry
	version string
	seams   Seams
	// trainCommand is Options.TrainCommand.
	trainCommand func(encoder string) []string
	table        *settings.Table

	Registry   *prometheus.Registry
	Store      *state.Store
	*core.Core // event log, pipeline and learner
	Sampler    *sampler.Sampler
	Evaluator  *evaluate.Evaluator
	Guard      *guard.Guard
	Reconciler *reconcile.Reconciler
	Poller     *poll.Poller
	Connection *connect.Link
	Webhook    *webhook.Server
	Notifier   *notify.Notifier // nil when nobody is to be told
	Keys       *access.Keys
	// Foreground is the hearing and learning of changes, for which the training of adapters pauses.
	Foreground priority.Foreground
	// Engines hold the HTTP handlers of the addresses, in the order of Addrs.
	Engines []*gin.Engine

	ports []*port
	// upgrading is true while upgrade puts the secret into registrations for the first time.
	upgrading atomic.Bool
	ready     chan struct{} // closed by Run
	ending    chan struct{} // closed when Run stops serving
}

// Options configure an App beside the configuration.
type Options struct {
	Logger *logrus.Logger
	// Version is the version of hone, for the log.
	Version string
	// TrainCommand returns a program with its arguments that calls trainprocess.Serve with the
	// trainer of an encoder: in it adapters are trained. If it is nil, or returns nothing, they are
	// trained in this process.
	TrainCommand func(encoder string) []string
	Seams        Seams
}

// Seams let a simulation replace the network and the disk. The zero value replaces nothing.
type Seams struct {
	// Transport sends requests to Label Studio, and the challenge to hone itself.
	Transport http.RoundTripper
	Listen    func(address string) (net.Listener, error)
	// Store and Changes wrap the learner's store and handler.
	Store   func(learner.Store) learner.Store
	Changes func(pipeline.Handler) pipeline.Handler
	// Append is called before entries are appended to the log.
	Append func(topic string) error
	// Steps is learner.Options.Steps.
	Steps int
	// Trainer adapts the encoder of any project, in place of what adapts a transformer.
	Trainer encode.Trainer
	// Jitter returns the random part of pauses, from 0 to below 1.
	Jitter func() float64
}

// New opens the data directory and the addresses and connects the parts. Nothing is served before
// Run. A caller that does not call Run must call Close.
func New(ctx context.Context, cfg config.Config, o Options) (_ *App, err error) {
	a := &App{
		cfg: cfg, log: logrus.NewEntry(o.Logger), version: o.Version, seams: o.Seams, trainCommand: o.TrainCommand, table: settingsOf(cfg),
		Registry: prometheus.NewRegistry(), ready: make(chan struct{}), ending: make(chan struct{}),
	}
	a.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.Store, err = state.Open(cfg.DataDir, state.Options{}); err != nil {
		return nil, err
	}
	if err = a.wireKeys(); err != nil {
		return nil, err
	}
	if err = a.wireCore(); err != nil {
		return nil, err
	}
	if err = a.wireNotify(); err != nil {
		return nil, err
	}
	if err = a.wireLabelStudio(ctx); err != nil {
		return nil, err
	}
	if err = a.wireSampler(); err != nil {
		return nil, err
	}
	if err = a.wireHTTP(); err != nil {
		return nil, err
	}
	changes := pipeline.Handler(a.Learner.Apply)
	if o.Seams.Changes != nil {
		changes = o.Seams.Changes(changes)
	}
	a.Pipeline.HandleLanes(core.LearnerGroup, event.Changes, core.LearnBatch, a.lanes(), changes)
	a.Pipeline.Handle("sampler", event.Snapshots, core.LearnBatch, a.Sampler.Learned)
	a.Pipeline.Handle("reconcile", event.Reconciles, core.LearnBatch, a.Reconciler.Handle)
	return a, nil
}

func (a *App) wireCore() (err error) {
	enc, err := OpenEncoder(a.cfg.Learner, a.cfg.Learner.Encoder)
	if err != nil {
		return err
	}
	others, err := projectEncoders(a.cfg.Learner, enc)
	if err != nil {
		return err
	}
	adapting, err := a.adapting(enc)
	if err != nil {
		return err
	}
	a.Core, err = core.New(a.Store, core.Options{
		Log:      boltlog.Options{Logger: pipeline.NewLogger(a.part("boltlog")), BeforeAppend: a.seams.Append},
		Pipeline: pipeline.Options{Logger: a.part("pipeline"), Registerer: a.Registry, CloseTimeout: a.cfg.ShutdownTimeout, Foreground: &a.Foreground},
		Learner: learner.Options{
			Encoder: enc.Fast, Slow: enc.Slow, Others: others,
			Settings: a.table, Adapting: adapting,
			Budget: a.cfg.Learner.Budget, Steps: a.seams.Steps, Logger: a.part("learner"), Registerer: a.Registry,
		},
		Next: a.queued, EncodeCores: a.cfg.Learner.EncodeWorkers,
		Store: a.seams.Store,
	})
	return err
}

// adapting returns what has a transformer adapt to the labels of projects whose settings say so: that
// of the configured encoder or, where it has none, the one in the program. It is nil in a hone without
// either.
func (a *App) adapting(configured encoders.Encoder) (*adapt.Options, error) {
	if t := a.seams.Trainer; t != nil {
		return &adapt.Options{Encoder: encode.NewAdapters(encoders.AdaptedName(t.Name())), Trainer: t, Store: a.Store}, nil
	}
	name, trainer := a.cfg.Learner.Encoder, encoders.TrainerOf(configured)
	if trainer == nil {
		var err error
		name = encoders.MiniLM
		trainer, err = encoders.NewTrainer(name, encoders.Options{})
		if errors.Is(err, encoders.ErrNotBuiltIn) {
			return nil, nil //nolint:nilnil // there is nothing to adapt
		}
		if err != nil {
			return nil, err
		}
	}
	trainer = trainer.PausingFor(&a.Foreground)
	o := &adapt.Options{Base: trainer.BaseName(), Encoder: encode.NewAdapters(encoders.AdaptedName(trainer.BaseName())), Trainer: trainer, Store: a.Store}
	if a.trainCommand != nil {
		if command := a.trainCommand(name); len(command) > 0 {
			o.Trainer = &trainprocess.Trainer{
				Trainer: trainer, Command: command, Env: trainprocess.Environ(), Logger: a.part("learner"), Foreground: &a.Foreground,
			}
		}
	}
	return o, nil
}

func (a *App) wireLabelStudio(ctx context.Context) (err error) {
	client, err := ClientOptions(a.cfg, a.part("labelstudio"))
	if err != nil {
		return err
	}
	client.Transport, client.Jitter = a.seams.Transport, a.seams.Jitter
	a.Connection, err = connect.New(ctx, connect.Options{
		URL: a.cfg.LabelStudio.URL, Token: a.cfg.LabelStudio.APIKey,
		Client: client,
		Keys:   a.Keys, Port: a.ports[0].number(), Refused: a.refused,
		ManageSampling: a.cfg.Sampler.ManageSampling,
		Vault:          credentialStore{a.Store, a.log.Logger},
		Live:           a.Learner.Version,
		Learned:        learnedNames,
		LeftAlone:      controlsLeftAlone,
		Known:          a.known,
		CreatedAt:      a.createdAt,
		Counters:       a.counters,
		Polling:        a.polling,
		Holds:          a.Store.Known,
		Records:        a.Store,
		OnClient:       a.onClient,
		OnChange:       a.onChange,
		OnProblem:      a.onProblem,
		Logger:         a.part("connect"),
	})
	if err != nil {
		return err
	}
	a.Reconciler, err = reconcile.New(reconcile.Options{
		Index: a.Store, Marks: a.Store, Log: position{a.EventLog, a.Pipeline}, Publisher: a.Pipeline, Logger: a.part("reconcile"), Registerer: a.Registry,
		Polled: a.polled, Count: a.count,
		Skip: a.isDisconnected, Observer: a.onReconciled,
	})
	if err != nil {
		return err
	}
	if err := a.wirePoller(); err != nil {
		return err
	}
	if c, none := a.Connection.Client(); none == nil {
		a.Reconciler.SetSource(c)
	}
	known, err := a.known(ctx)
	a.Connection.Expect(known...)
	a.upgrading.Store(a.Keys.First() && len(known) > 0)
	return err
}

func (a *App) wireSampler() (err error) {
	o := sampler.Defaults()
	s := a.cfg.Sampler
	o.Pool, o.Scorer, o.Vectors, o.Sketcher, o.Contents, o.Predictor, o.Suggester = a.Store, a.Learner, a.Learner, a.Learner, a.Learner, a.Learner, a.Learner
	o.Fits, o.Marks, o.Acquisitions, o.Draws = fitsConfig, a.Store, a.Store, a.Store
	o.Observer, o.LeftAlone = a.onQueue, a.Connection.LeftAlone
	o.Strategy, o.QueueSize, o.Front, o.Settle = s.Strategy, s.Queue, s.Head, s.Settle
	o.RandomShare, o.PushRate, o.BulkAbove, o.CheckEvery = s.RandomShare, s.PushRate, s.BulkAbove, s.CheckEvery
	a.Guard, err = guard.New(guard.Options{
		Models: models{a.Learner}, Store: a.Store, Settings: configured{a.Learner}, OnLeft: a.onLeft, Logger: a.part("guard"), Registerer: a.Registry,
	})
	if err != nil {
		return err
	}
	o.Settings = rankingSettings{a.Learner, a.Guard}
	o.ManageModelVersion, o.BackgroundWrites = s.ManageModelVersion, s.BackgroundWrites
	o.Logger, o.Registerer, o.Jitter = a.part("sampler"), a.Registry, a.seams.Jitter
	if c, none := a.Connection.Client(); none == nil {
		o.LabelStudio = c
	}
	if a.Sampler, err = sampler.New(o); err != nil {
		return err
	}
	a.Evaluator, err = evaluate.New(evaluate.Options{Models: models{a.Learner}, Pool: confidences{a.Sampler}, Store: a.Store, Logger: a.part("evaluate")})
	return err
}

func (a *App) part(name string) *logrus.Entry { return a.log.WithField("component", name) }
