package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

func TestFirstLoadReadsEverythingAndMissesNothing(t *testing.T) {
	g := rigFor(t, nil)
	for range 11 {
		g.ls.annotate(g.ls.addTask(), "a")
	}
	st := g.run(false)
	require.Empty(t, st.Error)
	g.same()
	assert.Equal(t, 11, st.Read)
	assert.Equal(t, 22, st.Stated)
	assert.False(t, st.LastFull.IsZero())
	assert.Equal(t, "hone-1", st.ModelVersion)
	meta, err := g.store.Projects(context.Background())
	require.NoError(t, err)
	assert.Equal(t, "Topics", meta[0].Title)
	assert.EqualValues(t, 1000, meta[0].CreatedAt)
	assert.Zero(t, meta[0].Missed, "nobody was there to be told")
	mark, err := g.store.Watermark(context.Background(), pid)
	require.NoError(t, err)
	assert.Equal(t, g.ls.now, mark.UTC(), "the mark is on Label Studio's clock")
	assert.Zero(t, g.ls.calls["ids"], "what was read whole needs no second list")
	for _, e := range g.take() {
		assert.LessOrEqual(t, len(e.Tasks), 4)
		assert.Equal(t, event.FromReconcile, e.Source)
	}
}

func TestLargeTasksMakeSmallEvents(t *testing.T) {
	g := rigFor(t, func(o *Options) { o.PageSize = 500 })
	for range 10 {
		id := g.ls.addTask()
		g.ls.tasks[id].Data = json.RawMessage(`{"text":"` + strings.Repeat("x", 400_000) + `"}`)
	}
	require.Empty(t, g.run(false).Error)
	g.same()
	most := 0
	for _, e := range g.take() {
		most = max(most, len(e.Tasks))
	}
	assert.Equal(t, 3, most)
}

// Every kind of change whose webhook is lost, or that sends none.
func TestLostChangesAreFound(t *testing.T) {
	g := rigFor(t, nil)
	for range 10 {
		g.ls.annotate(g.ls.addTask(), "a")
	}
	g.run(false)
	g.take()

	g.ls.edit(1, 0, "b")
	g.ls.unannotate(2, 0) // converting to a draft sends no webhook
	g.ls.annotate(3, "second")
	g.ls.annotate(g.ls.addTask(), "new")
	st := g.run(false)
	require.Empty(t, st.Error)
	g.same()
	assert.Equal(t, 5, st.Stated) // edited, deleted, added, a task and its annotation
	assert.Zero(t, g.ls.calls["ids"])

	g.ls.removeTask(5) // leaves no trace in updated_at
	g.run(false)
	assert.Len(t, g.holds(5), 1, "an ordinary run cannot see it")
	st = g.run(true)
	require.Empty(t, st.Error)
	g.same()
	assert.Equal(t, 1, st.Stated)
	st = g.run(false)
	assert.EqualValues(t, 6, st.Missed)
}

// slowIndex is hone's state while a webhook is on its way: it arrives once hone has
// looked some times.
type slowIndex struct {
	Index
	looks  int
	arrive func()
}

func (s *slowIndex) Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error) {
	if s.looks--; s.looks == 0 {
		s.arrive()
	}
	return s.Index.Tasks(ctx, p, ids)
}

// A webhook that is on its way when a reconcile reads its change is not lost.
func TestWebhooksOnTheirWayAreNotMissed(t *testing.T) {
	slow := &slowIndex{}
	g := rigFor(t, func(o *Options) {
		slow.Index, o.Index, o.Delivery = o.Index, slow, time.Hour
	})
	for range 3 {
		g.ls.annotate(g.ls.addTask(), "a")
	}
	require.Empty(t, g.run(false).Error)
	g.take()

	gone := g.ls.tasks[2].Annotations[0].ID
	g.ls.unannotate(2, 0)
	made := g.ls.annotate(1, "b")
	slow.looks = 3
	slow.arrive = func() {
		require.NoError(t, g.Publish(context.Background(),
			&event.Changed{Project: pid, CreatedAt: 1000, At: time.Now(), Annotations: []event.Annotation{made}},
			&event.Changed{Project: pid, CreatedAt: 1000, At: time.Now(), DeletedAnnotations: []event.AnnotationID{gone}}))
	}
	st := g.run(false)
	require.Empty(t, st.Error)
	assert.Zero(t, st.Stated)
	assert.Zero(t, st.Missed)
	g.same()
	for _, e := range g.take() {
		assert.NotEqual(t, event.FromReconcile, e.Source)
	}
}

// An old change waits for no webhook.
func TestOldChangesAreStatedAtOnce(t *testing.T) {
	g := rigFor(t, func(o *Options) { o.Delivery = time.Hour })
	g.ls.annotate(g.ls.addTask(), "a")
	require.Empty(t, g.run(false).Error)
	g.ls.edit(1, 0, "b")
	g.ls.now = g.ls.now.Add(2 * time.Hour)
	require.Empty(t, g.run(false).Error)
	g.same()
	assert.EqualValues(t, 1, g.run(false).Missed)
}

func (g *rig) holds(id event.TaskID) (there []event.TaskID) {
	known, err := g.store.Known(context.Background(), pid)
	require.NoError(g.t, err)
	for _, k := range known {
		if k.Task == id {
			there = append(there, id)
		}
	}
	return there
}

// hone's own predictions make tasks surface; nothing must be said of them.
func TestOwnPredictionsAreNoNews(t *testing.T) {
	g := rigFor(t, nil)
	for range 10 {
		g.ls.annotate(g.ls.addTask(), "a")
	}
	g.run(false)
	g.take()
	for id := range event.TaskID(10) {
		g.ls.touch(id + 1)
	}
	// The API spells the same data differently than the webhook did.
	g.ls.tasks[1].Data = json.RawMessage(`{ "text" : "t\u0061sk 1" }`)
	st := g.run(false)
	assert.Equal(t, 10, st.Read)
	assert.Zero(t, st.Stated)
	assert.Empty(t, g.take())
	st = g.run(true)
	assert.Zero(t, st.Stated)
	assert.Empty(t, g.take())
}

// An annotation made while the comparison runs, and told by a webhook, is never
// taken for deleted.
func TestWhatHappensMeanwhileIsNotTakenForDeleted(t *testing.T) {
	for _, call := range []string{"project", "page", "ids"} {
		for i := range 4 {
			full, answered := i&1 == 1, i&2 == 2
			g := rigFor(t, nil)
			for range 6 {
				g.ls.annotate(g.ls.addTask(), "a")
			}
			g.run(false)
			late := func(id event.TaskID) {
				task := g.ls.tasks[id]
				require.NoError(t, g.hear(context.Background(), &event.Changed{
					Project: pid, Source: event.FromWebhook, At: time.Now(), Tasks: []event.Task{task.Task}, Annotations: task.Annotations,
				}))
			}
			once := func(c string) {
				if c != call {
					return
				}
				g.ls.before, g.ls.after = nil, nil
				g.ls.annotate(2, "meanwhile")
				late(2)
				id := g.ls.addTask()
				g.ls.annotate(id, "new")
				late(id)
			}
			if answered {
				g.ls.touch(2)
				g.ls.after = once
			} else {
				g.ls.before = func(c string) error { once(c); return nil }
			}
			require.Empty(t, g.run(full).Error)
			g.same()
			require.Empty(t, g.run(true).Error)
			g.same()
		}
	}
}

func TestTheMarkMovesOnlyWhenAllIsDurable(t *testing.T) {
	g := rigFor(t, nil)
	for range 6 {
		g.ls.annotate(g.ls.addTask(), "a")
	}
	g.fail = errors.New("disk full")
	st := g.run(false)
	assert.Contains(t, st.Error, "disk full")
	assert.Equal(t, 1, st.Failures)
	mark, err := g.store.Watermark(context.Background(), pid)
	require.NoError(t, err)
	assert.True(t, mark.IsZero())

	g.fail = nil
	require.Empty(t, g.run(false).Error)
	g.same()
	before, _ := g.store.Watermark(context.Background(), pid)
	g.ls.annotate(1, "b")
	pages := 0
	g.ls.before = func(c string) error {
		if c == "page" {
			if pages++; pages > 1 {
				return errors.New("reset by peer")
			}
		}
		return nil
	}
	for id := range event.TaskID(6) {
		g.ls.touch(id + 1)
	}
	assert.NotEmpty(t, g.run(false).Error)
	after, _ := g.store.Watermark(context.Background(), pid)
	assert.Equal(t, before, after)
	g.ls.before = nil
	require.Empty(t, g.run(false).Error)
	g.same()
}

func TestAShortListIsNotBelieved(t *testing.T) {
	g := rigFor(t, nil)
	for range 6 {
		g.ls.addTask()
	}
	g.run(false)
	g.take()
	g.ls.hide = 4
	st := g.run(true)
	assert.Contains(t, st.Error, "nothing is taken for deleted")
	assert.Empty(t, g.take())
	g.ls.hide = 0
	require.Empty(t, g.run(true).Error)
	g.same()
}

func TestAGoneProjectIsSaidOnceAndOnlyWhenItIsSure(t *testing.T) {
	g := rigFor(t, nil)
	st := g.run(false)
	require.Empty(t, st.Error)
	g.take()

	g.ls.before = func(c string) error {
		if c == "project" {
			return &labelstudio.APIError{Op: "read project", Status: 404}
		}
		return nil
	}
	assert.Contains(t, g.run(false).Error, "lists the project")
	assert.Empty(t, g.take())

	// A user who was removed from the organization sees no project, deleted or not.
	g.ls.before, g.ls.deleted, g.ls.removed = nil, true, true
	assert.Contains(t, g.run(false).Error, "was removed from Label Studio's organization")
	assert.Empty(t, g.take())

	g.ls.removed = false
	require.Empty(t, g.run(false).Error)
	said := g.take()
	require.Len(t, said, 1)
	assert.True(t, said[0].Gone)
	require.Empty(t, g.run(false).Error)
	assert.Empty(t, g.take())

	// One that hone never heard of is a mistake of whoever asked.
	w := g.r.project(99)
	w.runOnce(context.Background(), request{changed: true})
	assert.NotEmpty(t, w.snapshot().Error)
	assert.Empty(t, g.take())
}

func TestAReplacedDatabaseIsReadAnew(t *testing.T) {
	g := rigFor(t, nil)
	for range 6 {
		g.ls.annotate(g.ls.addTask(), "old")
	}
	g.run(false)
	fresh := newFakeLS()
	fresh.project.CreatedAt = time.Unix(2000, 0)
	fresh.annotate(fresh.addTask(), "new")
	g.ls = fresh
	g.r.SetSource(fresh)
	g.take()
	g.lazy = true // what is said first has not arrived when the rest is compared
	require.Empty(t, g.run(false).Error)
	for _, e := range g.take() {
		assert.Empty(t, e.DeletedTasks)
		assert.EqualValues(t, 2000, e.CreatedAt)
		require.NoError(t, g.apply(context.Background(), e))
	}
	g.same()
}

// A task deleted while hone was down: the first run after a start is full.
func TestTheFirstRunAfterAStartComparesAllIDs(t *testing.T) {
	g := rigFor(t, nil)
	for range 6 {
		g.ls.addTask()
	}
	g.run(false)
	g.ls.removeTask(2)
	var err error
	g.r, err = New(Options{Index: g.store, Marks: g.store, Log: g.log, Publisher: g.log, Source: g.ls})
	require.NoError(t, err)
	require.Empty(t, g.run(false).Error)
	g.same()
}

// Whatever the marks say, a full run finds a task that hone lacks: a clock was
// set back, or a backup of either side was restored.
func TestAFullRunReadsWhatIsLacking(t *testing.T) {
	g := rigFor(t, nil)
	for range 30 {
		g.ls.addTask()
	}
	g.run(false)
	g.ls.now = g.ls.now.Add(-time.Hour)
	g.ls.annotate(3, "old clock")
	g.ls.annotate(29, "old clock")
	g.ls.annotate(g.ls.addTask(), "old clock")
	g.ls.now = g.ls.now.Add(2 * time.Hour)
	require.Empty(t, g.run(false).Error)
	assert.Empty(t, g.holds(31))
	require.Empty(t, g.run(true).Error)
	g.same()
}

func TestAChangedConfigIsStated(t *testing.T) {
	g := rigFor(t, nil)
	g.run(false)
	g.take()
	g.ls.project.LabelConfig = "<View><Text/></View>"
	g.run(false)
	said := g.take()
	require.Len(t, said, 1)
	assert.Equal(t, "<View><Text/></View>", said[0].LabelConfig)
	g.run(false)
	assert.Empty(t, g.take())
}

// Without a Date header the mark follows the tasks' own times.
func TestWithoutServerTimeNothingIsLost(t *testing.T) {
	g := rigFor(t, nil)
	g.ls.noDate = true
	for range 6 {
		g.ls.annotate(g.ls.addTask(), "a")
	}
	g.run(false)
	g.ls.edit(3, 0, "b")
	require.Empty(t, g.run(false).Error)
	g.same()
}

// Any history of changes, told, lost, made up or taken back, in any order with runs:
// after one more run that compares contents the state is what Label Studio holds, and then there is nothing to say.
func TestAfterAFullRunTheStateIsLabelStudios(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "reconcile")
		require.NoError(t, err)
		defer func() { require.NoError(t, os.RemoveAll(dir)) }()
		g, done := newRig(t, dir, nil)
		defer done()
		var told []*event.Changed
		saved := g.ls.backup()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			ids := g.ls.ids()
			var id event.TaskID
			if len(ids) > 0 {
				id = rapid.SampledFrom(ids).Draw(t, "task")
			}
			heard := &event.Changed{Project: pid, Source: event.FromWebhook, At: time.Now()}
			switch op := rapid.SampledFrom([]string{"task", "annotate", "edit", "unannotate", "remove", "touch", "run", "full", "hear", "forge", "settle", "backup", "restore"}).Draw(t, "op"); {
			case op == "task":
				id = g.ls.addTask()
				heard.Tasks = []event.Task{g.ls.tasks[id].Task}
			case op == "run" || op == "full":
				require.Empty(t, g.run(op == "full").Error)
			case op == "settle":
				g.settle()
			case op == "forge":
				c := forged(t, id)
				require.NoError(t, g.hear(context.Background(), c))
			case op == "backup":
				saved = g.ls.backup()
			case op == "restore":
				g.ls.restore(saved.backup())
			case op == "hear" && len(told) > 0: // late
				i := rapid.IntRange(0, len(told)-1).Draw(t, "which")
				require.NoError(t, g.hear(context.Background(), told[i]))
			case id == 0:
			case op == "annotate":
				a := g.ls.annotate(id, rapid.StringMatching(`[a-c]`).Draw(t, "label"))
				heard.Annotations = []event.Annotation{a}
				heard.Tasks = []event.Task{g.ls.tasks[id].Task}
			case op == "edit" && len(g.ls.tasks[id].Annotations) > 0:
				g.ls.edit(id, 0, rapid.StringMatching(`[a-c]`).Draw(t, "label"))
				heard.Annotations = g.ls.tasks[id].Annotations[:1]
			case op == "unannotate" && len(g.ls.tasks[id].Annotations) > 0:
				heard.DeletedAnnotations = []event.AnnotationID{g.ls.tasks[id].Annotations[0].ID}
				g.ls.unannotate(id, 0)
			case op == "remove":
				g.ls.removeTask(id)
				heard.DeletedTasks = []event.TaskID{id}
			case op == "touch":
				g.ls.touch(id)
			}
			switch rapid.SampledFrom([]string{"lost", "now", "late"}).Draw(t, "webhook") {
			case "now":
				require.NoError(t, g.hear(context.Background(), heard))
			case "late":
				told = append(told, heard)
			}
		}
		require.Empty(t, g.runDue(request{changed: true, contents: true}).Error)
		g.same()
		require.Zero(t, g.runDue(request{changed: true, contents: true}).Stated)
		// What comes in late after that lives until the next time.
		for _, c := range told {
			require.NoError(t, g.hear(context.Background(), c))
		}
		require.Empty(t, g.runDue(request{changed: true, contents: true}).Error)
		g.same()
	})
}

// forged makes up a webhook about a task.
func forged(t *rapid.T, id event.TaskID) *event.Changed {
	c := &event.Changed{Project: pid, Source: event.FromWebhook, At: time.Now()}
	when := rapid.SampledFrom([]time.Time{{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}).Draw(t, "date")
	switch rapid.SampledFrom([]string{"annotation", "data", "deletions", "tasks", "project"}).Draw(t, "forged") {
	case "annotation":
		c.Annotations = []event.Annotation{{ID: event.AnnotationID(rapid.IntRange(1, 5).Draw(t, "id")), Task: id, Result: json.RawMessage(`[{"v":"forged"}]`), UpdatedAt: when}}
	case "data":
		c.Tasks = []event.Task{{ID: id, Data: json.RawMessage(`{"text":"forged"}`), UpdatedAt: when}}
	case "deletions":
		for i := range 12 {
			c.DeletedAnnotations = append(c.DeletedAnnotations, event.AnnotationID(i+1))
		}
	case "tasks":
		c.DeletedTasks = []event.TaskID{id}
	case "project":
		c.Gone, c.CreatedAt = rapid.Bool().Draw(t, "gone"), 77
	}
	return c
}

func TestManyRequestsAreOneRunAndNoneIsForgotten(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		runs := make(chan Status, 100)
		g, done := newRig(t, dir, func(o *Options) { o.Observer = func(_ event.ProjectID, st Status) { runs <- st } })
		defer done()
		g.run(false)
		<-runs
		ctx := t.Context()
		require.NoError(t, g.r.Start(ctx))

		hold := make(chan struct{})
		inside := make(chan struct{}, 1)
		g.ls.before = func(c string) error {
			if c == "page" {
				select {
				case inside <- struct{}{}:
				default:
				}
				<-hold
			}
			return nil
		}
		var many []event.Event
		for i := range 50 {
			many = append(many, &event.ReconcileDue{Project: event.ProjectID(i%2) * pid, At: time.Now(), Reason: "test"})
		}
		require.NoError(t, g.r.Handle(ctx, many, event.Cursor{}))
		<-inside // the first run has begun: what is asked from now on needs another one
		st, _ := g.r.Status(pid)
		assert.True(t, st.Running)
		require.NoError(t, g.r.Handle(ctx, append(many, &event.ReconcileDue{Project: pid, Full: true}), event.Cursor{}))
		close(hold)
		<-runs
		last := <-runs
		assert.Equal(t, time.Second, last.LastFull.Sub(st.LastFull).Truncate(time.Second), "the second run is full, and a second after the first")
		time.Sleep(time.Minute) // simulated
		synctest.Wait()
		assert.LessOrEqual(t, len(runs), 1)
		st, _ = g.r.Status(pid)
		assert.LessOrEqual(t, st.Runs, 4)
		require.NoError(t, g.r.Stop(ctx))
	})
}

func TestAFailureIsShownAndTheLogGoesOn(t *testing.T) {
	reg := prometheus.NewRegistry()
	logger, said := logtest.NewNullLogger()
	g := rigFor(t, func(o *Options) { o.Registerer, o.Logger = reg, logrus.NewEntry(logger) })
	g.ls.before = func(string) error { return &labelstudio.APIError{Op: "read project", Status: 401} }
	g.run(false)
	g.ls.before = nil
	g.run(false)
	var lines []string
	for _, e := range said.AllEntries() {
		if !strings.Contains(e.Message, "reading") {
			lines = append(lines, e.Level.String()+" "+e.Message)
		}
	}
	assert.Equal(t, []string{"warning reconcile: failed; it is tried again at the next occasion", "info reconcile: works again"}, lines)

	said.Reset()
	g.ls.before = func(string) error { return &labelstudio.APIError{Op: "read project", Status: 401} }
	st := g.run(false)
	assert.Contains(t, st.Error, "401")
	g.r.SetSource(nil)
	assert.Contains(t, g.run(false).Error, "LABEL_STUDIO_URL")
	require.NoError(t, g.r.Handle(context.Background(), []event.Event{&event.ReconcileDue{Project: pid}, &event.Learned{}}, event.Cursor{}))
	g.ls.before = nil
	g.r.SetSource(g.ls)
	st = g.run(false)
	assert.Empty(t, st.Error)
	assert.Equal(t, 3, st.Failures)
	families, err := reg.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetCounter() != nil && len(m.GetLabel()) > 0 {
				got[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	assert.Equal(t, map[string]float64{
		"hone_reconcile_missed_total 3": 0, "hone_reconcile_runs_total failed": 3, "hone_reconcile_runs_total ok": 2,
	}, got)
}

func FuzzSameJSON(f *testing.F) {
	f.Add([]byte(`{"a":1}`), []byte(`{ "a": 1 }`))
	f.Add([]byte(`[]`), []byte(``))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if sameJSON(a, b) != sameJSON(b, a) {
			t.Fatalf("not symmetric: %q, %q", a, b)
		}
		if !sameJSON(a, a) {
			t.Fatalf("%q differs from itself", a)
		}
	})
}
