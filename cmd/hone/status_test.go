package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// A version says to how many labels the transformer had adapted.
func TestVersionsSayWhatTheTransformerHadAdaptedTo(t *testing.T) {
	assert.Equal(t, "60", formatLabels(api.Version{Labels: 60}))
	assert.Equal(t, "60 (adapted to 48)", formatLabels(api.Version{Labels: 60, AdaptedLabels: 48}))
}

func TestStatusOfSeveralProjects(t *testing.T) {
	s := apptest.NewStudio(t)
	h := start(t, apptest.Settings(t.TempDir(), s))
	for range 2 {
		p := s.NewProject(2)
		h.Register(p)
		h.Await(p, "read", func(p api.Project) bool { return p.Tasks == 2 })
	}
	out := h.ok("status")
	assert.Regexp(t, `^PROJECT +TITLE +LABELS +LEFT +ACCURACY +MODEL +QUEUE +STATE\n1 +topics +0 +2 .*\n2 +topics +0 +2 .*\n\n`, out)
	assert.Contains(t, h.ok("status", "--project", "2"), "Project 2  topics\n")
	var all struct{ Projects []api.Project }
	require.NoError(t, json.Unmarshal([]byte(h.ok("status", "--json")), &all))
	assert.Len(t, all.Projects, 2)
	_, err := h.cmd("status", "--watch", "--json")
	require.ErrorContains(t, err, "none of the others can be")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := &stopAfter{times: 1, stop: cancel}
	root := newRoot()
	root.SetOut(seen)
	root.SetArgs([]string{"status", "--watch", "--listen", h.Addrs()[0].String(), "--data-dir", h.DataDir})
	require.NoError(t, root.ExecuteContext(ctx), "Ctrl-C is how it ends")
	assert.True(t, strings.HasPrefix(seen.String(), "PROJECT"), seen.String())
}

// stopAfter takes so many drawings and then has the watching stopped.
type stopAfter struct {
	bytes.Buffer
	times int
	stop  func()
}

func (s *stopAfter) Write(p []byte) (int, error) {
	if s.times--; s.times == 0 {
		s.stop()
	}
	return s.Buffer.Write(p)
}

func TestWatchDrawsAgainAndOutlivesARestart(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		out, n := &stopAfter{times: 3, stop: cancel}, 0
		w := watcher{out: out, every: time.Millisecond, terminal: terminal, draw: func(_ context.Context, w io.Writer) error {
			n++
			_, _ = fmt.Fprintf(w, "drawing %d\nend\n", n)
			if n == 2 {
				return errors.New("hone is not running")
			}
			return nil
		}}
		require.NoError(t, w.watch(ctx))
		cancel()
		if terminal {
			assert.Regexp(t, "^\x1b\\[H\x1b\\[J\x1b\\[Hdrawing 1\x1b\\[K\nend\x1b\\[K\n\x1b\\[J\x1b\\[H[0-9:]{8}  hone is not running\x1b\\[K\n\x1b\\[J\x1b\\[Hdrawing 3", out.String())
		} else {
			assert.Regexp(t, "^drawing 1\nend\n\n[0-9:]{8}  hone is not running\n\ndrawing 3\nend\n$", out.String())
		}
	}
	broken := watcher{every: time.Millisecond, draw: func(context.Context, io.Writer) error { return errors.New("no hone") }}
	require.ErrorContains(t, broken.watch(t.Context()), "no hone", "nothing to watch from the start")
}
