package sampler

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project event.ProjectID = 7

// apiError is an answer of Label Studio that is not a success.
func apiError(status int) error { return &labelstudio.APIError{Op: "test", Status: status} }

// fakeLS behaves as Label Studio does: rows by id, order by score, a version no
// prediction has is refused, deleting the live version resets it.
type fakeLS struct {
	mu      sync.Mutex
	latency time.Duration // of a write
	next    labelstudio.PredictionID
	rows    map[labelstudio.PredictionID]fakeRow
	live    string
	gone    map[event.TaskID]bool // tasks that are no more
	// fault, when not nil, may fail a call before (applied false) or after it took effect.
	fault func(call string) (err error, applied bool)
	calls []string
	sets  int
}

type fakeRow struct {
	task    event.TaskID
	score   *float64
	pred    labelstudio.PredictionWrite
	updated time.Time
}

func (r fakeRow) row(id labelstudio.PredictionID) labelstudio.PredictionRow {
	return labelstudio.PredictionRow{ID: id, Task: r.task, ModelVersion: r.pred.ModelVersion, Score: r.score, UpdatedAt: r.updated}
}

func newFakeLS() *fakeLS {
	return &fakeLS{rows: map[labelstudio.PredictionID]fakeRow{}, gone: map[event.TaskID]bool{}, latency: 200 * time.Millisecond}
}

func (f *fakeLS) call(ctx context.Context, name string, latency time.Duration, effect func() error) error {
	t := time.NewTimer(latency)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name)
	if f.fault != nil {
		if err, applied := f.fault(name); err != nil {
			if applied {
				_ = effect()
			}
			return err
		}
	}
	return effect()
}

func (f *fakeLS) CreatePrediction(ctx context.Context, p labelstudio.PredictionWrite) (r labelstudio.PredictionRow, err error) {
	err = f.call(ctx, "create", f.latency, func() error {
		if f.gone[p.Task] {
			return apiError(400)
		}
		id := f.put(p.Task, p)
		r = f.rows[id].row(id)
		return nil
	})
	return r, err
}

func (f *fakeLS) put(t event.TaskID, p labelstudio.PredictionWrite) labelstudio.PredictionID {
	f.next++
	f.rows[f.next] = fakeRow{task: t, score: &p.Score, pred: p, updated: time.Now()}
	return f.next
}

func (f *fakeLS) UpdatePrediction(ctx context.Context, id labelstudio.PredictionID, p labelstudio.PredictionWrite) (r labelstudio.PredictionRow, err error) {
	err = f.call(ctx, "update", f.latency, func() error {
		x, ok := f.rows[id]
		if !ok {
			return apiError(404)
		}
		f.rows[id] = fakeRow{task: x.task, score: &p.Score, pred: p, updated: time.Now()}
		r = f.rows[id].row(id)
		return nil
	})
	return r, err
}

func (f *fakeLS) Prediction(ctx context.Context, id labelstudio.PredictionID) (r labelstudio.PredictionRow, result json.RawMessage, err error) {
	err = f.call(ctx, "read", 0, func() error {
		x, ok := f.rows[id]
		if !ok {
			return apiError(404)
		}
		r = x.row(id)
		result, _ = x.pred.Result.(json.RawMessage)
		return nil
	})
	return r, result, err
}

func (f *fakeLS) DeletePrediction(ctx context.Context, id labelstudio.PredictionID) error {
	return f.call(ctx, "delete", f.latency, func() error {
		if _, ok := f.rows[id]; !ok {
			return apiError(404)
		}
		delete(f.rows, id)
		return nil
	})
}

func (f *fakeLS) StoredPredictions(ctx context.Context, _ event.ProjectID) iter.Seq2[labelstudio.StoredPrediction, error] {
	return func(yield func(labelstudio.StoredPrediction, error) bool) {
		var rows []labelstudio.StoredPrediction
		err := f.call(ctx, "list", 0, func() error {
			for id, r := range f.rows {
				result, _ := r.pred.Result.(json.RawMessage)
				rows = append(rows, labelstudio.StoredPrediction{PredictionRow: r.row(id), Result: result})
			}
			return nil
		})
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(labelstudio.StoredPrediction{}, err)
		}
	}
}

func (f *fakeLS) ImportPredictions(ctx context.Context, p event.ProjectID, list []labelstudio.PredictionWrite) error {
	return f.call(ctx, "import", 13*time.Second, func() error {
		created := 0
		for _, x := range list {
			if !f.gone[x.Task] {
				f.put(x.Task, x)
				created++
			}
		}
		if created < len(list) {
			return &labelstudio.PartialImportError{Project: p, Sent: len(list), Created: created}
		}
		return nil
	})
}

// Project is no call of its own: the sampler reads it together with ModelVersions.
func (f *fakeLS) Project(_ context.Context, id event.ProjectID) (labelstudio.Project, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return labelstudio.Project{ID: id, ModelVersion: f.live}, nil
}

func (f *fakeLS) ModelVersions(ctx context.Context, _ event.ProjectID) (rows map[string]int, err error) {
	err = f.call(ctx, "version", 0, func() error {
		rows = map[string]int{}
		for _, r := range f.rows {
			rows[r.pred.ModelVersion]++
		}
		return nil
	})
	return rows, err
}

func (f *fakeLS) PatchProject(ctx context.Context, p event.ProjectID, patch labelstudio.ProjectPatch) (labelstudio.Project, error) {
	v := *patch.ModelVersion
	err := f.call(ctx, "set", f.latency, func() error {
		for _, r := range f.rows {
			if r.pred.ModelVersion == v {
				f.live = v
				f.sets++
				return nil
			}
		}
		return apiError(400)
	})
	return labelstudio.Project{ID: p, ModelVersion: v}, err
}

func (f *fakeLS) DeleteModelVersion(ctx context.Context, _ event.ProjectID, v string) (deleted int, err error) {
	err = f.call(ctx, "delete version", time.Second, func() error {
		for id, r := range f.rows {
			if r.pred.ModelVersion == v {
				delete(f.rows, id)
				deleted++
			}
		}
		if f.live == v {
			f.live = ""
		}
		return nil
	})
	return deleted, err
}

// result is what the row's regions are.
func (r fakeRow) result() string { return string(r.pred.Result.(json.RawMessage)) }

func seq(n int) []event.TaskID {
	ids := make([]event.TaskID, n)
	for i := range ids {
		ids[i] = event.TaskID(i + 1)
	}
	return ids
}

// served is the order in which Label Studio's uncertainty sampling hands out the
// tasks that are not labelled: by the lowest score of the project's version.
func (f *fakeLS) served(labelled map[event.TaskID]bool) []event.TaskID {
	f.mu.Lock()
	defer f.mu.Unlock()
	best := map[event.TaskID]float64{}
	for _, r := range f.rows {
		if r.pred.ModelVersion != f.live || labelled[r.task] {
			continue
		}
		s := -1.0
		if r.score != nil {
			s = *r.score
		}
		if old, ok := best[r.task]; !ok || s < old {
			best[r.task] = s
		}
	}
	var ids []event.TaskID
	for id := range best {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b event.TaskID) int { return cmp.Or(cmp.Compare(best[a], best[b]), cmp.Compare(a, b)) })
	return ids
}

func (f *fakeLS) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

// readsBesideChecks counts the predictions that were read otherwise than by a check,
// which reads the project and then at most two of them.
func (f *fakeLS) readsBesideChecks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return readsBesideChecks(f.calls)
}

func readsBesideChecks(calls []string) int {
	n, ofCheck := 0, 0
	for _, c := range calls {
		switch {
		case c == "version":
			ofCheck = 2
		case c != "read":
			ofCheck = 0
		case ofCheck > 0:
			ofCheck--
		default:
			n++
		}
	}
	return n
}

func (f *fakeLS) writes() int { return f.count("create") + f.count("update") + f.count("delete") }

func (f *fakeLS) versions() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[string]int{}
	for _, r := range f.rows {
		n[r.pred.ModelVersion]++
	}
	return n
}

func (f *fakeLS) setFault(fault func(string) (error, bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// brain is pool, scorer and predictor in one. How sure it is of a task follows
// from its salt, so that a new salt is a new ranking.
type brain struct {
	mu       sync.Mutex
	tasks    int
	salt     uint64
	version  string
	opinion  string // what it suggests for every task
	ignorant bool
	counts   []int // of labelled tasks by label; nil if they are not counted
	labelled map[event.TaskID]bool
	deleted  map[event.TaskID]bool
}

func newBrain(tasks int) *brain {
	return &brain{tasks: tasks, version: "hone-1", labelled: map[event.TaskID]bool{}, deleted: map[event.TaskID]bool{}}
}

func (b *brain) Tasks(_ context.Context, _ event.ProjectID, ids []event.TaskID) (out []event.TaskState, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		s := event.TaskState{Task: event.Task{ID: id, Data: json.RawMessage(`{"text":"t"}`)}}
		if b.labelled[id] {
			s.Annotations = []event.Annotation{{ID: event.AnnotationID(id), Task: id}}
		}
		if b.deleted[id] || int(id) > b.tasks {
			s = event.TaskState{Task: event.Task{ID: id}, Deleted: true}
		}
		out = append(out, s)
	}
	return out, nil
}

func (b *brain) AllTasks(ctx context.Context, p event.ProjectID) iter.Seq2[event.TaskState, error] {
	return func(yield func(event.TaskState, error) bool) {
		for id := event.TaskID(1); int(id) <= b.size(); id++ {
			t, err := b.Tasks(ctx, p, []event.TaskID{id})
			if !t[0].Deleted && !yield(t[0], err) {
				return
			}
		}
	}
}

func (b *brain) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tasks
}

func (b *brain) Estimates(_ context.Context, _ event.ProjectID, tasks []event.Task) ([][]event.Estimate, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([][]event.Estimate, len(tasks))
	for i, t := range tasks {
		if !b.ignorant {
			p := 0.5 + float64(randomKey(b.salt, t.ID)>>12)/float64(1<<53)
			out[i] = []event.Estimate{estimate(true, p, 1-p)}
			out[i][0].Classes.Labelled = b.counts
		}
	}
	return out, b.version, nil
}

func (b *brain) Regions(_ context.Context, _ event.ProjectID, tasks []event.Task) ([]json.RawMessage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opinion != "" {
		return []json.RawMessage{[]byte(b.opinion)}, nil
	}
	return []json.RawMessage{[]byte(fmt.Sprintf(`[{"id":"t%d"}]`, tasks[0].ID))}, nil
}

func estimate(exclusive bool, p ...float64) event.Estimate {
	return event.Estimate{Control: "c", Classes: &event.Distribution{Labels: make([]string, len(p)), P: p, Exclusive: exclusive}}
}

func (b *brain) is(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// bench is a sampler at work inside a synctest bubble.
type bench struct {
	*testing.T
	s     *Sampler
	ls    *fakeLS
	brain *brain
	mu    sync.Mutex
	seen  []Observation
}

func run(t *testing.T, tasks int, change func(*Options, *bench), f func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, ls: newFakeLS(), brain: newBrain(tasks)}
		o := Defaults()
		o.Pool, o.Scorer, o.Predictor, o.LabelStudio = b.brain, b.brain, b.brain, b.ls
		o.Observer = func(x Observation) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.seen = append(b.seen, x)
		}
		if change != nil {
			change(&o, b)
		}
		var err error
		b.s, err = New(o)
		require.NoError(t, err)
		require.NoError(t, b.s.Start(t.Context()))
		f(b)
		require.NoError(t, b.s.Stop(t.Context()))
	})
}

// label says that tasks were labelled, with a new ranking.
func (b *bench) label(tasks ...event.TaskID) {
	b.brain.is(func() {
		b.brain.salt++
		for _, t := range tasks {
			b.brain.labelled[t] = true
		}
	})
	b.tell(&event.Learned{Project: project, Since: time.Now(), Version: "hone-1", Tasks: tasks})
}

func (b *bench) tell(l *event.Learned) {
	require.NoError(b, b.s.Learned(b.Context(), []event.Event{l}, event.Cursor{}))
}

// after lets simulated time pass until all is quiet.
func (b *bench) after(d time.Duration) {
	time.Sleep(d) // simulated
	synctest.Wait()
}

func (b *bench) next() []event.TaskID {
	var ids []event.TaskID
	for _, i := range b.s.Next(project) {
		ids = append(ids, i.Task)
	}
	return ids
}

func (b *bench) served() []event.TaskID { return b.ls.served(b.brain.labelled) }

// inStep requires Label Studio to serve exactly the queue first.
func (b *bench) inStep() {
	b.Helper()
	want, got := b.next(), b.served()
	require.NotEmpty(b, want)
	require.GreaterOrEqual(b, len(got), len(want))
	require.Equal(b, want, got[:len(want)])
	st, _ := b.s.Status(project)
	require.Empty(b, st.Note)
	require.Equal(b, len(want), st.Pushed)
}
