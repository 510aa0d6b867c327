package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/state"
)

// login runs `hone login` with a token on standard input.
func login(stdin string, args ...string) (string, error) {
	root := newRoot()
	var out bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"login"}, args...))
	err := root.ExecuteContext(context.Background())
	return out.String(), err
}

func TestLoginBeforeHoneRuns(t *testing.T) {
	s := apptest.NewStudio(t)
	dir := t.TempDir()
	where := []string{"--data-dir", dir, "--listen", "127.0.0.1:1"}

	_, err := login("\n", append(where, s.Server.URL)...)
	require.ErrorContains(t, err, "Account & Settings > Personal Access Token")
	_, err = login(lstest.Token, where...)
	require.ErrorContains(t, err, "hone login http://")
	out, err := login("wrong", append(where, s.Server.URL)...)
	require.Error(t, err)
	assert.Contains(t, out, "fail  token")
	_, err = os.Stat(filepath.Join(dir, state.CredentialFile))
	require.ErrorIs(t, err, os.ErrNotExist, "a token that does not work is not stored")

	out, err = login(lstest.Token+"\n", append(where, s.Server.URL)...)
	require.NoError(t, err, out)
	assert.Contains(t, out, "ok    login")
	assert.NotContains(t, out, lstest.Token)
	st, err := os.Stat(filepath.Join(dir, state.CredentialFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), st.Mode().Perm())

	cfg := apptest.Settings(dir, s)
	cfg.LabelStudio.URL, cfg.LabelStudio.APIKey = "", ""
	h := start(t, cfg)
	p := s.NewProject(9)
	h.ok("connect", "--project", "1")
	h.Await(p, "it works with the stored token", func(p api.Project) bool { return p.Queue.Pushed > 0 })
}

func TestLoginOfARunningHone(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.LabelStudio.URL, cfg.LabelStudio.APIKey = "", ""
	h := start(t, cfg)
	where := []string{"--data-dir", h.DataDir, "--listen", h.Addrs()[0].String()}
	var all api.Listing
	require.NoError(t, json.Unmarshal([]byte(h.ok("status", "--json")), &all))
	require.Len(t, all.Problems, 1)
	assert.Contains(t, all.Problems[0], "hone login")

	out, err := login(lstest.Token, append(where, s.Server.URL)...)
	require.NoError(t, err, out)
	assert.NotContains(t, h.ok("status"), "problem")
	p := s.NewProject(9)
	h.ok("connect", "--project", "1")
	h.Await(p, "it works with the token", func(p api.Project) bool { return p.Queue.Pushed > 0 })

	configured := start(t, apptest.Settings(t.TempDir(), s))
	_, err = login(lstest.Token, "--data-dir", configured.DataDir, "--listen", configured.Addrs()[0].String(), s.Server.URL)
	require.ErrorContains(t, err, "LABEL_STUDIO_API_KEY")
}
