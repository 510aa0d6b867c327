package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// hone connect --poll registers nothing, status and doctor say how the project is connected,
// and connecting without it goes back.
func TestConnectPollCommand(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.LabelStudio.PollInterval = 10 * time.Millisecond
	h := start(t, cfg)
	p := s.NewProject(12)
	project := fmt.Sprint(p)

	_, err := h.cmd("connect", "--project", project, "--poll", "--url", "http://hone.internal:9090")
	require.ErrorContains(t, err, "poll")
	out := h.ok("connect", "--project", project, "--poll")
	assert.Contains(t, out, "ok    poll: hone reads the changes from "+s.Server.URL)
	assert.Contains(t, out, "`hone prelabel --project "+project+"`")
	var rep api.Report
	require.NoError(t, json.Unmarshal([]byte(h.ok("connect", "--project", project, "--poll", "--json")), &rep))
	assert.Equal(t, p, rep.Project)
	h.Await(p, "the queue stands", func(p api.Project) bool {
		return p.Settled && len(p.Queue.Tasks) == 12 && p.Queue.Pushed == 12 && p.Poll != nil && p.Poll.Last != nil
	})
	hooks, err := s.Webhooks(t.Context(), p)
	require.NoError(t, err)
	assert.Empty(t, hooks)

	status := h.ok("status", "--project", project)
	assert.Regexp(t, `(?m)^  polled +0s ago .*, every `, status)
	assert.Regexp(t, `(?m)^  setting +connection = poll`, status)
	assert.NotContains(t, status, "problem")
	assert.Contains(t, h.ok("configure", "--project", project), "connection")
	var doctor string
	apptest.Until(t, "Label Studio goes by hone's version", func() bool {
		doctor, err = h.cmd("doctor", "--project", project)
		return err == nil
	})
	assert.Contains(t, doctor, "ok    project "+project+", poll: hone reads the changes every ")
	assert.NotContains(t, doctor, "webhook:")

	out = h.ok("connect", "--project", project, "--url", h.Base)
	assert.Contains(t, out, "ok    webhook: created")
	assert.Contains(t, out, "ok    poll: turned off")
	h.Await(p, "it polls no more", func(p api.Project) bool { return p.Connection == "webhook" && p.Poll == nil })
	assert.NotContains(t, h.ok("status", "--project", project), "polled")
}
