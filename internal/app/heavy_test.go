package app_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/learner"
)

// house is a hone without Label Studio, which would say that it has none of this, with
// one small project, whose labels must not wait, and others.
type house struct {
	*apptest.Instance
	*gate
	TB     testing.TB
	labels int
}

const small = event.ProjectID(1)

func newHouse(t *testing.T) *house {
	g := &gate{}
	h := &house{Instance: apptest.StartWith(t, apptest.Settings(t.TempDir(), nil), app.Seams{Store: g.around}), gate: g, TB: t}
	t.Cleanup(g.open)
	for range 5 {
		h.label()
	}
	return h
}

// gate keeps what is to be stored of some projects, so that what they have begun is not
// done before a test wants it to be.
type gate struct {
	learner.Store
	mu     sync.Mutex
	keep   func(event.ProjectID) bool
	kept   int
	opened chan struct{}
}

func (g *gate) around(s learner.Store) learner.Store {
	g.Store = s
	return g
}

func (g *gate) Commit(ctx context.Context, c event.Commit) error {
	g.mu.Lock()
	opened := g.opened
	if g.keep == nil || !slices.ContainsFunc(c.Projects, func(p event.ProjectCommit) bool { return g.keep(p.Project) }) {
		opened = nil
	} else {
		g.kept++
	}
	g.mu.Unlock()
	if opened != nil {
		<-opened
	}
	return g.Store.Commit(ctx, c)
}

// close keeps projects from now on.
func (g *gate) close(keep func(event.ProjectID) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keep, g.kept, g.opened = keep, 0, make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keep != nil {
		g.keep = nil
		close(g.opened)
	}
}

func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.kept
}

// lane is how many changes of a project are not learned.
func (h *house) lane(p event.ProjectID) uint64 {
	lane, err := h.Pipeline.Lane(core.LearnerGroup, event.Changes, p)
	require.NoError(h.TB, err)
	return lane.Entries
}

// modelSettled reports whether a project's model is at its optimum. The project as a whole
// does not settle: there is no Label Studio to hold its queue.
func (h *house) modelSettled(p event.ProjectID) bool {
	st, ok := h.Learner.Status(p)
	return ok && st.Settled
}

// label has the small project learn one more label.
func (h *house) label() {
	h.TB.Helper()
	c := labelled(small, h.labels+1)
	c.Tasks, c.Annotations = c.Tasks[h.labels:], c.Annotations[h.labels:]
	h.labels++
	h.publish(c)
	h.Await(small, "the small project's label is learned", func(p api.Project) bool { return p.Labels == h.labels })
}

// during has others do something, and the small project learn labels while what they
// have done is being stored.
func (h *house) during(others func(event.ProjectID) bool, do func()) {
	h.TB.Helper()
	h.close(others)
	defer h.open()
	do()
	apptest.Until(h.TB, "others have something to store", func() bool { return h.waiting() > 0 })
	h.label()
	h.label()
}

func (h *house) publish(events ...event.Event) {
	h.TB.Helper()
	require.NoError(h.TB, h.Pipeline.Publish(context.Background(), events...))
}

// newConfig tells of a new label config.
func newConfig(p event.ProjectID, config string) *event.Changed {
	return &event.Changed{Project: p, Source: event.FromWebhook, At: time.Now(), LabelConfig: config}
}

// labelled are many tasks of a project, labelled.
func labelled(p event.ProjectID, n int) *event.Changed {
	c := newConfig(p, apptest.LabelConfig)
	for i := range n {
		body, topic := apptest.Text(i)
		id := 1_000_000*int(p) + i
		c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(id), Data: []byte(fmt.Sprintf(`{"text":"%s, number %d"}`, body, i))})
		c.Annotations = append(c.Annotations, event.Annotation{
			ID: event.AnnotationID(id), Task: event.TaskID(id), UpdatedAt: time.Now(),
			Result: []byte(`[{"id":"r","from_name":"topic","to_name":"t","type":"choices","value":{"choices":["` + topic + `"]}}]`),
		})
	}
	return c
}

func manyPaths(n int) string {
	var b strings.Builder
	b.WriteString(`<View><Text name="t" value="$text"/><Taxonomy name="paths" toName="t">`)
	for i := range n / 100 {
		fmt.Fprintf(&b, `<Choice value="group %d">`, i)
		for j := range 99 {
			fmt.Fprintf(&b, `<Choice value="leaf %d of %d"/>`, j, i)
		}
		b.WriteString(`</Choice>`)
	}
	return b.String() + `</Taxonomy></View>`
}

func thousandControls(n int) string {
	var b strings.Builder
	b.WriteString(`<View><Text name="t" value="$text"/>`)
	for i := range n {
		fmt.Fprintf(&b, `<Choices name="c%d" toName="t"><Choice value="a"/><Choice value="b"/></Choices>`, i)
	}
	return b.String() + `</View>`
}

// Work that grows with a config, or that anybody can ask for as often as they like,
// keeps the labels of other projects waiting for nothing.
func TestHeavyProjectsKeepNobodyWaiting(t *testing.T) {
	h := newHouse(t)
	const heavy = event.ProjectID(900)
	others := func(p event.ProjectID) bool { return p != small }
	rest := func(t *testing.T) {
		apptest.Until(t, "the heavy project is done", func() bool { return h.lane(heavy) == 0 && !h.Status(heavy).Retrain.Running })
	}
	t.Run("50,000 paths", func(t *testing.T) {
		h.during(others, func() { h.publish(newConfig(heavy, manyPaths(50_000/sizes))) })
		h.during(others, func() {
			h.publish(&event.Changed{
				Project: heavy, Source: event.FromWebhook, At: time.Now(), Tasks: []event.Task{{ID: 9001, Data: []byte(`{"text":"hello"}`)}},
				Annotations: []event.Annotation{{ID: 9001, Task: 9001, UpdatedAt: time.Now(), Result: []byte(
					`[{"id":"r","from_name":"paths","to_name":"t","type":"taxonomy","value":{"taxonomy":[["group 7","leaf 9 of 7"]]}}]`)}},
			})
		})
		h.Await(heavy, "its label is learned", func(p api.Project) bool { return p.Labels == 1 && len(p.Heads) == 1 })
	})
	t.Run("3,000 controls", func(t *testing.T) {
		h.during(others, func() { h.publish(newConfig(heavy, thousandControls(3000/sizes))) })
		rest(t)
		require.Len(t, h.Status(heavy).Heads, 3000/sizes)
	})
	t.Run("20 configs", func(t *testing.T) {
		h.publish(labelled(heavy, 500))
		rest(t)
		for i := range 4 {
			h.during(others, func() {
				for j := range 5 {
					h.publish(newConfig(heavy, strings.ReplaceAll(manyPaths(5000/sizes), "leaf", fmt.Sprintf("leaf %d:", 5*i+j))))
				}
			})
		}
		rest(t)
	})
	t.Run("a storm of retrains", func(t *testing.T) {
		h.publish(labelled(heavy, 500))
		rest(t)
		before := len(h.Learner.Versions(heavy))
		h.during(others, func() {
			var storm []event.Event
			for range 2000 {
				storm = append(storm, &event.RetrainDue{Project: heavy, At: time.Now(), Reason: "START_TRAINING"})
			}
			h.publish(storm...)
		})
		rest(t)
		require.LessOrEqual(t, len(h.Learner.Versions(heavy))-before, 12, "2,000 wishes at once make few versions")
	})
}

// Ten projects retrain at once.
func TestTenRetrainsAtOnce(t *testing.T) {
	h := newHouse(t)
	var all []event.ProjectID
	for i := range 10 {
		p := event.ProjectID(100 + i)
		all = append(all, p)
		h.publish(labelled(p, 200/sizes+30))
	}
	for _, p := range all {
		h.Await(p, "it is learned", func(got api.Project) bool { return got.Labels == 200/sizes+30 && h.modelSettled(p) })
	}
	h.during(func(p event.ProjectID) bool { return p >= 100 }, func() {
		h.publish(&event.RetrainDue{At: time.Now(), Reason: "asked"})
		apptest.Until(t, "all ten have something to store", func() bool { return h.waiting() >= len(all) })
	})
	for _, p := range all {
		apptest.Until(t, "it has retrained", func() bool { return len(h.Learner.Versions(p)) == 2 })
	}
}

// What keeps a project's changes from being learned is in its status, and in no other's.
func TestStatusSaysWhyAProjectWaits(t *testing.T) {
	full := &fullDisk{}
	h := &house{Instance: apptest.StartWith(t, apptest.Settings(t.TempDir(), nil), app.Seams{Store: full.around}), TB: t}
	const other = event.ProjectID(900)
	h.label()
	h.publish(labelled(other, 1))
	h.Await(other, "it is known", func(p api.Project) bool { return p.Labels == 1 })
	full.of.Store(int64(other))
	h.publish(labelled(other, 2))
	says := func(p api.Project) bool {
		return slices.ContainsFunc(p.Problems, func(s string) bool {
			return strings.Contains(s, "its changes cannot be learned") && strings.Contains(s, "no space left")
		})
	}
	got := h.Await(other, "status says why", says)
	require.Positive(t, got.Backlog)
	h.label()
	require.False(t, says(h.Await(small, "nothing is left", func(p api.Project) bool { return p.Backlog == 0 })))
	full.of.Store(0)
	h.Await(other, "it is learned", func(p api.Project) bool { return p.Labels == 2 && p.Backlog == 0 && !says(p) })
}

// fullDisk has no room for one project.
type fullDisk struct {
	learner.Store
	of atomic.Int64
}

func (d *fullDisk) around(s learner.Store) learner.Store {
	d.Store = s
	return d
}

func (d *fullDisk) Commit(ctx context.Context, c event.Commit) error {
	for _, p := range c.Projects {
		if int64(p.Project) == d.of.Load() {
			return &fs.PathError{Op: "write", Path: "hone.db", Err: syscall.ENOSPC}
		}
	}
	return d.Store.Commit(ctx, c)
}
