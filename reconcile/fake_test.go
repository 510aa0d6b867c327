package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pid event.ProjectID = 3

type testingT interface {
	require.TestingT
	Helper()
}

// fakeLS is Label Studio with one project, on a clock of its own.
type fakeLS struct {
	mu       sync.Mutex
	now      time.Time
	project  labelstudio.Project
	deleted  bool
	removed  bool // the token's user, from the organization
	tasks    map[event.TaskID]*labelstudio.Task
	lastAnn  event.AnnotationID
	lastTask event.TaskID
	// before, when not nil, is called before each answer, without the lock.
	before func(call string) error
	// after, when not nil, is called between an answer and its arrival.
	after func(call string)
	calls map[string]int
	hide  int // tasks left out of every list
	// miscount is by how many annotations the project's own count is wrong; read counts the
	// tasks in all pages.
	miscount, read int
	noDate         bool
}

func newFakeLS() *fakeLS {
	return &fakeLS{
		now:     time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), // far from hone's clock
		project: labelstudio.Project{ID: pid, Title: "Topics", LabelConfig: "<View/>", CreatedAt: time.Unix(1000, 5000).UTC(), ModelVersion: "hone-1"},
		tasks:   map[event.TaskID]*labelstudio.Task{},
		calls:   map[string]int{},
	}
}

func (f *fakeLS) tick() time.Time {
	f.now = f.now.Add(time.Second)
	return f.now
}

func (f *fakeLS) addTask() event.TaskID {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastTask++
	f.tasks[f.lastTask] = &labelstudio.Task{Task: event.Task{
		ID: f.lastTask, Data: json.RawMessage(fmt.Sprintf(`{"text":"task %d"}`, f.lastTask)), UpdatedAt: f.tick(),
	}}
	return f.lastTask
}

func (f *fakeLS) annotate(t event.TaskID, label string) event.Annotation {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastAnn++
	a := event.Annotation{ID: f.lastAnn, Task: t, Result: json.RawMessage(fmt.Sprintf(`[{"v":%q}]`, label)), UpdatedAt: f.tick()}
	f.tasks[t].Annotations = append(f.tasks[t].Annotations, a)
	f.tasks[t].UpdatedAt = f.now
	return a
}

func (f *fakeLS) edit(t event.TaskID, i int, label string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := slices.Clone(f.tasks[t].Annotations)
	list[i].Result, list[i].UpdatedAt = json.RawMessage(fmt.Sprintf(`[{"v":%q}]`, label)), f.tick()
	f.tasks[t].Annotations, f.tasks[t].UpdatedAt = list, f.now
}

func (f *fakeLS) unannotate(t event.TaskID, i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks[t].Annotations = slices.Delete(slices.Clone(f.tasks[t].Annotations), i, i+1)
	f.tasks[t].UpdatedAt = f.tick()
}

func (f *fakeLS) removeTask(t event.TaskID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tasks, t)
}

// touch is what a prediction of hone's own does to a task.
func (f *fakeLS) touch(t event.TaskID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks[t].UpdatedAt = f.tick()
}

// tasksRead counts the tasks in all pages.
func (f *fakeLS) tasksRead() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read
}

func (f *fakeLS) ids() []event.TaskID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.tasks))
}

func (f *fakeLS) call(ctx context.Context, name string) error {
	if f.before != nil {
		if err := f.before(name); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[name]++
	return ctx.Err()
}

func (f *fakeLS) Project(ctx context.Context, p event.ProjectID) (labelstudio.Project, error) {
	if err := f.call(ctx, "project"); err != nil {
		return labelstudio.Project{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deleted || p != pid {
		return labelstudio.Project{}, &labelstudio.APIError{Op: "read project", Status: 404}
	}
	out := f.project
	out.Tasks = len(f.tasks)
	out.Annotations = f.miscount
	for _, t := range f.tasks {
		out.Annotations += len(t.Annotations)
	}
	return out, nil
}

func (f *fakeLS) WhoAmI(context.Context) (labelstudio.User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.removed {
		return labelstudio.User{ID: 1}, nil
	}
	return labelstudio.User{ID: 1, Organization: 1}, nil
}

func (f *fakeLS) Projects(ctx context.Context) ([]labelstudio.Project, error) {
	if err := f.call(ctx, "projects"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deleted {
		return nil, nil
	}
	return []labelstudio.Project{f.project}, nil
}

func (f *fakeLS) TasksPage(ctx context.Context, _ event.ProjectID, q labelstudio.TaskQuery) (page labelstudio.TaskPage, err error) {
	if err := f.call(ctx, "page"); err != nil {
		return page, err
	}
	if f.after != nil {
		defer func() { f.after("page") }()
	}
	ids := f.ids()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.noDate {
		page.ServerTime = f.now
	}
	for _, id := range ids[:max(0, len(ids)-f.hide)] {
		t := f.tasks[id]
		if id <= q.After || t.UpdatedAt.Before(q.UpdatedSince) {
			continue
		}
		if page.Total++; page.Total <= q.PageSize {
			page.Tasks = append(page.Tasks, *t)
		}
	}
	f.read += len(page.Tasks)
	if n := len(page.Tasks); n > 0 && n < page.Total {
		page.Next = page.Tasks[n-1].ID
	}
	return page, nil
}

func (f *fakeLS) KnownTasks(ctx context.Context, _ event.ProjectID) (out []event.KnownTask, err error) {
	if err := f.call(ctx, "ids"); err != nil {
		return nil, err
	}
	if f.after != nil {
		defer func() { f.after("ids") }()
	}
	ids := f.ids()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids[:max(0, len(ids)-f.hide)] {
		k := event.KnownTask{Task: id, UpdatedAt: f.tasks[id].UpdatedAt}
		for _, a := range f.tasks[id].Annotations {
			k.Annotations = append(k.Annotations, a.ID)
		}
		out = append(out, k)
	}
	return out, nil
}

// log publishes straight into a real state.
type log struct {
	store  *state.Store
	mu     sync.Mutex
	events []*event.Changed
	fail   error
	// lazy keeps events back, as a learner does that has fallen behind.
	lazy bool
	last uint64 // position
	// behind is how many entries the learner has still to learn.
	behind uint64
	doubts []event.Doubts
}

func (l *log) Heard() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, nil
}

func (l *log) Applied(event.ProjectID) (uint64, error) {
	last, err := l.Heard()
	return last - l.behind, err
}

// place gives a statement its position.
func (l *log) place(c *event.Changed) *event.Changed {
	placed := *c
	l.last++
	placed.Position = l.last
	return &placed
}

// hear is a webhook.
func (l *log) hear(ctx context.Context, c *event.Changed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.apply(ctx, l.place(c))
}

func (l *log) Publish(ctx context.Context, events ...event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	for _, e := range events {
		raw, err := event.Encode(e)
		if err != nil {
			return err
		}
		back, err := event.Decode(raw)
		if err != nil {
			return err
		}
		c := l.place(back.(*event.Changed))
		l.events = append(l.events, c)
		if !l.lazy {
			if err := l.apply(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *log) apply(ctx context.Context, changes ...*event.Changed) error {
	deltas, err := l.store.Plan(ctx, changes)
	if err != nil {
		return err
	}
	var c event.Commit
	for i := range deltas {
		l.doubts = append(l.doubts, deltas[i].Doubts)
		c.Projects = append(c.Projects, event.ProjectCommit{Project: deltas[i].Meta.Project, Delta: &deltas[i]})
	}
	return l.store.Commit(ctx, c)
}

// take returns what was published since the last time.
func (l *log) take() []*event.Changed {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.events
	l.events = nil
	return e
}

type rig struct {
	t  testingT
	ls *fakeLS
	*log
	r *Reconciler
}

func newRig(t testingT, dir string, change func(*Options)) (*rig, func()) {
	store, err := state.Open(dir, state.Options{})
	require.NoError(t, err)
	g := &rig{t: t, ls: newFakeLS(), log: &log{store: store}}
	o := Options{Index: store, Marks: store, Log: g.log, Publisher: g.log, Source: g.ls, PageSize: 4, Delivery: time.Nanosecond}
	if change != nil {
		change(&o)
	}
	g.r, err = New(o)
	require.NoError(t, err)
	return g, func() { _ = store.Close() }
}

func rigFor(t *testing.T, change func(*Options)) *rig {
	g, done := newRig(t, t.TempDir(), change)
	t.Cleanup(done)
	return g
}

// run makes one run at once, without the worker.
func (g *rig) run(full bool) Status {
	g.t.Helper()
	return g.runDue(request{changed: true, full: full})
}

func (g *rig) runDue(d request) Status {
	g.t.Helper()
	w := g.r.project(pid)
	w.runOnce(context.Background(), d)
	return w.snapshot()
}

// settle asks Label Studio what hone doubts, as the learner's store has it done.
func (g *rig) settle() {
	g.t.Helper()
	for range 10 {
		var d request
		for _, x := range g.doubts {
			if x.Project {
				d.merge(request{changed: true})
			}
			if len(x.Tasks) > 0 {
				d.merge(requestOf(&event.ReconcileDue{Tasks: x.Tasks}))
			}
		}
		g.doubts = nil
		if !d.changed && len(d.tasks) == 0 {
			return
		}
		require.Empty(g.t, g.runDue(d).Error)
	}
	g.t.Errorf("it is doubted again and again")
}

// restore puts Label Studio back to a copy made before.
func (f *fakeLS) restore(c *fakeLS) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks, f.lastAnn, f.lastTask = c.tasks, c.lastAnn, c.lastTask
}

func (f *fakeLS) backup() *fakeLS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &fakeLS{tasks: map[event.TaskID]*labelstudio.Task{}, lastAnn: f.lastAnn, lastTask: f.lastTask}
	for id, t := range f.tasks {
		copied := *t
		copied.Annotations = slices.Clone(t.Annotations)
		c.tasks[id] = &copied
	}
	return c
}

// same requires the state to hold exactly what Label Studio does.
func (g *rig) same() {
	g.t.Helper()
	have, err := g.store.Tasks(context.Background(), pid, nil)
	require.NoError(g.t, err)
	got, want := map[event.TaskID][]string{}, map[event.TaskID][]string{}
	for _, t := range have {
		got[t.Task.ID] = []string{string(t.Task.Data)}
		for _, a := range t.Annotations {
			got[t.Task.ID] = append(got[t.Task.ID], fmt.Sprintf("%d: %s", a.ID, a.Result))
		}
	}
	for id, t := range g.ls.tasks {
		want[id] = []string{string(t.Data)}
		for _, a := range t.Annotations {
			want[id] = append(want[id], fmt.Sprintf("%d: %s", a.ID, a.Result))
		}
	}
	require.Equal(g.t, want, got)
}
