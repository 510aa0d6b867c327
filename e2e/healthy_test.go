//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// storedWithin is how soon after settled what is stored for the queue is what the model says.
const storedWithin = 10 * time.Second

// Where nothing is wrong nothing is reported: not while a hundred tasks are labelled, and
// not when hone has settled on them. Hone runs with its defaults. Then what is stored is
// what the model says.
func TestHealthyLoop(t *testing.T) {
	const size, labels = 300, 100
	s := newStudio(t)
	h := newHone(t, "LABEL_STUDIO_URL="+os.Getenv("HONE_LS_URL"), "LABEL_STUDIO_API_KEY="+os.Getenv("HONE_LS_TOKEN"))
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:size])
	w := &healthWatch{t: t, h: h, project: project, said: map[string]bool{}, texts: map[event.TaskID]string{}}
	for _, task := range s.openTasks(project) {
		w.texts[event.TaskID(task.ID)] = task.Data.Text
	}
	s.connectAsUI(project, h.url())
	w.await("the pool is read and the first queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == size && p.Queue.Pushed >= 5
	})
	awaitSettings(t, s, project)
	w.await("the first queue settles", func(p api.Project) bool { return p.Settled })
	w.askDoctor()

	for i := range labels {
		task := s.next(project)
		s.annotate(task.ID, task.Data.Topic)
		if i < labels/2 { // then as fast as Label Studio serves them
			w.await("the label is learned and the new head is in Label Studio", func(p api.Project) bool {
				return p.Labels > i && p.Queue.Labels > i && p.Queue.Pushed >= 1
			})
		}
		w.look()
	}
	last := time.Now()
	p := w.await("hone settles on all labels", func(p api.Project) bool { return p.Labels >= labels && p.Queue.Labels >= labels && p.Settled })
	settled := time.Now()
	t.Logf("on %s: settled %v after the last label", os.Getenv("LS_DATABASE"), settled.Sub(last).Round(time.Millisecond))
	w.awaitStored(s, p, settled)

	p = w.look()
	// Label Studio on SQLite may have repeated a request, and stored an answer twice.
	if n := len(s.annotations(project)); p.Labels != n || n < labels || p.Pool != size-labels {
		t.Errorf("%d labels and a pool of %d; Label Studio has %d annotations of %d tasks", p.Labels, p.Pool, n, size)
	}
	h.reconcile(project) // of contents too, which Label Studio may spell otherwise than its webhooks do
	w.look()
	w.askDoctor()
	w.askStatus()
	h.stop(syscall.SIGTERM)
	if code := h.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("hone ended with %d", code)
	}
	w.readLog()
}

// healthWatch fails its test for whatever a hone reports as a problem, each once.
type healthWatch struct {
	t       *testing.T
	h       *hone
	project int
	texts   map[event.TaskID]string
	said    map[string]bool
	looked  int
}

func (w *healthWatch) report(format string, args ...any) {
	w.t.Helper()
	if s := fmt.Sprintf(format, args...); !w.said[s] {
		w.said[s] = true
		w.t.Error(s)
	}
}

// look reads the project's status, which must report nothing.
func (w *healthWatch) look() api.Project {
	w.t.Helper()
	p := w.h.status(w.project)
	w.check(p)
	return p
}

// await waits for a condition, and looks at each status that it waits through.
func (w *healthWatch) await(what string, cond func(api.Project) bool) api.Project {
	w.t.Helper()
	return w.h.await(w.project, what, func(p api.Project) bool {
		w.check(p)
		return cond(p)
	})
}

func (w *healthWatch) check(p api.Project) {
	w.t.Helper()
	w.looked++
	for _, s := range p.Problems {
		w.report("at %d labels, a problem: %s", p.Labels, s)
	}
	if p.Queue.Error != "" {
		w.report("at %d labels, the queue cannot be written: %s", p.Labels, p.Queue.Error)
	}
	if p.Encoding != nil && p.Encoding.Fault != "" {
		w.report("at %d labels, texts cannot be encoded: %s", p.Labels, p.Encoding.Fault)
	}
	if p.DeadLetters > 0 || p.RefusedCount > 0 || p.MissedFound > 0 || p.ReconcileFailures > 0 || len(p.Unlearnable) > 0 {
		w.report("%d dead letters, %d refused, %d missed, %d comparisons failed, left alone %v", p.DeadLetters, p.RefusedCount, p.MissedFound, p.ReconcileFailures, p.Unlearnable)
	}
	if a := p.Annotations; a.Seen != a.Learned {
		w.report("not all annotations are learned: %+v", a)
	}
}

// awaitStored waits until each place of the queue has one stored prediction, and that says
// what the model says. Of places that are wrong the first ones come first.
func (w *healthWatch) awaitStored(s *studio, p api.Project, settled time.Time) {
	w.t.Helper()
	texts := make([]string, len(p.Queue.Tasks))
	for i, id := range p.Queue.Tasks {
		texts[i] = w.texts[id]
	}
	says := w.h.predict(texts)
	var before, wrong []int
	looks := 0
	until(w.t, time.Minute, "what is stored for the queue is what the model says", func() bool {
		w.look()
		before, wrong = wrong, wrong[:0:0]
		stored := s.queuedChoices(w.project)
		for i, id := range p.Queue.Tasks {
			if stored[int(id)] != says[i].label || says[i].label == "" {
				wrong = append(wrong, i)
			}
		}
		if looks++; looks == 1 {
			w.t.Logf("at the first look, %v after settled, %d of %d places were to be written again", time.Since(settled).Round(time.Millisecond), len(wrong), len(texts))
		}
		for _, i := range before {
			if len(wrong) > 0 && i > wrong[0] && !slices.Contains(wrong, i) && slices.Contains(before, wrong[0]) {
				w.t.Errorf("place %d was written again before place %d", i+1, wrong[0]+1)
			}
		}
		return len(wrong) == 0
	})
	took := time.Since(settled)
	w.t.Logf("what is stored for the queue is what the model says %v after settled", took.Round(time.Millisecond))
	if took > storedWithin {
		w.t.Errorf("that is more than %v", storedWithin)
	}
	now := w.look()
	if !slices.Equal(now.Queue.Tasks, p.Queue.Tasks) || !now.Settled {
		w.t.Errorf("a settled queue changed: %v, then %v (settled %t)", p.Queue.Tasks, now.Queue.Tasks, now.Settled)
	}
	if d := now.Predictions; d == nil || d.QueueDiffering > 0 {
		w.t.Errorf("hone says of what is stored: %+v", d)
	}
}

// askDoctor has `hone doctor` look for what is wrong.
func (w *healthWatch) askDoctor() {
	w.t.Helper()
	out, err := w.h.run("doctor", "--project", fmt.Sprint(w.project), "--json")
	var r api.Report
	if json.Unmarshal([]byte(out), &r) != nil || err != nil || len(r.Steps) == 0 {
		w.t.Fatalf("doctor: %v\n%s", err, out)
	}
	for _, step := range r.Steps {
		if step.Level != "ok" {
			w.report("doctor: %+v", step)
		}
	}
}

// askStatus reads what `hone status` prints of the project and of all.
func (w *healthWatch) askStatus() {
	w.t.Helper()
	for _, args := range [][]string{{"status"}, {"status", "--project", fmt.Sprint(w.project)}} {
		out, err := w.h.run(args...)
		if err != nil {
			w.t.Fatalf("%v: %v\n%s", args, err, out)
		}
		for _, row := range []string{"problem", "push ", "dead letters", "refused", "left alone", "without text"} {
			if strings.Contains(out, row) {
				w.report("hone %s:\n%s", strings.Join(args, " "), out)
			}
		}
	}
	w.t.Logf("%d statuses were looked at", w.looked)
}

// readLog fails for each line that is a warning or worse, or is no line of the log.
func (w *healthWatch) readLog() {
	w.t.Helper()
	b, err := os.ReadFile(w.h.log)
	if err != nil {
		w.t.Fatal(err)
	}
	lines := 0
	for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); lines++ {
		var line struct{ Level string }
		if err := json.Unmarshal(in.Bytes(), &line); err != nil || !slices.Contains([]string{"trace", "debug", "info"}, line.Level) {
			w.report("hone's log: %s", in.Text())
		}
	}
	if lines == 0 {
		w.t.Error("hone logged nothing")
	}
}
