package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/webhook"
)

const projectID = event.ProjectID(1)

// instance is a hone without Label Studio: core, database and receiver. It is not a whole
// internal/app, whose sampler, reconciler and timers would be measured too.
type instance struct {
	*dataset
	store   *state.Store
	disk    atomic.Int64
	core    *core.Core
	learner *learner.Learner
	hook    *webhook.Server
	server  *http.Server
	addr    string
	served  chan error

	offset uint64
	round  int // of the annotations made last
}

// timedStore sums the time that commits take.
type timedStore struct {
	learner.Store
	disk *atomic.Int64 // nanoseconds
}

func (s timedStore) Commit(ctx context.Context, c event.Commit) error {
	defer func(began time.Time) { s.disk.Add(int64(time.Since(began))) }(time.Now())
	return s.Store.Commit(ctx, c)
}

func (w *dataset) open(ctx context.Context, dir string) (_ *instance, err error) {
	h := &instance{dataset: w}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if h.store, err = state.Open(dir, state.Options{}); err != nil {
		return nil, err
	}
	h.core, err = core.New(h.store, core.Options{
		Learner: learner.Options{Encoder: w.Encoder, Budget: w.Budget},
		// The log's cursor and what follows for the sampler are left out of commits:
		// webhooks are measured apart from learning.
		Store: func(learner.Store) learner.Store { return timedStore{core.WithoutLog(h.store), &h.disk} },
	})
	if err != nil {
		return nil, err
	}
	h.learner = h.core.Learner
	if err = h.learner.Start(ctx); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	// A secret that is set is asked for at a loopback address too: checking it is
	// part of what a webhook takes.
	keys, err := access.Open(access.Options{Dir: dir, Secret: benchSecret})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	h.hook, err = webhook.New(webhook.Options{
		Publisher: h.core.Pipeline, Predictor: h.learner, Projects: h, Adopter: h, Logger: logging.Silent(),
		Gate: access.NewGate(keys, access.GateOptions{Addr: listener.Addr()}),
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err = h.hook.Start(ctx); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	h.addr = listener.Addr().String()
	// A sender dials before its bodies are made, which takes a busy machine longer
	// than a server that strangers reach would wait for a first request.
	h.server = &http.Server{Handler: h.hook.Engine(), ReadHeaderTimeout: time.Hour}
	h.served = make(chan error, 1)
	go func() { h.served <- h.server.Serve(listener) }()
	return h, nil
}

func (h *instance) close() error {
	var errs []error
	if h.server != nil {
		errs = append(errs, h.server.Close())
		if err := <-h.served; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	if h.hook != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		errs = append(errs, h.hook.Stop(ctx))
	}
	if h.core != nil {
		errs = append(errs, h.core.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	return errors.Join(errs...)
}

// Projects implements webhook.Projects.
func (h *instance) Projects() []event.ProjectID { return h.learner.Projects() }

// Versions implements webhook.Projects.
func (h *instance) Versions(p event.ProjectID) []string { return []string{h.learner.Version(p)} }

// Setup implements webhook.Adopter.
func (h *instance) Setup(context.Context, webhook.SetupInfo) (webhook.SetupReply, error) {
	return webhook.SetupReply{}, nil
}

// applyEvents passes changes to the learner as the log does.
func (h *instance) applyEvents(ctx context.Context, changes ...event.Event) error {
	h.offset += uint64(len(changes))
	return h.learner.Apply(ctx, changes, event.Cursor{Topic: event.Changes, Group: core.LearnerGroup, Offset: h.offset})
}

// data returns a task's data. They contain the round, so that no text was encoded before.
func (w *dataset) data(i, round int) []byte {
	d := w.items[i].Task.Data
	if round == 0 {
		return d
	}
	d = bytes.TrimRight(d, " \t\r\n}")
	return append(strconv.AppendInt(append(slices.Clone(d), `,"hone bench":`...), int64(round), 10), '}')
}

// measureApply has all of the data learned and waits until the model is at its optimum.
func (h *instance) measureApply(ctx context.Context) error {
	began := time.Now()
	for from := 0; from < len(h.items); from += core.LearnBatch {
		var batch []event.Event
		for i := from; i < min(from+core.LearnBatch, len(h.items)); i++ {
			batch = append(batch, h.annotation(i, 0, began))
		}
		if err := h.applyEvents(ctx, batch...); err != nil {
			return err
		}
	}
	if err := h.learner.WaitSettled(ctx); err != nil {
		return err
	}
	h.result.ApplyPerS = float64(len(h.items)) / time.Since(began).Seconds()
	if st, ok := h.learner.Status(projectID); !ok || len(st.Heads) != 1 || st.Heads[0].Examples == 0 {
		return fmt.Errorf("the learner learned nothing of %d tasks", len(h.items))
	}
	return nil
}

// annotationPause is the least time between two annotations of a person.
const annotationPause = 20 * time.Millisecond

// measureLearnOne has single annotations learned, one at a time. Between them the model is
// optimized in the background, as between a person's annotations.
func (h *instance) measureLearnOne(ctx context.Context) error {
	h.round++
	var learned, durable []time.Duration
	for i := range h.Singles {
		c := h.annotation(i%len(h.items), h.round+i/len(h.items), time.Now())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(annotationPause):
		}
		disk, began := h.disk.Load(), time.Now()
		if err := h.applyEvents(ctx, c); err != nil {
			return err
		}
		took := time.Since(began)
		durable = append(durable, took)
		learned = append(learned, max(0, took-time.Duration(h.disk.Load()-disk)))
	}
	h.round += h.Singles / len(h.items)
	slices.Sort(learned)
	slices.Sort(durable)
	h.result.LearnOneP50Ms, h.result.LearnOneP99Ms = milliseconds(learned[len(learned)/2]), milliseconds(learned[len(learned)*99/100])
	h.result.LearnOneDurableP99Ms = milliseconds(durable[len(durable)*99/100])
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// measurePredict asks for the probabilities of tasks as the sampler does.
func (h *instance) measurePredict(ctx context.Context) (err error) {
	tasks := make([]event.Task, unitsPerClockRead)
	i := 0
	h.result.PredictPerS, h.result.PredictPerCPUS, err = h.measureRate(ctx, func() {
		for t := range tasks {
			if i%len(h.items) == 0 {
				h.round++
			}
			tasks[t] = event.Task{ID: event.TaskID(t + 1), Data: h.data(i%len(h.items), h.round)}
			i++
		}
	}, func() (int, error) {
		estimates, _, err := h.learner.Estimates(ctx, projectID, tasks)
		if err == nil && len(estimates[0]) == 0 {
			err = fmt.Errorf("no estimate of %s", tasks[0].Data)
		}
		return len(tasks), err
	})
	return err
}
