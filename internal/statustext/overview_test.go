package statustext

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func TestOverviewHasALineForEachProject(t *testing.T) {
	estimate := 0.745
	of := func(p api.Project) string {
		var out bytes.Buffer
		Overview(&out, []api.Project{p})
		lines := strings.Split(out.String(), "\n")
		require.Len(t, lines, 5, out.String())
		return lines[1]
	}
	head := api.Head{Control: "topic", PoolAccuracy: &api.PoolAccuracy{Estimate: &estimate}}
	assert.Regexp(t, `^3 +topics +60 +940 +0\.74 +hone-2 +1/2 +settled$`, of(api.Project{
		ID: 3, Title: "topics", Labels: 60, Pool: 940, ModelVersion: "hone-2", Settled: true, Heads: []api.Head{head},
		Queue: api.Queue{Tasks: []event.TaskID{4, 9}, Pushed: 1},
	}))
	assert.Regexp(t, `topic 0\.74, topic 0\.74 +- `, of(api.Project{Heads: []api.Head{head, head}}))
	for want, p := range map[string]api.Project{
		"1 problem":              {Problems: []string{"x"}, Settled: true},
		"2 problems":             {Problems: []string{"x", "y"}},
		"queue not written":      {Queue: api.Queue{Error: "slow"}},
		"7 events to learn":      {Backlog: 7, Reconcile: &api.Reconcile{Running: true, Read: 2, Total: 900}},
		"reading, 2000 of 10000": {Backlog: 7, Reconcile: &api.Reconcile{Running: true, Read: 2000, Total: 10000}},
		"retraining, 50 %":       {Retrain: api.Retrain{Running: true, Progress: 0.5}},
		"encoding, 3 of 9":       {Encoding: &api.Encoding{Encoded: 3, Tasks: 9}},
		"learning":               {Encoding: &api.Encoding{Done: true}},
	} {
		assert.Regexp(t, " "+want+"$", of(p))
	}
	hostile := of(api.Project{ID: 3, Title: "a\nb\tc\x1b[2Jd" + strings.Repeat("é", 1000)})
	assert.NotContains(t, hostile, "\x1b")
	assert.Less(t, len([]rune(hostile)), 200)
}
