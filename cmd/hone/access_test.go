package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
)

// strict are settings for a hone that others reach: it listens everywhere, and
// nothing is configured that would count as a secret.
func strict(dir string, s *studio) config.Config {
	cfg := settings(dir, s)
	cfg.Listen, cfg.Webhook.Secret = ":0", config.Secret{}
	return cfg
}

// as makes a request with the headers in pairs, and returns its status.
func (i *instance) as(method, path, body string, headers ...string) int {
	i.t.Helper()
	req, err := http.NewRequestWithContext(i.t.Context(), method, i.Base+path, strings.NewReader(body))
	require.NoError(i.t, err)
	req.Header.Set("Content-Type", "application/json")
	for k := 0; k+1 < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(i.t, err)
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode
}

// The receiver's counters reach the doctor: through the real wiring, since a
// counter that nobody reads and one that never counts look the same.
func TestDoctorTellsOfUnsignedAndDoubledWebhooks(t *testing.T) {
	s := newStudio(t)
	p := s.newProject(3)
	h := start(t, strict(t.TempDir(), s))
	h.connect(p)
	task, topic := s.next(p)
	s.annotate(task, topic)
	h.await(p, "learned", func(p api.Project) bool { return p.Labels == 1 })
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
	assert.Equal(t, http.StatusUnauthorized, h.as(http.MethodPost, "/webhook", body))
	header, value := h.keys.Hook()
	assert.Equal(t, http.StatusOK, h.as(http.MethodPost, "/webhook", body, header, value), "the same again")
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
	s := newStudio(t)
	p := s.newProject(3)
	cfg := strict(t.TempDir(), s)
	cfg.Cron.Reconcile = "@every 1s"
	h := start(t, cfg)
	h.connect(p)
	h.await(p, "read", func(p api.Project) bool { return p.Tasks == 3 })
	signed := func() bool {
		hs, err := s.Webhooks(t.Context(), p)
		require.NoError(t, err)
		_, value := h.keys.Hook()
		return len(hs) == 1 && hs[0].Headers["X-Hone-Secret"].Reveal() == value
	}
	require.True(t, signed())
	hs, err := s.Webhooks(t.Context(), p)
	require.NoError(t, err)
	hs[0].Headers = nil
	_, err = s.UpdateWebhook(t.Context(), hs[0])
	require.NoError(t, err)
	task, topic := s.next(p)
	s.annotate(task, topic)
	until(t, "the webhook carries the secret again", signed)
	got := h.await(p, "the label is found", func(p api.Project) bool { return p.Labels == 1 })
	assert.Empty(t, got.Problems)
}

func TestStrangersAreToldNothing(t *testing.T) {
	s := newStudio(t)
	p := s.newProject(3)
	h := start(t, strict(t.TempDir(), s))
	h.connect(p)
	h.await(p, "read", func(p api.Project) bool { return p.Tasks == 3 })
	registered := func() any {
		bs, err := s.Backends(t.Context(), p)
		require.NoError(t, err)
		hs, err := s.Webhooks(t.Context(), p)
		require.NoError(t, err)
		return []any{bs, hs}
	}
	before := registered()
	for _, r := range h.routes() {
		method, path, _ := strings.Cut(r, " ")
		path = strings.NewReplacer(":id", "1").Replace(path)
		want := http.StatusUnauthorized
		switch path {
		case "/", "/health", "/health/", "/healthz", "/readyz":
			want = http.StatusOK
		}
		assert.Equal(t, want, h.as(method, path, `{"url":"http://attacker.example"}`), r)
	}
	assert.Equal(t, before, registered(), "nothing was changed in Label Studio")
}

// routes are those of the first address, "METHOD /path".
func (a *app) routes() (out []string) {
	for _, r := range a.engines[0].Routes() {
		out = append(out, r.Method+" "+r.Path)
	}
	return out
}

func TestInsecureIsSaidLoudly(t *testing.T) {
	s := newStudio(t)
	cfg := strict(t.TempDir(), s)
	cfg.Insecure = true
	h := start(t, cfg)
	p := s.newProject(3)
	h.connect(p)
	h.await(p, "read", func(p api.Project) bool { return p.Tasks == 3 })
	assert.Contains(t, h.log.String(), "hone is open")
	assert.Contains(t, h.ok("status"), "hone is open")
	assert.Contains(t, h.ok("status", "--project", "1"), "hone is open")
	assert.Equal(t, http.StatusOK, h.as(http.MethodGet, "/api/projects", ""))
}

func TestTwoAddresses(t *testing.T) {
	s := newStudio(t)
	cfg := strict(t.TempDir(), s)
	cfg.AdminListen = "127.0.0.1:0"
	h := start(t, cfg)
	p := s.newProject(3)
	first, err := api.BaseFromListen(h.addr(), false)
	require.NoError(t, err)
	h.Base = first
	assert.Equal(t, http.StatusNotFound, h.as(http.MethodGet, "/api/projects", ""))
	assert.Equal(t, http.StatusNotFound, h.as(http.MethodGet, "/metrics", ""))
	assert.Equal(t, http.StatusUnauthorized, h.as(http.MethodGet, "/versions", ""))
	h.Base = "http://" + h.ports[1].Addr().String()
	assert.Equal(t, http.StatusOK, h.as(http.MethodGet, "/api/projects", ""), "a loopback address of its own")
	assert.Equal(t, http.StatusOK, h.as(http.MethodGet, "/healthz", ""))
	assert.Equal(t, http.StatusNotFound, h.as(http.MethodGet, "/versions", ""))
	_, err = h.Client.Connect(t.Context(), p, first)
	require.NoError(t, err)
}

func TestSecretCommand(t *testing.T) {
	s := newStudio(t)
	p := s.newProject(3)
	h := start(t, strict(t.TempDir(), s))
	h.connect(p)
	pair := h.keys.Backend()
	out := h.ok("secret")
	assert.Contains(t, out, "http://hone:"+pair.Password+"@127.0.0.1:")
	out = h.ok("secret", "--url", "http://hone.internal:9090", "--json")
	assert.Contains(t, out, `"address": "http://hone:`+pair.Password+`@hone.internal:9090"`)
	_, err := h.cmd("secret", "--url", "http://hone:9090")
	require.ErrorContains(t, err, "hone.internal")

	h.ok("secret", "--rotate")
	next := h.keys.Backend()
	assert.NotEqual(t, pair, next)
	assert.False(t, h.keys.Rotating(), "every registration carries the new one")
	b, err := os.ReadFile(filepath.Join(h.dataDir, "secret"))
	require.NoError(t, err)
	assert.Equal(t, next.Password, strings.TrimSpace(string(b)))
	task, topic := s.next(p)
	s.annotate(task, topic)
	h.await(p, "learned", func(p api.Project) bool { return p.Labels == 1 && p.MissedFound == 0 })
	for _, secret := range []string{pair.Password, next.Password} {
		assert.NotContains(t, h.log.String(), secret)
	}

	h.stop()
	h.ok("secret", "--rotate")
	assert.NotContains(t, h.ok("secret"), next.Password, "without a running hone too")
	_, err = newRootIn(t, "secret", "--data-dir", filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "hone serve")
}

func newRootIn(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	return out.String(), err
}

func TestConfiguredSecretIsNotRotated(t *testing.T) {
	h := start(t, settings(t.TempDir(), newStudio(t)))
	_, err := h.Client.Rotate(t.Context())
	require.ErrorContains(t, err, "HONE_WEBHOOK_SECRET")
}

// At the first start of a version that asks for a secret, registrations are given
// it before anything is refused. Where that fails the project is a problem, and what
// comes without the secret is a reason to ask, and nothing more.
func TestUpgrade(t *testing.T) {
	s := newStudio(t)
	p := s.newProject(6)
	dir := t.TempDir()
	cfg := strict(dir, s)
	cfg.Insecure = true // as the version before was
	h := start(t, cfg)
	h.connect(p)
	h.await(p, "read", func(p api.Project) bool { return p.Tasks == 6 })
	listen := h.addr()
	asBefore := func() {
		h.stop()
		for _, name := range []string{"secret", "admin-token", "identity"} {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
	}
	asBefore() // Label Studio holds a secret that no longer counts
	cfg = strict(dir, s)
	cfg.Listen = listen
	cfg.LabelStudio.APIKey = config.NewSecret("a-token-of-nobody")
	h = start(t, cfg)
	got := h.await(p, "the problem shows", func(p api.Project) bool { return strings.Contains(strings.Join(p.Problems, "\n"), "secret") })
	until(t, "calls are refused again", func() bool { return h.as(http.MethodGet, "/versions", "") == http.StatusUnauthorized })
	assert.Equal(t, http.StatusUnauthorized, h.as(http.MethodGet, "/api/projects", ""))
	task, topic := s.next(p)
	s.annotate(task, topic)
	last := s.Deliveries()[len(s.Deliveries())-1]
	assert.Equal(t, http.StatusOK, last.Status, "Label Studio counts no failure: %s", last.Action)
	assert.Zero(t, got.Labels)

	asBefore()
	cfg.LabelStudio = strict(dir, s).LabelStudio
	h = start(t, cfg)
	h.await(p, "everything is learned", func(p api.Project) bool { return p.Labels == 1 && len(p.Problems) == 0 })
	task, topic = s.next(p)
	s.annotate(task, topic)
	h.await(p, "by its webhook", func(p api.Project) bool { return p.Labels == 2 })
	assert.Equal(t, http.StatusUnauthorized, h.as(http.MethodPost, "/webhook", string(last.Body)))
	_, value := h.keys.Hook()
	hs, err := s.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, hs, 1)
	assert.Equal(t, value, hs[0].Headers["X-Hone-Secret"].Reveal())
}
