package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// The receiver's counters reach the doctor: through the real wiring, since a
// counter that nobody reads and one that never counts look the same.
func TestDoctorTellsOfUnsignedAndDoubledWebhooks(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(3)
	h := apptest.Start(t, apptest.Strict(t.TempDir(), s))
	h.Register(p)
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "learned", func(p api.Project) bool { return p.Labels == 1 })
	rep, err := h.Client.Doctor(t.Context(), p)
	require.NoError(t, err)
	assert.NotContains(t, whats(rep), "came without the secret")
	assert.NotContains(t, whats(rep), "came twice")

	var body string
	for _, d := range s.Deliveries() {
		if d.Action == "ANNOTATION_CREATED" {
			body = string(d.Body)
		}
	}
	assert.Equal(t, http.StatusUnauthorized, h.As(http.MethodPost, "/webhook", body))
	header, value := h.Keys.Hook()
	assert.Equal(t, http.StatusOK, h.As(http.MethodPost, "/webhook", body, header, value), "the same again")
	rep, err = h.Client.Doctor(t.Context(), p)
	require.NoError(t, err)
	assert.Contains(t, whats(rep), "1 came without the secret")
	assert.Contains(t, whats(rep), "1 came twice")
}

func whats(r api.Report) string {
	var out strings.Builder
	for _, s := range r.Steps {
		out.WriteString(s.What + "\n")
	}
	return out.String()
}

// A webhook that lost its secret is refused, and mended within a reconcile.
func TestWebhookThatLostItsSecretIsMended(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(3)
	cfg := apptest.Strict(t.TempDir(), s)
	cfg.Cron.Reconcile = "@every 1s"
	h := apptest.Start(t, cfg)
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Tasks == 3 })
	signed := func() bool {
		hs, err := s.Webhooks(t.Context(), p)
		require.NoError(t, err)
		_, value := h.Keys.Hook()
		return len(hs) == 1 && hs[0].Headers["X-Hone-Secret"].Reveal() == value
	}
	require.True(t, signed())
	hs, err := s.Webhooks(t.Context(), p)
	require.NoError(t, err)
	hs[0].Headers = nil
	_, err = s.UpdateWebhook(t.Context(), hs[0])
	require.NoError(t, err)
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	apptest.Until(t, "the webhook carries the secret again", signed)
	got := h.Await(p, "the label is found", func(p api.Project) bool { return p.Labels == 1 })
	assert.Empty(t, got.Problems)
}

func TestStrangersAreToldNothing(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(3)
	h := apptest.Start(t, apptest.Strict(t.TempDir(), s))
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Tasks == 3 })
	registered := func() any {
		bs, err := s.Backends(t.Context(), p)
		require.NoError(t, err)
		hs, err := s.Webhooks(t.Context(), p)
		require.NoError(t, err)
		return []any{bs, hs}
	}
	before := registered()
	for _, r := range routesOf(h.App) {
		method, path, _ := strings.Cut(r, " ")
		path = strings.NewReplacer(":id", "1", ":name", "page.css").Replace(path)
		want := http.StatusUnauthorized
		switch path {
		case "/", "/health", "/health/", "/healthz", "/readyz", "/ui/assets/page.css":
			want = http.StatusOK
		case "/ui/sign-in":
			want = map[string]int{http.MethodGet: http.StatusOK, http.MethodPost: http.StatusForbidden}[method]
		}
		assert.Equal(t, want, h.As(method, path, `{"url":"http://attacker.example"}`), r)
	}
	assert.Equal(t, before, registered(), "nothing was changed in Label Studio")
}

// routesOf are those of the first address, "METHOD /path".
func routesOf(a *app.App) (out []string) {
	for _, r := range a.Engines[0].Routes() {
		out = append(out, r.Method+" "+r.Path)
	}
	return out
}

func TestInsecureIsSaidLoudly(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Strict(t.TempDir(), s)
	cfg.Insecure = true
	h := apptest.Start(t, cfg)
	p := s.NewProject(3)
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Tasks == 3 })
	assert.Contains(t, h.Log.String(), "hone is open")
	assert.Contains(t, strings.Join(h.Status(p).Problems, "\n"), "hone is open")
	assert.Equal(t, http.StatusOK, h.As(http.MethodGet, "/api/projects", ""))
}

func TestTwoAddresses(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Strict(t.TempDir(), s)
	cfg.AdminListen = "127.0.0.1:0"
	h := apptest.Start(t, cfg)
	p := s.NewProject(3)
	first, err := api.BaseFromListen(h.Addrs()[0].String(), false)
	require.NoError(t, err)
	h.Base = first
	assert.Equal(t, http.StatusNotFound, h.As(http.MethodGet, "/api/projects", ""))
	assert.Equal(t, http.StatusNotFound, h.As(http.MethodGet, "/metrics", ""))
	assert.Equal(t, http.StatusUnauthorized, h.As(http.MethodGet, "/versions", ""))
	h.Base = "http://" + h.Addrs()[1].String()
	assert.Equal(t, http.StatusOK, h.As(http.MethodGet, "/api/projects", ""), "a loopback address of its own")
	assert.Equal(t, http.StatusOK, h.As(http.MethodGet, "/healthz", ""))
	assert.Equal(t, http.StatusNotFound, h.As(http.MethodGet, "/versions", ""))
	_, err = h.Client.Connect(t.Context(), p, first)
	require.NoError(t, err)
}

func TestConfiguredSecretIsNotRotated(t *testing.T) {
	h := apptest.Start(t, apptest.Settings(t.TempDir(), apptest.NewStudio(t)))
	_, err := h.Client.Rotate(t.Context())
	require.ErrorContains(t, err, "HONE_WEBHOOK_SECRET")
}

// At the first start of a version that asks for a secret, registrations are given
// it before anything is refused. Where that fails the project is a problem, and what
// comes without the secret is a reason to ask, and nothing more.
func TestUpgrade(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(6)
	dir := t.TempDir()
	cfg := apptest.Strict(dir, s)
	cfg.Insecure = true // as the version before was
	h := apptest.Start(t, cfg)
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Tasks == 6 })
	listen := h.Addrs()[0].String()
	asBefore := func() {
		h.Stop()
		for _, name := range []string{"secret", "admin-token", "identity"} {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
	}
	asBefore() // Label Studio holds a secret that no longer counts
	cfg = apptest.Strict(dir, s)
	cfg.Listen = listen
	cfg.LabelStudio.APIKey = "a-token-of-nobody"
	h = apptest.Start(t, cfg)
	got := h.Await(p, "the problem shows", func(p api.Project) bool { return strings.Contains(strings.Join(p.Problems, "\n"), "secret") })
	apptest.Until(t, "calls are refused again", func() bool { return h.As(http.MethodGet, "/versions", "") == http.StatusUnauthorized })
	assert.Equal(t, http.StatusUnauthorized, h.As(http.MethodGet, "/api/projects", ""))
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	last := s.Deliveries()[len(s.Deliveries())-1]
	assert.Equal(t, http.StatusOK, last.Status, "Label Studio counts no failure: %s", last.Action)
	assert.Zero(t, got.Labels)

	asBefore()
	cfg.LabelStudio = apptest.Strict(dir, s).LabelStudio
	h = apptest.Start(t, cfg)
	h.Await(p, "everything is learned", func(p api.Project) bool { return p.Labels == 1 && len(p.Problems) == 0 })
	task, topic = s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "by its webhook", func(p api.Project) bool { return p.Labels == 2 })
	assert.Equal(t, http.StatusUnauthorized, h.As(http.MethodPost, "/webhook", string(last.Body)))
	_, value := h.Keys.Hook()
	hs, err := s.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, hs, 1)
	assert.Equal(t, value, hs[0].Headers["X-Hone-Secret"].Reveal())
}
