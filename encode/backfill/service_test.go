package backfill_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what a Service works with, in memory: two projects of some tasks, each with a
// text of its own.
type world struct {
	mu      sync.Mutex
	stored  map[string]map[event.ContentKey][]byte // by encoder
	arrived map[event.ProjectID][]event.TaskID
	fails   map[event.ProjectID]error             // of reading tasks
	needed  func(event.ProjectID) backfill.Needed // unless nil, what projects read
	sample  int
	tasks   int                   // of each project
	read    int                   // so many tasks
	next    []event.TaskID        // of each project
	answers map[event.TaskID]bool // tasks that have an annotation
	all     chan event.ProjectID  // told of each project that has got the vectors of all its tasks
}

func (*world) Name() string { return "slow/1" }

func (*world) EncodeBatch(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = []float32{1, 2}
	}
	return out, nil
}

func (w *world) VectorKeys(_ context.Context, encoder string, f func(event.ContentKey)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.stored[encoder] {
		f(k)
	}
	return nil
}

func (w *world) Vector(encoder string, k event.ContentKey) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stored[encoder][k], nil
}

func (w *world) ChangeVectors(_ context.Context, encoder string, put map[event.ContentKey][]byte, drop []event.ContentKey) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stored[encoder] == nil {
		w.stored[encoder] = map[event.ContentKey][]byte{}
	}
	maps.Copy(w.stored[encoder], put)
	for _, k := range drop {
		delete(w.stored[encoder], k)
	}
	return nil
}

func (w *world) RetainEncoders(_ context.Context, encoders []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.stored, func(name string, _ map[event.ContentKey][]byte) bool { return !slices.Contains(encoders, name) })
	return nil
}

func (w *world) Known(_ context.Context, p event.ProjectID) ([]event.KnownTask, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []event.KnownTask
	for i := range event.TaskID(w.tasks) {
		k := event.KnownTask{Task: i + 1}
		if w.answers[k.Task] {
			k.Annotations = []event.AnnotationID{1}
		}
		out = append(out, k)
	}
	return out, w.fails[p]
}

func (w *world) Tasks(_ context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []event.TaskState
	w.read += len(ids)
	for _, id := range ids {
		t := event.TaskState{Task: event.Task{ID: id, Data: fmt.Appendf(nil, `"text %d of %d"`, id, p)}}
		if w.answers[id] {
			t.Annotations = []event.Annotation{{ID: event.AnnotationID(id), Task: id}}
		}
		out = append(out, t)
	}
	return out, w.fails[p]
}

func (*world) LabelNames() []encode.Request { return []encode.Request{{Text: "label"}} }

func (*world) Requests(data []byte, all map[event.ContentKey]encode.Request) {
	n := encode.Request{Text: string(data)}
	all[n.Key()] = n
}

func (w *world) service() *backfill.Service {
	return w.serviceOf(w, nil, func(p event.ProjectID, a backfill.Arrivals) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.arrived[p] = append(w.arrived[p], a.Tasks...)
		if len(a.Tasks) > 0 && len(w.arrived[p]) == 40 {
			w.all <- p
		}
	})
}

// serviceOf is the service of an encoder beside those to retain.
func (w *world) serviceOf(e encode.BatchEncoder, retain []string, consume func(event.ProjectID, backfill.Arrivals)) *backfill.Service {
	s, err := backfill.New(backfill.Options{
		Encoder: e, Retain: retain, Vectors: w, Tasks: w, Cores: 2, Now: time.Now, Sample: w.sample,
		Next: func(event.ProjectID) []event.TaskID {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Clone(w.next)
		},
		Needed: func(p event.ProjectID) backfill.Needed {
			if w.needed != nil {
				return w.needed(p)
			}
			return w
		},
		Consume: func(_ context.Context, p event.ProjectID, a backfill.Arrivals) error {
			consume(p, a)
			return nil
		},
		Metrics: backfill.Metrics{
			Encoded: prometheus.NewCounter(prometheus.CounterOpts{}), Failures: prometheus.NewCounter(prometheus.CounterOpts{}),
			Unencoded: func(event.ProjectID, int) {},
		},
	})
	if err != nil {
		panic(err)
	}
	return s
}

func newWorld() *world {
	return &world{tasks: 40, stored: map[string]map[event.ContentKey][]byte{}, arrived: map[event.ProjectID][]event.TaskID{}, fails: map[event.ProjectID]error{}, all: make(chan event.ProjectID, 3)}
}

// It needs neither a learner nor a ranking.
func TestAllThatIsNeededIsMadeOnceAndHandedOver(t *testing.T) {
	w := newWorld()
	w.stored["another/1"] = map[event.ContentKey][]byte{{1}: {1}}
	s := w.service()
	defer func() { _ = s.Stop(context.Background()) }()
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Scan(1, 2)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for p := range event.ProjectID(2) {
		if got := s.Progress(p + 1); !got.Done || got.Tasks != 40 || got.Encoded != 40 {
			t.Errorf("project %d: %+v", p+1, got)
		}
		w.mu.Lock()
		if got := w.arrived[p+1]; len(got) != 40 {
			t.Errorf("of project %d %d tasks were handed over: %v", p+1, len(got), got)
		}
		w.mu.Unlock()
	}
	if n := len(w.stored["slow/1"]); n != 81 || len(w.stored) != 1 {
		t.Errorf("%d vectors of %d encoders are stored", n, len(w.stored))
	}
	if x, ok := s.AppendText(nil, encode.Request{Text: `"text 3 of 2"`}); !ok || len(x) != 1 || len(x[0]) != 2 || s.HasTokens() {
		t.Errorf("looked up: %v, %v", x, ok)
	}
}

func TestAProjectThatCannotBeReadKeepsNoOtherWaiting(t *testing.T) {
	w := newWorld()
	w.fails[1] = errors.New("disk on fire")
	s := w.service()
	s.Scan(1, 2)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := <-w.all; p != 2 {
		t.Errorf("project %d has got all", p)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.WaitIdle(t.Context()); !errors.Is(err, backfill.ErrStopped) {
		t.Errorf("with work left it says %v", err)
	}
}

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(t *testing.T) service.Service {
		s := newWorld().service()
		s.Scan(1, 2)
		t.Cleanup(func() { s.OnCommit(3, &event.Delta{New: true}) })
		return s
	})
}
