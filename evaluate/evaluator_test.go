package evaluate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeHone is all that an Evaluator needs.
type fakeHone struct {
	mu       sync.Mutex
	labels   int
	snapshot uint64
	acquired map[event.TaskID]event.Acquisition
	points   []event.AccuracyPoint
	asked    [][]event.TaskID // by LeaveOneOut
	fail     error
	onLeave  func(p event.ProjectID) // by LeaveOneOut; may be nil
}

func (f *fakeHone) Progress(event.ProjectID) (labels int, snapshot uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.labels, f.snapshot
}

func (f *fakeHone) LeaveOneOut(_ context.Context, p event.ProjectID, tasks []event.TaskID, _ time.Duration) (event.LeftOut, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, tasks)
	if f.onLeave != nil {
		f.onLeave(p)
	}
	out := event.LeftOut{Labels: f.labels, Snapshot: f.snapshot, Heads: map[string][]event.HeldOut{"topic": nil}, Asked: map[string]float64{"topic": 0.5}}
	for _, t := range tasks {
		out.Heads["topic"] = append(out.Heads["topic"], event.HeldOut{Task: t, Correct: t%2 == 0, Confidence: 0.5})
	}
	return out, f.fail
}

func (f *fakeHone) Confidence(event.ProjectID) map[string]event.Confidence {
	return map[string]event.Confidence{"topic": {Tasks: 50, Mean: 0.5, Variance: 0.01}}
}

func (f *fakeHone) Acquisitions(context.Context, event.ProjectID) (map[event.TaskID]event.Acquisition, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acquired, nil
}

func (f *fakeHone) PutAccuracy(_ context.Context, _ event.ProjectID, p event.AccuracyPoint) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.points = append(f.points, p)
	return nil
}

func (f *fakeHone) AccuracyHistory(context.Context, event.ProjectID) ([]event.AccuracyPoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.points), nil
}

func newFake() *fakeHone {
	return &fakeHone{acquired: map[event.TaskID]event.Acquisition{1: {Random: true}, 2: {Random: true}, 3: {Place: 1, Strategy: "margin"}, 4: {Random: true}, 5: {}}}
}

func newEvaluator(t *testing.T, f *fakeHone) *Evaluator {
	t.Helper()
	e, err := New(Options{Models: f, Pool: f, Store: f})
	require.NoError(t, err)
	return e
}

func (f *fakeHone) learn(labels int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.labels, f.snapshot = labels, f.snapshot+1
}

// The estimate is of the tasks that were drawn at random, and of no others; each label has it
// made again, of many labels each fiftieth part; an unlabelled project has none.
func TestRandomTasksAreEvaluatedAsLabelsCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		e := newEvaluator(t, f)
		require.NoError(t, e.Start(t.Context()))
		defer func() { require.NoError(t, e.Stop(context.WithoutCancel(t.Context()))) }()
		ask := func(labels int) {
			f.learn(labels)
			e.Ask(7)
			synctest.Wait()
		}
		ask(0)
		_, ok := e.Latest(7)
		assert.False(t, ok)
		ask(1)
		point, ok := e.Latest(7)
		require.True(t, ok)
		require.Len(t, point.Heads, 1)
		assert.Equal(t, "topic", point.Heads[0].Control)
		assert.Equal(t, 3, point.Heads[0].Random)
		assert.InDelta(t, 0.5, point.Asked["topic"], 1e-9)
		assert.ElementsMatch(t, []event.TaskID{1, 2, 4}, f.asked[0])
		var labels []int
		for n := 2; n <= 400; n++ {
			ask(n)
		}
		for _, p := range f.points {
			labels = append(labels, p.Labels)
		}
		assert.Equal(t, 1, labels[0])
		assert.Contains(t, labels, 50)
		assert.Less(t, len(labels), 200)
		for i := 1; i < len(labels); i++ {
			assert.LessOrEqual(t, labels[i]-labels[i-1], labels[i]/50+1)
		}
		// Labels are deleted: what is shown is of those that are left.
		ask(90)
		point, _ = e.Latest(7)
		assert.Equal(t, 90, point.Labels)
	})
}

// After a restart the last estimate is there, and is not made again for the same labels.
func TestEstimatesOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.points = []event.AccuracyPoint{
			{Labels: 90, At: time.Unix(9, 0), Heads: []event.Accuracy{{Control: "topic", Estimate: 0.5, Random: 9}}},
			{Labels: 99, At: time.Unix(5, 0)},
		}
		f.labels, f.snapshot = 90, 4
		e := newEvaluator(t, f)
		require.NoError(t, e.Start(t.Context()))
		defer func() { require.NoError(t, e.Stop(context.WithoutCancel(t.Context()))) }()
		e.Ask(7)
		synctest.Wait()
		point, ok := e.Latest(7)
		require.True(t, ok)
		assert.Equal(t, 90, point.Labels)
		assert.Empty(t, f.asked)
	})
}

// A project that cannot be evaluated keeps no other from it.
func TestAFailureIsOfOneProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		e := newEvaluator(t, f)
		require.NoError(t, e.Start(t.Context()))
		defer func() { require.NoError(t, e.Stop(context.WithoutCancel(t.Context()))) }()
		f.learn(3)
		f.fail = errors.New("disk")
		e.Ask(1)
		synctest.Wait()
		f.mu.Lock()
		f.fail = nil
		f.mu.Unlock()
		e.Ask(2)
		e.Ask(1)
		synctest.Wait()
		for p := range event.ProjectID(2) {
			_, ok := e.Latest(p + 1)
			assert.True(t, ok, p+1)
		}
	})
}

// However often a project is asked about, the others have their turns.
func TestProjectsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		e := newEvaluator(t, f)
		var order []event.ProjectID
		f.onLeave = func(p event.ProjectID) {
			if order = append(order, p); len(order) < 6 {
				f.snapshot++ // the model goes on
				e.Ask(1)
				e.Ask(2)
			}
		}
		f.learn(3)
		for _, p := range []event.ProjectID{1, 2, 3} {
			e.Ask(p)
		}
		require.NoError(t, e.Start(t.Context()))
		defer func() { require.NoError(t, e.Stop(context.WithoutCancel(t.Context()))) }()
		synctest.Wait()
		assert.Equal(t, []event.ProjectID{1, 2, 3, 1, 2, 1}, order[:6])
	})
}

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(t *testing.T) service.Service {
		f := newFake()
		f.labels = 5
		e := newEvaluator(t, f)
		e.Ask(1)
		return e
	})
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Options{})
	assert.EqualError(t, err, "evaluate: Models, Pool and Store are needed")
}
