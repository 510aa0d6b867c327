package learner_test

import (
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

func describedAs(text string) *event.Configured {
	return setUp(map[string]string{"descriptions": text})
}

// A project whose labels are described, or described otherwise, has the model of one in which
// they were from the start, whenever hone is killed meanwhile; so has one whose descriptions
// are taken away again.
func TestDescriptionsAtAnyTime(t *testing.T) {
	const one, other = `{"money":["my card was charged twice","cash, bank, account"],"gone":["no label of the config"]}`, `{"money":["what can I eat"]}`
	for _, config := range []string{single, both, kinds} {
		c := labels(60)
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
			if config == single && last != nil && !differ(t, last, fresh, 5e-3) {
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
