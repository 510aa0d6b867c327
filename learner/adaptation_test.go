package learner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/adapt"
)

// wordTrainer learns in which class each word is the most frequent. Its encoder has a dimension a
// class, and counts those words.
type wordTrainer struct {
	begun, proceed chan struct{} // if not nil: told of each training, and closed to let them go on

	mu                sync.Mutex
	seen              [][]encode.LabelledText
	fails             bool
	running, together int // trainings now, and the most at once
}

func (w *wordTrainer) Name() string { return "words" }

func (w *wordTrainer) Train(ctx context.Context, texts []encode.LabelledText) ([]byte, error) {
	w.mu.Lock()
	w.running++
	w.together = max(w.together, w.running)
	w.mu.Unlock()
	if w.begun != nil {
		w.begun <- struct{}{}
		<-w.proceed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	if w.fails {
		return nil, errors.New("there is no memory")
	}
	w.seen = append(w.seen, slices.Clone(texts))
	counts := map[string]map[int]int{}
	for _, t := range texts {
		for _, word := range strings.Fields(t.Text) {
			if counts[word] == nil {
				counts[word] = map[int]int{}
			}
			counts[word][t.Class]++
		}
	}
	class := map[string]int{}
	for word, of := range counts {
		best := -1
		for c, n := range of {
			if best < 0 || n > of[best] || n == of[best] && c < best {
				best = c
			}
		}
		class[word] = best
	}
	b, err := json.Marshal(class)
	return b, errors.Join(err, ctx.Err())
}

func (w *wordTrainer) Adapted(adapter []byte) (encode.BatchEncoder, error) {
	var e wordEncoder
	return e, json.Unmarshal(adapter, &e)
}

// fail has all later trainings fail.
func (w *wordTrainer) fail() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails = true
}

// trained is how many adapters were trained.
func (w *wordTrainer) trained() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

type wordEncoder map[string]int

func (wordEncoder) Name() string { return "words of classes" }

func (e wordEncoder) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = make([]float32, 8)
		for _, word := range strings.Fields(t) {
			if c, ok := e[word]; ok && c < 8 {
				out[i][c]++
			}
		}
	}
	return out, ctx.Err()
}

func adapting(d *disk, trainer encode.Trainer) learner.Options {
	return learner.Options{
		Encoder: ngram.New(), NewBackfill: core.Backfills(core.BackfillOptions{Vectors: d, Tasks: d}), Tasks: d, Tolerance: 1e-3,
		Adapting: &adapt.Options{Encoder: encode.NewAdapters("adapted/1"), Trainer: trainer, Store: d},
	}
}

// The model with an adapter is the same whenever its labels came, and after a crash; an edit of a
// label that the adapter has learned from makes another adapter, and nothing is left of the first.
func TestAnAdapterIsAFunctionOfTheLabels(t *testing.T) {
	whole := func(c *event.Changed) *learner.Learner {
		d := openDisk(t)
		l := start(t, d, adapting(d, new(wordTrainer)))
		apply(t, l, c)
		rest(t, l)
		return l
	}
	d, trainer := openDisk(t), new(wordTrainer)
	l := start(t, d, adapting(d, trainer))
	first, second := labels(30), labels(60)
	apply(t, l, first)
	rest(t, l)
	same(t, whole(first), l, 5e-3)
	plain := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
	apply(t, plain, first)
	rest(t, plain)
	if !differ(t, plain, l, 5e-3) {
		t.Error("the adapter changes nothing, so the test shows nothing")
	}
	apply(t, l, second)
	rest(t, l)
	same(t, whole(second), l, 5e-3)
	if a := status(t, l).Adapted; a == nil || a.Control != "c" || a.Labels != 48 || a.Next != 0 {
		t.Errorf("adapted: %+v", a)
	}
	n := trainer.trained()
	l = killed(t, d, l, adapting(d, trainer))
	rest(t, l)
	same(t, whole(second), l, 5e-3)
	if trainer.trained() != n {
		t.Errorf("after a crash %d adapters more were trained", trainer.trained()-n)
	}
	// An edit.
	edited := labels(60)
	edited.Annotations = edited.Annotations[2:3]
	edited.Tasks = edited.Tasks[2:3]
	edited.At, edited.Annotations[0].UpdatedAt = at(9), at(9)
	edited.Annotations[0].Result = result(region("c", "app"))
	apply(t, l, edited)
	rest(t, l)
	fresh := labels(60)
	fresh.Annotations[2] = edited.Annotations[0]
	same(t, whole(fresh), l, 5e-3)
}

// A training that fails leaves the model as it is without an adapter, and is not tried again with the
// same labels.
func TestTrainingThatFailsCostsNothing(t *testing.T) {
	d, trainer := openDisk(t), &wordTrainer{fails: true}
	l := start(t, d, adapting(d, trainer))
	apply(t, l, labels(40))
	rest(t, l)
	plain := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
	apply(t, plain, labels(40))
	rest(t, plain)
	same(t, plain, l, 5e-3)
	if !status(t, l).Settled {
		t.Error("it is not settled")
	}
}

// What is forgotten of a project is its adapter too.
func TestAForgottenProjectHasNoAdapter(t *testing.T) {
	d, trainer := openDisk(t), new(wordTrainer)
	o := adapting(d, trainer)
	l := start(t, d, o)
	apply(t, l, labels(40))
	rest(t, l)
	name := adapterOf(t, d, 1)
	if name == "" || !o.Adapting.Encoder.Has(name) {
		t.Fatalf("the adapter is %q", name)
	}
	weights, err := d.Adapter(bg, 1, name)
	must(t, err)
	var stored struct{ Weights []byte }
	must(t, json.Unmarshal(weights, &stored))
	if !bytes.Contains(stored.Weights, []byte("please")) {
		t.Errorf("stored are %q", stored.Weights)
	}
	apply(t, l, &event.Forgotten{Project: 1})
	if o.Adapting.Encoder.Has(name) {
		t.Error("the adapter is still there")
	}
}

// Two projects with equal labels have adapters of their own, one of which goes with its project. They are
// trained one after the other.
func TestEqualProjectsHaveAdaptersOfTheirOwn(t *testing.T) {
	d, trainer := openDisk(t), new(wordTrainer)
	o := adapting(d, trainer)
	l := start(t, d, o)
	second := labels(40)
	second.Project = 2
	apply(t, l, labels(40))
	apply(t, l, second)
	rest(t, l)
	first, other := adapterOf(t, d, 1), adapterOf(t, d, 2)
	if first == other || !o.Adapting.Encoder.Has(first) || !o.Adapting.Encoder.Has(other) {
		t.Fatalf("the adapters are %q and %q", first, other)
	}
	if trainer.together > 1 {
		t.Errorf("%d trainings at once", trainer.together)
	}
	apply(t, l, &event.Forgotten{Project: 1})
	if o.Adapting.Encoder.Has(first) || !o.Adapting.Encoder.Has(other) {
		t.Error("forgetting one project changes the other's adapter")
	}
}

// A label config that changes while an adapter is trained makes it void: nothing is left of it, and the
// labels that there are then are adapted to.
func TestAConfigThatChangesMeanwhile(t *testing.T) {
	d, trainer := openDisk(t), &wordTrainer{begun: make(chan struct{}, 100), proceed: make(chan struct{})}
	o := adapting(d, trainer)
	l := start(t, d, o)
	apply(t, l, labels(40))
	<-trainer.begun
	changed := labels(40)
	changed.LabelConfig = strings.ReplaceAll(changed.LabelConfig, `"c"`, `"d"`)
	for i := range changed.Annotations {
		changed.Annotations[i].UpdatedAt = at(100)
		changed.Annotations[i].Result = bytes.ReplaceAll(changed.Annotations[i].Result, []byte(`"c"`), []byte(`"d"`))
	}
	changed.At = at(100)
	apply(t, l, changed)
	close(trainer.proceed)
	rest(t, l)
	if a := status(t, l).Adapted; a == nil || a.Control != "d" || a.At.IsZero() {
		t.Errorf("adapted: %+v", a)
	}
}

// adapterOf returns the name of the adapter that is stored of a project.
func adapterOf(t *testing.T, d *disk, p event.ProjectID) string {
	t.Helper()
	st, err := d.Load(bg, p)
	must(t, err)
	var kept struct {
		Adapted struct{ Adapter string }
	}
	must(t, json.Unmarshal(st.LearnerState, &kept))
	return kept.Adapted.Adapter
}

// A project whose setting says so goes by the encoder as it was, and nothing is stored of what it had
// adapted to; and back.
func TestAdaptingIsASettingOfAProject(t *testing.T) {
	d, trainer := openDisk(t), new(wordTrainer)
	l := start(t, d, adapting(d, trainer))
	apply(t, l, labels(40))
	rest(t, l)
	plain := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
	apply(t, plain, labels(40))
	rest(t, plain)
	name := adapterOf(t, d, 1)
	if name == "" || !differ(t, plain, l, 5e-3) {
		t.Fatalf("adapter %q changes nothing", name)
	}
	apply(t, l, setUp(map[string]string{"adapt": "off"}))
	rest(t, l)
	same(t, plain, l, 5e-3)
	if st := status(t, l); st.Adapted != nil {
		t.Errorf("adapted: %+v", st.Adapted)
	}
	if weights, err := d.Adapter(bg, 1, name); err != nil || weights != nil {
		t.Errorf("stored are %q (%v)", weights, err)
	}
	n := trainer.trained()
	l = killed(t, d, l, adapting(d, trainer))
	rest(t, l)
	same(t, plain, l, 5e-3)
	if trainer.trained() != n {
		t.Error("it has adapted all the same")
	}
	apply(t, l, setUp(nil, "adapt"))
	rest(t, l)
	if !differ(t, plain, l, 5e-3) || status(t, l).Adapted == nil {
		t.Error("it has not adapted again")
	}
}

// What a person sets while the encoder is trained holds when it has been.
func TestAdaptingIsSwitchedOffDuringATraining(t *testing.T) {
	d, trainer := openDisk(t), &wordTrainer{begun: make(chan struct{}, 16), proceed: make(chan struct{})}
	l := start(t, d, adapting(d, trainer))
	apply(t, l, labels(40))
	<-trainer.begun
	apply(t, l, setUp(map[string]string{"adapt": "off"}))
	close(trainer.proceed)
	rest(t, l)
	plain := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
	apply(t, plain, labels(40))
	rest(t, plain)
	same(t, plain, l, 5e-3)
	if status(t, l).Adapted != nil || adapterOf(t, d, 1) != "" {
		t.Error("it goes by an adapter")
	}
}

// An encoder knows the answers of the texts that it has learned from. What is said of the accuracy must
// come from elsewhere. Here each text is of one word of its own and some common ones, which say little.
func TestAnAdapterDoesNotFlatterTheAccuracy(t *testing.T) {
	c := labels(48)
	var ids []event.TaskID
	for i := range c.Tasks {
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		label := []string{"app", "card"}[rng.IntN(2)]
		words := fmt.Sprintf("unique%d", i)
		for range 2 {
			of := []string{"red", "green", "blue"}
			if label == "card" {
				of = []string{"green", "blue", "white"}
			}
			words += " " + of[rng.IntN(3)]
		}
		c.Tasks[i].Data = data(words)
		c.Annotations[i].Result = result(region("c", label))
		ids = append(ids, c.Tasks[i].ID)
	}
	d := openDisk(t)
	l := start(t, d, adapting(d, new(wordTrainer)))
	apply(t, l, c)
	rest(t, l)
	if a := status(t, l).Adapted; a == nil || a.Labels != 48 {
		t.Fatalf("adapted: %+v", a)
	}
	for range 2 {
		left, err := l.LeaveOneOut(bg, 1, ids, 0)
		must(t, err)
		correct := 0
		for _, x := range left.Heads["c"] {
			if x.Correct {
				correct++
			}
		}
		if len(left.Heads["c"]) != 48 || correct > 43 || correct < 24 {
			t.Errorf("%d of %d are right", correct, len(left.Heads["c"]))
		}
		if a := status(t, l).Adapted; a.Accuracy != float64(correct)/48 {
			t.Errorf("adapted: %+v, %d are right", a, correct)
		}
		l = killed(t, d, l, adapting(d, new(wordTrainer)))
	}
	// What is an example no more is not told of.
	gone := &event.Changed{Project: 1, Source: event.FromWebhook, At: at(9), DeletedAnnotations: []event.AnnotationID{c.Annotations[0].ID}}
	apply(t, l, gone)
	left, err := l.LeaveOneOut(bg, 1, ids, 0)
	must(t, err)
	if len(left.Heads["c"]) != 47 {
		t.Errorf("%d are told of", len(left.Heads["c"]))
	}
}

// Of a project with many tasks a sample is enough, and those that are asked next.
func TestAnAdapterForManyTasks(t *testing.T) {
	d, trainer := openDisk(t), new(wordTrainer)
	c := labels(40)
	for i := range 200 {
		text, _ := sentence(uint64(1000 + i))
		c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(1000 + i), Data: data(fmt.Sprint(text, " number ", i)), UpdatedAt: at(1)})
	}
	var next []event.TaskID
	o := adapting(d, trainer)
	o.Adapting.Sample = 50
	o.NewBackfill = core.Backfills(core.BackfillOptions{Vectors: d, Tasks: d, Next: func(event.ProjectID) []event.TaskID { return next }})
	l := start(t, d, o)
	apply(t, l, c)
	rest(t, l)
	if a := status(t, l).Adapted; a == nil || a.Labels != 32 {
		t.Fatalf("adapted: %+v", a)
	}
	vectors := func() (n int) {
		must(t, l.WaitEncoded(bg))
		must(t, d.VectorKeys(bg, "adapted/1", func(event.ContentKey) { n++ }))
		return n
	}
	before := vectors()
	if before < 40 || before > 140 {
		t.Errorf("%d vectors", before)
	}
	var others []event.Task
	for _, task := range c.Tasks[40:] {
		if !l.HasVectors(1, []event.Task{task}) {
			others = append(others, task)
		}
	}
	if len(others) < 60 {
		t.Fatalf("%d tasks have no vectors", len(others))
	}
	got, _, err := l.Estimates(bg, 1, others)
	must(t, err)
	for i, of := range got {
		if len(of) != 1 || of[0].Classes == nil {
			t.Fatalf("task %d: %+v", others[i].ID, of)
		}
	}
	next = []event.TaskID{others[0].ID, others[1].ID}
	l.OnQueue(1)
	if after := vectors(); after != before+2 || !l.HasVectors(1, others[:2]) {
		t.Errorf("%d vectors, and %d with two tasks that are asked next", before, after)
	}
}
