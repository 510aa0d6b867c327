//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/api"
)

// moodConfig asks for labels of a whole text, of which several may hold, and for spans.
const moodConfig = `<View>
  <Choices name="mood" toName="text" choice="multiple"><Choice value="Home"/><Choice value="Words"/><Choice value="Late"/><Choice value="Alone"/></Choices>
  <Labels name="label" toName="text"><Label value="Person" background="#d50000"/></Labels>
  <Text name="text" value="$text"/>
</View>`

// moodAnswer is what an annotator says of sentence i: always two labels, and who it is.
func moodAnswer(i int) []map[string]any {
	sentence, name := seenSentence(i)
	moods := []string{[]string{"Home", "Home", "Words", "Words", "Late"}[i/len(seenNames)%len(seenSaid)], "Alone"}
	from := strings.Index(sentence, name)
	return []map[string]any{
		{"id": "c", "from_name": "mood", "to_name": "text", "type": "choices", "value": map[string]any{"choices": moods}},
		{"id": "s", "from_name": "label", "to_name": "text", "type": "labels", "value": map[string]any{"start": from, "end": from + len(name), "text": name, "labels": []string{"Person"}}},
	}
}

// What the pages show as the confidence in what is suggested is the item's score; the
// suggestion's tab and the column of prediction scores show its place in the queue.
func TestSeeConfidences(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	const answered, open = 40, 6
	project := s.newProject(moodConfig, nil)
	var tasks []map[string]any
	for i := range answered + open {
		sentence, _ := seenSentence(i)
		task := map[string]any{"data": map[string]string{"text": sentence}}
		if i < answered {
			task["annotations"] = []map[string]any{{"result": moodAnswer(i)}}
		}
		tasks = append(tasks, task)
	}
	s.do("POST", fmt.Sprintf("/api/projects/%d/import", project), tasks, nil)
	s.connectAsUI(project, h.url())
	p := h.await(project, "all labels are learned and the queue stands in Label Studio", func(p api.Project) bool {
		return p.Labels == answered && p.Settled && p.Queue.Pushed == open
	})
	if len(p.Queue.Confidences) != open || slices.Contains(p.Queue.Confidences, nil) {
		t.Errorf("the status tells the confidences %v of %d tasks", p.Queue.Confidences, open)
	}
	task := int(p.Queue.Tasks[0])
	var stored []struct {
		Score  float64
		Result []struct {
			FromName string `json:"from_name"`
			Score    float64
		}
	}
	s.do("GET", fmt.Sprintf("/api/predictions/?task=%d", task), nil, &stored)
	var ofChoices string
	var ofSpans []string
	for _, r := range stored[0].Result {
		if r.FromName == "mood" {
			ofChoices = fmt.Sprint(r.Score)
		} else {
			ofSpans = append(ofSpans, fmt.Sprintf("%.2f", r.Score))
		}
	}
	if len(stored) != 1 || ofChoices == "" || len(ofSpans) == 0 {
		t.Fatalf("stored of task %d is %+v", task, stored)
	}
	b := newBrowser(t)
	t.Run("the task", func(t *testing.T) {
		b := b.in(t)
		b.open(fmt.Sprintf("/projects/%d/data?task=%d", project, task))
		var tab string
		b.await("the suggestion's tab", `document.querySelector('[title^="Prediction score"]')?.textContent.replace(/[^0-9.%]/g, '')`, &tab)
		if want := fmt.Sprintf("%.2f%%", 100*stored[0].Score); tab != want || stored[0].Score >= 0.01 {
			t.Errorf("the suggestion's tab shows %s, want the place in the queue, %s", tab, want)
		}
		// The list is built piece by piece.
		until(t, pageTime, fmt.Sprintf("the list of regions shows the confidences %q", ofSpans), func() bool {
			var scores []string
			b.look(`[...document.querySelectorAll('.lsf-outliner-item__control_type_score')].map(e => e.textContent)`, &scores)
			return slices.Equal(scores, ofSpans)
		})
		b.shoot("regions")
	})
	t.Run("the data manager", func(t *testing.T) {
		b := b.in(t)
		var view struct{ ID int }
		s.do("POST", "/api/dm/views/", map[string]any{"project": project, "data": map[string]any{
			"title": "All columns", "type": "list", "hiddenColumns": map[string]any{"explore": []string{}, "labeling": []string{}}, "ordering": []string{"tasks:predictions_score"},
		}}, &view)
		b.open(fmt.Sprintf("/projects/%d/data?tab=%d", project, view.ID))
		var results string
		b.await("the column of prediction results", `[...document.querySelectorAll('[class*=cell]')].map(e => e.textContent).find(s => s.includes('from_name: mood'))`, &results)
		b.shoot("columns")
		score := regexp.MustCompile(`score: ([0-9.]+)`).FindStringSubmatch(results)
		if score == nil || score[1] != ofChoices {
			t.Errorf("the column shows %.200s, want the score %s of the choices", results, ofChoices)
		} else if len(score[1]) > len("0.1234") {
			t.Errorf("the column shows the score %s, which nobody reads", score[1])
		}
		b.await("a cell with the prediction's score, which is below 0.01", `[...document.querySelectorAll('[class*=cell]')].some(e => /^0\.00\d*$/.test(e.textContent.trim()))`, nil)
	})
}
