//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hone-ml/hone/api"
)

// What is not to be suggested nobody sees: of one control, of all, and again when it is
// suggested again. The queue stays as it is.
func TestSeeWhatIsSwitchedOff(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	const answered = 60
	project := s.newSeenProject(answered, 12)
	s.connectAsUI(project, h.url())
	holds := func(p api.Project) bool {
		return p.Labels == answered && p.Settled && p.Queue.Pushed > 0 && p.Queue.Pushed == len(p.Queue.Tasks)
	}
	before := h.await(project, "all labels are learned and the queue stands in Label Studio", holds)
	first := int(before.Queue.Tasks[0])
	results := func() int {
		ps := s.seenPredictions(first)
		if len(ps) != 1 {
			return -1
		}
		return len(ps[0].Result)
	}
	until(t, pageTime, "the first task suggests spans", func() bool { return results() >= len(seenObjects) })
	var task lsTask
	for _, open := range s.openTasks(project) {
		if open.ID == first {
			task = open
		}
	}
	sentence := strings.TrimPrefix(task.Data.Text, "Text: ")
	name := ""
	for _, n := range seenNames {
		if strings.Contains(sentence, n) {
			name = n
		}
	}
	b := newBrowser(t)
	look := func(shot string, seen func(seenObject) bool) {
		t.Helper()
		b.open("/projects")
		b.open(fmt.Sprintf("/projects/%d/data?task=%d", project, first))
		for _, o := range seenObjects {
			until(t, pageTime, o.kind+" is shown", func() bool { return len(b.pieces(o.passage(sentence), name, 0)) > 0 })
		}
		for _, o := range seenObjects {
			if seen(o) {
				b.awaitBackground(o.passage(sentence), name, 0, o.color)
			}
		}
		// Label Studio loads a task more than once before it stands still: what is not seen
		// must not be seen for a while in which the task can be submitted.
		still := 0
		until(t, 2*pageTime, "the task stands still", func() bool {
			still++
			if !b.look(`[...document.querySelectorAll('button')].some(b => b.textContent.trim() === 'Submit')`, nil) {
				still = 0
			}
			for _, o := range seenObjects {
				switch got := b.background(o.passage(sentence), name, 0); {
				case got == "" || seen(o) && !strings.HasPrefix(got, o.color):
					still = 0
				case !seen(o) && strings.HasPrefix(got, o.color):
					b.shoot(shot)
					t.Fatalf("%s: %s: %q is suggested, with the background %s", shot, o.kind, name, got)
				}
			}
			return still >= 30
		})
		b.shoot(shot)
	}
	set := func(key, value string) {
		t.Helper()
		if out, err := h.run("configure", "--project", fmt.Sprint(project), key+"="+value); err != nil {
			t.Fatalf("set %s: %v\n%s", key, err, out)
		}
	}
	all := func(seenObject) bool { return true }
	look("on", all)
	set("suggestions_off", "label")
	until(t, pageTime, "the row says nothing of the text", func() bool { return results() == len(seenObjects)-1 })
	look("one control off", func(o seenObject) bool { return o.kind != "Text" })
	set("suggestions", "off")
	until(t, pageTime, "the row says nothing", func() bool { return results() == 0 })
	look("off", func(seenObject) bool { return false })
	after := h.await(project, "the queue stands as before", holds)
	if fmt.Sprint(after.Queue.Tasks) != fmt.Sprint(before.Queue.Tasks) {
		t.Errorf("the queue is %v, was %v", after.Queue.Tasks, before.Queue.Tasks)
	}
	set("suggestions", "")
	set("suggestions_off", "")
	until(t, pageTime, "the row says it all again", func() bool { return results() >= len(seenObjects) })
	look("on again", all)
}
