package learner_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// TestRealTexts learns the shipped questions in file order and must beat the
// majority class (0.1) by far, with honest probabilities.
func TestRealTexts(t *testing.T) {
	if learner.RaceDetector {
		t.Skip("it makes this test twelve times slower and finds nothing the others don't; `make test-unit` runs it without")
	}
	type line struct{ Text, Label string }
	read := func(name string) (out []line) {
		f, err := os.Open(filepath.Join("..", "data", "clinc10", name))
		must(t, err)
		defer f.Close()
		s := bufio.NewScanner(f)
		for s.Scan() {
			var l line
			must(t, json.Unmarshal(s.Bytes(), &l))
			out = append(out, l)
		}
		must(t, s.Err())
		return out
	}
	tasks, tests := read("tasks.jsonl"), read("test.jsonl")
	config, err := os.ReadFile(filepath.Join("..", "data", "clinc10", "label_config.xml"))
	must(t, err)
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, &event.Changed{Project: 1, LabelConfig: string(config), At: at(1)})
	control := status(t, l).Heads[0].Control

	pool := make([]event.Task, len(tests))
	for i, e := range tests {
		pool[i] = event.Task{ID: event.TaskID(100000 + i), Data: data(e.Text)}
	}
	measure := func() (accuracy, confidence float64) {
		answers, err := l.Predict(bg, 1, "", pool)
		must(t, err)
		for i, a := range answers {
			confidence += a.Score / float64(len(answers))
			if strings.Contains(string(a.Result[0].Value), fmt.Sprintf("%q", tests[i].Label)) {
				accuracy += 1 / float64(len(answers))
			}
		}
		return accuracy, confidence
	}
	var batch []event.Event
	for i, e := range tasks {
		id := i + 1
		batch = append(batch, &event.Changed{
			Project: 1, At: at(2), Tasks: []event.Task{{ID: event.TaskID(id), Data: data(e.Text), UpdatedAt: at(1)}},
			Annotations: []event.Annotation{{
				ID: event.AnnotationID(id), Task: event.TaskID(id), UpdatedAt: at(1), Result: result(region(control, e.Label)),
			}},
		})
		if id%10 > 0 {
			continue
		}
		apply(t, l, batch...)
		batch = nil
		least := map[int]float64{60: 0.35, 150: 0.5, 500: 0.72}[id]
		if least == 0 {
			continue
		}
		rest(t, l)
		accuracy, confidence := measure()
		t.Logf("%d labels: accuracy %.3f, mean confidence %.3f", id, accuracy, confidence)
		if accuracy < least {
			t.Errorf("after %d labels %.3f are right", id, accuracy)
		}
		if confidence > accuracy+0.05 {
			t.Errorf("after %d labels it is sure of %.3f and right in %.3f", id, confidence, accuracy)
		}
		if id == 500 {
			break
		}
	}
	apply(t, l, due(3, "asked"))
	rest(t, l)
	accuracy, confidence := measure()
	t.Logf("retrained: accuracy %.3f, mean confidence %.3f", accuracy, confidence)
	if accuracy < 0.72 || confidence > accuracy+0.1 {
		t.Errorf("after a retrain %.3f are right at a confidence of %.3f", accuracy, confidence)
	}
}
