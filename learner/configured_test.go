package learner_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

func setUp(set map[string]string, reset ...string) *event.Configured {
	return &event.Configured{Project: 1, At: at(2), Set: set, Reset: reset}
}

// labelsOf are the labels that some regions give a control.
func labelsOf(t *testing.T, c labelconfig.Control, all []regions.Region) (labels []string) {
	t.Helper()
	for _, r := range all {
		if r.FromName != c.Name {
			continue
		}
		var v struct{ Labels []string }
		if json.Unmarshal(r.Value, &v) == nil && len(v.Labels) > 0 {
			labels = append(labels, v.Labels...)
			continue
		}
		raw, err := json.Marshal([]regions.Region{r})
		must(t, err)
		of, _, err := regions.DecodeChoices(c, raw)
		must(t, err)
		labels = append(labels, of...)
	}
	return labels
}

// Of every kind of control a label that is off is left out of what is suggested, and a
// control that is off altogether; nothing else changes, and nothing takes its place.
func TestWhatIsOffIsNotSuggested(t *testing.T) {
	for _, config := range []string{kinds, marked, both} {
		w := &labelStudio{rng: rand.New(rand.NewPCG(7, 0)), tasks: map[event.TaskID]event.Task{}, annotations: map[event.AnnotationID]event.Annotation{}}
		for range 150 {
			w.act()
		}
		w.config = config
		l := start(t, openDisk(t), learner.Options{Tolerance: 1e-3})
		apply(t, l, w.all())
		rest(t, l)
		parsed, err := labelconfig.Parse(config)
		must(t, err)
		tasks := probes(40)
		predict := func() [][]regions.Region {
			answers, err := l.Predict(bg, 1, config, tasks)
			must(t, err)
			out := make([][]regions.Region, len(answers))
			for i, a := range answers {
				out[i] = a.Result
			}
			return out
		}
		estimates, _, err := l.Estimates(bg, 1, tasks)
		must(t, err)
		before := predict()
		silenced := 0
		for _, h := range status(t, l).Heads {
			for _, off := range append([]string{""}, h.Labels...) {
				name := h.Control
				if off != "" {
					name += "/" + off
				}
				encoded, err := json.Marshal([]string{name})
				must(t, err)
				apply(t, l, setUp(map[string]string{"suggestions_off": string(encoded)}))
				rest(t, l)
				for i, now := range predict() {
					for _, other := range parsed.Controls {
						want := labelsOf(t, other, before[i])
						if other.Name == h.Control {
							n := len(want)
							want = slices.DeleteFunc(want, func(l string) bool { return off == "" || l == off })
							silenced += n - len(want)
						}
						if got := labelsOf(t, other, now); !slices.Equal(got, want) {
							t.Fatalf("with %s off, %s is %v of task %d, want %v", name, other.Name, got, i, want)
						}
					}
				}
			}
		}
		if silenced < 40 {
			t.Errorf("only %d labels were silenced: nothing is tested", silenced)
		}
		after, _, err := l.Estimates(bg, 1, tasks)
		must(t, err)
		for i := range estimates {
			for j := range estimates[i] {
				sameEstimate(t, estimates[i][j], after[i][j], 2e-3)
			}
		}
	}
}

// The order of the log decides: settings of a project that was replaced by another under
// its id are not the other's, in one batch as in two.
func TestSettingsOfAProjectThatWasReplaced(t *testing.T) {
	first, second := labels(30), labels(20)
	first.CreatedAt, second.CreatedAt, second.At = 100, 200, at(9)
	second.Reading = &event.Reading{}
	for _, batches := range [][][]event.Event{
		{{first}, {setUp(map[string]string{"queue": "3"})}, {second}, {setUp(map[string]string{"threshold": "0.3"})}},
		{{first}, {setUp(map[string]string{"queue": "3"}), second, setUp(map[string]string{"threshold": "0.3"})}},
		{{first}, {first, setUp(map[string]string{"queue": "3"}), second}, {setUp(map[string]string{"threshold": "0.3"})}},
		{{setUp(map[string]string{"queue": "3"}), second, setUp(map[string]string{"threshold": "0.3"})}},
	} {
		d := openDisk(t)
		l := start(t, d, learner.Options{})
		for _, b := range batches {
			apply(t, l, b...)
		}
		rest(t, l)
		_, set := l.Settings(1)
		st, err := d.Load(bg, 1)
		must(t, err)
		if len(set) != 1 || set["threshold"] != "0.3" || len(st.Settings) != 1 || st.Settings["threshold"] != "0.3" {
			t.Errorf("%d batches: settings %v, stored %v", len(batches), set, st.Settings)
		}
		if n := status(t, l).Labels; n != 20 {
			t.Errorf("%d labels", n)
		}
	}
}

// A change of settings that cannot be stored is not in force, and is made when it comes
// again.
func TestSettingsThatCannotBeStored(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(30))
	rest(t, l)
	d.failNext(1)
	offset++
	batch := []event.Event{setUp(map[string]string{"learn_from_users": "4711"})}
	if err := l.Apply(bg, batch, event.Cursor{Topic: event.Changes, Group: "learner", Offset: offset}); err == nil {
		t.Fatal("the disk was full")
	}
	rest(t, l)
	if _, set := l.Settings(1); len(set) != 0 || status(t, l).Labels != 30 {
		t.Errorf("settings %v and %d labels", set, status(t, l).Labels)
	}
	apply(t, l, batch...)
	rest(t, l)
	if _, set := l.Settings(1); len(set) != 1 || status(t, l).Labels != 0 {
		t.Errorf("settings %v and %d labels", set, status(t, l).Labels)
	}
}

// A stored record that this hone cannot read whole, and one with keys of another hone, keep
// no project from being loaded, and survive a commit.
func TestStoredSettingsOfAnotherHone(t *testing.T) {
	dir := t.TempDir()
	s, err := state.Open(dir, state.Options{})
	must(t, err)
	d := &disk{Store: s}
	l := start(t, d, learner.Options{})
	apply(t, l, labels(10), setUp(map[string]string{"odds": "3:1", "threshold": "ten"}))
	rest(t, l)
	must(t, l.Stop(bg))
	l = start(t, d, learner.Options{})
	apply(t, l, setUp(map[string]string{"learn_from_users": "2"}))
	rest(t, l)
	v, set := l.Settings(1)
	if len(set) != 3 || set["odds"] != "3:1" || v.Suggesting.Threshold != 0.4 || status(t, l).Labels != 0 {
		t.Errorf("%+v %v", v, set)
	}
	must(t, l.Stop(bg))
	must(t, s.Close())
}

// What is kept from annotators is no part of what the model is unsure of: also where one
// control is seen only with some answer of another.
func TestWhatIsOffChangesNoEstimate(t *testing.T) {
	const config = `<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="card"/><Choice value="money"/><Choice value="app"/></Choices>
		<View visibleWhen="choice-selected" whenTagName="c" whenChoiceValue="card"><Choices name="m" toName="t"><Choice value="urgent"/><Choice value="rude"/></Choices></View></View>`
	c := labels(40)
	c.LabelConfig = config
	for i := range c.Annotations {
		_, label := sentence(uint64(i + 1))
		rs := []map[string]any{region("c", label)}
		if label == "card" {
			rs = append(rs, region("m", []string{"urgent", "rude"}[i%2]))
		}
		c.Annotations[i].Result = result(rs...)
	}
	l := start(t, openDisk(t), learner.Options{Tolerance: 1e-3})
	apply(t, l, c)
	rest(t, l)
	tasks := probes(40)
	counts := func() (both int) {
		estimates, _, err := l.Estimates(bg, 1, tasks)
		must(t, err)
		for _, e := range estimates {
			both += len(e)
		}
		return both
	}
	before := counts()
	if before <= len(tasks) || before >= 2*len(tasks) {
		t.Fatalf("%d estimates of %d tasks: no control is hidden now and then", before, len(tasks))
	}
	for _, set := range []map[string]string{{"suggestions_off": "c/card"}, {"suggestions_off": "c"}, {"suggestions": "off"}} {
		apply(t, l, setUp(set, "threshold"))
		rest(t, l)
		if after := counts(); after != before {
			t.Errorf("with %v there are %d estimates, without %d", set, after, before)
		}
		answers, err := l.Predict(bg, 1, config, tasks)
		must(t, err)
		for _, a := range answers {
			for _, r := range a.Result {
				if r.FromName == "m" {
					t.Errorf("with %v the hidden control m is answered", set)
				}
			}
		}
	}
}

// An annotation whose id was another task's before Label Studio was restored is counted by
// what is learned of its own task.
func TestCountsOfAnIDThatAnotherTaskHad(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	c := labels(2)
	apply(t, l, &event.Changed{Project: 1, Source: event.FromWebhook, At: at(1), LabelConfig: single, Tasks: c.Tasks, Annotations: c.Annotations[1:]})
	restored := c.Annotations[1]
	restored.Task, restored.Cancelled, restored.UpdatedAt = 1, true, at(2)
	apply(t, l, &event.Changed{Project: 1, Source: event.FromReconcile, At: at(3), Tasks: c.Tasks, Annotations: []event.Annotation{restored}, Reading: &event.Reading{From: 1 << 40}})
	rest(t, l)
	if a := status(t, l).Annotations; a.Seen != 1 || a.Skipped != 1 || a.Learned != 0 {
		t.Errorf("one skipped annotation is counted as %+v", a)
	}
}
