package reconcile

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A run that goes on ends before Hold returns, and none begins while it holds.
func TestHoldKeepsRunsFromBeginning(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	g := rigFor(t, nil)
	g.ls.before = func(call string) error {
		if call == "project" {
			asked <- struct{}{}
			<-goOn
		}
		return nil
	}
	require.NoError(t, g.r.Start(t.Context()))
	defer func() { require.NoError(t, g.r.Stop(context.Background())) }()
	g.r.Ask(pid, false)
	<-asked
	late, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.r.Hold(late, pid)
	require.ErrorIs(t, err, context.Canceled, "one goes on")

	goOn <- struct{}{}
	release, err := g.r.Hold(t.Context(), pid)
	require.NoError(t, err)
	st, _ := g.r.Status(pid)
	assert.Equal(t, 1, st.Runs)
	g.r.Ask(pid, false)
	select {
	case <-asked:
		t.Error("a run began")
	default:
	}
	release(true)
	st, _ = g.r.Status(pid)
	assert.Zero(t, st.Runs, "what was known is forgotten")
	g.r.Ask(pid, false)
	<-asked
	goOn <- struct{}{}
}
