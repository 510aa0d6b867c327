//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// TestTheTransformerAdapts labels 120 tasks, each time the one that Label Studio serves next, while the
// transformer adapts to the labels: at least twice, the last time to 96. Label Studio has a queue of
// hone's all the time, and what it stores in the end is what the adapted model says.
func TestTheTransformerAdapts(t *testing.T) {
	const labels = 120
	s := newStudio(t)
	h := newHone(t, append(configured(), "HONE_LEARNER_ENCODER=minilm", "HONE_LEARNER_ADAPT=auto")...)
	h.start()
	truth := load(t, "tasks.jsonl")
	project := s.newProject(labelConfig(t), truth)
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read and encoded, and the first queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == len(truth) && p.Queue.Pushed >= 5 && p.Encoding != nil && p.Encoding.Done
	})
	awaitSettings(t, s, project)

	stop := s.watchLosses(project, 1, 500*time.Millisecond)
	adaptedTo := map[int]bool{}
	done := map[int]bool{}
	for i := range labels {
		task := s.next(project)
		if done[task.ID] {
			t.Fatalf("label %d: task %d was served twice", i, task.ID)
		}
		done[task.ID] = true
		s.annotate(task.ID, task.Data.Topic)
		p := h.await(project, "the label is learned and the new head is in Label Studio", func(p api.Project) bool {
			return p.Labels == i+1 && p.Queue.Labels == i+1 && p.Queue.Pushed >= 1
		})
		if i+1 == 40 { // people are slower than this test: have it adapt for the first time
			p = h.awaitWithin(10*time.Minute, project, "the transformer has adapted", func(p api.Project) bool { return p.Adapted != nil && p.Adapted.Labels > 0 })
		}
		if p.Adapted != nil {
			adaptedTo[p.Adapted.Labels] = true
		}
	}
	p := h.awaitWithin(10*time.Minute, project, "the transformer has adapted to 96 labels and what is stored is what the model says", func(p api.Project) bool {
		return p.Settled && p.Adapted != nil && p.Adapted.Labels == 96 && p.Adapted.AdaptingTo == 0 &&
			p.Predictions != nil && p.Predictions.QueueDiffering == 0 && p.Predictions.OthersDiffering == 0
	})
	lost, looked := stop()
	t.Logf("adapted to %v and 96 labels; held-out accuracy %.3f, without it %.3f; looked %d times", adaptedTo, *p.Adapted.Accuracy, *p.Adapted.AccuracyWithout, looked)
	if len(lost) > 0 || looked < 20 {
		t.Errorf("looked %d times: %s", looked, strings.Join(lost, "; "))
	}
	delete(adaptedTo, 0)
	delete(adaptedTo, 96)
	if len(adaptedTo) == 0 {
		t.Error("it has adapted to 96 labels only")
	}
	s.checkAgrees(t, h, project, p)
	version := s.project(project).ModelVersion
	for _, got := range s.predictions(project) {
		if got.ModelVersion != version {
			t.Errorf("task %d has a prediction of %s; the project goes by %s", got.Task, got.ModelVersion, version)
		}
	}
	checkUnseen(t, h)

	// After a restart the adapter is there without a training.
	h.stop(syscall.SIGTERM)
	h.start()
	again := h.await(project, "it is settled", func(p api.Project) bool { return p.Settled && p.Adapted != nil && p.Adapted.Labels == 96 })
	if !again.Adapted.At.Equal(*p.Adapted.At) {
		t.Errorf("adapted %v, before the restart %v", again.Adapted.At, p.Adapted.At)
	}
	if out, err := h.run("configure", "--project", fmt.Sprint(project), "adapt=off"); err != nil {
		t.Fatalf("configure: %v %s", err, out)
	}
	h.await(project, "it goes by the transformer as it was, and says so to Label Studio", func(p api.Project) bool {
		return p.Settled && p.Adapted == nil && p.Predictions != nil && p.Predictions.QueueDiffering == 0
	})
}

// tryVersion returns the version that a project goes by, "" when Label Studio does not tell. It may be
// called from any goroutine.
func (s *studio) tryVersion(project int) string {
	_, b, err := s.try("GET", fmt.Sprintf("/api/projects/%d/", project), nil)
	var p lsProject
	if err != nil || json.Unmarshal(b, &p) != nil {
		return ""
	}
	return p.ModelVersion
}
