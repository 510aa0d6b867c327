//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

func labelConfig(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("../data/clinc10/label_config.xml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// configured is a hone that knows Label Studio, with the encoder that is there at once.
func configured() []string {
	return []string{"LABEL_STUDIO_URL=" + os.Getenv("HONE_LS_URL"), "LABEL_STUDIO_API_KEY=" + os.Getenv("HONE_LS_TOKEN"), "HONE_LEARNER_ENCODER=static"}
}

// TestLoop labels 60 tasks, each time the one Label Studio serves next, and
// then looks at everything a user would look at.
func TestLoop(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	truth := load(t, "tasks.jsonl")
	project := s.newProject(labelConfig(t), truth)
	b := s.connectAsUI(project, h.url())
	if b.State != "CO" {
		t.Fatalf("backend state %q: %s", b.State, b.ErrorMessage)
	}
	h.await(project, "the pool is read and the first queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == len(truth) && p.Queue.Pushed >= 5
	})
	awaitSettings(t, s, project)

	var taken []time.Duration
	labelled := map[int]string{}
	annotations := map[int]int{}
	first := 0
	for i := range 60 {
		before := h.status(project)
		task := s.next(project)
		// The model may get closer to its optimum, and the queue be ranked anew, while
		// Label Studio answers; where it was not, there is one right answer.
		if head := headOf(before); head != 0 && head == headOf(h.status(project)) {
			first++
			if task.ID != head {
				t.Errorf("label %d: Label Studio serves task %d, hone ranks %d first", i, task.ID, head)
			}
		}
		if _, twice := labelled[task.ID]; twice {
			t.Fatalf("label %d: task %d was served twice", i, task.ID)
		}
		annotations[task.ID] = s.annotate(task.ID, task.Data.Topic)
		accepted := time.Now()
		labelled[task.ID] = task.Data.Topic
		h.await(project, "the label is learned and the new head is in Label Studio", func(p api.Project) bool {
			return p.Labels == i+1 && p.Queue.Labels == i+1 && p.Queue.Pushed >= 1
		})
		taken = append(taken, time.Since(accepted))
	}
	slices.Sort(taken)
	t.Logf("annotation accepted by Label Studio -> new queue visible in Label Studio, %d tasks, %d labels: p50 %v, p90 %v, max %v",
		len(truth), len(taken), taken[len(taken)/2].Round(time.Millisecond), taken[len(taken)*9/10].Round(time.Millisecond), taken[len(taken)-1].Round(time.Millisecond))

	p := h.status(project)
	if p.Labels != 60 || p.Pool != len(truth)-60 {
		t.Errorf("labels %d pool %d, want 60 and %d", p.Labels, p.Pool, len(truth)-60)
	}
	t.Logf("%d of the 60 tasks could be compared with the head of hone's queue while Label Studio served them", first)
	if first < 30 {
		t.Errorf("only %d of 60 served tasks could be compared with the head of hone's queue", first)
	}
	checkUnseen(t, h)
	for task, id := range annotations {
		checkForgetting(t, s, h, project, task, id, labelled[task])
		break
	}
}

// headOf is the first task of the queue if Label Studio has it, else 0.
func headOf(p api.Project) int {
	if p.Queue.Pushed < 1 || len(p.Queue.Tasks) == 0 {
		return 0
	}
	return int(p.Queue.Tasks[0])
}

// awaitSettings waits until Label Studio orders by hone's queue.
func awaitSettings(t *testing.T, s *studio, project int) {
	t.Helper()
	until(t, time.Minute, "project settings make Label Studio use the queue", func() bool {
		p := s.project(project)
		return p.ModelVersion == "hone-1" && p.Sampling == "Uncertainty sampling"
	})
}

// checkUnseen compares /predict on texts hone never saw with the majority class.
func checkUnseen(t *testing.T, h *hone) {
	t.Helper()
	test := load(t, "test.jsonl")
	texts := make([]string, len(test))
	count := map[string]int{}
	for i, e := range test {
		texts[i] = e.Text
		count[e.Label]++
	}
	majority := 0
	for _, n := range count {
		majority = max(majority, n)
	}
	right := 0
	for i, got := range h.predict(texts) {
		if got.label == test[i].Label {
			right++
		}
	}
	acc, base := float64(right)/float64(len(test)), float64(majority)/float64(len(test))
	t.Logf("/predict on %d unseen texts after 60 labels: accuracy %.3f, majority class %.3f", len(test), acc, base)
	if acc < 2.5*base {
		t.Errorf("accuracy %.3f does not beat the majority class %.3f by a wide margin", acc, base)
	}
}

// checkForgetting deletes one of 60 labels, gives the task a wrong one, edits that,
// and deletes it: what hone believes of the text must end where it was without
// any label of the task.
func checkForgetting(t *testing.T, s *studio, h *hone, project, task, annotation int, label string) {
	t.Helper()
	var full lsTask
	s.do("GET", fmt.Sprintf("/api/tasks/%d/", task), nil, &full)
	text := []string{full.Data.Text}
	believes := func(want string) {
		t.Helper()
		until(t, time.Minute, fmt.Sprintf("hone says %q of %q", want, text[0]), func() bool { return h.predict(text)[0].label == want })
	}
	remove := func(id int) answer {
		t.Helper()
		s.do("DELETE", fmt.Sprintf("/api/annotations/%d/", id), nil, nil)
		h.await(project, "the deleted label is forgotten, its task is back in the pool, and the model is settled", func(p api.Project) bool {
			return p.Labels == 59 && p.Pool == p.Tasks-59 && p.Settled
		})
		return h.predict(text)[0]
	}
	without := remove(annotation)
	wrong := "Travel"
	if without.label == wrong || label == wrong {
		wrong = "Banking"
	}
	if without.label == wrong || label == wrong {
		wrong = "Work"
	}
	again := s.annotate(task, wrong)
	believes(wrong)
	s.do("PATCH", fmt.Sprintf("/api/annotations/%d/", again), map[string]any{"result": choice(label)}, nil)
	believes(label)
	if p := h.status(project); p.Labels != 60 {
		t.Errorf("an edit made %d labels of 60", p.Labels)
	}
	after := remove(again)
	t.Logf("without a label of its own: %s %.4f; labelled %s, edited to %s, deleted: %s %.4f", without.label, without.score, wrong, label, after.label, after.score)
	if after.label != without.label || math.Abs(after.score-without.score) > 0.02 {
		t.Errorf("something of a deleted label is left: %+v, before it %+v", after, without)
	}
}

// TestAnnotationsWhileDown labels while hone is stopped.
func TestAnnotationsWhileDown(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:100])
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 100 })
	first := s.next(project)
	gone := s.annotate(first.ID, first.Data.Topic)
	h.await(project, "one label", func(p api.Project) bool { return p.Labels == 1 })

	h.stop(syscall.SIGTERM)
	for range 5 {
		task := s.next(project)
		s.annotate(task.ID, task.Data.Topic)
	}
	s.do("DELETE", fmt.Sprintf("/api/annotations/%d/", gone), nil, nil)
	h.start()
	p := h.await(project, "what happened meanwhile is found", func(p api.Project) bool { return p.Labels == 5 && p.Pool == 95 })
	if p.MissedFound < 6 {
		t.Errorf("missed_found is %d, want at least the 6 changes", p.MissedFound)
	}
}

// TestKillDuringBurst kills hone with SIGKILL while four annotators work.
func TestKillDuringBurst(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:120])
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 120 })
	var page struct{ Tasks []lsTask }
	s.do("GET", fmt.Sprintf("/api/tasks?project=%d&page_size=60&fields=all", project), nil, &page)
	if len(page.Tasks) != 60 {
		t.Fatalf("%d tasks listed", len(page.Tasks))
	}
	work := make(chan lsTask, len(page.Tasks))
	for _, task := range page.Tasks {
		work <- task
	}
	close(work)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	killed := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for task := range work {
				// Label Studio's SQLite may refuse a write under load; an annotator tries again.
				for status := 0; status != 201; {
					status, _, _ = s.try("POST", fmt.Sprintf("/api/tasks/%d/annotations/", task.ID), map[string]any{"result": choice(task.Data.Topic), "lead_time": 1})
				}
				mu.Lock()
				if done++; done == 20 {
					close(killed)
				}
				mu.Unlock()
			}
		})
	}
	<-killed
	h.stop(syscall.SIGKILL)
	h.start()
	wg.Wait()
	p := h.await(project, "every label is learned once", func(p api.Project) bool { return p.Labels == 60 && p.Pool == 60 && p.Backlog == 0 })
	if len(p.Heads) != 1 || p.Heads[0].Examples != 60 {
		t.Errorf("heads %+v, want one with 60 examples", p.Heads)
	}
	t.Logf("killed after 20 of 60 labels: all learned once, %d found by reconcile", p.MissedFound)
}

// TestModelButtons presses "Start training", deletes predictions and retrieves
// them.
func TestModelButtons(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:80])
	b := s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 80 })
	for i := range 12 {
		task := s.next(project)
		s.annotate(task.ID, task.Data.Topic)
		h.await(project, "learned", func(p api.Project) bool { return p.Labels == i+1 })
	}

	s.do("POST", fmt.Sprintf("/api/ml/%d/train", b.ID), map[string]any{}, nil)
	h.await(project, "training made a new version", func(p api.Project) bool { return p.ModelVersion == "hone-2" && !p.Retrain.Running })
	until(t, time.Minute, "Label Studio uses the new version and the old predictions are gone", func() bool {
		var versions map[string]int
		s.do("GET", fmt.Sprintf("/api/projects/%d/model-versions/", project), nil, &versions)
		return s.project(project).ModelVersion == "hone-2" && versions["hone-1"] == 0 && versions["hone-2"] > 0
	})

	if out, err := h.run("rollback", "--project", fmt.Sprint(project)); err != nil || !strings.Contains(out, "hone-1 is live") {
		t.Errorf("rollback: %v %s", err, out)
	}
	until(t, time.Minute, "Label Studio uses the old version again", func() bool { return s.project(project).ModelVersion == "hone-1" })

	before := map[int]bool{}
	for _, p := range s.predictions(project) {
		before[p.ID] = true
	}
	if len(before) == 0 {
		t.Error("no prediction to delete")
	}
	s.action(project, "delete_tasks_predictions")
	for _, p := range s.predictions(project) {
		if before[p.ID] {
			t.Errorf("prediction %d of task %d was not deleted", p.ID, p.Task)
		}
	}
	s.action(project, "retrieve_tasks_predictions")
	per := map[int]int{}
	for _, p := range s.predictions(project) {
		per[p.Task]++
		if p.Score <= 0 || p.Score > 1 {
			t.Errorf("prediction %d of task %d has score %v", p.ID, p.Task, p.Score)
		}
	}
	if len(per) != 80 {
		t.Errorf("retrieving gave predictions for %d of 80 tasks", len(per))
	}
	task := s.next(project)
	s.annotate(task.ID, task.Data.Topic)
	p := h.await(project, "the queue is in Label Studio again", func(p api.Project) bool {
		return p.Labels == 13 && p.Queue.Labels == 13 && p.Queue.Pushed >= 1
	})
	if got := s.next(project); got.ID != int(p.Queue.Tasks[0]) {
		t.Errorf("after deleting and retrieving, Label Studio serves %d, hone ranks %v first", got.ID, p.Queue.Tasks)
	}
}

// TestZeroConfiguration gives hone nothing: all it knows comes from /setup.
func TestZeroConfiguration(t *testing.T) {
	s := newStudio(t)
	h := newHone(t)
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:60])
	s.connectAsUI(project, h.url())
	p := h.await(project, "hone found the host and a token that works by itself", func(p api.Project) bool {
		return p.Pool == 60 && p.Queue.Pushed >= 5
	})
	awaitSettings(t, s, project)
	if got := s.next(project); got.ID != int(p.Queue.Tasks[0]) {
		t.Errorf("Label Studio serves %d, hone ranks %v first", got.ID, p.Queue.Tasks)
	}
}

// TestPersonalAccessTokenAndConnect uses the other kind of token, a webhook
// secret, and `hone connect` instead of the interface; doctor must be content.
func TestPersonalAccessTokenAndConnect(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, "LABEL_STUDIO_URL="+os.Getenv("HONE_LS_URL"), "LABEL_STUDIO_API_KEY="+s.personalToken(), "HONE_WEBHOOK_SECRET=e2e-secret")
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:60])
	for range 2 { // the second time changes nothing
		if out, err := h.run("connect", "--project", fmt.Sprint(project)); err != nil {
			t.Fatalf("connect: %v\n%s", err, out)
		}
	}
	var hooks []struct {
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
	}
	s.do("GET", fmt.Sprintf("/api/webhooks/?project=%d", project), nil, &hooks)
	if len(hooks) != 1 || !slices.Contains(values(hooks[0].Headers), "e2e-secret") {
		t.Errorf("webhooks after connect: %+v", hooks)
	}
	h.await(project, "the queue is pushed", func(p api.Project) bool { return p.Pool == 60 && p.Queue.Pushed >= 5 })
	task := s.next(project)
	s.annotate(task.ID, task.Data.Topic)
	p := h.await(project, "the label arrived by a signed webhook", func(p api.Project) bool { return p.Labels == 1 })
	if p.MissedFound != 0 {
		t.Errorf("%d changes were only found by reconcile", p.MissedFound)
	}
	out, err := h.run("doctor", "--project", fmt.Sprint(project))
	if err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	t.Logf("hone doctor:\n%s", out)
}

func values(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
