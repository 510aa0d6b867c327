//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/api"
)

// visibleConfig asks about complaints what it does not ask about praise, and the other way
// round. No two labels are alike.
const visibleConfig = `<View><Text name="text" value="$text"/>
  <Choices name="kind" toName="text"><Choice value="Complaint"/><Choice value="Praise"/></Choices>
  <View visibleWhen="choice-selected" whenTagName="kind" whenChoiceValue="Complaint">
    <Choices name="about" toName="text"><Choice value="Delivery"/><Choice value="Price"/></Choices>
    <View visibleWhen="choice-selected" whenTagName="about" whenChoiceValue="Price"><Choices name="money" toName="text"><Choice value="Refund"/><Choice value="Discount"/></Choices></View>
  </View>
  <Choices name="thanks" toName="text" visibleWhen="choice-unselected" whenTagName="kind" whenChoiceValue="Complaint"><Choice value="Reply"/><Choice value="Silence"/></Choices>
</View>`

// visibleControls are the controls with their labels.
var visibleControls = map[string][]string{
	"kind": {"Complaint", "Praise"}, "about": {"Delivery", "Price"}, "money": {"Refund", "Discount"}, "thanks": {"Reply", "Silence"},
}

// visibleAnswer is what annotators say of text i, in which the answers stand.
func visibleAnswer(i int) (text string, answers map[string]string) {
	switch i % 3 {
	case 0:
		return fmt.Sprintf("awful late parcel, courier lost it, number %d", i), map[string]string{"kind": "Complaint", "about": "Delivery"}
	case 1:
		return fmt.Sprintf("awful expensive bill, overcharged me, number %d", i), map[string]string{"kind": "Complaint", "about": "Price", "money": "Refund"}
	}
	return fmt.Sprintf("wonderful friendly people, thank you, number %d", i), map[string]string{"kind": "Praise", "thanks": "Reply"}
}

// shownChoice is a choice as the page shows it.
type shownChoice struct{ Visible, Checked bool }

// choices are those of the open task, by label.
func (b *browser) choices() map[string]shownChoice {
	out := map[string]shownChoice{}
	b.look(`Object.fromEntries([...document.querySelectorAll('.lsf-choices input, .lsf-choice input, [class*=choices] input')].map(e => [e.closest('label').textContent.trim().replace(/\[\d+\]$/, '').trim(), {Visible: e.closest('label').getClientRects().length > 0, Checked: e.checked}]))`, &out)
	return out
}

// What hone suggests on the real Label Studio is what its editor shows: no more and no
// less. What annotators then make of it is counted.
func TestSeeOnlyVisibleControlsSuggested(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	const answered, open = 45, 12
	project := s.newProject(visibleConfig, nil)
	var tasks []map[string]any
	for i := range answered + open {
		text, answers := visibleAnswer(i)
		task := map[string]any{"data": map[string]string{"text": text}}
		if i < answered {
			var said []map[string]any
			for control, label := range answers {
				said = append(said, map[string]any{"id": control, "from_name": control, "to_name": "text", "type": "choices", "value": map[string]any{"choices": []string{label}}})
			}
			task["annotations"] = []map[string]any{{"result": said}}
		}
		tasks = append(tasks, task)
	}
	s.do("POST", fmt.Sprintf("/api/projects/%d/import", project), tasks, nil)
	s.connectAsUI(project, h.url())
	h.await(project, "all labels are learned and the queue stands in Label Studio", func(p api.Project) bool {
		return p.Labels == answered && p.Settled && p.Queue.Pushed == open
	})
	b := newBrowser(t)
	seen := map[string]bool{}
	submitted := 0
	for _, task := range s.openTasks(project) {
		suggested := s.suggestedChoices(task.ID)
		kind := strings.Join(suggested["kind"], "") + strings.Join(suggested["about"], "")
		if seen[kind] {
			continue
		}
		seen[kind] = true
		t.Run(kind, func(t *testing.T) {
			b := b.in(t)
			b.open(fmt.Sprintf("/projects/%d/data?task=%d", project, task.ID))
			var shown map[string]shownChoice
			until(t, pageTime, "the editor shows the suggestion and stands still", func() bool {
				before := shown
				shown = b.choices()
				return len(suggested["kind"]) == 1 && shown[suggested["kind"][0]].Checked && maps.Equal(shown, before)
			})
			b.shoot("suggested")
			for control, labels := range visibleControls {
				var checked []string
				visible := false
				for _, l := range labels {
					visible = visible || shown[l].Visible
					if shown[l].Checked {
						checked = append(checked, l)
					}
				}
				if !slices.Equal(checked, suggested[control]) {
					t.Errorf("%s: %v is checked, %v was suggested", control, checked, suggested[control])
				}
				if visible != (len(suggested[control]) > 0) {
					t.Errorf("%s: visible %t, suggested %v", control, visible, suggested[control])
				}
			}
			if submitted == 1 { // one of them is changed
				other := "Silence"
				if suggested["kind"][0] == "Complaint" {
					other = "Price"
					if suggested["about"][0] == "Price" {
						other = "Delivery"
					}
				}
				find := `[...document.querySelectorAll('[class*=choices] label')].find(e => e.textContent.trim().startsWith(` + quoted(other) + `))`
				b.click(other, find, find+`.querySelector('input').checked`)
			}
			before := h.status(project).Annotations.Seen
			const submit = `[...document.querySelectorAll('button')].find(e => e.textContent.trim() === 'Submit')`
			// The page says little: while it is built anew it has no such button either.
			stored := fmt.Sprintf(`(() => { const r = new XMLHttpRequest(); r.open('GET', '/api/tasks/%d/annotations/', false); r.send(); return JSON.parse(r.responseText).length > 0 })()`, task.ID)
			b.click("Submit", submit, stored)
			b.shoot("submitted")
			submitted++
			h.await(project, "it is heard", func(p api.Project) bool { return p.Annotations.Seen == before+1 && p.Annotations.Learned == before+1 })
		})
	}
	if len(seen) != 3 {
		t.Errorf("suggested are %v, want complaints about both and praise", seen)
	}
	got := h.status(project)
	if want := (api.Suggestions{Accepted: submitted - 1, Changed: 1}); got.Suggestions != want {
		t.Errorf("counted %+v, want %+v", got.Suggestions, want)
	}
}

// suggestedChoices are those of a task's stored prediction, by control.
func (s *studio) suggestedChoices(task int) map[string][]string {
	s.t.Helper()
	var all []struct {
		Result []struct {
			FromName string `json:"from_name"`
			Value    struct{ Choices []string }
		}
	}
	s.do("GET", fmt.Sprintf("/api/predictions/?task=%d", task), nil, &all)
	if len(all) != 1 {
		s.t.Fatalf("task %d has %d predictions", task, len(all))
	}
	out := map[string][]string{}
	for _, r := range all[0].Result {
		out[r.FromName] = r.Value.Choices
	}
	return out
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
