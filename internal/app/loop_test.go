package app_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// problemWith returns the problem of a project that has a text in it, "" without one.
func problemWith(p api.Project, text string) string {
	for _, s := range p.Problems {
		if strings.Contains(s, text) {
			return s
		}
	}
	return ""
}

// linesWith counts the lines of a text that hold all of some parts.
func linesWith(text string, parts ...string) (n int) {
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}

// loop is a hone that is connected with a project, for tests that break the connection.
type loop struct {
	*apptest.Instance
	studio  *apptest.Studio
	project event.ProjectID
}

func newLoop(t *testing.T) *loop {
	t.Helper()
	ls := apptest.NewStudio(t)
	l := &loop{studio: ls, project: ls.NewProject(12)}
	l.Instance = apptest.Start(t, apptest.Settings(t.TempDir(), ls))
	l.Register(l.project)
	l.Await(l.project, "it is settled", func(p api.Project) bool { return p.Settled && len(p.Problems) == 0 })
	return l
}

// compare has the project compared, as `hone reconcile` does.
func (l *loop) compare(t *testing.T) {
	t.Helper()
	_, err := l.Reconcile(context.Background(), l.project)
	require.NoError(t, err)
}

func (l *loop) hook(t *testing.T) labelstudio.Webhook {
	t.Helper()
	hooks, err := l.studio.Webhooks(t.Context(), l.project)
	require.NoError(t, err)
	require.Len(t, hooks, 1)
	return hooks[0]
}

func (l *loop) sample(t *testing.T, how string) {
	t.Helper()
	_, err := l.studio.PatchProject(t.Context(), l.project, labelstudio.ProjectPatch{Sampling: &how})
	require.NoError(t, err)
}

func (l *loop) deleteBackend(t *testing.T) {
	t.Helper()
	all, err := l.studio.Backends(t.Context(), l.project)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.NoError(t, admin.DeleteBackend(t.Context(), l.studio.Client, all[0].ID))
}

// TestBrokenLoopIsAProblemUntilItIsMended breaks what Label Studio and hone need of each
// other, reads the problem, and mends it.
func TestBrokenLoopIsAProblemUntilItIsMended(t *testing.T) {
	for _, tc := range []struct {
		name   string
		broken func(*testing.T, *loop)
		// says is in the problem, fix too.
		says, fix string
		mend      func(*testing.T, *loop)
		// hears is true where Label Studio tells of the break itself.
		hears bool
	}{
		{
			name:   "sampling switched",
			broken: func(t *testing.T, l *loop) { l.sample(t, labelstudio.UniformSampling) },
			says:   "sampling: Uniform sampling: Label Studio ignores hone's queue", fix: "hone connect",
			mend: func(t *testing.T, l *loop) { l.sample(t, labelstudio.UncertaintySampling) }, hears: true,
		}, {
			name:   "sampling at Label Studio's default again",
			broken: func(t *testing.T, l *loop) { l.sample(t, labelstudio.SequentialSampling) },
			says:   "sampling: Sequential sampling: Label Studio ignores hone's queue", fix: "hone connect",
			mend: func(_ *testing.T, l *loop) { l.Register(l.project) }, hears: true,
		}, {
			name:   "model deleted",
			broken: func(t *testing.T, l *loop) { l.deleteBackend(t) },
			says:   "ML backend: hone's model was deleted in Label Studio", fix: "hone connect",
			mend: func(t *testing.T, l *loop) {
				_, err := l.studio.AddBackend(t.Context(), labelstudio.BackendWrite{Project: l.project, URL: l.Pasted(), Title: "again"})
				require.NoError(t, err)
			},
		}, {
			name: "webhook disabled",
			broken: func(t *testing.T, l *loop) {
				h := l.hook(t)
				h.Active = false
				_, err := l.studio.UpdateWebhook(t.Context(), h)
				require.NoError(t, err)
			},
			says: "is inactive", fix: "hone connect",
			mend: func(t *testing.T, l *loop) {
				h := l.hook(t)
				assert.False(t, h.Active, "a person's choice stays")
				h.Active = true
				_, err := l.studio.UpdateWebhook(t.Context(), h)
				require.NoError(t, err)
			},
		}, {
			name:   "webhook deleted",
			broken: func(t *testing.T, l *loop) { require.NoError(t, l.studio.DeleteWebhook(t.Context(), l.hook(t).ID)) },
			says:   "webhook: Label Studio has none to", fix: "hone connect",
			mend: func(_ *testing.T, l *loop) { l.Register(l.project) },
		}, {
			name:   "token revoked",
			broken: func(_ *testing.T, l *loop) { l.studio.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true}) },
			says:   "token: Label Studio refuses hone's token", fix: "LABEL_STUDIO_API_KEY",
			mend: func(_ *testing.T, l *loop) {
				l.studio.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true, LegacyTokens: true})
			},
		}, {
			name: "blocked addresses",
			broken: func(_ *testing.T, l *loop) {
				l.studio.SetFault(func(r *http.Request) (f lstest.Fault) {
					if r.Method == http.MethodPatch && strings.HasPrefix(r.URL.Path, "/api/webhooks/") {
						f.Status = http.StatusForbidden
					}
					return f
				})
			},
			says: "blocked address: Label Studio sends no webhooks", fix: "SSRF_PROTECTION_ENABLED=false",
			mend: func(_ *testing.T, l *loop) { l.studio.SetFault(nil) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLoop(t)
			tc.broken(t, l)
			if !tc.hears {
				l.compare(t)
			}
			l.Await(l.project, "a problem that says: "+tc.says, func(p api.Project) bool {
				s := problemWith(p, tc.says)
				return s != "" && strings.Contains(s, tc.fix)
			})
			tc.mend(t, l)
			if !tc.hears {
				l.compare(t)
			}
			l.Await(l.project, "the problem is gone", func(p api.Project) bool { return len(p.Problems) == 0 && p.LeftAlone == "" })
			const over = "mended, it is no longer so"
			apptest.Until(t, "the log says that it is over", func() bool { return strings.Contains(l.Log.String(), over) })
			log := l.Log.String()
			assert.Equal(t, 1, linesWith(log, "level=warning", "component=connect", tc.says), "one line when it appears")
			assert.Equal(t, 1, linesWith(log, "level=info", "component=connect", over), "and one when it goes")
		})
	}
}

// TestProjectDeletedInLabelStudioIsAProblem: a project that is deleted cannot be mended but by
// forgetting it.
func TestProjectDeletedInLabelStudioIsAProblem(t *testing.T) {
	l := newLoop(t)
	require.NoError(t, l.studio.DeleteProject(t.Context(), l.project))
	l.compare(t)
	p := l.Await(l.project, "it is gone", func(p api.Project) bool { return problemWith(p, "no longer has this project") != "" })
	assert.Contains(t, problemWith(p, "no longer has this project"), "hone forget --project")
	assert.Len(t, p.Problems, 1, "said once")
	apptest.Until(t, "the log says so", func() bool {
		return strings.Contains(l.Log.String(), "project: Label Studio no longer has this project")
	})
}

// TestWebhookSwitchedOffByFailuresIsSwitchedOnAgain: Label Studio after 1.23.2 switches a
// webhook off after 50 failures in a row, for example while hone is down.
func TestWebhookSwitchedOffByFailuresIsSwitchedOnAgain(t *testing.T) {
	ls := apptest.NewStudio(t)
	ls.LimitWebhookFailures(labelstudio.MaxWebhookFailures)
	project := ls.NewProject(60)
	dir := t.TempDir()
	cfg := apptest.Settings(dir, ls)
	h := apptest.Start(t, cfg)
	h.Register(project)
	cfg.Listen = h.Addrs()[0].String()
	some := []string{"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_CREATED", "TASKS_DELETED", "PROJECT_UPDATED"}
	hooks, err := ls.Webhooks(t.Context(), project)
	require.NoError(t, err)
	hooks[0].AllActions, hooks[0].Actions = false, some
	_, err = ls.UpdateWebhook(t.Context(), hooks[0])
	require.NoError(t, err)
	// A webhook that is still being delivered when hone stops would end a row of failures.
	h.Await(project, "settled", func(p api.Project) bool { return p.Settled && p.Queue.Pushed > 0 && len(p.Problems) == 0 })
	h.Stop()

	page, err := ls.TasksPage(t.Context(), project, labelstudio.TaskQuery{PageSize: 60})
	require.NoError(t, err)
	for i := range labelstudio.MaxWebhookFailures {
		ls.Annotate(page.Tasks[i].ID, apptest.TopicOf(string(page.Tasks[i].Data)))
	}
	hooks, err = ls.Webhooks(t.Context(), project)
	require.NoError(t, err)
	require.False(t, hooks[0].Active, "Label Studio has switched it off")
	require.Equal(t, labelstudio.MaxWebhookFailures, hooks[0].Failures)

	h = apptest.Start(t, cfg)
	h.Await(project, "all is learned", func(p api.Project) bool { return p.Labels == labelstudio.MaxWebhookFailures })
	apptest.Until(t, "it is on again", func() bool {
		hooks, err = ls.Webhooks(t.Context(), project)
		return err == nil && hooks[0].Active
	})
	assert.ElementsMatch(t, some, hooks[0].Actions, "a PATCH without them would have cleared them")
	assert.Contains(t, h.Log.String(), "switched the webhook off after 50 failures in a row")
	ls.Annotate(page.Tasks[55].ID, "Food")
	h.Await(project, "the next label is heard", func(p api.Project) bool { return p.Labels == labelstudio.MaxWebhookFailures+1 })
	h.Await(project, "no problem is left", func(p api.Project) bool { return len(p.Problems) == 0 })
}

// TestManyFailedWebhooksAreAProblem: from 20 failures in a row on hone says so, and the next
// one that arrives ends it.
func TestManyFailedWebhooksAreAProblem(t *testing.T) {
	l := newLoop(t)
	l.studio.LimitWebhookFailures(labelstudio.MaxWebhookFailures)
	page, err := l.studio.TasksPage(t.Context(), l.project, labelstudio.TaskQuery{PageSize: 12})
	require.NoError(t, err)
	l.studio.DropWebhooks(-1)
	for i := range 20 {
		l.studio.Annotate(page.Tasks[i%12].ID, "Food")
	}
	l.compare(t)
	l.Await(l.project, "20 failures are a problem", func(p api.Project) bool { return problemWith(p, "could not deliver the last 2") != "" })
	l.studio.DropWebhooks(0)
	l.studio.Annotate(page.Tasks[0].ID, "Food")
	l.compare(t)
	l.Await(l.project, "it is over", func(p api.Project) bool { return len(p.Problems) == 0 })
}

// TestProjectWhoseModelWasDeletedIsLeftAlone: nothing is written to it, over a restart too,
// until it is connected again.
func TestProjectWhoseModelWasDeletedIsLeftAlone(t *testing.T) {
	ls := apptest.NewStudio(t)
	l := &loop{studio: ls, project: ls.NewProject(12)}
	cfg := apptest.Settings(t.TempDir(), ls)
	l.Instance = apptest.Start(t, cfg)
	l.Register(l.project)
	l.Await(l.project, "the queue is written", func(p api.Project) bool { return p.Queue.Pushed > 0 && p.Settled })
	l.deleteBackend(t)
	l.compare(t)
	l.Await(l.project, "it is left alone", func(p api.Project) bool { return p.LeftAlone == string(event.BackendDeleted) })
	_, err := l.Prelabel(context.Background(), l.project)
	require.ErrorContains(t, err, "hone connect --project")
	l.Stop()
	l.sample(t, labelstudio.SequentialSampling)

	cfg.Listen = l.Addrs()[0].String()
	l.Instance = apptest.Start(t, cfg)
	page, err := ls.TasksPage(t.Context(), l.project, labelstudio.TaskQuery{PageSize: 12})
	require.NoError(t, err)
	before := writes(ls)
	ls.Annotate(page.Tasks[0].ID, "Food")
	l.compare(t)
	p := l.Await(l.project, "it still learns, and says that it does not write", func(p api.Project) bool {
		return p.Labels == 1 && len(p.Queue.Tasks) == 11 && strings.Contains(p.Queue.Error, "was deleted in Label Studio") && problemWith(p, "ML backend") != ""
	})
	assert.Equal(t, string(event.BackendDeleted), p.LeftAlone)
	assert.Equal(t, before+1, writes(ls), "nothing is written but the annotation")

	l.Register(l.project)
	l.Await(l.project, "it writes again", func(p api.Project) bool {
		return p.LeftAlone == "" && p.Queue.Pushed > 0 && len(p.Problems) == 0
	})
}

// writes counts the requests that change something in Label Studio.
func writes(s *apptest.Studio) (n int) {
	for _, r := range s.Requests() {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}
