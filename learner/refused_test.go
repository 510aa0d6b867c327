package learner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/counts"
)

const everything = `<View><Text name="t" value="$text"/>
	<Number name="n" toName="t"/><Rating name="stars" toName="t" maxRating="5"/>
	<Choices name="c" toName="t"><Choice value="card"/><Choice value="money"/><Choice value="app"/></Choices>
	<Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices>
	<Taxonomy name="tax" toName="t"><Choice value="Animal"><Choice value="Cat"/></Choice><Choice value="Plant"/></Taxonomy>
	<Labels name="s" toName="t"><Label value="thing"/></Labels>
	<Text name="u" value="$other"/><Pairwise name="pw" toName="t,u"/></View>`

// answered is a task of project p with one annotation.
func answered(p event.ProjectID, config string, id int, data, result json.RawMessage) *event.Changed {
	return &event.Changed{
		Project: p, Source: event.FromWebhook, At: at(id), LabelConfig: config,
		Tasks:       []event.Task{{ID: event.TaskID(id), Data: data, UpdatedAt: at(id)}},
		Annotations: []event.Annotation{{ID: event.AnnotationID(id), Task: event.TaskID(id), UpdatedAt: at(id), Result: result}},
	}
}

// finite fails unless everything that a project says is a number.
func finite(t fataler, l *learner.Learner, p event.ProjectID) {
	t.Helper()
	estimates, _, err := l.Estimates(bg, p, probes(3))
	must(t, err)
	for _, es := range estimates {
		for _, e := range es {
			for _, x := range probabilities(e) {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Fatalf("probability of %s: %v", e.Control, probabilities(e))
				}
			}
		}
	}
	preds, err := l.Predict(bg, p, "", probes(3))
	must(t, err)
	for _, pr := range preds {
		if math.IsNaN(pr.Score) || math.IsInf(pr.Score, 0) {
			t.Fatalf("score %v", pr.Score)
		}
		for _, r := range pr.Result {
			if !json.Valid(r.Value) {
				t.Fatalf("value %s", r.Value)
			}
		}
	}
}

// One number that is too large has stopped all learning in all projects.
func TestANumberThatIsTooLargeIsPassedOver(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	number := func(id int, v string) *event.Changed {
		text, _ := sentence(uint64(id))
		return answered(1, everything, id, data(text), json.RawMessage(`[{"id":"r","from_name":"n","to_name":"t","type":"number","value":{"number":`+v+`}}]`))
	}
	apply(t, l, number(1, "3"), number(2, "5"))
	var others []event.Event
	for i := 11; i <= 17; i++ {
		text, label := sentence(uint64(i))
		others = append(others, answered(1, everything, i, data(text), result2(label)))
	}
	apply(t, l, append([]event.Event{number(3, "1e308"), number(4, "-1e308"), number(5, "4")}, others...)...)
	rest(t, l)
	s := status(t, l)
	if n := s.Heads[0]; n.Control != "n" || n.Examples != 3 {
		t.Errorf("learned: %+v", n)
	}
	var named []event.TaskID
	for _, r := range s.Refused {
		named = append(named, r.Task)
		if r.Control != "n" || !strings.Contains(r.Reason, "too large") {
			t.Errorf("%+v", r)
		}
	}
	if !slices.Equal(named, []event.TaskID{3, 4}) || s.RefusedCount != 2 {
		t.Errorf("named: %v of %d", named, s.RefusedCount)
	}
	finite(t, l, 1)

	apply(t, l, &event.Changed{Project: 1, At: at(20), Annotations: []event.Annotation{{
		ID: 3, Task: 3, UpdatedAt: at(20), Result: json.RawMessage(`[{"id":"r","from_name":"n","to_name":"t","type":"number","value":{"number":7}}]`),
	}}})
	rest(t, l)
	if s = status(t, l); s.RefusedCount != 1 || s.Heads[0].Examples != 4 {
		t.Errorf("once it was mended: %d refused, %d examples", s.RefusedCount, s.Heads[0].Examples)
	}
	must(t, l.Stop(bg))
	again := start(t, d, learner.Options{})
	if s = status(t, again); s.RefusedCount != 1 || s.Heads[0].Examples != 4 {
		t.Errorf("after a restart: %d refused, %d examples", s.RefusedCount, s.Heads[0].Examples)
	}
}

// The largest number that is taken is learned.
func TestTheLargestNumberIsLearned(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	for i := 1; i <= 8; i++ {
		text, _ := sentence(uint64(i))
		v := []string{"1e30", "-1e30"}[i%2]
		apply(t, l, answered(1, everything, i, data(text), json.RawMessage(`[{"id":"r","from_name":"n","to_name":"t","type":"number","value":{"number":`+v+`}}]`)))
	}
	rest(t, l)
	if s := status(t, l); s.Labels != 8 || s.RefusedCount != 0 {
		t.Errorf("%d labels, %+v", s.Labels, s.Refused)
	}
	finite(t, l, 1)
}

// hostile are values that a stranger, a broken client or a plug-in might send.
var hostile = []string{
	`1e308`, `-1e308`, `1e-320`, `-0`, `0`, `3`, `"NaN"`, `"Infinity"`, `"1e999"`, `""`, `null`, `true`, `[]`, `{}`, `[[]]`, `[null]`, `["card"]`, `["card","card"]`, `["unknown"]`,
	`["\u0000"]`, `"card"`, `[["Animal","Cat"]]`, `[["Animal","Cat"],["Animal","Cat"]]`, `[["Animal","Cat","Deeper"]]`, `[[null]]`, `-1`, `99999999999999999999`, `0.5`, `"left"`, `"both"`,
	`["` + strings.Repeat("x", 1<<16) + `"]`, `[` + strings.Repeat(`"card",`, 5000) + `"card"]`,
}

// Each hostile value, as the answer to each control: it is learned, or it says nothing,
// or the task and the control are named. Nothing is learned of what cannot be read.
func TestEveryHostileAnswerIsLearnedOrNamed(t *testing.T) {
	says := map[string]string{ // what is learned of a control; what says nothing: its answers as JSON
		"n": `1e-320 -0 0 3 -1 99999999999999999999 0.5`, "stars": `3`,
		"c": `["card"] ["card","card"] "card"`, "m": ``, "tax": `[["Animal","Cat"]] [["Animal","Cat"],["Animal","Cat"]]`, "s": ``, "pw": `"left"`,
	}
	none := map[string]string{
		"n": `"" null`, "stars": `-0 0 "" null`, "c": `null []`, "m": `null []`, "tax": `null []`, "s": ``, "pw": `"" null "none"`,
	}
	keys := map[string][2]string{
		"n": {"number", "number"}, "stars": {"rating", "rating"}, "c": {"choices", "choices"}, "m": {"choices", "choices"},
		"tax": {"taxonomy", "taxonomy"}, "s": {"labels", "labels"}, "pw": {"pairwise", "selected"},
	}
	has := func(list, v string) bool { return slices.Contains(strings.Fields(list), v) }
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	count := func(control string) int {
		for _, h := range status(t, l).Heads {
			if h.Control == control {
				return h.Examples
			}
		}
		return 0
	}
	apply(t, l, &event.Changed{Project: 1, At: at(1), LabelConfig: everything})
	id := 0
	for control, key := range keys {
		for _, v := range hostile {
			id++
			before := count(control)
			value := fmt.Sprintf(`{%q:%s,"start":0,"end":4}`, key[1], v)
			result := fmt.Sprintf(`[{"id":"same","from_name":%q,"to_name":"t","type":%q,"value":%s}]`, control, key[0], value)
			apply(t, l, answered(1, everything, id, data("why is my card not here"), json.RawMessage(result)))
			s := status(t, l)
			examples := count(control) - before
			named := slices.ContainsFunc(s.Refused, func(r counts.Refused) bool {
				return r.Task == event.TaskID(id) && r.Control == control && r.Reason != ""
			})
			short := v[:min(len(v), 40)]
			switch {
			case has(says[control], v), control == "c" && strings.HasPrefix(v, `["card","card"`):
				if examples != 1 || named {
					t.Errorf("%s %s: %d examples, refused %v", control, short, examples, s.Refused)
				}
			case has(none[control], v):
				if examples > 0 && control != "m" || named {
					t.Errorf("%s %s says nothing: %d examples, refused %v", control, short, examples, s.Refused)
				}
			case examples > 0 || !named:
				t.Errorf("%s %s is not named: %d examples, refused %v", control, short, examples, s.Refused)
			}
			// The next answer of another project is learned.
			text, label := sentence(uint64(id))
			apply(t, l, answered(2, single, id, data(text), result2(label)))
			if s, ok := l.Status(2); !ok || s.Labels != id {
				t.Fatalf("the other project: %+v", s)
			}
			// It is mended, or there would soon be more than are named.
			apply(t, l, &event.Changed{Project: 1, At: at(2000 + id), DeletedAnnotations: []event.AnnotationID{event.AnnotationID(id)}})
		}
	}
	finite(t, l, 1)
}

// Whatever is said of a task, in whatever form: the log's head moves, the other
// project's next label is learned, and the models stay numbers.
func TestHostileAnswersStopNobody(t *testing.T) {
	var mu sync.Mutex
	rapid.Check(t, func(rt *rapid.T) {
		mu.Lock()
		defer mu.Unlock()
		d := openDisk(t)
		l, err := learner.New(d, learner.Options{})
		must(rt, err)
		defer func() { must(rt, l.Stop(bg)) }()
		must(rt, l.Load(bg, nil))
		must(rt, l.Start(bg))
		kinds := []struct{ control, kind, key string }{
			{"n", "number", "number"},
			{"stars", "rating", "rating"},
			{"c", "choices", "choices"},
			{"m", "choices", "choices"},
			{"tax", "taxonomy", "taxonomy"},
			{"s", "labels", "labels"},
			{"pw", "pairwise", "selected"},
			{"nobody", "choices", "choices"},
		}
		texts := []string{"", "why is my card not here", "\x00\ufffd\U0001F600", strings.Repeat("long ", 3000), "NaN", "<p>&amp;</p>"}
		steps := rapid.IntRange(1, 12).Draw(rt, "steps")
		for i := 1; i <= steps; i++ {
			var regions []string
			for range rapid.IntRange(0, 3).Draw(rt, "regions") {
				k := rapid.SampledFrom(kinds).Draw(rt, "control")
				value := fmt.Sprintf(`{%q:%s,"start":%s,"end":%s}`, k.key, rapid.SampledFrom(hostile).Draw(rt, "value"),
					rapid.SampledFrom([]string{"0", "3", "-1", "1e18", `"x"`, "null"}).Draw(rt, "start"), rapid.SampledFrom([]string{"4", "2", "1e18", "null"}).Draw(rt, "end"))
				regions = append(regions, fmt.Sprintf(`{"id":"same","from_name":%q,"to_name":"t","type":%q,"value":%s}`, k.control, k.kind, value))
			}
			result := "[" + strings.Join(regions, ",") + "]"
			if odd := rapid.SampledFrom([]string{"", "", "", "null", "{}", `"text"`, "7", "[1]"}).Draw(rt, "result"); odd != "" {
				result = odd
			}
			task := rapid.IntRange(1, 4).Draw(rt, "task")
			c := answered(1, everything, task, data(rapid.SampledFrom(texts).Draw(rt, "text")), json.RawMessage(result))
			c.Annotations[0].ID = event.AnnotationID(rapid.IntRange(1, 4).Draw(rt, "annotation"))
			c.Annotations[0].UpdatedAt, c.Tasks[0].UpdatedAt = at(i), at(i)

			text, label := sentence(uint64(i))
			other := answered(2, single, i, data(text), result2(label))
			apply(rt, l, c)
			apply(rt, l, other)
			s, ok := l.Status(2)
			if !ok || s.Labels != i {
				rt.Fatalf("the other project has %d labels of %d", s.Labels, i)
			}
		}
		rest(rt, l)
		finite(rt, l, 1)
		finite(rt, l, 2)
	})
}

func result2(label string) json.RawMessage { return result(region("c", label)) }

// broken is a store that cannot load some projects.
type broken struct {
	*disk
	mu   sync.Mutex
	bad  map[event.ProjectID]bool
	errs int
}

var errDamaged = errors.New("damaged record")

func (b *broken) Load(ctx context.Context, p event.ProjectID) (event.ProjectState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bad[p] {
		b.errs++
		return event.ProjectState{}, errDamaged
	}
	return b.disk.Load(ctx, p)
}

func (b *broken) set(p event.ProjectID, bad bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad[p] = bad
}

// A project that cannot be loaded has ended hone at its start, and kept all others
// from being settled in the background.
func TestAProjectThatCannotBeLoadedStopsNobody(t *testing.T) {
	d := openDisk(t)
	first := start(t, d, learner.Options{})
	one, two := labels(5), labels(6)
	two.Project = 2
	apply(t, first, one)
	apply(t, first, two)
	rest(t, first)
	must(t, first.Stop(bg))

	b := &broken{disk: d, bad: map[event.ProjectID]bool{1: true}}
	l, err := learner.New(b, learner.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Stop(bg)) })
	must(t, l.Load(bg, []event.ProjectID{1, 2}))
	must(t, l.Start(bg))
	if why := l.Trouble(1); !strings.Contains(why, "damaged record") {
		t.Errorf("trouble: %q", why)
	}
	if why := l.Trouble(2); why != "" {
		t.Errorf("trouble of the other: %q", why)
	}
	text, label := sentence(77)
	apply(t, l, answered(2, single, 77, data(text), result2(label)))
	rest(t, l)
	if s, ok := l.Status(2); !ok || s.Labels != 7 || !s.Settled {
		t.Errorf("the other project: %+v", s)
	}
	b.set(1, false)
	apply(t, l, answered(1, single, 78, data(text), result2(label)))
	rest(t, l)
	if s := status(t, l); s.Labels != 6 || l.Trouble(1) != "" {
		t.Errorf("once it can be loaded: %d labels, trouble %q", s.Labels, l.Trouble(1))
	}
}
