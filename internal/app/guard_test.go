package app_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/state"
)

// A strategy that was worse than random is left for it: in the queue, in what is told, in the log once, and
// over a restart and a rebuild; who names the strategy again has it back and compared anew.
func TestAStrategyThatLosesIsLeft(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.Sampler.RandomShare = 0.5
	h := apptest.Start(t, cfg)
	p := s.NewProject(60)
	h.Register(p)
	got := settled(h, p)
	require.NotNil(t, got.Guard)
	assert.Equal(t, []string{"comparing", "coverage", ""}, []string{got.Guard.State, got.Guard.Strategy, got.Guard.Reason})
	assert.Nil(t, got.Guard.StrategyShare)
	label := func(h *apptest.Instance) {
		t.Helper()
		before := h.Status(p).Labels
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		h.Await(p, "learned, and asked anew", func(p api.Project) bool { return p.Labels == before+1 && p.Settled })
	}
	for range 12 {
		label(h)
	}
	got = h.Await(p, "some trials are made", func(p api.Project) bool { return len(p.Guard.Controls) == 1 && p.Guard.Controls[0].Trials > 1 })
	control := got.Guard.Controls[0]
	assert.Equal(t, "topic", control.Control)
	assert.True(t, control.Low <= control.Difference && control.Difference <= control.High)
	assert.Nil(t, control.LabelsSaved, "of so few trials")
	require.NotNil(t, got.Guard.StrategyShare)
	assert.InDelta(t, 0.4, *got.Guard.StrategyShare, 0.3)
	assert.Positive(t, got.Guard.RandomAnswers)
	assert.Positive(t, got.Guard.AskedAnswers)

	// As if the strategy had been worse sixty times. No hone looks meanwhile.
	h.Stop()
	store, err := state.Open(cfg.DataDir, state.Options{})
	require.NoError(t, err)
	c, err := store.Comparison(t.Context(), p)
	require.NoError(t, err)
	topic := c.Controls["topic"]
	topic.Trials = strings.Repeat("r", 60)
	c.Controls["topic"] = topic
	require.NoError(t, store.PutComparison(t.Context(), p, c))
	require.NoError(t, store.Close())
	cfg.Listen = h.Addrs()[0].String() // where Label Studio looks for it
	h = apptest.Start(t, cfg)
	isLeft := func(p api.Project) bool { return p.Guard.State == "left" && p.Settled }
	got = h.Await(p, "the strategy is left", isLeft)
	assert.Contains(t, got.Guard.Reason, "coverage was left for random after 12 labels")
	assert.Contains(t, got.Guard.Reason, "strategy=coverage` goes back")
	assert.NotNil(t, got.Guard.LeftAt)
	assert.Equal(t, 12, got.Guard.LeftLabels)
	atRandom := func(p api.Project) bool {
		return p.Queue.Strategy == "random" && len(p.Queue.Tasks) > 0 && len(p.Queue.Random) == len(p.Queue.Tasks) && p.Settled
	}
	h.Await(p, "all is asked at random", atRandom)
	assert.Equal(t, "coverage", setting(h.Status(p), "strategy").Value, "what is configured stays")
	said := func(h *apptest.Instance) int { return strings.Count(h.Log.String(), "was left for random") }
	assert.Equal(t, 1, said(h))
	r, err := http.Get(h.Base + "/metrics")
	require.NoError(t, err)
	metrics, err := io.ReadAll(r.Body)
	require.NoError(t, errors.Join(err, r.Body.Close()))
	assert.Contains(t, string(metrics), fmt.Sprintf("hone_strategy_left{project=\"%d\"} 1", p))

	h.Stop()
	h = apptest.Start(t, cfg)
	h.Await(p, "it stays so after a restart", func(p api.Project) bool { return isLeft(p) && atRandom(p) })
	label(h)
	h.Await(p, "it stays so after a label", func(p api.Project) bool { return isLeft(p) && atRandom(p) })
	assert.Equal(t, 0, said(h))
	_, err = h.Client.Rebuild(t.Context(), p)
	require.NoError(t, err)
	h.Await(p, "it stays so after a rebuild", func(p api.Project) bool {
		return p.Reconcile != nil && p.Reconcile.LastRebuild != nil && !p.Reconcile.Running && isLeft(p) && atRandom(p)
	})

	set(t, h, p, "strategy", "coverage")
	got = h.Await(p, "the strategy is back", func(p api.Project) bool {
		return p.Guard.State == "comparing" && p.Queue.Strategy == "coverage" && len(p.Queue.Random) < len(p.Queue.Tasks) && p.Settled
	})
	assert.Empty(t, got.Guard.Controls)
	set(t, h, p, "random_share", "0")
	got = h.Await(p, "there is nothing to compare with", func(p api.Project) bool { return p.Guard.State == "off" })
	assert.Contains(t, got.Guard.Reason, "random_share is 0")
	var none event.Comparison
	_, err = h.Client.Forget(t.Context(), p)
	require.NoError(t, err)
	c, err = h.Store.Comparison(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, none, c)
}
