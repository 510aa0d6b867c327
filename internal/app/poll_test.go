package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// polledHone is a hone that polls at once, and compares by itself only when it must.
func polledHone(t *testing.T, s *apptest.Studio, dir string) *apptest.Instance {
	t.Helper()
	return apptest.Start(t, polledSettings(dir, s))
}

func polledSettings(dir string, s *apptest.Studio) config.Config {
	cfg := apptest.Settings(dir, s)
	cfg.LabelStudio.PollInterval = 10 * time.Millisecond
	cfg.Cron.Reconcile, cfg.Cron.FullReconcile = "off", "off"
	return cfg
}

// counted is the sum of a counter.
func counted(t *testing.T, h *apptest.Instance, name string) (sum int) {
	t.Helper()
	families, err := h.Registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += int(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}

func connectPolled(t *testing.T, h *apptest.Instance, p event.ProjectID) {
	t.Helper()
	rep, err := h.ConnectPolled(t.Context(), p)
	require.NoError(t, err)
	require.False(t, rep.Failed(), "%+v", rep)
}

func stands(p api.Project) bool {
	return p.Settled && len(p.Queue.Tasks) > 0 && p.Queue.Pushed == len(p.Queue.Tasks)
}

// Label Studio calls nobody, and each label is learned and the next task follows.
func TestPolledProjectIsLearnedWithoutBeingCalled(t *testing.T) {
	s := apptest.NewStudio(t)
	h := polledHone(t, s, t.TempDir())
	p := s.NewProject(40)
	connectPolled(t, h, p)
	h.Await(p, "the queue stands", func(got api.Project) bool { return got.Pool == 40 && stands(got) })
	var first event.Annotation
	for i := range 15 {
		task, topic := s.Next(p)
		a := s.Annotate(task, topic)
		if i == 0 {
			first = a
		}
		h.Await(p, "the label is learned and the next task follows", func(got api.Project) bool {
			return got.Labels == i+1 && got.Queue.Labels == i+1 && got.Queue.Pushed > 0 && !slices.Contains(got.Queue.Tasks, task)
		})
	}
	got := h.Await(p, "all is settled", stands)
	assert.Equal(t, "poll", got.Connection)
	require.NotNil(t, got.Poll)
	assert.NotNil(t, got.Poll.Last)
	assert.Empty(t, got.Problems)
	assert.Zero(t, got.MissedFound, "what a poll finds is not missed")
	assert.Equal(t, 25, got.Pool)

	// What changes without a label is found too.
	require.NoError(t, admin.DeleteAnnotation(t.Context(), s.Client, first.ID))
	h.Await(p, "the deleted label is forgotten", func(got api.Project) bool { return got.Labels == 14 })
	s.AddTasks(p, 3)
	h.Await(p, "new tasks are found", func(got api.Project) bool { return got.Tasks == 43 })
	require.NoError(t, admin.DeleteTask(t.Context(), s.Client, got.Queue.Tasks[0]))
	h.Await(p, "a deleted task is found", func(got api.Project) bool { return got.Tasks == 42 })
	more := strings.Replace(apptest.LabelConfig, `<Choice value="Food"/>`, `<Choice value="Food"/><Choice value="Sport"/>`, 1)
	_, err := s.PatchProject(t.Context(), p, labelstudio.ProjectPatch{LabelConfig: &more})
	require.NoError(t, err)
	h.Await(p, "the new label is there", func(got api.Project) bool { return len(got.Heads) == 1 && len(got.Heads[0].Labels) == 4 })
	assert.Zero(t, h.Status(p).MissedFound)

	hooks, err := s.Webhooks(t.Context(), p)
	require.NoError(t, err)
	backends, err := s.Backends(t.Context(), p)
	require.NoError(t, err)
	assert.Empty(t, hooks)
	assert.Empty(t, backends)
	assert.Empty(t, s.Deliveries())
}

// Where nothing happens each poll is one request, and one more for each fifth: hone's own
// predictions, which move the tasks they are of, are soon read no more.
func TestNothingHappensAndEachPollIsOneRequest(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := polledSettings(t.TempDir(), s)
	cfg.Sampler.Queue, cfg.Sampler.CheckEvery = 30, time.Hour
	h := apptest.Start(t, cfg)
	p := s.NewProject(60)
	connectPolled(t, h, p)
	h.Await(p, "the queue of 30 stands", func(got api.Project) bool { return len(got.Queue.Tasks) == 30 && stands(got) })
	before, runs, stated := s.Requests(), counted(t, h, "hone_reconcile_runs_total"), h.Status(p).LastEvent
	polls := counted(t, h, "hone_polls_total")
	apptest.Until(t, "100 polls are made", func() bool { return counted(t, h, "hone_polls_total") >= polls+100 })
	made := counted(t, h, "hone_polls_total") - polls
	after := s.Requests()[len(before):]
	assert.Equal(t, runs, counted(t, h, "hone_reconcile_runs_total"), "nothing was compared again")
	assert.Equal(t, stated, h.Status(p).LastEvent, "nothing was stated")
	assertPollsOnly(t, after, made)
}

func assertPollsOnly(t *testing.T, requests []lstest.Request, polls int) {
	t.Helper()
	pages, projects := 0, 0
	for _, q := range requests {
		switch {
		case q.Method == http.MethodGet && q.Path == "/api/tasks/":
			pages++
		case q.Method == http.MethodGet && strings.HasPrefix(q.Path, "/api/projects/"):
			projects++
		default:
			t.Errorf("another request: %s %s", q.Method, q.Path)
		}
	}
	assert.InDelta(t, polls, pages, 2, "a request a poll, but for those under way")
	assert.InDelta(t, polls/5, projects, 2, "and one for each fifth")
}

// A project goes from one way to the other and back, and a restart keeps how it was.
func TestConnectingTurnsPollsOnAndOff(t *testing.T) {
	s := apptest.NewStudio(t)
	dir := t.TempDir()
	h := polledHone(t, s, dir)
	p := s.NewProject(20)
	connectPolled(t, h, p)
	h.Await(p, "the queue stands", stands)
	connectPolled(t, h, p) // again changes nothing
	h.Stop()

	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h = polledHone(t, s, dir)
	h.Await(p, "what was labelled meanwhile is learned", func(got api.Project) bool { return got.Labels == 1 && got.Connection == "poll" })
	task, topic = s.Next(p)
	s.Annotate(task, topic)
	got := h.Await(p, "a label is learned after a restart", func(got api.Project) bool { return got.Labels == 2 })
	assert.Zero(t, got.MissedFound)

	rep, err := h.Connect(t.Context(), p, h.Base)
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(rep.Steps, func(s api.Step) bool { return s.Name == "poll" && strings.Contains(s.What, "turned off") }), "%+v", rep)
	h.Await(p, "Label Studio tells hone now", func(got api.Project) bool { return got.Connection == "webhook" && got.Poll == nil })
	task, topic = s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "a webhook's label is learned", func(got api.Project) bool { return got.Labels == 3 })
	deliveries := len(s.Deliveries())
	assert.NotZero(t, deliveries)

	// Both at once: each label is learned once.
	connectPolled(t, h, p)
	h.Await(p, "it polls again", func(got api.Project) bool { return got.Connection == "poll" && got.Poll.Last != nil })
	for i := range 5 {
		task, topic = s.Next(p)
		s.Annotate(task, topic)
		h.Await(p, "a label that both tell", func(got api.Project) bool { return got.Labels == 4+i })
	}
	got = h.Await(p, "all is settled", stands)
	assert.Equal(t, 8, got.Annotations.Seen)
	assert.Zero(t, got.MissedFound)
	assert.Empty(t, got.Problems)
	assert.Greater(t, len(s.Deliveries()), deliveries)
	rep, err = h.Doctor(t.Context(), p)
	require.NoError(t, err)
	assert.False(t, rep.Failed(), "%+v", rep)
}

// What annotators made of suggestions, and how a task was asked, is known of a label that a
// poll reads.
func TestAPolledLabelKeepsItsOrigin(t *testing.T) {
	s := apptest.NewStudio(t)
	h := polledHone(t, s, t.TempDir())
	p := s.NewProject(30)
	connectPolled(t, h, p)
	h.Await(p, "the queue stands", stands)
	for i := range 9 {
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		h.Await(p, "the label is learned", func(got api.Project) bool { return got.Labels == i+1 && stands(got) })
	}
	task, _ := s.Next(p)
	var row labelstudio.PredictionID
	for r, err := range s.Predictions(t.Context(), p) {
		require.NoError(t, err)
		if r.Task == task {
			row = r.ID
		}
	}
	_, result, err := s.Prediction(t.Context(), row)
	require.NoError(t, err)
	var regions []map[string]any
	require.NoError(t, json.Unmarshal(result, &regions))
	for _, r := range regions {
		r["origin"] = "prediction"
	}
	_, err = s.CreateAnnotation(t.Context(), task, labelstudio.AnnotationWrite{Result: regions, ParentPrediction: new(int64(row)), LeadTime: new(2.0)})
	require.NoError(t, err)
	h.Await(p, "it counts as a suggestion that was taken", func(got api.Project) bool { return got.Suggestions.Accepted == 1 })
	how, err := h.Store.Acquisitions(t.Context(), p)
	require.NoError(t, err)
	assert.Contains(t, how, task)
	assert.GreaterOrEqual(t, len(how), 10, "each labelled task was asked about")
}

// Polls that fail are reported, in the log once, and mended by themselves.
func TestPollsThatFailAreReported(t *testing.T) {
	for name, fault := range map[string]lstest.Fault{
		"unauthorized": {Status: http.StatusUnauthorized},
		"busy":         {Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"0"}}},
		"broken":       {Status: http.StatusInternalServerError},
		"down":         {Status: http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			s := apptest.NewStudio(t)
			h := polledHone(t, s, t.TempDir())
			p := s.NewProject(10)
			connectPolled(t, h, p)
			h.Await(p, "the queue stands", stands)
			s.SetFault(func(r *http.Request) lstest.Fault {
				if r.URL.Path == "/api/tasks/" {
					return fault
				}
				return lstest.Fault{}
			})
			got := h.Await(p, "the failure is seen", func(got api.Project) bool { return got.Poll.Error != "" && got.Poll.FailingSince != nil })
			assert.Contains(t, got.Poll.Error, "list tasks of project")
			rep, err := h.Doctor(t.Context(), p)
			require.NoError(t, err)
			assert.True(t, slices.ContainsFunc(rep.Steps, func(s api.Step) bool {
				return strings.HasSuffix(s.Name, ", poll") && s.Level == "fail" && s.Fix != ""
			}), "%+v", rep)
			s.SetFault(nil)
			task, topic := s.Next(p)
			s.Annotate(task, topic)
			h.Await(p, "it works again", func(got api.Project) bool { return got.Labels == 1 && got.Poll.Error == "" })
			assert.Equal(t, 1, strings.Count(h.Log.String(), "poll: the changes cannot be read"))
			assert.Equal(t, 1, strings.Count(h.Log.String(), "poll: works again"))
			h.Stop() // while it polls
		})
	}
}

// hone connect --poll refuses what it cannot poll, and then nothing of it is known.
func TestConnectPolledRefuses(t *testing.T) {
	s := apptest.NewStudio(t)
	h := polledHone(t, s, t.TempDir())
	_, err := h.ConnectPolled(t.Context(), 77)
	require.ErrorContains(t, err, "no such project")
	p, err := s.CreateProject(t.Context(), "nothing to learn", `<View><Text name="t" value="$text"/></View>`)
	require.NoError(t, err)
	_, err = h.ConnectPolled(t.Context(), p.ID)
	require.Error(t, err)
	all, err := h.Projects(t.Context())
	require.NoError(t, err)
	assert.Empty(t, all)
	none := apptest.Start(t, apptest.Settings(t.TempDir(), nil))
	_, err = none.ConnectPolled(t.Context(), 1)
	require.ErrorContains(t, err, "LABEL_STUDIO_URL")
}

// A polled project is disconnected, connected again, and forgotten as any other.
func TestAPolledProjectIsDisconnectedAndForgotten(t *testing.T) {
	s := apptest.NewStudio(t)
	h := polledHone(t, s, t.TempDir())
	p := s.NewProject(20)
	connectPolled(t, h, p)
	h.Await(p, "the queue stands", stands)
	rep, err := h.Disconnect(t.Context(), p, true)
	require.NoError(t, err)
	require.False(t, rep.Failed(), "%+v", rep)
	assert.True(t, slices.ContainsFunc(rep.Steps, func(s api.Step) bool { return s.Name == "poll" }), "%+v", rep)
	h.Await(p, "it is polled no more", func(got api.Project) bool { return got.Connection == "webhook" })

	connectPolled(t, h, p)
	got := h.Await(p, "the queue stands again", stands)
	assert.Empty(t, got.Problems)
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "a label is learned", func(got api.Project) bool { return got.Labels == 1 && stands(got) })

	_, err = h.Forget(t.Context(), p)
	require.NoError(t, err)
	_, err = h.Project(t.Context(), p)
	require.ErrorContains(t, err, "unknown project")
	connectPolled(t, h, p)
	h.Await(p, "everything is read anew", func(got api.Project) bool { return got.Tasks == 20 && got.Labels == 1 && stands(got) })
}
