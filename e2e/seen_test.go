//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hone-ml/hone/api"
)

// seenConfig labels people in a text, in a page of its own frame and one without, and in
// a talk, each in a colour that nothing else has. Controls may have any names.
const seenConfig = `<View>
  <Labels name="label" toName="text" smart="true"><Label value="Person" background="#d50000"/></Labels>
  <Text name="text" value="$text"/>
  <HyperTextLabels name="who's #1 / page" toName="page" smart="true"><Label value="Author" background="#00897b"/></HyperTextLabels>
  <HyperText name="page" value="$page"/>
  <HyperTextLabels name="page_2" toName="inline" smart="true"><Label value="Poet" background="#6a1b9a"/></HyperTextLabels>
  <HyperText name="inline" value="$inline" inline="true"/>
  <ParagraphLabels name="名前" toName="talk" smart="true"><Label value="Guest" background="#2962ff"/></ParagraphLabels>
  <Paragraphs name="talk" value="$talk" layout="dialogue" nameKey="who" textKey="said"/>
</View>`

// seenObject is one way to show a text, with a label for it.
type seenObject struct {
	kind, control, object, tag, label, color string
	// passage is how a sentence stands there, as a whole.
	passage func(sentence string) string
}

var seenObjects = []seenObject{
	{"Text", "label", "text", "labels", "Person", "rgba(213, 0, 0, 0.", func(s string) string { return "Text: " + s }},
	{"HyperText", "who's #1 / page", "page", "hypertextlabels", "Author", "rgba(0, 137, 123, 0.", func(s string) string { return "Page: " + s }},
	{"HyperText inline", "page_2", "inline", "hypertextlabels", "Poet", "rgba(106, 27, 154, 0.", func(s string) string { return "Inline: " + s }},
	{"Paragraphs", "名前", "talk", "paragraphlabels", "Guest", "rgba(41, 98, 255, 0.", func(s string) string { return "Talk: " + s }},
}

// seenTask is a task in which each object says the sentence.
func seenTask(sentence string) map[string]any {
	return map[string]any{
		"text":   seenObjects[0].passage(sentence),
		"page":   "<div><p>" + seenObjects[1].passage(sentence) + "</p></div>",
		"inline": "<div><p>" + seenObjects[2].passage(sentence) + "</p></div>",
		"talk":   []map[string]string{{"who": "Host", "said": "Good evening."}, {"who": "Guest", "said": seenObjects[3].passage(sentence)}},
	}
}

// seenAnswer is what an annotator marks there: a name, wherever it first stands.
func seenAnswer(sentence, name string) []map[string]any {
	var out []map[string]any
	for i, o := range seenObjects {
		from := strings.Index(o.passage(sentence), name) // of ASCII letters alone
		to := from + len(name)
		value := map[string]any{o.tag: []string{o.label}, "text": name}
		switch o.kind {
		case "Text":
			value["start"], value["end"] = from, to
		case "HyperText", "HyperText inline":
			value["start"], value["startOffset"], value["end"], value["endOffset"] = "/div[1]/p[1]/text()[1]", from, "/div[1]/p[1]/text()[1]", to
			value["globalOffsets"] = map[string]int{"start": from, "end": to}
		case "Paragraphs":
			value["start"], value["startOffset"], value["end"], value["endOffset"] = "1", from, "1", to
		}
		out = append(out, map[string]any{"id": fmt.Sprint("m", i), "from_name": o.control, "to_name": o.object, "type": o.tag, "origin": "manual", "value": value})
	}
	return out
}

var (
	seenNames = []string{"Ada Lovelace", "Grace Hopper", "Alan Turing", "Emmy Noether", "Kurt Goedel", "Mary Shelley"}
	seenSaid  = []string{"went home by train", "bought a new house", "sang in the morning", "wrote a long letter", "was late for work"}
)

func seenSentence(i int) (sentence, name string) {
	name = seenNames[i%len(seenNames)]
	return fmt.Sprintf("yesterday %s %s, number %d", name, seenSaid[i/len(seenNames)%len(seenSaid)], i), name
}

// newSeenProject is one with so many answered tasks, and open ones behind them.
func (s *studio) newSeenProject(answered, open int) int {
	s.t.Helper()
	project := s.newProject(seenConfig, nil)
	var tasks []map[string]any
	for i := range answered + open {
		sentence, name := seenSentence(i)
		task := map[string]any{"data": seenTask(sentence)}
		if i < answered {
			task["annotations"] = []map[string]any{{"result": seenAnswer(sentence, name)}}
		}
		tasks = append(tasks, task)
	}
	s.do("POST", fmt.Sprintf("/api/projects/%d/import", project), tasks, nil)
	return project
}

// seenPrediction is a stored prediction with what it says.
type seenPrediction struct {
	lsPrediction
	Result []struct {
		ID    string
		Value struct{ Text string }
	}
}

func (s *studio) seenPredictions(task int) []seenPrediction {
	s.t.Helper()
	var all []seenPrediction
	s.do("GET", fmt.Sprintf("/api/predictions/?task=%d", task), nil, &all)
	return all
}

// openTasks are a project's tasks without an annotation, with the number in their text.
func (s *studio) openTasks(project int) []lsTask {
	s.t.Helper()
	var page struct {
		Tasks []struct {
			lsTask
			TotalAnnotations int `json:"total_annotations"`
		}
	}
	s.do("GET", fmt.Sprintf("/api/tasks?project=%d&page_size=1000&fields=all", project), nil, &page)
	var out []lsTask
	for _, t := range page.Tasks {
		if t.TotalAnnotations == 0 {
			out = append(out, t.lsTask)
		}
	}
	return out
}

// Spans that hone suggests are seen in the text as those are that people mark: stored
// with the queue, and asked of /predict.
func TestSeeSuggestedSpans(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	const answered, open = 60, 45
	project := s.newSeenProject(answered, open)
	s.connectAsUI(project, h.url())
	h.await(project, "all labels are learned and the queue stands in Label Studio", func(p api.Project) bool {
		return p.Labels == answered && p.Settled && p.Queue.Pushed > 0 && p.Queue.Pushed == len(p.Queue.Tasks)
	})
	h.await(project, "the head of the queue suggests spans", func(p api.Project) bool {
		ps := s.seenPredictions(int(p.Queue.Tasks[0]))
		return len(ps) == 1 && len(ps[0].Result) >= len(seenObjects)
	})
	queued := map[int]bool{}
	p := h.status(project)
	for _, q := range p.Queue.Tasks {
		queued[int(q)] = true
	}
	b := newBrowser(t)
	look := func(t *testing.T, task lsTask) {
		b := b.in(t)
		b.open(fmt.Sprintf("/projects/%d/data?task=%d", project, task.ID))
		sentence := strings.TrimPrefix(task.Data.Text, "Text: ")
		name := ""
		for _, n := range seenNames {
			if strings.Contains(sentence, n) {
				name = n
			}
		}
		for _, o := range seenObjects {
			b.awaitBackground(o.passage(sentence), name, 0, o.color)
			if got := b.background(o.passage(sentence), "yesterday ", 0); strings.HasPrefix(got, o.color) {
				t.Errorf("%s: what is not suggested has the background %s too", o.kind, got)
			}
		}
		b.shoot("task")
	}
	t.Run("stored", func(t *testing.T) {
		for _, task := range s.openTasks(project) {
			if task.ID == int(p.Queue.Tasks[0]) {
				look(t, task)
			}
		}
	})
	t.Run("asked of predict", func(t *testing.T) {
		for _, task := range s.openTasks(project) {
			if !queued[task.ID] {
				if ps := s.seenPredictions(task.ID); len(ps) > 0 {
					continue
				}
				look(t, task)
				if ps := s.seenPredictions(task.ID); len(ps) != 1 || ps[0].Score < 0.01 {
					t.Errorf("task %d was not asked of /predict: %v", task.ID, ps)
				}
				return
			}
		}
		t.Fatal("each task has a prediction")
	})
}

// An annotator marks a name, and sees it suggested where it stands again.
func TestSeeInteractiveSpans(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	project := s.newProject(seenConfig, nil)
	const sentence = "Ada Lovelace met nobody, and Ada Lovelace went home"
	s.do("POST", fmt.Sprintf("/api/projects/%d/import", project), []map[string]any{{"data": seenTask(sentence)}}, nil)
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 1 && p.Queue.Pushed == 1 })
	b := newBrowser(t)
	b.open(fmt.Sprintf("/projects/%d/data?task=%d", project, s.openTasks(project)[0].ID))
	const toggle = `document.querySelector('[data-testid=bottombar-auto-annotation-toggle]')`
	b.click("the switch of auto-annotation", toggle+`.closest('label')`, toggle+`.checked`)
	for _, o := range seenObjects {
		t.Run(o.kind, func(t *testing.T) {
			b := b.in(t)
			label, _ := json.Marshal(o.label)
			find := `[...document.querySelectorAll('.lsf-label')].find(e => e.querySelector('.lsf-label__text').textContent.trim() === ` + string(label) + `)`
			b.click("the label "+o.label, find, find+`.classList.contains('lsf-label_selected')`)
			b.drag(o.passage(sentence), "Ada Lovelace", 0)
			b.awaitBackground(o.passage(sentence), "Ada Lovelace", 0, o.color)
			b.awaitBackground(o.passage(sentence), "Ada Lovelace", 1, o.color)
			b.shoot("marked")
		})
	}
}
