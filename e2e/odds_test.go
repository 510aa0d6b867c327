//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hone-ml/hone/api"
)

// TestKnownOdds: with odds=on Label Studio asks what hone drew, in its order, a skipped task is missing, and `hone shares` says how
// common the labels are.
func TestKnownOdds(t *testing.T) {
	t.Parallel() // most of it is waiting
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	tasks := load(t, "tasks.jsonl")[:120]
	project := s.newProject(labelConfig(t), tasks)
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == len(tasks) })
	if out, err := h.run("configure", "--project", fmt.Sprint(project), "odds=on"); err != nil {
		t.Fatalf("configure: %v\n%s", err, out)
	}
	const labels, skipped = 25, 7 // of which the last, and the number of the skipped one
	for i := range labels {
		p := h.await(project, "the draws are first in Label Studio", func(p api.Project) bool {
			return p.Labels+p.Skipped == i && p.Settled && p.Odds != nil && p.Odds.On && p.Odds.Open >= 3 && p.Queue.Pushed >= 3
		})
		task := s.next(project)
		if task.ID != int(p.Queue.Tasks[0]) {
			t.Fatalf("label %d: Label Studio asks task %d, drawn first was %v", i, task.ID, p.Queue.Tasks[:3])
		}
		if kind := p.Queue.Reasons[0].Kind; kind != "drawn" && kind != "random" {
			t.Errorf("task %d is asked because it is %s", task.ID, kind)
		}
		if i == skipped {
			s.do("POST", fmt.Sprintf("/api/tasks/%d/annotations/", task.ID), map[string]any{"result": []any{}, "was_cancelled": true}, nil)
		} else {
			s.annotate(task.ID, task.Data.Topic)
		}
	}
	h.await(project, "all is learned", func(p api.Project) bool { return p.Labels == labels-1 && p.Settled })
	text, err := h.run("shares", "--project", fmt.Sprint(project), "--json")
	var got api.Shares
	if err != nil || json.Unmarshal([]byte(text), &got) != nil || len(got.Controls) != 1 {
		t.Fatalf("shares: %v\n%s", err, text)
	}
	c := got.Controls[0]
	if c.Draws != labels-1 || c.Missing != 1 || c.Waiting < 3 {
		t.Errorf("%d draws count, %d are missing, %d wait", c.Draws, c.Missing, c.Waiting)
	}
	truth, held := map[string]float64{}, 0
	for _, e := range tasks {
		truth[e.Label] += 1 / float64(len(tasks))
	}
	for _, l := range c.Shares {
		if l.Low <= truth[l.Label] && truth[l.Label] <= l.High {
			held++
		}
		t.Logf("%s: %.3f (%.3f to %.3f), in truth %.3f", l.Label, l.Estimate, l.Low, l.High, truth[l.Label])
	}
	if held < len(c.Shares)-1 {
		t.Errorf("%d of %d intervals hold the truth", held, len(c.Shares))
	}
	text, err = h.run("shares", "--project", fmt.Sprint(project))
	t.Logf("%v\n%s", err, text)
}
