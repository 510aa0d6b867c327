//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// storedChoice is a prediction with the label that it suggests.
type storedChoice struct {
	lsPrediction
	Result []struct{ Value struct{ Choices []string } }
}

func (s *studio) storedChoices(project int) (all []storedChoice) {
	s.t.Helper()
	s.do("GET", fmt.Sprintf("/api/predictions/?project=%d", project), nil, &all)
	return all
}

// watchLosses asks Label Studio again and again which tasks have no prediction of the
// version that the project goes by, which is what annotators see, with a pause between two
// looks, until stop is called. lost tells of the first looks that found fewer than so many
// tasks with one.
func (s *studio) watchLosses(project, tasks int, pause time.Duration) (stop func() (lost []string, looked int)) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	var lost []string
	looked := 0
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(pause):
			}
			before := s.tryVersion(project)
			_, b, err := s.try("GET", fmt.Sprintf("/api/predictions/?project=%d", project), nil)
			var rows []lsPrediction
			if err != nil || json.Unmarshal(b, &rows) != nil || before == "" || s.tryVersion(project) != before {
				continue // it was set in between
			}
			looked++
			has := map[int]bool{}
			for _, r := range rows {
				if r.ModelVersion == before {
					has[r.Task] = true
				}
			}
			if len(has) < tasks && len(lost) < 5 {
				lost = append(lost, fmt.Sprintf("%d of %d tasks have a prediction of %s", len(has), tasks, before))
			}
		}
	})
	return func() ([]string, int) {
		close(quit)
		wg.Wait()
		return lost, looked
	}
}

// Predictions that people asked for are there at every moment of a retrain, and what the
// label config no longer has is not.
func TestPredictionsOutliveARetrain(t *testing.T) {
	const tasks = 60
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:tasks])
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == tasks })
	annotations := map[string][]int{}
	for i := range 9 {
		task := s.next(project)
		annotations[task.Data.Topic] = append(annotations[task.Data.Topic], s.annotate(task.ID, task.Data.Topic))
		h.await(project, "learned", func(p api.Project) bool { return p.Labels == i+1 && p.Queue.Labels == i+1 })
	}
	out, err := h.run("prelabel", "--project", fmt.Sprint(project))
	if err != nil || !strings.Contains(out, fmt.Sprintf("%d of %[1]d tasks have a prediction of hone-1", tasks)) {
		t.Fatalf("prelabel: %v %s", err, out)
	}

	stop := s.watchLosses(project, tasks, 0)
	if out, err := h.run("retrain", "--project", fmt.Sprint(project)); err != nil {
		t.Fatalf("retrain: %v %s", err, out)
	}
	until(t, 3*time.Minute, "Label Studio goes by the new version and the old predictions are gone", func() bool {
		var versions map[string]int
		s.do("GET", fmt.Sprintf("/api/projects/%d/model-versions/", project), nil, &versions)
		return s.project(project).ModelVersion == "hone-2" && versions["hone-1"] == 0 && versions["hone-2"] >= tasks
	})
	lost, looked := stop()
	t.Logf("looked %d times", looked)
	if len(lost) > 0 || looked < 5 {
		t.Errorf("looked %d times: %s", looked, strings.Join(lost, "; "))
	}
	p := h.await(project, "what is stored is what the model says", func(p api.Project) bool {
		return p.Settled && p.Predictions != nil && p.Predictions.QueueDiffering == 0 && p.Predictions.OthersDiffering == 0 && p.Predictions.Staging == ""
	})
	s.checkAgrees(t, h, project, p)
	checkRenamed(t, s, h, project, annotations)
}

// checkAgrees compares what is stored for the queue with what hone answers now.
func (s *studio) checkAgrees(t *testing.T, h *hone, project int, p api.Project) {
	t.Helper()
	texts := map[int]string{}
	for _, task := range s.openTasks(project) {
		texts[task.ID] = task.Data.Text
	}
	stored := map[int]string{}
	for _, r := range s.storedChoices(project) {
		if r.Score < 0.01 && len(r.Result) > 0 {
			stored[r.Task] = strings.Join(r.Result[0].Value.Choices, "+")
		}
	}
	for _, id := range p.Queue.Tasks {
		if says := h.predict([]string{texts[int(id)]})[0].label; stored[int(id)] != says {
			t.Errorf("task %d: %q is stored, the model says %q", id, stored[int(id)], says)
		}
	}
}

// checkRenamed renames a label while hone is away, which Label Studio allows of one that
// no annotation has: no prediction says the old name.
func checkRenamed(t *testing.T, s *studio, h *hone, project int, annotations map[string][]int) {
	t.Helper()
	said := func(label string) (n int) {
		for _, r := range s.storedChoices(project) {
			for _, region := range r.Result {
				if strings.Join(region.Value.Choices, "+") == label {
					n++
				}
			}
		}
		return n
	}
	old := ""
	for label := range annotations {
		if said(label) > 0 && (old == "" || len(annotations[label]) < len(annotations[old])) {
			old = label
		}
	}
	if old == "" {
		t.Fatalf("no label of %v is suggested", annotations)
	}
	h.stop(syscall.SIGTERM)
	for _, id := range annotations[old] {
		s.do("DELETE", fmt.Sprintf("/api/annotations/%d/", id), nil, nil, 204)
	}
	renamed := strings.Replace(labelConfig(t), `"`+old+`"`, `"Another name"`, 1)
	s.do("PATCH", fmt.Sprintf("/api/projects/%d/", project), map[string]any{"label_config": renamed}, nil)
	t.Logf("%d predictions say %q", said(old), old)
	h.start()
	until(t, time.Minute, "no prediction says the old name", func() bool { return said(old) == 0 })
}
