package app_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// patch changes settings as a script does, with the admin token.
func patch(t *testing.T, h *apptest.Instance, p string, body string) (status int, answer string) {
	t.Helper()
	return send(t, h, http.MethodPatch, "/api/projects/"+p, body, "")
}

// send sends a body as a script does, with the admin token.
func send(t *testing.T, h *apptest.Instance, method, path, body, contentType string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.Base+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+h.Client.Token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

// set changes settings by KEY, VALUE; an empty value is the default.
func set(t *testing.T, h *apptest.Instance, p event.ProjectID, pairs ...string) {
	t.Helper()
	var changes []api.Change
	for i := 0; i < len(pairs); i += 2 {
		c := api.Change{Key: pairs[i], Value: &pairs[i+1]}
		if pairs[i+1] == "" {
			c.Value = nil
		}
		changes = append(changes, c)
	}
	out, err := h.Client.Configure(t.Context(), p, changes)
	require.NoError(t, err)
	require.True(t, out.Applied)
}

func setting(p api.Project, key string) api.Setting {
	i := slices.IndexFunc(p.Settings, func(s api.Setting) bool { return s.Key == key })
	if i < 0 {
		return api.Setting{}
	}
	return p.Settings[i]
}

func settled(h *apptest.Instance, p event.ProjectID) api.Project {
	return h.Await(p, "settled", func(p api.Project) bool { return p.Settled })
}

// storedResults are the results that Label Studio holds under the live version, by task.
func storedResults(t *testing.T, s *apptest.Studio, p event.ProjectID) map[event.TaskID]string {
	t.Helper()
	of, err := s.Project(t.Context(), p)
	require.NoError(t, err)
	out := map[event.TaskID]string{}
	for row, err := range s.Predictions(t.Context(), p) {
		require.NoError(t, err)
		if row.ModelVersion != of.ModelVersion {
			continue
		}
		_, result, err := s.Prediction(t.Context(), row.ID)
		if labelstudio.IsNotFound(err) {
			continue // it was deleted since it was listed
		}
		require.NoError(t, err)
		out[row.Task] = string(result)
	}
	return out
}

// labelled labels some tasks with what they are about.
func (r *configured) label(n int) {
	for range n {
		task, topic := r.s.Next(r.p)
		r.s.Annotate(task, topic)
		r.labels++
		r.h.Await(r.p, "learned", func(p api.Project) bool { return p.Labels == r.labels && p.Queue.Labels == r.labels })
	}
}

// configured is a hone with a project that has some labels.
type configured struct {
	s      *apptest.Studio
	h      *apptest.Instance
	p      event.ProjectID
	dir    string
	labels int
}

func newConfigured(t *testing.T, tasks, labels int) *configured {
	t.Helper()
	s := apptest.NewStudio(t)
	r := &configured{s: s, dir: t.TempDir()}
	r.h = apptest.Start(t, apptest.Settings(r.dir, s))
	r.p = s.NewProject(tasks)
	r.h.Register(r.p)
	r.h.Await(r.p, "read", func(p api.Project) bool { return p.Pool == tasks && p.Queue.Pushed >= 5 })
	r.label(labels)
	return r
}

// Strategy, length and random share of the queue change without a restart, for one
// project alone, outlive a restart, and a Label Studio that was restored.
func TestSettingsOfTheQueue(t *testing.T) {
	r := newConfigured(t, 60, 6)
	other := r.s.NewProject(40)
	r.h.Register(other)
	r.h.Await(other, "read", func(p api.Project) bool { return p.Settled && p.Pool == 40 })
	before := settled(r.h, r.p)
	require.Len(t, before.Queue.Tasks, 30)
	backup := r.s.Backup()

	set(t, r.h, r.p, "strategy", "entropy", "queue", "12", "random_share", "0.5")
	check := func(h *apptest.Instance) {
		t.Helper()
		got := h.Await(r.p, "the queue is another, and Label Studio has it", func(p api.Project) bool { return p.Settled && len(p.Queue.Tasks) == 12 })
		assert.Equal(t, "entropy", got.Queue.Strategy)
		assert.Equal(t, 12, got.Queue.Pushed)
		assert.Len(t, got.Queue.Random, 6)
		q := setting(got, "queue")
		assert.Equal(t, api.Setting{Key: "queue", Value: "12", Default: "30", Set: true, Type: q.Type, Doc: q.Doc}, q)
		assert.Equal(t, before.Labels, got.Labels)
		rest := settled(h, other)
		assert.Len(t, rest.Queue.Tasks, 30, "the other project's")
		assert.Equal(t, "coverage", rest.Queue.Strategy)
		assert.False(t, setting(rest, "queue").Set)
	}
	check(r.h)
	apptest.Until(t, "Label Studio keeps no more rows than that behind the queue", func() bool { return len(storedResults(t, r.s, r.p)) <= 12+12+6 })
	served, _ := r.s.Next(r.p)
	assert.Equal(t, r.h.Status(r.p).Queue.Tasks[0], served, "Label Studio asks in the new order")

	r.h.Stop()
	r.h = apptest.Start(t, apptest.Settings(r.dir, r.s))
	check(r.h)
	r.s.Restore(backup)
	at, err := r.h.Rebuild(t.Context(), r.p)
	require.NoError(t, err)
	r.h.Await(r.p, "all is read anew", func(p api.Project) bool {
		return p.Reconcile != nil && p.Reconcile.LastRebuild != nil && !p.Reconcile.LastRebuild.Before(at)
	})
	assert.Equal(t, "12", setting(settled(r.h, r.p), "queue").Value)

	set(t, r.h, r.p, "queue", "", "random_share", "", "strategy", "")
	got := r.h.Await(r.p, "the defaults", func(p api.Project) bool { return p.Settled && len(p.Queue.Tasks) == 30 })
	assert.Equal(t, "coverage", got.Queue.Strategy)
}

// Whose annotations count can be changed at any time: the model is what it would be had
// it always been so.
func TestSettingsOfWhomToLearnFrom(t *testing.T) {
	r := newConfigured(t, 30, 6)
	token := r.s.AddUser("second@example.com")
	second, err := labelstudio.NewClient(labelstudio.Options{URL: r.s.Server.URL, Token: secret.Secret(token)})
	require.NoError(t, err)
	t.Cleanup(second.Close)
	var theirs event.Annotation
	for i := range 4 { // who is always wrong
		task, _ := r.s.Next(r.p)
		write := labelstudio.AnnotationWrite{Result: apptest.Answer("Food")}
		if i == 0 {
			write.GroundTruth = new(true)
		}
		theirs, err = second.CreateAnnotation(t.Context(), task, write)
		require.NoError(t, err)
		r.labels++
		r.h.Await(r.p, "learned", func(p api.Project) bool { return p.Labels == r.labels })
	}
	require.NotZero(t, theirs.CompletedBy)
	skipped, _ := r.s.Next(r.p)
	_, err = r.s.CreateAnnotation(t.Context(), skipped, labelstudio.AnnotationWrite{Result: apptest.Answer("Money"), Cancelled: new(true)})
	require.NoError(t, err)
	r.h.Await(r.p, "skipped", func(p api.Project) bool { return p.Skipped == 1 })

	learned := func(n int, pairs ...string) {
		t.Helper()
		set(t, r.h, r.p, pairs...)
		got := settled(r.h, r.p)
		assert.Equal(t, n, got.Labels, "%v", pairs)
		assert.Equal(t, n, got.Heads[0].Examples, "%v", pairs)
	}
	learned(4, "learn_from_users", number(theirs.CompletedBy))
	learned(1, "learn_from_states", "ground_truth")
	learned(1, "learn_from_users", "")
	learned(11, "learn_from_states", "submitted,ground_truth,skipped")
	learned(10, "learn_from_states", "submitted,skipped")
	// An edit under the settings: what was ground truth is not any more.
	notes, err := r.s.Annotations(t.Context(), theirs.Task)
	require.NoError(t, err)
	_, err = admin.UpdateAnnotation(t.Context(), r.s.Client, notes[0].ID, labelstudio.AnnotationWrite{GroundTruth: new(true), Result: apptest.Answer("Food")})
	require.NoError(t, err)
	r.h.Await(r.p, "the edit is learned", func(p api.Project) bool { return p.Labels == 9 })
	learned(0, "learn_from_users", "4711")
	assert.Contains(t, whole(r.h.Status(r.p).Problems), "learn_from_users")
	learned(10, "learn_from_users", "", "learn_from_states", "")
}

func number(id event.UserID) string {
	b, _ := json.Marshal(id)
	return string(b)
}

func whole(lines []string) (all string) {
	for _, l := range lines {
		all += l + "\n"
	}
	return all
}

// What is not to be suggested stands in no row of Label Studio, behind the front neither,
// and /predict does not say it; the order is the same, and the model too.
func TestSettingsOfSuggestions(t *testing.T) {
	r := newConfigured(t, 40, 9)
	count := func(what func(string) bool) (n int) {
		for task, result := range storedResults(t, r.s, r.p) {
			if slices.Contains(r.h.Status(r.p).Queue.Tasks, task) && what(result) {
				n++
			}
		}
		return n
	}
	says := func(topic string) func(string) bool {
		return func(result string) bool { return strings.Contains(result, `"`+topic+`"`) }
	}
	empty := func(result string) bool { return result == "[]" }
	before := settled(r.h, r.p)
	apptest.Until(t, "suggestions stand there", func() bool { return count(says("Money")) > 0 && count(says("Travel")) > 0 && count(empty) == 0 })
	texts, _ := unseen()
	said, _ := r.h.Predict(r.p, texts...)

	set(t, r.h, r.p, "suggestions_off", "topic/Money")
	apptest.Until(t, "no row says Money", func() bool { return count(says("Money")) == 0 && count(says("Travel")) > 0 })
	assert.Equal(t, []string{"Money"}, r.h.Status(r.p).Heads[0].Silent)
	now, _ := r.h.Predict(r.p, texts...)
	for i := range said {
		want := said[i]
		if want == "Money" {
			want = "" // not the next best one
		}
		assert.Equal(t, want, now[i])
	}

	set(t, r.h, r.p, "suggestions", "off")
	apptest.Until(t, "no row says anything", func() bool { return count(empty) == len(before.Queue.Tasks) })
	got := settled(r.h, r.p)
	assert.Equal(t, before.Queue.Tasks, got.Queue.Tasks, "the order")
	assert.True(t, got.Heads[0].SuggestsNothing)
	assert.Equal(t, before.Heads[0].Examples, got.Heads[0].Examples)
	status, body := r.h.Post("/predict", `{"project":"`+number(event.UserID(r.p))+`","tasks":[{"data":{"text":"a bank loan"}}]}`)
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{"results":[{}]}`, body, "Label Studio then stores nothing")
	r.h.Stop()
	r.h = apptest.Start(t, apptest.Settings(r.dir, r.s))
	settled(r.h, r.p)
	assert.Equal(t, len(before.Queue.Tasks), count(empty), "after a restart")

	set(t, r.h, r.p, "suggestions", "", "suggestions_off", "")
	apptest.Until(t, "all rows say something again", func() bool { return count(empty) == 0 && count(says("Money")) > 0 })
}

// With suggestions=precise a label is silent until enough of what the model said with it
// was right.
func TestSuggestionsThatMustBePrecise(t *testing.T) {
	r := newConfigured(t, 60, 0)
	set(t, r.h, r.p, "suggestions", "precise", "suggestions_precision", "0.6")
	got := settled(r.h, r.p)
	require.True(t, got.Heads[0].SuggestsNothing, "nothing was learned yet")
	texts, _ := unseen()
	said, _ := r.h.Predict(r.p, texts...)
	assert.Equal(t, make([]string, len(texts)), said)
	r.label(45)
	got = settled(r.h, r.p)
	require.False(t, got.Heads[0].SuggestsNothing, "%+v", got.Heads[0])
	said, _ = r.h.Predict(r.p, texts...)
	speaks := map[string]bool{}
	for _, l := range said {
		speaks[l] = true
	}
	for _, l := range apptest.Topics {
		silent := slices.Contains(got.Heads[0].Silent, l)
		assert.Equal(t, silent, !speaks[l], "%s: %+v", l, got.Heads[0].Precision)
		if !silent {
			assert.GreaterOrEqual(t, got.Heads[0].Precision[l], 0.6)
		}
	}
	set(t, r.h, r.p, "suggestions_precision", "1")
	got = settled(r.h, r.p)
	for _, l := range got.Heads[0].Labels {
		if got.Heads[0].Precision[l] < 1 {
			assert.Contains(t, got.Heads[0].Silent, l)
		}
	}
}

// The threshold of several labels decides what is suggested, and nothing else.
func TestSettingOfTheThreshold(t *testing.T) {
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	made, err := s.CreateProject(t.Context(), "several", labelConfigs[1][0])
	require.NoError(t, err)
	s.AddTasks(made.ID, 20)
	h.Register(made.ID)
	h.Await(made.ID, "read", func(p api.Project) bool { return p.Pool == 20 && p.Queue.Pushed >= 5 })
	for i := range 8 {
		task, topic := s.Next(made.ID)
		s.Annotate(task, topic)
		h.Await(made.ID, "learned", func(p api.Project) bool { return p.Labels == i+1 && p.Queue.Labels == i+1 })
	}
	labels := func() (n, rows int) {
		for task, result := range storedResults(t, s, made.ID) {
			if !slices.Contains(h.Status(made.ID).Queue.Tasks, task) {
				continue
			}
			rows++
			var rs []regions.Region
			require.NoError(t, json.Unmarshal([]byte(result), &rs))
			for _, r := range rs {
				var v struct{ Choices []string }
				_ = json.Unmarshal(r.Value, &v)
				n += len(v.Choices)
			}
		}
		return n, rows
	}
	settled(h, made.ID)
	set(t, h, made.ID, "threshold", "0.001")
	settled(h, made.ID)
	apptest.Until(t, "each row has all three labels", func() bool { n, rows := labels(); return rows == 12 && n == 3*rows })
	set(t, h, made.ID, "threshold", "0.999")
	apptest.Until(t, "a row has the likeliest at most", func() bool { n, rows := labels(); return rows == 12 && n <= rows })
}

// Who may change settings, and what is no setting.
func TestWhoMayConfigureAndWhat(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Strict(t.TempDir(), s)
	cfg.AdminToken, cfg.ViewToken = "an-admin-token-that-is-long", "a-view-token-that-is-long"
	h := apptest.Start(t, cfg)
	p := s.NewProject(3)
	h.Register(p)
	before := settled(h, p)
	path := "/api/projects/" + number(event.UserID(p))
	heard := func() uint64 {
		last, err := h.EventLog.Last(string(event.Changes))
		require.NoError(t, err)
		return last
	}
	log := heard()
	pair := h.Keys.Backend()
	assert.Equal(t, http.StatusUnauthorized, h.As(http.MethodPatch, path, `{"queue":1}`))
	assert.Equal(t, http.StatusForbidden, h.As(http.MethodPatch, path, `{"queue":1}`, "Authorization", "Bearer a-view-token-that-is-long"))
	assert.Equal(t, http.StatusUnauthorized, h.As(http.MethodPatch, path, `{"queue":1}`, "Authorization", "Bearer "+pair.Password), "Label Studio's own secret")
	assert.Equal(t, http.StatusOK, h.As(http.MethodGet, path, "", "Authorization", "Bearer a-view-token-that-is-long"), "reading is another thing")
	for body, want := range map[string]string{
		`{"queue":0}`: "set it between 1 and 1000", `{"queue":1.5}`: "whole number", `{"random_share":"NaN"}`: "between 0 and 1",
		`{"random_share":1e400}`: "between 0 and 1", `{"colour":"red"}`: "suggestions_precision", `{"colour":null}`: "no such setting", `{}`: "no setting is given",
		`{"strategy":"best"}`: "entropy", `{"queue":5,"strategy":"best"}`: "strategy", `{"queue":1,"queue":2}`: "given twice", `{"queue":NaN}`: "not JSON",
		`{"suggestions_off":["topic/Mony"]}`: "the controls are topic", `{"learn_from_users":["anna"]}`: "no user's id",
		`{"descriptions":"{\"Mony\":[\"a line\"]}"}`: "the labels are Money", `{"descriptions":"[]"}`: "not a JSON object", `{"descriptions":{"Money":[]}}`: "set to an object",
	} {
		status, answer := patch(t, h, number(event.UserID(p)), body)
		assert.Equal(t, http.StatusBadRequest, status, body)
		assert.Contains(t, answer, want, body)
	}
	status, answer := patch(t, h, "4711", `{"queue":1}`)
	assert.Equal(t, http.StatusNotFound, status, answer)
	assert.Equal(t, log, heard(), "nothing of it came into the log")
	assert.Equal(t, before.Settings, h.Status(p).Settings)
	set(t, h, p, "queue", "2", "suggestions_off", "topic/Money")
	assert.Equal(t, "topic/Money", setting(h.Status(p), "suggestions_off").Value)
}

// What one project's settings are is no matter of another's, whatever is done at once.
func TestSettingsAreAProjectsOwn(t *testing.T) {
	r := newConfigured(t, 20, 3)
	other := r.s.NewProject(20)
	r.h.Register(other)
	r.h.Await(other, "read", func(p api.Project) bool { return p.Settled && p.Pool == 20 })
	set(t, r.h, r.p, "learn_from_users", "4711", "suggestions", "off")
	task, topic := r.s.Next(other)
	r.s.Annotate(task, topic)
	got := r.h.Await(other, "learned", func(p api.Project) bool { return p.Labels == 1 && p.Settled })
	assert.False(t, got.Heads[0].SuggestsNothing)
	assert.Zero(t, settled(r.h, r.p).Labels)
	texts, _ := unseen()
	said, _ := r.h.Predict(other, texts...)
	assert.NotContains(t, slices.Collect(maps.Keys(set1(said))), "")
}

func set1(all []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range all {
		out[s] = true
	}
	return out
}
