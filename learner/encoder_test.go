package learner_test

import (
	"math"
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// Another encoder means other features: what was learned is learned anew from
// the examples, and nothing of the old model is used.
func TestAnotherEncoderRebuildsFromTheExamples(t *testing.T) {
	hashed := learner.Options{Encoder: ngram.New(), Tolerance: 1e-3}
	standard := learner.Options{Tolerance: 1e-3}
	d := openDisk(t)
	for _, o := range []learner.Options{hashed, standard, hashed} {
		l, err := learner.New(d, o)
		must(t, err)
		must(t, l.Load(bg, []event.ProjectID{1}))
		must(t, l.Start(bg))
		apply(t, l, labels(60))
		rest(t, l)
		fresh := start(t, openDisk(t), o)
		apply(t, fresh, labels(60))
		rest(t, fresh)
		same(t, fresh, l, 5e-3)
		if s := status(t, l); s.Labels != 60 || s.Version != "hone-1" {
			t.Errorf("status %+v", s)
		}
		must(t, l.Stop(bg))
	}
	a, b := start(t, openDisk(t), hashed), start(t, openDisk(t), standard)
	apply(t, a, labels(60))
	apply(t, b, labels(60))
	rest(t, a)
	rest(t, b)
	if !differ(t, a, b, 5e-3) {
		t.Error("the encoders predict the same, so the test shows nothing")
	}
}

// differ reports whether some probability differs by more than the tolerance.
func differ(t *testing.T, a, b *learner.Learner, tolerance float64) bool {
	x, _, err := a.Estimates(bg, 1, probes(20))
	must(t, err)
	y, _, err := b.Estimates(bg, 1, probes(20))
	must(t, err)
	for i := range x {
		for k, p := range x[i][0].Classes.P {
			if math.Abs(p-y[i][0].Classes.P[k]) > tolerance {
				return true
			}
		}
	}
	return false
}
