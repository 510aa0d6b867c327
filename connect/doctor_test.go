package connect

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// healthy is a project that is connected and has its queue.
func healthy(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := newRig(t, change)
	r.connect()
	ids, err := r.studio.Import(t.Context(), r.project, []map[string]string{{"text": "a"}})
	require.NoError(t, err)
	score := 0.001 // as the sampler writes
	_, err = r.studio.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[0], Score: score, ModelVersion: "hone-1"})
	require.NoError(t, err)
	r.patch(labelstudio.ProjectPatch{ModelVersion: new("hone-1")})
	return r
}

func (r *rig) patch(p labelstudio.ProjectPatch) {
	r.t.Helper()
	_, err := r.studio.PatchProject(r.t.Context(), r.project, p)
	require.NoError(r.t, err)
}

func (r *rig) changeHook(change func(*labelstudio.Webhook)) {
	r.t.Helper()
	h := r.hooks()[0]
	change(&h)
	_, err := r.studio.UpdateWebhook(r.t.Context(), h)
	require.NoError(r.t, err)
}

func TestDoctorIsContentWithAHealthyProject(t *testing.T) {
	r := healthy(t, nil)
	writes := len(r.writes())
	rep, err := r.Doctor(t.Context(), 0)
	require.NoError(t, err)
	for _, s := range rep.Steps {
		assert.Equal(t, "ok", s.Level, "%+v", s)
		assert.Empty(t, s.Fix)
	}
	assert.Len(t, rep.Steps, 7)
	assert.Equal(t, http.MethodPatch, r.writes()[writes].Method, "one webhook is saved as it is")
	assert.Len(t, r.writes(), writes+1)
}

func TestDoctorFindsEachFaultAndItsFix(t *testing.T) {
	counters := func(c Counters) func(*Options) {
		return func(o *Options) { o.Counters = func(event.ProjectID) Counters { return c } }
	}
	forbid := func(r *rig) {
		r.ls.SetFault(func(q *http.Request) lstest.Fault {
			if q.Method == http.MethodPatch && strings.HasPrefix(q.URL.Path, "/api/webhooks/") {
				return lstest.Fault{Status: http.StatusForbidden}
			}
			return lstest.Fault{}
		})
	}
	for name, tc := range map[string]struct {
		change              func(*Options)
		breakIt             func(*rig)
		step, level         string
		what, fix           string
		stopsEverythingElse bool
	}{
		"no Label Studio": {change: unconfigured, breakIt: nil, step: "credential", level: "fail", what: "no Label Studio to work with", fix: "LABEL_STUDIO_URL", stopsEverythingElse: true},
		"Label Studio is away": {
			breakIt: func(r *rig) { r.ls.Close() }, step: "Label Studio", level: "fail", what: "no answer", fix: "LABEL_STUDIO_URL", stopsEverythingElse: true,
		},
		"the token is refused": {
			breakIt: func(r *rig) { r.ls.SetTokens(lstest.TokenSettings{}) }, step: "token", level: "fail", what: "legacy", fix: "LABEL_STUDIO_API_KEY", stopsEverythingElse: true,
		},
		"the project is gone": {
			breakIt: func(r *rig) { require.NoError(r.t, r.studio.DeleteProject(r.t.Context(), r.project)) }, step: "project", level: "fail", what: "404", fix: "check the id",
		},
		"the config has nothing to learn": {
			breakIt: func(r *rig) {
				r.patch(labelstudio.ProjectPatch{LabelConfig: new(`<View><Image name="i" value="$i"/></View>`)})
			}, step: "label config", level: "fail", fix: "Labeling Interface",
		},
		"hone is not registered": {
			breakIt: func(r *rig) {
				bs, err := r.studio.Backends(r.t.Context(), r.project)
				require.NoError(r.t, err)
				require.NoError(r.t, admin.DeleteBackend(r.t.Context(), r.studio, bs[0].ID))
			}, step: "ML backend", level: "fail", what: "not registered", fix: "hone connect --project 1 --url",
		},
		"Label Studio does not reach hone": {
			breakIt: func(r *rig) { r.hone.Close() }, step: "ML backend", level: "fail", what: "does not reach", fix: "ML_BLOCK_LOCAL_IP",
		},
		"setup is refused": {
			breakIt: func(r *rig) { r.locked(func() { r.setupStatus = 401 }) }, step: "ML backend", level: "fail", what: "401", fix: "user and password",
		},
		"another backend first": {
			breakIt: func(r *rig) {
				other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }))
				r.t.Cleanup(other.Close)
				bs, err := r.studio.Backends(r.t.Context(), r.project)
				require.NoError(r.t, err)
				require.NoError(r.t, admin.DeleteBackend(r.t.Context(), r.studio, bs[0].ID))
				_, err = r.studio.AddBackend(r.t.Context(), labelstudio.BackendWrite{Project: r.project, URL: other.URL, Title: "other"})
				require.NoError(r.t, err)
				r.connect()
			}, step: "ML backend", level: "warn", what: "only the first", fix: "remove the other backend",
		},
		"no webhook": {
			breakIt: func(r *rig) { require.NoError(r.t, r.studio.DeleteWebhook(r.t.Context(), r.hooks()[0].ID)) },
			step:    "webhook", level: "fail", what: "SSRF_PROTECTION_ENABLED", fix: "hone connect --project 1",
		},
		"two webhooks": {
			breakIt: func(r *rig) { r.addHook(func(*labelstudio.Webhook) {}) }, step: "webhook", level: "warn", what: "several times", fix: "removes the extra ones",
		},
		"unsigned": {
			breakIt: func(r *rig) { r.changeHook(func(h *labelstudio.Webhook) { h.Headers = nil }) }, step: "webhook", level: "fail", what: "secret", fix: "hone connect",
		},
		"inactive": {
			breakIt: func(r *rig) { r.changeHook(func(h *labelstudio.Webhook) { h.Active = false }) }, step: "webhook", level: "fail", what: "is inactive", fix: "hone connect",
		},
		"no actions left": {
			breakIt: func(r *rig) { r.changeHook(func(h *labelstudio.Webhook) { h.AllActions = false }) }, step: "webhook", level: "fail", what: "ANNOTATIONS_DELETED", fix: "hone connect",
		},
		"webhooks to private addresses blocked": {breakIt: forbid, step: "webhook", level: "fail", what: "blocks it", fix: "SSRF_PROTECTION_ENABLED=false"},
		"sampling": {
			breakIt: func(r *rig) { r.patch(labelstudio.ProjectPatch{Sampling: new(labelstudio.UniformSampling)}) }, step: "sampling", level: "fail", what: "Uniform", fix: "hone connect --project 1",
		},
		"overlap": {
			breakIt: func(r *rig) { r.patch(labelstudio.ProjectPatch{MaximumAnnotations: new(3)}) }, step: "overlap", level: "warn", what: "3 annotations", fix: "maximum_annotations of the project to 1",
		},
		"no model yet": {breakIt: func(r *rig) { r.locked(func() { r.live = "" }) }, step: "model version", level: "warn", what: "no model", fix: "wait"},
		"no prediction of the live version": {
			breakIt: func(r *rig) { r.locked(func() { r.live = "hone-2" }) }, step: "model version", level: "fail", what: "hone-2", fix: "hone status",
		},
		"the version is the backend's title": {
			breakIt: func(r *rig) { r.patch(labelstudio.ProjectPatch{ModelVersion: new(modelTitle)}) }, step: "model version", level: "fail", what: "title", fix: "hone-1",
		},
		"no version": {
			breakIt: func(r *rig) { r.patch(labelstudio.ProjectPatch{ModelVersion: new("")}) }, step: "model version", level: "fail", what: `is ""`, fix: "hone-1",
		},
		"unsigned ones came":  {change: counters(Counters{Unsigned: 3}), step: "webhooks", level: "warn", what: "3 came without", fix: "signs the hook"},
		"doubled ones came":   {change: counters(Counters{Duplicates: 4}), step: "webhooks", level: "warn", what: "4 came twice", fix: "second webhook"},
		"some were missed":    {change: counters(Counters{Missed: 5}), step: "webhooks", level: "warn", what: "5 changes", fix: "proxy"},
		"some went wrong":     {change: counters(Counters{DeadLetters: 6}), step: "dead letters", level: "warn", what: "6 events", fix: "deadletter list"},
		"no project is known": {change: func(o *Options) { o.Known = func(context.Context) ([]event.ProjectID, error) { return nil, nil } }, step: "projects", level: "warn", what: "none yet", fix: "hone connect"},
	} {
		t.Run(name, func(t *testing.T) {
			var r *rig
			if tc.stopsEverythingElse {
				r = newRig(t, tc.change)
			} else {
				r = healthy(t, tc.change)
			}
			if tc.breakIt != nil {
				tc.breakIt(r)
			}
			rep, err := r.Doctor(t.Context(), 0)
			require.NoError(t, err)
			s, found := step(rep, tc.step)
			require.True(t, found, "%+v", rep.Steps)
			assert.Equal(t, tc.level, s.Level)
			assert.Contains(t, s.What, tc.what)
			assert.Contains(t, s.Fix, tc.fix)
			assert.Equal(t, tc.level == "fail", rep.Failed())
			for _, s := range rep.Steps {
				assert.Equal(t, s.Level == "ok", s.Fix == "", "every fault has its fix: %+v", s)
				assert.NotContains(t, s.What+s.Fix, hookSecret)
			}
		})
	}
}

// After an upgrade, what came before the registration was mended is no news; what
// comes after it is.
func TestDoctorForgivesWebhooksFromBeforeTheSecret(t *testing.T) {
	came := uint64(3)
	r := healthy(t, func(o *Options) {
		o.Counters = func(event.ProjectID) Counters { return Counters{Unsigned: came} }
		o.Refused = func() Refused { return Refused{Webhooks: came} }
	})
	warned := func() (api.Step, bool) {
		rep, err := r.Doctor(t.Context(), r.project)
		require.NoError(t, err)
		return step(rep, "webhooks")
	}
	s, found := warned()
	assert.False(t, found, "%+v", s)
	came = 5 // from another project, which is mended after this one
	r.Expect(2)
	r.settleRecord(2, r.generation, "", nil)
	s, found = warned()
	assert.False(t, found, "%+v", s)
	r.look(r.keeper())
	came++ // to another address, or from somebody else
	r.look(r.keeper())
	s, found = warned()
	assert.True(t, found)
	assert.Contains(t, s.What, "1 came without")
}

func TestDoctorIsContentWhenEverythingIsLabelled(t *testing.T) {
	r := healthy(t, func(o *Options) { o.Counters = func(event.ProjectID) Counters { return Counters{} } })
	r.locked(func() { r.live = "hone-2" })
	rep, err := r.Doctor(t.Context(), r.project)
	require.NoError(t, err)
	_, found := step(rep, "model version")
	assert.False(t, found, "no queue is right when nothing is left to ask")
}
