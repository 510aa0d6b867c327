package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/api"
)

func TestStatusSaysWhatARetrainWaitsForAndWhatARollbackHolds(t *testing.T) {
	now := time.Now()
	p := api.Project{ID: 3, ModelVersion: "hone-1", Settled: true}
	printed := func() string {
		var out bytes.Buffer
		c := &cli{cmd: new(cobra.Command)}
		c.cmd.SetOut(&out)
		c.printProject(p, now)
		return out.String()
	}
	assert.NotRegexp(t, `settings|retrain`, printed())
	p.SettingsHeld = true
	p.Retrain = api.Retrain{Running: true, Waiting: "for the vectors of 3 of 40 labelled texts"}
	assert.Regexp(t, `(?m)^  settings +held since the rollback to hone-1; .*hone retrain`, printed())
	assert.Regexp(t, `(?m)^  retrain +waits for the vectors of 3 of 40 labelled texts$`, printed())
	p.Retrain = api.Retrain{Waiting: "for the vectors", Last: &now, Outcome: "new version hone-2"}
	assert.Regexp(t, `(?m)^  retrain +waits for the vectors\n  retrain +0s ago .*new version hone-2$`, printed())
	p.Retrain = api.Retrain{Running: true, Progress: 0.5, Last: &now, Outcome: "new version hone-2"}
	assert.NotContains(t, printed(), "hone-2")
	assert.Contains(t, printed(), "running, 50 %")
}
