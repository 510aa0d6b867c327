package connect

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
)

func TestConnectRegistersOnceAndForAll(t *testing.T) {
	r := newRig(t, nil)
	rep := r.connect()
	assert.False(t, rep.Failed(), "%+v", rep)
	hs := r.hooks()
	require.Len(t, hs, 1, "Label Studio makes a webhook of its own unless there is one")
	assert.Equal(t, r.hone.URL+"/webhook", hs[0].URL)
	assert.True(t, hs[0].Active && hs[0].SendPayload && hs[0].AllActions)
	assert.Equal(t, hookSecret, hs[0].Headers[header].Reveal())
	assert.Equal(t, labelstudio.UncertaintySampling, r.sampling())
	bs, err := r.studio.Backends(t.Context(), r.project)
	require.NoError(t, err)
	require.Len(t, bs, 1)
	assert.Equal(t, "CO", bs[0].State)

	before := r.writes()
	rep = r.connect()
	assert.False(t, rep.Failed(), "%+v", rep)
	assert.Equal(t, before, r.writes(), "connecting again changes nothing")
}

func TestConnectMendsTheWebhook(t *testing.T) {
	some := []string{"ANNOTATION_CREATED", "LABEL_LINK_CREATED"}
	for name, broken := range map[string]func(*labelstudio.Webhook){
		"unsigned":              func(h *labelstudio.Webhook) { h.Headers = nil },
		"signed with another":   func(h *labelstudio.Webhook) { h.Headers = map[string]secret.Secret{header: "old"} },
		"another case, another": func(h *labelstudio.Webhook) { h.Headers = map[string]secret.Secret{"x-hone-secret": "old"} },
		"inactive":              func(h *labelstudio.Webhook) { h.Active = false },
		"without payload":       func(h *labelstudio.Webhook) { h.SendPayload = false },
		"few actions":           func(h *labelstudio.Webhook) { h.AllActions, h.Actions = false, some },
		"address with a slash":  func(h *labelstudio.Webhook) { h.URL += "/"; h.Headers = nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			id := r.addHook(broken).ID
			r.connect()
			hs := r.hooks()
			require.Len(t, hs, 1)
			h := hs[0]
			assert.Equal(t, id, h.ID, "the same one, mended")
			assert.True(t, h.Active && h.SendPayload)
			assert.Equal(t, map[string]secret.Secret{header: hookSecret}, h.Headers)
			if !h.AllActions {
				assert.Subset(t, h.Actions, requiredActions)
				assert.Subset(t, h.Actions, some, "the actions that were there stay")
			}
		})
	}
}

func TestConnectRemovesDoubledWebhooksAndNoOthers(t *testing.T) {
	r := newRig(t, nil)
	keep := r.addHook(func(h *labelstudio.Webhook) { h.URL = "http://other.example/webhook" }).ID
	first := r.addHook(func(*labelstudio.Webhook) {}).ID
	r.addHook(func(h *labelstudio.Webhook) { h.Headers = nil })
	r.addHook(func(*labelstudio.Webhook) {})
	r.connect()
	var ids []int64
	for _, h := range r.hooks() {
		ids = append(ids, h.ID)
	}
	assert.ElementsMatch(t, []int64{keep, first}, ids)
}

func TestConnectLeavesOtherHeaders(t *testing.T) {
	r := newRig(t, nil)
	r.addHook(func(h *labelstudio.Webhook) { h.Headers = map[string]secret.Secret{"Authorization": "mine"} })
	r.connect()
	hs := r.hooks()
	require.Len(t, hs, 1)
	assert.Equal(t, map[string]secret.Secret{"Authorization": "mine", header: hookSecret}, hs[0].Headers)
}

func TestConnectWarnsWhenAnotherBackendIsAskedFirst(t *testing.T) {
	r := newRig(t, nil)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }))
	defer other.Close()
	_, err := r.studio.AddBackend(t.Context(), labelstudio.BackendWrite{Project: r.project, URL: other.URL, Title: "other"})
	require.NoError(t, err)
	for range 2 {
		s, found := step(r.connect(), "ML backend")
		require.True(t, found)
		assert.Equal(t, "warn", s.Level)
		assert.Contains(t, s.What, other.URL)
		assert.NotEmpty(t, s.Fix)
	}
}

func TestConnectGivesTheSecretToABackendThatLacksIt(t *testing.T) {
	r := newRig(t, nil)
	b := r.paste()
	r.locked(func() { r.open = false })
	rep := r.connect()
	assert.False(t, rep.Failed(), "%+v", rep)
	now, err := r.studio.ValidateBackend(t.Context(), b.ID)
	require.NoError(t, err)
	assert.Equal(t, "CO", now.State)
	assert.Equal(t, "mine", now.Title, "the title somebody gave it stays")

	before := len(r.writes())
	r.connect()
	assert.Len(t, r.writes(), before)
}

func TestConnectSaysThatLabelStudioNoLongerReachesHone(t *testing.T) {
	r := newRig(t, nil)
	r.connect()
	r.locked(func() { r.unreachable = true })
	s, found := step(r.connect(), "ML backend")
	require.True(t, found)
	assert.Equal(t, "fail", s.Level)
	assert.Contains(t, s.Fix, "--url")
}

// An address that is not this hone gets neither the token that Label Studio sends
// to it, nor the annotations.
func TestConnectRegistersOnlyWhatPassesTheChallenge(t *testing.T) {
	r := newRig(t, nil)
	keys, err := access.Open(access.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	other := keys.Identity()
	for name, answer := range map[string]http.HandlerFunc{
		"another hone": func(w http.ResponseWriter, q *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"status": "UP", "challenge": other.Sign(q.Header.Get(access.ChallengeHeader))})
		},
		"an ML backend": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"UP"}`)) },
		"an echo": func(w http.ResponseWriter, q *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"challenge": q.Header.Get(access.ChallengeHeader)})
		},
		"a redirect to hone": func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, r.hone.URL+q.URL.Path, http.StatusFound)
		},
		"much": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(answer)
			defer s.Close()
			_, err := r.Connect(t.Context(), r.project, s.URL)
			require.ErrorContains(t, err, "not this hone")
			assert.Equal(t, http.StatusBadRequest, statusOf(err))
		})
	}
	for _, at := range []string{"http://169.254.169.254", "http://[fe80::1]:9090", "http://0.0.0.0:9090"} {
		_, err := r.Connect(t.Context(), r.project, at)
		require.ErrorContains(t, err, "refused", at)
	}
	assert.Empty(t, r.hooks())
	bs, err := r.studio.Backends(t.Context(), r.project)
	require.NoError(t, err)
	assert.Empty(t, bs)
}

// A webhook to an address that nobody answers would cost every annotator a
// second with every label.
func TestConnectLeavesNoWebhookToAnAddressLabelStudioCannotReach(t *testing.T) {
	r := newRig(t, nil)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := r.Connect(t.Context(), r.project, gone.URL)
	require.ErrorContains(t, err, "hone does not reach itself")
	assert.Equal(t, http.StatusBadRequest, statusOf(err))
	assert.Empty(t, r.hooks())
	assert.Equal(t, labelstudio.SequentialSampling, r.sampling())
}

func TestConnectRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		url    string
		change func(*Options)
		before func(*rig) event.ProjectID
		status int
		says   string
	}{
		"no address":      {url: "hone:9090", status: 400, says: "http://hone.internal:9090"},
		"no dot":          {url: "http://hone:9090", status: 400, says: "hone.internal"},
		"an underscore":   {url: "http://hone_1.internal:9090", status: 400, says: "hone.internal"},
		"another scheme":  {url: "ftp://hone", status: 400, says: "is not an address"},
		"unknown project": {before: func(*rig) event.ProjectID { return 4711 }, status: 404, says: "no such project"},
		"nothing configured": {
			change: func(o *Options) { o.URL, o.Token = "", "" }, status: 409, says: "LABEL_STUDIO_URL",
		},
		"no token": {change: func(o *Options) { o.Token = "" }, status: 409, says: "LABEL_STUDIO_API_KEY"},
		"bad token": {
			change: func(o *Options) { o.Token = "ffffffffffffffffffffffffffffffffffffffff" }, status: 502, says: "401",
		},
		"nothing to learn": {
			before: func(r *rig) event.ProjectID {
				p, err := r.studio.CreateProject(r.t.Context(), "boxes", `<View><Image name="i" value="$i"/></View>`)
				require.NoError(r.t, err)
				return p.ID
			},
			status: 422,
		},
		"address blocked": {
			before: func(r *rig) event.ProjectID {
				r.ls.SetFault(func(q *http.Request) lstest.Fault {
					if q.Method == http.MethodPost && strings.HasPrefix(q.URL.Path, "/api/webhooks") {
						return lstest.Fault{Status: http.StatusForbidden}
					}
					return lstest.Fault{}
				})
				return r.project
			},
			status: 502, says: "403",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.change)
			p, url := r.project, r.hone.URL
			if tc.before != nil {
				p = tc.before(r)
			}
			if tc.url != "" {
				url = tc.url
			}
			_, err := r.Connect(t.Context(), p, url)
			require.Error(t, err)
			assert.Equal(t, tc.status, statusOf(err), err)
			assert.Contains(t, err.Error(), tc.says)
			assert.NotContains(t, err.Error(), "fffffff")
			assert.Empty(t, r.hooks())
		})
	}
}

func TestConnectPrintsNoSecret(t *testing.T) {
	r := newRig(t, nil)
	rep, err := r.Connect(t.Context(), r.project, strings.Replace(r.hone.URL, "http://", "http://u:sesame@", 1))
	require.NoError(t, err)
	for _, s := range rep.Steps {
		assert.NotContains(t, s.What+s.Fix, "sesame")
		assert.NotContains(t, s.What+s.Fix, hookSecret)
	}
	for _, h := range r.hooks() {
		assert.NotContains(t, h.URL, "@", "a header carries the secret")
	}
}

func statusOf(err error) int {
	if s, ok := err.(interface{ HTTPStatus() int }); ok { //nolint:errorlint // what Connect returns is not wrapped
		return s.HTTPStatus()
	}
	return 0
}
