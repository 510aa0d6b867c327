package learner_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	single = `<View><Text name="t" value="$text"/><Choices name="c" toName="t">
		<Choice value="card"/><Choice value="money"/><Choice value="app"/></Choices></View>`
	fewer = `<View><Text name="t" value="$text"/><Choices name="c" toName="t">
		<Choice value="app"/><Choice value="card"/></Choices></View>`
	both = `<View><Text name="t" value="$text"/><Choices name="c" toName="t">
		<Choice value="card"/><Choice value="money"/><Choice value="app"/></Choices>
		<Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices>
		<TextArea name="why" toName="t"/></View>`
	marked = `<View><Text name="t" value="$text"/><Choices name="c" toName="t">
		<Choice value="card"/><Choice value="money"/><Choice value="app"/></Choices>
		<Labels name="s" toName="t"><Label value="thing"/><Label value="deed"/></Labels></View>`
)

// kinds asks in every way but for spans.
const kinds = `<View><Text name="t" value="$text"/>
	<Taxonomy name="tax" toName="t"><Choice value="Animal"><Choice value="Cat"/><Choice value="Dog"/></Choice><Choice value="Plant"/></Taxonomy>
	<Choices name="c" toName="t"><Choice value="app"/><Choice value="card"/></Choices>
	<Rating name="stars" toName="t" maxRating="4"/><Number name="n" toName="t" min="0" max="20"/>
	<Text name="u" value="$other"/><Pairwise name="pw" toName="t,u"/></View>`

var bg = context.Background()

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// disk is a real state whose commits fail when told to, and which remembers
// what was learned.
type disk struct {
	*state.Store
	mu      sync.Mutex
	fail    int // how many of the next commits fail
	commits []event.Commit
	// adapters are the names of all adapters that were ever stored.
	adapters []string
}

func (d *disk) PutAdapter(ctx context.Context, p event.ProjectID, name string, adapter []byte) error {
	d.mu.Lock()
	d.adapters = append(d.adapters, name)
	d.mu.Unlock()
	return d.Store.PutAdapter(ctx, p, name, adapter)
}

var errDisk = errors.New("no space left on device")

func (d *disk) Commit(ctx context.Context, c event.Commit) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail > 0 {
		d.fail--
		return errDisk
	}
	d.commits = append(d.commits, c)
	return d.Store.Commit(ctx, c)
}

func (d *disk) failNext(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = n
}

func (d *disk) learned() (out []*event.Learned) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.commits {
		out = append(out, c.Learned...)
	}
	return out
}

func openDisk(t testing.TB) *disk {
	s, err := state.Open(t.TempDir(), state.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return &disk{Store: s}
}

func start(t testing.TB, d learner.Store, o learner.Options) *learner.Learner {
	l, err := learner.New(d, o)
	must(t, err)
	t.Cleanup(func() { must(t, l.Stop(bg)) })
	must(t, l.Load(bg, []event.ProjectID{1}))
	must(t, l.Start(bg))
	return l
}

var offset uint64

func apply(t fataler, l *learner.Learner, events ...event.Event) {
	t.Helper()
	offset++
	must(t, l.Apply(bg, events, event.Cursor{Topic: event.Changes, Group: "learner", Offset: offset}))
}

func at(n int) time.Time { return time.Unix(1_700_000_000+int64(n), 0).UTC() }

func data(text string) json.RawMessage {
	other, _ := sentence(uint64(len(text)))
	b, err := json.Marshal(map[string]string{"text": text, "other": other})
	if err != nil {
		panic(err)
	}
	return b
}

func region(control string, labels ...string) map[string]any {
	return map[string]any{
		"id": "r", "from_name": control, "to_name": "t", "type": "choices",
		"value": map[string]any{"choices": labels},
	}
}

// valued is a region of another kind than choices.
func valued(control, kind, key string, v any) map[string]any {
	return map[string]any{"id": "r", "from_name": control, "to_name": "t", "type": kind, "value": map[string]any{key: v}}
}

func result(regions ...map[string]any) json.RawMessage {
	b, err := json.Marshal(regions)
	if err != nil {
		panic(err)
	}
	return b
}

// labels are n labelled tasks that are easy to learn.
func labels(n int) *event.Changed {
	c := &event.Changed{Project: 1, Source: event.FromWebhook, At: at(1), LabelConfig: single}
	for i := 1; i <= n; i++ {
		text, label := sentence(uint64(i))
		c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(i), Data: data(text), UpdatedAt: at(1)})
		c.Annotations = append(c.Annotations, event.Annotation{
			ID: event.AnnotationID(i), Task: event.TaskID(i), UpdatedAt: at(1), Result: result(region("c", label)),
		})
	}
	return c
}

var topics = map[string][]string{
	"card":  {"card", "plastic", "visa", "chip", "pin"},
	"money": {"money", "transfer", "fee", "balance", "pay"},
	"app":   {"app", "login", "phone", "update", "crash"},
}

func sentence(seed uint64) (text, label string) {
	rng := rand.New(rand.NewPCG(seed, 5))
	label = []string{"card", "money", "app"}[rng.IntN(3)]
	words := append([]string{"my", "the", "why", "is", "not", "please"}, topics[label]...)
	for range 4 + rng.IntN(5) {
		text += words[rng.IntN(len(words))] + " "
	}
	return text + topics[label][rng.IntN(5)], label
}

func probes(n int) []event.Task {
	tasks := make([]event.Task, n)
	for i := range tasks {
		text, _ := sentence(uint64(1000 + i))
		tasks[i] = event.Task{ID: event.TaskID(1000 + i), Data: data(text)}
	}
	return tasks
}

// same fails unless two learners give the same probabilities.
func same(t fataler, want, got *learner.Learner, tolerance float64) {
	t.Helper()
	tasks := probes(20)
	a, _, err := want.Estimates(bg, 1, tasks)
	must(t, err)
	b, _, err := got.Estimates(bg, 1, tasks)
	must(t, err)
	for i := range a {
		if len(a[i]) != len(b[i]) {
			t.Fatalf("%d heads know something, want %d", len(b[i]), len(a[i]))
		}
		for h := range a[i] {
			x, y := a[i][h], b[i][h]
			sameEstimate(t, x, y, tolerance)
		}
	}
}

func sameEstimate(t fataler, want, got event.Estimate, tolerance float64) {
	t.Helper()
	x, y := want.Classes, got.Classes
	if want.Control != got.Control || (x == nil) != (y == nil) || x != nil && (!slices.Equal(x.Labels, y.Labels) || x.Exclusive != y.Exclusive) {
		t.Fatalf("estimate of %+v (%+v), want %+v (%+v)", got, y, want, x)
	}
	var sum float64
	for k, p := range probabilities(want) {
		q := probabilities(got)[k]
		sum += q
		if !(math.Abs(p-q) <= tolerance) {
			t.Fatalf("%s: %v, want %v", got.Control, probabilities(got), probabilities(want))
		}
	}
	if x != nil && x.Exclusive && math.Abs(sum-1) > 1e-9 {
		t.Fatalf("probabilities sum to %g", sum)
	}
}

// probabilities are those of the classes, or of a head without any the one that its
// answer is right.
func probabilities(e event.Estimate) []float64 {
	if e.Classes == nil {
		return []float64{(1 + e.Certainty) / 2}
	}
	return e.Classes.P
}

func tempDir(t fataler) (dir string, remove func()) {
	parent, err := os.MkdirTemp("", "hone-learner")
	must(t, err)
	return filepath.Join(parent, "data"), func() { _ = os.RemoveAll(parent) }
}

func rest(t fataler, l *learner.Learner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg, 5*time.Minute)
	defer cancel()
	for {
		err := l.WaitSettled(ctx)
		if errors.Is(err, errDisk) {
			continue
		}
		must(t, err)
		return
	}
}

func status(t fataler, l *learner.Learner) report.Status {
	t.Helper()
	s, ok := l.Status(1)
	if !ok {
		t.Fatalf("the project is not known")
	}
	return s
}
