package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory keeps events as the log would: encoded, so that what is read back
// shares nothing with what was published.
type memory struct {
	mu     sync.Mutex
	stored [][]byte
	calls  int
	fail   error
	hold   chan struct{} // when set, Publish waits for it and minds no context
}

func (m *memory) Publish(_ context.Context, events ...event.Event) error {
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		<-hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fail != nil {
		return m.fail
	}
	for _, e := range events {
		b, err := event.Encode(e)
		if err != nil {
			return err
		}
		m.stored = append(m.stored, b)
	}
	return nil
}

func (m *memory) failWith(err error) {
	m.mu.Lock()
	m.fail = err
	m.mu.Unlock()
}

func (m *memory) events(t testing.TB) []event.Event {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []event.Event
	for _, b := range m.stored {
		e, err := event.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// lines says in one line each what is stored.
func (m *memory) lines(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, e := range m.events(t) {
		out = append(out, line(e))
	}
	return out
}

func line(e event.Event) string {
	switch e := e.(type) {
	case *event.Changed:
		s := fmt.Sprintf("changed %d", e.Project)
		for _, t := range e.Tasks {
			s += fmt.Sprintf(" task %d", t.ID)
		}
		for _, a := range e.Annotations {
			s += fmt.Sprintf(" annotation %d of %d", a.ID, a.Task)
			if a.Cancelled {
				s += " skipped"
			}
		}
		for _, id := range e.DeletedAnnotations {
			s += fmt.Sprintf(" -annotation %d", id)
		}
		for _, id := range e.DeletedTasks {
			s += fmt.Sprintf(" -task %d", id)
		}
		if e.Gone {
			s += " gone"
		}
		return s
	case *event.ReconcileDue:
		if e.Full {
			return fmt.Sprintf("reconcile %d full", e.Project)
		}
		return fmt.Sprintf("reconcile %d", e.Project)
	case *event.RetrainDue:
		return fmt.Sprintf("retrain %d", e.Project)
	}
	return fmt.Sprintf("%T", e)
}

// hone is what stands behind the server in these tests: projects with their
// versions, and a predictor that answers with the task's own text.
type hone struct {
	mu         sync.Mutex
	versionsOf map[event.ProjectID][]string
	setups     []SetupInfo
	drawn      []regions.Region // in interactive requests
	setup      func(context.Context, SetupInfo) (SetupReply, error)
	predict    func(context.Context, event.ProjectID, string, []event.Task) ([]wire.Prediction, error)
}

func (h *hone) Projects() []event.ProjectID {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []event.ProjectID
	for p := range h.versionsOf {
		out = append(out, p)
	}
	return out
}

func (h *hone) Versions(p event.ProjectID) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.versionsOf[p])
}

func (h *hone) Setup(ctx context.Context, info SetupInfo) (SetupReply, error) {
	h.mu.Lock()
	h.setups = append(h.setups, info)
	setup := h.setup
	h.mu.Unlock()
	if setup != nil {
		return setup(ctx, info)
	}
	return SetupReply{ModelVersion: "hone-1"}, nil
}

func (h *hone) Extend(ctx context.Context, p event.ProjectID, config string, task event.Task, drawn []regions.Region) (wire.Prediction, error) {
	h.mu.Lock()
	h.drawn = append(h.drawn, drawn...)
	h.mu.Unlock()
	out, err := h.Predict(ctx, p, config, []event.Task{task})
	if err != nil {
		return wire.Prediction{}, err
	}
	return out[0], nil
}

func (h *hone) Predict(ctx context.Context, p event.ProjectID, config string, tasks []event.Task) ([]wire.Prediction, error) {
	if h.predict != nil {
		return h.predict(ctx, p, config, tasks)
	}
	out := make([]wire.Prediction, len(tasks))
	for i, t := range tasks {
		var data struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(t.Data, &data); err != nil {
			return nil, err
		}
		if data.Text == "" {
			continue
		}
		value, err := json.Marshal(map[string]any{"choices": []string{data.Text}})
		if err != nil {
			return nil, err
		}
		out[i] = wire.Prediction{
			Result: []regions.Region{{FromName: "sentiment", ToName: "text", Type: "choices", Value: value}},
			Score:  0.5, ModelVersion: "hone-1",
		}
	}
	return out, nil
}

var errDisk = errors.New("write hone.db: no space left on device")
