//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// chosen are the labels that a task's page shows as chosen, told by the input's state.
func (b *browser) chosen(labels []string) string {
	args, _ := json.Marshal(labels)
	var out []string
	b.look(`[...document.querySelectorAll('label')].filter(e => e.querySelector('input:checked'))
		.map(e => `+string(args)+`.find(l => e.textContent.trim().startsWith(l))).filter(l => l)`, &out)
	return strings.Join(out, "+")
}

// labelsOf are those that a task's page may show.
func labelsOf(tasks []example) (out []string) {
	seen := map[string]bool{}
	for _, e := range tasks {
		if !seen[e.Label] {
			seen[e.Label] = true
			out = append(out, e.Label)
		}
	}
	return out
}

// queuedChoices are what is stored for the places of the queue, by task.
func (s *studio) queuedChoices(project int) map[int]string {
	s.t.Helper()
	stored := map[int]string{}
	for _, r := range s.storedChoices(project) {
		if r.Score < 0.01 {
			stored[r.Task] = ""
			if len(r.Result) > 0 {
				stored[r.Task] = strings.Join(r.Result[0].Value.Choices, "+")
			}
		}
	}
	return stored
}

// An annotator who opens any task of the queue sees what the model says now, whatever it
// said when the task got its place.
func TestSeeQueuedSuggestions(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	tasks := load(t, "tasks.jsonl")[:50]
	labels := labelsOf(tasks)
	project := s.newProject(labelConfig(t), tasks)
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == len(tasks) })
	label := func(n int, say func(topic string) string) api.Project {
		before := h.status(project).Labels
		for i := range n {
			task := s.next(project)
			s.annotate(task.ID, say(task.Data.Topic))
			h.await(project, "learned", func(p api.Project) bool { return p.Labels == before+i+1 && p.Queue.Labels == before+i+1 })
		}
		return h.await(project, "all has settled", func(p api.Project) bool {
			return p.Settled && p.Queue.Pushed == len(p.Queue.Tasks)
		})
	}
	label(6, func(topic string) string { return topic })
	before := s.queuedChoices(project)
	p := label(12, func(topic string) string { // they change their minds
		for i, l := range labels {
			if l == topic {
				return labels[(i+1)%len(labels)]
			}
		}
		return topic
	})
	texts := map[int]string{}
	for _, task := range s.openTasks(project) {
		texts[task.ID] = task.Data.Text
	}
	says := map[int]string{}
	for _, id := range p.Queue.Tasks {
		says[int(id)] = h.predict([]string{texts[int(id)]})[0].label
	}
	var differ []string
	until(t, time.Minute, "what is stored for the queue is what the model says", func() bool {
		differ = nil
		stored := s.queuedChoices(project)
		for _, id := range p.Queue.Tasks {
			if stored[int(id)] != says[int(id)] {
				differ = append(differ, fmt.Sprintf("%d: %q, not %q", id, stored[int(id)], says[int(id)]))
			}
		}
		return len(differ) == 0
	})
	// The last place whose suggestion had to change, or simply the last.
	last := int(p.Queue.Tasks[len(p.Queue.Tasks)-1])
	for _, id := range p.Queue.Tasks {
		if was, had := before[int(id)]; had && was != says[int(id)] && was != "" {
			last = int(id)
		}
	}
	b := newBrowser(t)
	b.open(fmt.Sprintf("/projects/%d/data?task=%d", project, last))
	shown := ""
	until(t, pageTime, "the page shows what is suggested", func() bool {
		shown = b.chosen(labels)
		return shown != ""
	})
	b.shoot("suggested")
	t.Logf("task %d: %q was suggested, %q is shown", last, before[last], shown)
	if shown != says[last] {
		t.Errorf("of task %d the page shows %q, the model says %q", last, shown, says[last])
	}
}
