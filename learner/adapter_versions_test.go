package learner_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// A rollback brings back how the encoder had adapted when the version was live last, trained from the labels
// that there are now; a retrain that somebody asks for goes on.
func TestARollbackBringsBackTheAdapter(t *testing.T) {
	d, trainer := openDisk(t), new(wordTrainer)
	l := start(t, d, adapting(d, trainer))
	adaptedTo := func(want int, held bool) {
		t.Helper()
		rest(t, l)
		st, n := status(t, l), 0
		if st.Adapted != nil {
			n = st.Adapted.Labels
		}
		if n != want || st.SettingsHeld != held || !st.Settled {
			t.Errorf("%s is adapted to %d labels, want %d; settings held: %v; settled: %v", st.Version, n, want, st.SettingsHeld, st.Settled)
		}
	}
	apply(t, l, labels(10))
	rest(t, l)
	apply(t, l, due(2, "asked")) // hone-1 had no adapter
	rest(t, l)
	apply(t, l, labels(34))
	rest(t, l)
	apply(t, l, due(3, "asked")) // hone-2 had one of 32 labels
	rest(t, l)
	apply(t, l, labels(60))
	adaptedTo(48, false)

	apply(t, l, &event.RollbackDue{Project: 1, At: at(4), To: "hone-2"})
	adaptedTo(32, true)
	restart := func() {
		must(t, l.Stop(bg))
		l = start(t, d, adapting(d, trainer))
	}
	restart()
	adaptedTo(32, true)
	apply(t, l, labels(70)) // more labels change nothing
	adaptedTo(32, true)

	apply(t, l, &event.RollbackDue{Project: 1, At: at(5), To: "hone-1"})
	adaptedTo(0, true)
	restart()
	adaptedTo(0, true)
	plain := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
	apply(t, plain, labels(10))
	rest(t, plain)
	apply(t, plain, due(2, "asked"))
	rest(t, plain)
	apply(t, plain, labels(70), &event.RollbackDue{Project: 1, At: at(5), To: "hone-1"})
	rest(t, plain)
	same(t, plain, l, 5e-3)

	// Forward again, and on.
	apply(t, l, &event.RollbackDue{Project: 1, At: at(6), To: "hone-2"})
	adaptedTo(32, true)
	apply(t, l, &event.RollbackDue{Project: 1, At: at(7), To: "hone-3"})
	adaptedTo(48, true)
	apply(t, l, due(8, "asked"))
	adaptedTo(64, false)
}

// No label that was corrected or deleted lives on in an adapter: neither in the one that is in use nor
// in one that is stored, also when no other one comes.
func TestNoDeletedLabelLivesOnInAnAdapter(t *testing.T) {
	// secret is said by the first text alone.
	const secret = "zanzibar"
	world := func(n int) *event.Changed {
		c := labels(n)
		c.Tasks[0].Data = bytes.Replace(c.Tasks[0].Data, []byte(`"text":"`), []byte(`"text":"`+secret+" "), 1)
		return c
	}
	without := func(c *event.Changed) *event.Changed {
		return &event.Changed{
			Project: 1, At: at(9), Source: event.FromWebhook,
			DeletedAnnotations: []event.AnnotationID{c.Annotations[0].ID},
		}
	}
	for name, tt := range map[string]struct {
		labels int
		then   func(*testing.T, *learner.Learner, *wordTrainer)
	}{
		"the next adapter is trained": {60, func(*testing.T, *learner.Learner, *wordTrainer) {}},
		"too few labels are left":     {16, func(*testing.T, *learner.Learner, *wordTrainer) {}},
		"the next training fails":     {60, func(_ *testing.T, _ *learner.Learner, w *wordTrainer) { w.fail() }},
		"a rollback holds the settings": {60, func(t *testing.T, l *learner.Learner, _ *wordTrainer) {
			apply(t, l, due(2, "asked"))
			rest(t, l)
			apply(t, l, &event.RollbackDue{Project: 1, At: at(3), To: "hone-1"})
			rest(t, l)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d, trainer := openDisk(t), new(wordTrainer)
			l := start(t, d, adapting(d, trainer))
			c := world(tt.labels)
			apply(t, l, c)
			rest(t, l)
			if !storedAnywhere(t, d, secret) {
				t.Fatal("the adapter does not know it, so the test shows nothing")
			}
			tt.then(t, l, trainer)
			apply(t, l, without(c))
			rest(t, l)
			if storedAnywhere(t, d, secret) {
				t.Error("a deleted label is still in an adapter that is stored")
			}
			must(t, l.Stop(bg))
			l = start(t, d, adapting(d, trainer))
			rest(t, l)
			if !status(t, l).Settled {
				t.Error("it is not settled")
			}
		})
	}
}

// storedAnywhere reports whether any adapter that is stored of the project knows a word.
func storedAnywhere(t *testing.T, d *disk, word string) bool {
	t.Helper()
	d.mu.Lock()
	names := slices.Clone(d.adapters)
	d.mu.Unlock()
	return slices.ContainsFunc(names, func(name string) bool {
		b, err := d.Adapter(bg, 1, name)
		must(t, err)
		var stored struct{ Weights []byte }
		if b != nil {
			must(t, json.Unmarshal(b, &stored))
		}
		return bytes.Contains(stored.Weights, []byte(word))
	})
}
