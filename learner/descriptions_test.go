package learner_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/vector"
)

func describedAs(text string) *event.Configured {
	return setUp(map[string]string{"descriptions": text})
}

// A project whose labels are described, or described otherwise, has the model of one in which
// they were from the start, whenever hone is killed meanwhile; so has one whose descriptions
// are taken away again.
func TestDescriptionsAtAnyTime(t *testing.T) {
	const one, other = `{"money":["my card was charged twice","cash, bank, account"],"gone":["no label of the config"]}`, `{"money":["what can I eat"]}`
	for _, of := range []struct {
		config string
		labels int
	}{{single, 12}, {single, 60}, {both, 60}, {kinds, 60}} {
		config, c := of.config, labels(of.labels)
		c.LabelConfig = config
		o := choosing(learner.Options{Tolerance: 1e-3}, nil)
		d := openDisk(t)
		l := start(t, d, o)
		apply(t, l, c)
		rest(t, l)
		var last *learner.Learner
		for _, step := range []struct {
			text string
			ends bool
		}{{one, false}, {other, true}, {one, true}, {"", false}} {
			fresh := start(t, openDisk(t), choosing(learner.Options{Tolerance: 1e-3}, nil))
			if step.text == "" {
				apply(t, l, setUp(nil, "descriptions"))
				apply(t, fresh, c)
			} else {
				apply(t, l, describedAs(step.text))
				apply(t, fresh, c)
				apply(t, fresh, describedAs(step.text))
			}
			if step.ends {
				l = killed(t, d, l, o)
			}
			rest(t, l)
			rest(t, fresh)
			same(t, fresh, l, 5e-3)
			if st := status(t, l); st.Version != "hone-1" || !st.Settled || st.Labels != status(t, fresh).Labels {
				t.Errorf("%s: status %+v", step.text, st)
			}
			// Of 60 labels that are easy to learn hardly anything is left to descriptions.
			if of.labels == 12 && last != nil && !differ(t, last, fresh, 5e-3) {
				t.Error("the descriptions change nothing, so the test shows nothing")
			}
			last = fresh
		}
	}
}

// Where nothing is labelled yet, lines decide what is predicted.
func TestDescriptionsPredictBeforeTheFirstLabel(t *testing.T) {
	c := labels(40)
	c.Annotations, c.LabelConfig = nil, single
	l := start(t, openDisk(t), choosing(learner.Options{}, nil))
	apply(t, l, c)
	rest(t, l)
	bare := start(t, openDisk(t), choosing(learner.Options{}, nil))
	apply(t, bare, c)
	apply(t, l, describedAs(`{"money":["my card was charged twice","cash, bank, account"]}`))
	rest(t, l)
	rest(t, bare)
	if !differ(t, bare, l, 5e-3) {
		t.Error("lines that describe a label change nothing")
	}
}

// counting remembers the texts that it is asked for.
type counting struct {
	encode.Encoder
	mu    sync.Mutex
	texts []string
}

func (c *counting) Encode(text string) vector.Vector {
	c.mu.Lock()
	c.texts = append(c.texts, text)
	c.mu.Unlock()
	return c.Encoder.Encode(text)
}

func (c *counting) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.texts
	c.texts = nil
	return out
}

// Other lines make another prior, of the control whose labels they describe: no task is read
// again, and a control of other labels is as it was.
func TestDescriptionsRebuildThePriorAlone(t *testing.T) {
	e := &counting{Encoder: encoders.Default()}
	l := start(t, openDisk(t), learner.Options{Encoder: e, CacheBytes: 1, Tolerance: 1e-3})
	c := labels(60)
	c.LabelConfig = both
	apply(t, l, c)
	rest(t, l)
	e.asked()
	apply(t, l, describedAs(`{"c":{"money":["my card was charged twice"]}}`))
	rest(t, l)
	texts := e.asked()
	if !slices.Contains(texts, "my card was charged twice") {
		t.Error("the lines are not read")
	}
	for _, tc := range c.Tasks {
		var d struct{ Text string }
		must(t, json.Unmarshal(tc.Data, &d))
		if slices.Contains(texts, d.Text) {
			t.Fatalf("a task is read again: %q", d.Text)
		}
	}
	apply(t, l, describedAs(`{"c":{"money":["my card was charged twice"]},"nothing":["of no label"]}`))
	rest(t, l)
	if texts := e.asked(); len(texts) > 0 {
		t.Errorf("lines of no label have %q read", texts)
	}
}

// A slow encoder is asked for the lines. When their vectors come, the settings are chosen again,
// as if the vectors had been there from the start.
func TestASlowEncoderReadsDescriptions(t *testing.T) {
	lines := []string{"credit and debit plastic that was stolen", "a program on the phone", "cash and transfers"}
	about := describedAs(`{"card":["` + lines[0] + `"],"app":["` + lines[1] + `"],"money":["` + lines[2] + `"]}`)
	d, s := openDisk(t), new(slow)
	l := start(t, d, with(d, s))
	apply(t, l, labels(40))
	encoded(t, l)
	s.set(down)
	apply(t, l, about)
	rest(t, l)
	if !status(t, l).VectorsMissing {
		t.Error("the lines have vectors that nobody made")
	}
	s.set(nil)
	encoded(t, l)
	for _, line := range lines {
		if !slices.Contains(s.texts(), line) {
			t.Errorf("it was not asked for %q", line)
		}
	}
	rest(t, l)
	d2 := openDisk(t)
	fresh := start(t, d2, with(d2, new(slow)))
	apply(t, fresh, labels(1), about)
	encoded(t, fresh)
	apply(t, fresh, labels(40))
	encoded(t, fresh)
	rest(t, fresh)
	same(t, fresh, l, 2.1e-3)
	if got, want := status(t, l).Heads, status(t, fresh).Heads; !cmp.Equal(got[0].Ridge, want[0].Ridge) {
		t.Errorf("ridge %g, as from the start %g", got[0].Ridge, want[0].Ridge)
	}
}

// Labels whose names no encoder reads are known by their lines.
func TestNamesWithoutAVectorAreDescribed(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{Tolerance: 1e-3})
	apply(t, l, &event.Changed{Project: 1, At: at(1), LabelConfig: `<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="–"/><Choice value="…"/></Choices></View>`, Tasks: probes(5)})
	apply(t, l, describedAs(`{"–":["dogs and cats"],"…":["money and banks"]}`))
	rest(t, l)
	of, _, err := l.Estimates(bg, 1, []event.Task{{ID: 999, Data: data("the bank has my money")}})
	must(t, err)
	if p := of[0][0].Classes.P; p[1] <= p[0] {
		t.Errorf("the labels have %v", p)
	}
}
