package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
)

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/script",
		Condition: func(cond string) (bool, error) { return cond == "root" && os.Getuid() == 0, nil },
	})
}

func everyCommand(c *cobra.Command) (all []*cobra.Command) {
	for _, sub := range c.Commands() {
		all = append(all, sub)
		all = append(all, everyCommand(sub)...)
	}
	return all
}

func TestEveryCommandHelps(t *testing.T) {
	all := everyCommand(newRoot())
	require.Greater(t, len(all), 14)
	for _, c := range all {
		t.Run(strings.ReplaceAll(c.CommandPath(), " ", "_"), func(t *testing.T) {
			assert.NotEmpty(t, c.Short)
			assert.False(t, strings.HasSuffix(c.Short, "."), c.Short)
			require.NotEmpty(t, c.Example)
			assert.Contains(t, c.Example, c.CommandPath(), "an example of this very command")
			for line := range strings.Lines(c.Example) {
				assert.True(t, strings.HasPrefix(line, "  "), line)
			}
			require.NoError(t, c.ParseFlags([]string{"--config", "f", "--data-dir", "d", "--listen", ":1", "--debug"}))
			var out bytes.Buffer
			c.SetOut(&out)
			require.NoError(t, c.Help())
			for _, want := range []string{"Examples:", "--config", "--data-dir", "--listen", "--debug"} {
				assert.Contains(t, out.String(), want)
			}
			for line := range strings.Lines(out.String()) {
				assert.LessOrEqual(t, len(line), 140, line)
			}
		})
	}
}

// TestContractCommands are the names people have in scripts.
func TestContractCommands(t *testing.T) {
	have := map[string]bool{}
	for _, c := range everyCommand(newRoot()) {
		have[c.CommandPath()] = true
	}
	for _, name := range []string{
		"serve", "connect", "disconnect", "forget", "status", "doctor", "configure", "describe", "retrain", "encode", "reconcile", "rebuild", "prelabel", "predict", "versions", "rollback", "version", "demo", "backup", "restore",
		"healthcheck", "deadletter list", "deadletter replay", "deadletter drop",
	} {
		assert.True(t, have["hone "+name], name)
	}
}

func TestCommandsAboutARunningHone(t *testing.T) {
	s := apptest.NewStudio(t)
	h := start(t, apptest.Settings(t.TempDir(), s))
	assert.Equal(t, "No project yet. Connect one: hone connect --project ID\n", h.ok("status"))
	for _, cmd := range []string{"versions", "retrain", "rollback", "reconcile"} {
		_, err := h.cmd(cmd)
		assert.ErrorContains(t, err, "hone connect --project ID", cmd)
	}
	_, err := h.cmd("connect", "--project", "99")
	require.ErrorContains(t, err, "no such project")

	p := s.NewProject(9)
	out := h.ok("connect", "--project", "1")
	assert.Contains(t, out, "ok    webhook: created")
	var rep api.Report
	require.NoError(t, json.Unmarshal([]byte(h.ok("connect", "--project", "1", "--json")), &rep))
	assert.Equal(t, p, rep.Project)
	h.Await(p, "the queue stands", func(p api.Project) bool { return p.Pool == 9 && p.Queue.Pushed > 0 })
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "learned", func(p api.Project) bool { return p.Labels == 1 && p.Pool == 8 && p.Backlog == 0 })

	t.Run("status", func(t *testing.T) {
		out := h.ok("status")
		for _, want := range []string{"Project 1  topics", "1 learned, 8 tasks left", "hone-1", "Choices over 3 labels, 1 examples", "(coverage)", "0 missed"} {
			assert.Contains(t, out, want)
		}
		var one api.Project
		require.NoError(t, json.Unmarshal([]byte(h.ok("status", "--project", "1", "--json")), &one))
		assert.Equal(t, 1, one.Labels)
		var all struct{ Projects []api.Project }
		require.NoError(t, json.Unmarshal([]byte(h.ok("status", "--json")), &all))
		require.Len(t, all.Projects, 1)
		_, err := h.cmd("status", "--project", "7")
		assert.ErrorContains(t, err, "unknown project 7: Label Studio at "+s.Server.URL+" has none with this id")
	})
	t.Run("configure", func(t *testing.T) {
		out := h.ok("configure", "--project", "1")
		for _, want := range []string{"Project 1", "strategy = coverage  (default)", "queue = 30  (default)", "one of ", "learn_from_users = (empty)  (default)"} {
			assert.Contains(t, out, want)
		}
		out = h.ok("configure", "queue=4", "strategy=entropy", "suggestions_off=topic/Money,topic/Food")
		assert.Contains(t, out, "queue = 4  (set; default 30)")
		var got api.Configuration
		require.NoError(t, json.Unmarshal([]byte(h.ok("configure", "--project", "1", "strategy=", "--json")), &got))
		assert.True(t, got.Applied)
		assert.Equal(t, "coverage", got.Settings[0].Value)
		assert.False(t, got.Settings[0].Set)
		h.Await(p, "four tasks", func(p api.Project) bool { return len(p.Queue.Tasks) == 4 })
		out = h.ok("status")
		for _, want := range []string{"queue = 4  (set; default 30): how many", "lists all", "topic: Money, Food"} {
			assert.Contains(t, out, want)
		}
		for _, c := range []struct{ args, want string }{
			{"queue", "not KEY=VALUE"},
			{"=3", "not KEY=VALUE"},
			{"queue=0", `queue = "0": not a whole number in range; set it between 1 and 1000`},
			{"colour=red", "the settings are strategy, queue"},
			{"colour=", "the settings are strategy, queue"},
			{"queue=5 queue=6", "queue is given twice"},
		} {
			_, err := h.cmd(append([]string{"configure"}, strings.Fields(c.args)...)...)
			assert.ErrorContains(t, err, c.want, c.args)
		}
		_, err := h.cmd("configure", "--project", "7", "queue=1")
		require.ErrorContains(t, err, "unknown project 7: Label Studio at ")
		h.ok("configure", "queue=", "suggestions_off=")
		h.Await(p, "the defaults again", func(p api.Project) bool { return len(p.Queue.Tasks) == 8 })
	})
	t.Run("describe", func(t *testing.T) {
		out := h.ok("describe", "--project", "1")
		for _, want := range []string{"Project 1: 0 of 3 labels are described", "Money", "hone describe --project 1 --edit"} {
			assert.Contains(t, out, want)
		}
		lines := filepath.Join(t.TempDir(), "lines.json")
		require.NoError(t, os.WriteFile(lines, []byte(`{"Money": ["my card was charged twice", "cash, bank, account"]}`), 0o600))
		out = h.ok("describe", "--file", lines)
		assert.Contains(t, out, "1 of 3 labels are described")
		assert.Contains(t, out, "cash, bank, account")
		var got api.Descriptions
		require.NoError(t, json.Unmarshal([]byte(h.ok("describe", "--json")), &got))
		require.Len(t, got.Controls, 1)
		assert.Contains(t, got.Controls[0].Labels, api.DescribedLabel{Label: "Money", Lines: []string{"my card was charged twice", "cash, bank, account"}, Source: api.SourceLines})
		assert.Contains(t, h.ok("status", "--project", "1"), "of 3 labels 1 are described, 0 have a hint, 2 only a name")

		t.Setenv("TMPDIR", t.TempDir()) // the lines that an editor was given stay there
		// The editor is given what there is, and empty lines for the rest.
		t.Setenv("VISUAL", "sed -i s/cash/coins/")
		assert.Contains(t, h.ok("describe", "--edit"), "coins, bank, account")
		t.Setenv("VISUAL", "sed -i s/{/[/")
		_, err := h.cmd("describe", "--edit")
		require.ErrorContains(t, err, "mend it there and use --file")
		t.Setenv("VISUAL", "sed -i s/Money/Mony/")
		_, err = h.cmd("describe", "--edit")
		require.ErrorContains(t, err, "no label that hone learns; the labels are Money")
		kept := regexp.MustCompile(`mend (\S+) and use --file`).FindStringSubmatch(err.Error())
		require.Len(t, kept, 2)
		text, err := os.ReadFile(kept[1])
		require.NoError(t, err, "what was typed is not lost")
		assert.Contains(t, string(text), "coins, bank, account")
		t.Setenv("VISUAL", "no-such-editor")
		_, err = h.cmd("describe", "--edit")
		require.ErrorContains(t, err, "set EDITOR, or use --file")

		require.NoError(t, os.WriteFile(lines, []byte(`{"Mony": ["x"]}`), 0o600))
		_, err = h.cmd("describe", "--file", lines)
		require.ErrorContains(t, err, "no label that hone learns; the labels are Money")
		_, err = h.cmd("describe", "--file", lines, "--clear")
		require.Error(t, err)
		_, err = h.cmd("describe", "--file", filepath.Join(t.TempDir(), "none"))
		require.Error(t, err)
		assert.Contains(t, h.ok("describe", "--clear"), "0 of 3 labels are described")
	})
	t.Run("retrain, versions, rollback", func(t *testing.T) {
		assert.Contains(t, h.ok("retrain"), "hone-2 is live")
		out := h.ok("versions", "--project", "1")
		assert.Regexp(t, `(?m)^hone-2 +\* `, out)
		var vs struct{ Versions []api.Version }
		require.NoError(t, json.Unmarshal([]byte(h.ok("versions", "--json")), &vs))
		require.Len(t, vs.Versions, 2)
		assert.True(t, vs.Versions[1].Live)
		_, err := h.cmd("rollback", "--to", "hone-9")
		assert.ErrorContains(t, err, `there is no version "hone-9" (versions: hone-1, hone-2)`)
		_, err = h.cmd("rollback", "--to", "hone-2")
		assert.ErrorContains(t, err, "live already")
		for _, v := range vs.Versions {
			assert.Empty(t, v.Accuracy)
		}
		assert.Regexp(t, `(?m)^hone-1 .* 0 +none: made without a retrain, which measures it +first$`, out)
		assert.Regexp(t, `(?m)^hone-2 .* 1 +none: made of fewer than 50 labels +command$`, out)
		_, err = h.cmd("rollback", "hone-9", "--project", "1")
		assert.ErrorContains(t, err, `there is no version "hone-9" (versions: hone-1, hone-2)`)
		_, err = h.cmd("rollback", "hone-1", "--to", "hone-2")
		assert.ErrorContains(t, err, "both hone-1 and --to hone-2 are given")
		_, err = h.cmd("rollback", "hone-1", "hone-2")
		assert.ErrorContains(t, err, "2 versions are named")
		_, err = h.cmd("rollback", "")
		assert.ErrorContains(t, err, "the version is empty")
		assert.Equal(t, "project 1: hone-1 is live\n", h.ok("rollback", "hone-1", "--to", "hone-1"))
		assert.Equal(t, "project 1: hone-2 is live\n", h.ok("rollback", "hone-2", "--project", "1"))
		assert.Equal(t, "project 1: hone-1 is live\n", h.ok("rollback"))
		_, err = h.cmd("rollback")
		assert.ErrorContains(t, err, "no version before the live one")
		assert.Empty(t, h.ok("retrain", "--no-wait"))
		assert.Contains(t, h.ok("encode"), "nothing to do")
	})
	t.Run("backup", func(t *testing.T) {
		t.Chdir(t.TempDir())
		out := h.ok("backup")
		file, _, found := strings.Cut(strings.TrimSuffix(out, " bytes\n"), ": ")
		require.True(t, found, out)
		assert.True(t, filepath.IsAbs(file), "it says where: %s", out)
		assert.Regexp(t, `^hone-\d{4}-\d\d-\d\d-\d{6}\.db$`, filepath.Base(file))
		there, err := filepath.Glob("*")
		require.NoError(t, err)
		assert.Equal(t, []string{filepath.Base(file)}, there)
		require.NoError(t, runs(t, "restore", file, "--data-dir", filepath.Join(t.TempDir(), "new")))
		assert.ErrorContains(t, runs(t, "restore"), "hone restore FILE")
	})
	t.Run("reconcile", func(t *testing.T) {
		s.DropWebhooks(1)
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		// One that was under way may find it before.
		assert.Regexp(t, `^project 1: [01] missed changes found, 2 labels\n$`, h.ok("reconcile"))
		assert.EqualValues(t, 1, h.Status(p).MissedFound)
		var rejected *silentError
		_, err := h.cmd("doctor")
		if err != nil {
			require.ErrorAs(t, err, &rejected)
		}
	})
	t.Run("deadletter", func(t *testing.T) {
		assert.Equal(t, "no dead letters\n", h.ok("deadletter", "list"))
		assert.JSONEq(t, `{"dead_letters":[]}`, h.ok("deadletter", "list", "--json"))
		for range 2 {
			_, err := h.EventLog.Append(string(event.Changes), []byte("not an event"))
			require.NoError(t, err)
		}
		h.Await(p, "they are dead letters", func(p api.Project) bool { return p.DeadLetters == 2 })
		var ls struct {
			DeadLetters []api.DeadLetter `json:"dead_letters"`
		}
		require.NoError(t, json.Unmarshal([]byte(h.ok("deadletter", "list", "--json")), &ls))
		require.Len(t, ls.DeadLetters, 2)
		assert.Contains(t, ls.DeadLetters[0].Reason, "unreadable event")
		assert.Contains(t, h.ok("deadletter", "list"), "unreadable event")
		assert.Contains(t, h.ok("status"), "see `hone deadletter list`")
		id := ls.DeadLetters[0].ID
		assert.Equal(t, "1 dropped\n", h.ok("deadletter", "drop", decimal(id)))
		_, err := h.cmd("deadletter", "replay", decimal(id))
		require.ErrorContains(t, err, "1 of the 1 dead letters named are not there")
		assert.Equal(t, "1 replayed\n", h.ok("deadletter", "replay"))
		h.Await(p, "it failed again", func(p api.Project) bool { return p.DeadLetters == 1 && p.Backlog == 0 })
		assert.Equal(t, "1 dropped\n", h.ok("deadletter", "drop"))
	})
	t.Run("which project", func(t *testing.T) {
		q := s.NewProject(1)
		h.ok("connect", "--project", decimal(uint64(q)))
		_, err := h.cmd("versions")
		assert.ErrorContains(t, err, "hone knows 2 projects: say which with --project ID")
	})
	assert.Empty(t, h.ok("healthcheck"))
}

// A command that waits for Label Studio must say that it does not come.
func TestDisconnectAndForget(t *testing.T) {
	s := apptest.NewStudio(t)
	h := start(t, apptest.Settings(t.TempDir(), s))
	p := s.NewProject(3)
	h.ok("connect", "--project", "1")
	h.Await(p, "the queue stands", func(p api.Project) bool { return p.Pool == 3 && p.Settled })

	out := h.ok("disconnect", "--project", "1")
	for _, want := range []string{"ok    ML backend: removed", "ok    webhook: removed", "changed back from Uncertainty sampling to Sequential sampling", "predictions: 3 of hone's stay", "--delete-predictions"} {
		assert.Contains(t, out, want)
	}
	assert.Contains(t, h.ok("status"), "hone writes nothing to it; `hone connect --project 1` connects it again")
	var rep api.Report
	require.NoError(t, json.Unmarshal([]byte(h.ok("disconnect", "--project", "1", "--delete-predictions", "--json")), &rep))
	assert.Contains(t, rep.Steps[len(rep.Steps)-1].What, "3 removed")

	for _, answer := range []string{"", "no\n", "y\n"} {
		_, err := h.saying(answer, "forget", "--project", "1")
		require.ErrorContains(t, err, "nothing was deleted", answer)
	}
	_, err := h.cmd("forget", "--project", "1", "--json")
	require.ErrorContains(t, err, "add --yes")
	h.ok("status", "--project", "1")
	out, err = h.saying("yes\n", "forget", "--project", "1")
	require.NoError(t, err)
	assert.Contains(t, out, "ok    project: deleted: 3 tasks, 0 annotations")
	assert.Contains(t, out, "warn  backups: ")
	assert.Equal(t, "No project yet. Connect one: hone connect --project ID\n", h.ok("status"))
	_, err = h.cmd("forget", "--project", "1", "--yes")
	require.ErrorContains(t, err, "unknown project")
	_, err = h.cmd("disconnect", "--project", "1")
	require.ErrorContains(t, err, "unknown project")
}

func TestReconcileSaysWhyItCannot(t *testing.T) {
	s := apptest.NewStudio(t)
	h := start(t, apptest.Settings(t.TempDir(), s))
	p := s.NewProject(1)
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.LastReconcile != nil && p.Tasks == 1 })
	s.Server.Close()
	_, err := h.cmd("reconcile")
	assert.ErrorContains(t, err, "project 1 was not compared")
	assert.ErrorContains(t, err, "no answer from Label Studio")
}

// The commands of the same machine find the token in the data directory.
func TestTokenIsFoundInTheDataDirectory(t *testing.T) {
	cfg := apptest.Settings(t.TempDir(), apptest.NewStudio(t))
	cfg.BasicAuth.User, cfg.BasicAuth.Password = "hone", secretOf("sesame")
	h := start(t, cfg)
	h.ok("status")
	h.ok("healthcheck")
	right := h.DataDir
	h.DataDir = t.TempDir()
	_, err := h.cmd("status")
	assert.ErrorContains(t, err, "--data-dir")
	assert.ErrorContains(t, err, "HONE_ADMIN_TOKEN")
	token, err := access.AdminToken(right)
	require.NoError(t, err)
	t.Setenv("HONE_ADMIN_TOKEN", token)
	h.ok("status")
}
