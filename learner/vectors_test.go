package learner_test

import (
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// Vectors tell how near tasks are: those of words where the encoder has nothing better.
func TestVectorsOfTasks(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{Encoder: encoders.Default()})
	tasks := []event.Task{
		{ID: 901, Data: data("the bank lost my money")},
		{ID: 902, Data: data("my bank lost the money")},
		{ID: 903, Data: data("")},
		{ID: 904, Data: data("a cat in the garden")},
	}
	if xs, space, err := l.Vectors(bg, 1, tasks); err != nil || space != "" || len(xs) != 4 || xs[0] != nil {
		t.Fatalf("of an unknown project %v in %q, %v", xs, space, err)
	}
	apply(t, l, labels(20))
	rest(t, l)
	xs, space, err := l.Vectors(bg, 1, tasks)
	must(t, err)
	if space == "" || len(xs) != 4 || xs[2] != nil {
		t.Fatalf("%d vectors in %q, of no text %v", len(xs), space, xs[2])
	}
	cosine := func(a, b []float32) (sum float64) {
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		return sum
	}
	if near, far := cosine(xs[0], xs[1]), cosine(xs[0], xs[3]); near <= far {
		t.Errorf("cosine %g to the same words, %g to others", near, far)
	}
	again, same, err := l.Vectors(bg, 1, tasks[:1])
	must(t, err)
	if same != space || !slices.Equal(again[0], xs[0]) {
		t.Errorf("in %q, then %q: %v", space, same, again)
	}

	// Of tokens alone the sum; without dense parts none.
	spans := start(t, openDisk(t), learner.Options{Encoder: encoders.Default()})
	c := kindAnswers(10)
	c.LabelConfig = `<View><Text name="text" value="$text"/><Labels name="s" toName="text"><Label value="thing"/></Labels></View>`
	apply(t, spans, c)
	if xs, space, err = spans.Vectors(bg, 1, tasks); err != nil || space == "" || xs[0] == nil || xs[2] != nil {
		t.Errorf("of tokens %v in %q, %v", xs, space, err)
	}
	hashed := start(t, openDisk(t), learner.Options{Encoder: ngram.New()})
	apply(t, hashed, labels(20))
	if xs, space, err = hashed.Vectors(bg, 1, tasks); err != nil || space != "" || xs[0] != nil {
		t.Errorf("of hashed words %v in %q, %v", xs, space, err)
	}
}

// By sketches tasks come nearly in the order in which they come by their data.
func TestEstimatesBySketches(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{Encoder: encoders.Default()})
	tasks := append(probes(400), event.Task{ID: 9999, Data: data("")})
	if sketches, _, space, err := l.Sketches(bg, 1, tasks); err != nil || space != "" || sketches != nil {
		t.Fatalf("of an unknown project %d sketches in %q, %v", len(sketches), space, err)
	}
	apply(t, l, labels(60))
	rest(t, l)
	sketches, whole, space, err := l.Sketches(bg, 1, tasks)
	must(t, err)
	if space == "" || len(sketches) != 401 || sketches[400] != nil || slices.Contains(whole, false) {
		t.Fatalf("%d sketches in %q, of no text %v", len(sketches), space, sketches[400])
	}
	exact, version, err := l.Estimates(bg, 1, tasks)
	must(t, err)
	rough, same, is, err := l.EstimateSketches(bg, 1, space, sketches)
	must(t, err)
	if !is || same != version || len(rough[400]) != 0 {
		t.Fatalf("by sketches of the space %v, version %q, of no text %v", is, same, rough[400])
	}
	// Kendall's tau of how likely a label is.
	p := func(e []event.Estimate) float64 { return e[0].Classes.P[0] }
	order := 0
	for i := range 400 {
		for j := range i {
			if (p(exact[i]) < p(exact[j])) == (p(rough[i]) < p(rough[j])) {
				order++
			} else {
				order--
			}
		}
	}
	if tau := float64(order) / (400 * 399 / 2); tau < 0.6 {
		t.Errorf("rank correlation %.2f", tau)
	}
	if _, _, is, err = l.EstimateSketches(bg, 1, space+"x", sketches); err != nil || is {
		t.Errorf("sketches of another space are read: %v, %v", is, err)
	}

	// Of tokens there are none, nor of hashed words alone.
	spans := start(t, openDisk(t), learner.Options{Encoder: encoders.Default()})
	c := kindAnswers(10)
	c.LabelConfig = `<View><Text name="text" value="$text"/><Labels name="s" toName="text"><Label value="thing"/></Labels></View>`
	apply(t, spans, c)
	hashed := start(t, openDisk(t), learner.Options{Encoder: ngram.New()})
	apply(t, hashed, labels(20))
	for _, l := range []*learner.Learner{spans, hashed} {
		if _, _, space, err = l.Sketches(bg, 1, tasks); err != nil || space != "" {
			t.Errorf("sketches in %q, %v", space, err)
		}
	}
}
