package learner_test

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// kindAnswers are n tasks that are answered in every way there is.
func kindAnswers(n int) *event.Changed {
	c := labels(n)
	c.LabelConfig = everyKind
	for i := range c.Annotations {
		_, label := sentence(uint64(i + 1))
		if label == "money" {
			label = "app"
		}
		paths := [][]string{{"Plant"}, {"Animal", "Cat"}}
		span := valued("s", "labels", "labels", []string{"thing"})
		span["value"].(map[string]any)["start"], span["value"].(map[string]any)["end"] = 0, 2
		c.Annotations[i].Result = result(
			region("c", label), region("m", [][]string{{"urgent"}, {"urgent", "rude"}}[i%2]...), valued("tax", "taxonomy", "taxonomy", paths[:1+i%2]),
			valued("stars", "rating", "rating", 1+i%4), valued("n", "number", "number", i%20), valued("pw", "pairwise", "selected", []string{"left", "right"}[i%2]), span,
		)
	}
	return c
}

// The score of a region is the confidence in what it says and in nothing else: of several
// labels in the least likely one. It has four digits.
func TestRegionScoresAreConfidences(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{Encoder: ngram.New()})
	apply(t, l, kindAnswers(60))
	rest(t, l)
	tasks := probes(30)
	got, err := l.Predict(bg, 1, "", tasks)
	must(t, err)
	estimates, _, err := l.Estimates(bg, 1, tasks)
	must(t, err)
	seen, several := map[string]int{}, 0
	for i, p := range got {
		want := map[string]event.Estimate{}
		for _, e := range estimates[i] {
			want[e.Control] = e
		}
		for _, r := range p.Result {
			if r.Score == nil || *r.Score < 0 || *r.Score > 1 || math.Abs(*r.Score*1e4-math.Round(*r.Score*1e4)) > 1e-8 {
				t.Fatalf("task %d: the score of %s is %v, want four digits from 0 to 1", i, r.FromName, r.Score)
			}
			seen[r.FromName]++
			confidence, e := 1.0, want[r.FromName]
			said := saidLabels(t, r.Value)
			if len(said) > 1 {
				several++
			}
			switch {
			case r.FromName == "s":
				continue // as the tokens of each span are
			case e.Classes == nil:
				confidence = e.Certainty
			}
			for _, label := range said {
				for y, name := range e.Classes.Labels {
					if name == label {
						confidence = min(confidence, e.Classes.P[y])
					}
				}
			}
			if math.Abs(*r.Score-confidence) > 0.5e-4+1e-9 {
				t.Errorf("task %d: the score of %s, which says %v, is %g, want %g", i, r.FromName, said, *r.Score, confidence)
			}
		}
	}
	for _, control := range []string{"c", "m", "tax", "stars", "n", "pw", "s"} {
		if seen[control] == 0 {
			t.Errorf("nothing is said of %s", control)
		}
	}
	if several == 0 {
		t.Error("no region has several labels")
	}
}

// saidLabels are the labels that a region's value names, as estimates name them.
func saidLabels(t *testing.T, value json.RawMessage) (out []string) {
	t.Helper()
	var v struct {
		Choices  []string
		Taxonomy [][]string
		Rating   json.Number
		Selected string
	}
	must(t, json.Unmarshal(value, &v))
	out = v.Choices
	for _, path := range v.Taxonomy {
		out = append(out, path[len(path)-1])
	}
	for _, s := range []string{v.Rating.String(), v.Selected} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// An accepted suggestion comes back with its score, which says nothing of the answer.
func TestScoresOfAnswersTeachNothing(t *testing.T) {
	plain, scored := kindAnswers(30), kindAnswers(30)
	for i := range scored.Annotations {
		scored.Annotations[i].Result = bytes.ReplaceAll(scored.Annotations[i].Result, []byte(`"id":"r"`), []byte(`"id":"r","score":0.1234`))
		if i == 0 && bytes.Equal(plain.Annotations[0].Result, scored.Annotations[0].Result) {
			t.Fatal("no score was added")
		}
	}
	var said [2]string
	for i, c := range []*event.Changed{plain, scored} {
		l := start(t, openDisk(t), learner.Options{Encoder: ngram.New()})
		apply(t, l, c)
		rest(t, l)
		got, err := l.Predict(bg, 1, "", probes(10))
		must(t, err)
		b, err := json.Marshal(got)
		must(t, err)
		said[i] = string(b)
	}
	// Two models of the same examples are within the tolerance of one optimum, and settings may be
	// chosen while the one or the other is still on its way to it.
	score := regexp.MustCompile(`"score":([0-9.e-]+)`)
	with, without := score.FindAllStringSubmatch(said[1], -1), score.FindAllStringSubmatch(said[0], -1)
	same := len(with) == len(without) && len(with) > 0 && score.ReplaceAllString(said[0], "") == score.ReplaceAllString(said[1], "")
	for i := range with {
		if !same {
			break
		}
		a, err := strconv.ParseFloat(with[i][1], 64)
		must(t, err)
		b, err := strconv.ParseFloat(without[i][1], 64)
		must(t, err)
		same = math.Abs(a-b) <= 2e-3
	}
	if !same {
		t.Errorf("with scores it says\n%s\nwithout\n%s", said[1], said[0])
	}
}
