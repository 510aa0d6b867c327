package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/state"
)

func contentOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// Whatever hone was given or heard, a backup goes to places where secrets must not.
func TestABackupHoldsNoSecret(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(6)
	dir := t.TempDir()
	cfg := apptest.Settings(dir, nil)
	cfg.BasicAuth.User, cfg.BasicAuth.Password = "hone", secretOf("sesame-the-password")
	cfg.Learner.OpenAIKey = secretOf("an-openai-key")
	t.Setenv("BASIC_AUTH_USER", "hone")
	t.Setenv("BASIC_AUTH_PASS", "sesame-the-password")
	h := start(t, cfg)
	_, err := s.AddBackend(t.Context(), labelstudio.BackendWrite{
		Project: p, URL: h.Base, Title: "mine", User: "hone", Password: "sesame-the-password",
	})
	require.NoError(t, err)
	h.Await(p, "the queue stands in Label Studio", func(p api.Project) bool { return p.Pool == 6 && p.Queue.Pushed > 0 })
	apptest.Until(t, "the webhook is signed", func() bool {
		hs, err := s.Webhooks(t.Context(), p)
		require.NoError(t, err)
		return len(hs) == 1 && hs[0].Headers["X-Hone-Secret"] != ""
	})
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "learned", func(p api.Project) bool { return p.Labels == 1 })
	h.Register(p)

	file := filepath.Join(t.TempDir(), "hone.db")
	h.ok("backup", file)
	h.Stop()
	const ofProject = "project-token-secret" // in the row that comes with every webhook
	require.True(t, slices.ContainsFunc(s.Deliveries(), func(d lstest.Delivery) bool {
		return d.Status == http.StatusOK && strings.Contains(string(d.Body), ofProject)
	}), "hone was told the project's own token")
	for _, path := range []string{file, filepath.Join(dir, databaseName)} {
		content := contentOf(t, path)
		assert.Contains(t, content, "question 1 about") // it is what it should be
		for _, secret := range []string{lstest.Token, ofProject, "sesame-the-password", "an-openai-key", "a-webhook-secret"} {
			assert.False(t, strings.Contains(content, secret), "%s is in %s", secret, path)
		}
	}
	kept := filepath.Join(dir, state.CredentialFile)
	assert.Contains(t, contentOf(t, kept), lstest.Token)
	fi, err := os.Stat(kept)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), fi.Mode().Perm())
}

// oldDatabase makes the database of an older hone, which kept the token in it.
func oldDatabase(t *testing.T, host, token string, at time.Time) (dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := state.Open(dir, state.Options{})
	require.NoError(t, err)
	deltas, err := store.Plan(t.Context(), []*event.Changed{{
		Project: 1, At: at, LabelConfig: apptest.LabelConfig, Tasks: []event.Task{{ID: 7, Data: []byte(`{"text":"a question"}`)}},
	}})
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), event.Commit{Projects: []event.ProjectCommit{{Project: 1, Delta: &deltas[0]}}}))
	require.NoError(t, store.DB().Update(func(tx *bbolt.Tx) error {
		b, err := json.Marshal(map[string]any{"host": host, "token": token, "at": at})
		require.NoError(t, err)
		return tx.Bucket([]byte("state")).Bucket([]byte("settings")).Put([]byte("credential"), append([]byte{1}, b...))
	}))
	require.NoError(t, store.Close())
	require.Contains(t, contentOf(t, filepath.Join(dir, databaseName)), token)
	return dir
}

func run(args ...string) error {
	root := newRoot()
	root.SetOut(io.Discard)
	root.SetArgs(args)
	return root.ExecuteContext(context.Background())
}

// The token in a backup that an older hone made is used, and is in no database after.
func TestRestoreOfAnOldBackup(t *testing.T) {
	s := apptest.NewStudio(t)
	now := time.Now().UTC()
	backup := filepath.Join(oldDatabase(t, s.Server.URL, lstest.Token, now), databaseName)
	before := contentOf(t, backup)

	t.Run("elsewhere", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "new")
		require.NoError(t, run("restore", backup, "--data-dir", dir))
		assert.NotContains(t, contentOf(t, filepath.Join(dir, databaseName)), lstest.Token)
		h := start(t, apptest.Settings(dir, nil))
		c, none := h.Connection.Client()
		require.NoError(t, none)
		assert.Equal(t, s.Server.URL, c.URL())
		h.Await(1, "the project is there", func(api.Project) bool { return true })
	})
	t.Run("over a database with a token of its own", func(t *testing.T) {
		for name, own := range map[string]string{
			"of an older hone": oldDatabase(t, "http://ls", "its own token", now.Add(-time.Hour)),
			"of this hone":     t.TempDir(),
		} {
			if name == "of this hone" {
				store, err := state.Open(own, state.Options{})
				require.NoError(t, err)
				require.NoError(t, store.SetCredential(t.Context(), state.Credential{Host: "http://ls", Token: "its own token"}))
				require.NoError(t, store.Close())
			}
			require.NoError(t, run("restore", backup, "--data-dir", own, "--force"))
			for _, file := range []string{databaseName, replacedName} {
				content := contentOf(t, filepath.Join(own, file))
				assert.NotContains(t, content, "its own token", "%s, %s", name, file)
				assert.NotContains(t, content, lstest.Token, "%s, %s", name, file)
			}
			kept := contentOf(t, filepath.Join(own, state.CredentialFile))
			assert.Contains(t, kept, "its own token", name)
			entries, err := os.ReadDir(own)
			require.NoError(t, err)
			assert.Len(t, entries, 3, "%s: %v", name, entries)
		}
	})
	assert.Equal(t, before, contentOf(t, backup), "the backup itself is as it was")
}

func TestBackupAndRestoreSayWhatAboutSecrets(t *testing.T) {
	for _, c := range everyCommand(newRoot()) {
		switch c.Name() {
		case "backup":
			assert.Contains(t, c.Long, "no secret")
		case "restore":
			assert.Contains(t, c.Long, "LABEL_STUDIO_API_KEY")
		}
	}
}
