package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
)

func TestSecretCommand(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(3)
	h := start(t, apptest.Strict(t.TempDir(), s))
	h.Register(p)
	pair := h.Keys.Backend()
	out := h.ok("secret")
	assert.Contains(t, out, "http://hone:"+pair.Password+"@127.0.0.1:")
	out = h.ok("secret", "--url", "http://hone.internal:9090", "--json")
	assert.Contains(t, out, `"address": "http://hone:`+pair.Password+`@hone.internal:9090"`)
	_, err := h.cmd("secret", "--url", "http://hone:9090")
	require.ErrorContains(t, err, "hone.internal")

	h.ok("secret", "--rotate")
	next := h.Keys.Backend()
	assert.NotEqual(t, pair, next)
	assert.False(t, h.Keys.Rotating(), "every registration carries the new one")
	b, err := os.ReadFile(filepath.Join(h.DataDir, "secret"))
	require.NoError(t, err)
	assert.Equal(t, next.Password, strings.TrimSpace(string(b)))
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "learned", func(p api.Project) bool { return p.Labels == 1 && p.MissedFound == 0 })
	for _, secret := range []string{pair.Password, next.Password} {
		assert.NotContains(t, h.Log.String(), secret)
	}

	h.Stop()
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

// The problem of a hone that is open is among the first things a command says.
func TestStatusSaysThatHoneIsOpen(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Strict(t.TempDir(), s)
	cfg.Insecure = true
	h := start(t, cfg)
	p := s.NewProject(3)
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Tasks == 3 })
	assert.Contains(t, h.ok("status"), "hone is open")
	assert.Contains(t, h.ok("status", "--project", "1"), "hone is open")
}
