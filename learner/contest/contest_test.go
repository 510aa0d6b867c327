package contest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

// entryOf divides examples, each annotated once in the order of ids: isRandom says which were
// drawn at random.
func entryOf(q *head.Spec, examples []model.Example, isRandom func(i int) bool) Entry {
	e := Entry{Spec: q, Settings: tune.Defaults(q)}
	for i, x := range examples {
		a := Answer{First: event.AnnotationID(10 * x.ID), Example: x}
		if isRandom(i) {
			e.Random = append(e.Random, a)
		} else {
			e.Asked = append(e.Asked, a)
		}
	}
	return e
}

// Whatever comes when and goes again, and however often one looks: each trial is of models that are
// trained from scratch on as many answers each, all before the predicted one.
func TestTrialsAreOfModelsOfWhatCameBefore(t *testing.T) {
	q := headtest.Choices(t, "single")
	all := headtest.Noisy(40, 0.3)
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		share := rapid.Float64Range(0.05, 0.95).Draw(t, "random")
		var stays []model.Example // others are deleted
		for _, e := range all {
			if rng.IntN(6) > 0 {
				stays = append(stays, e)
			}
		}
		e := entryOf(q, stays, func(int) bool { return rng.Float64() < share })
		tried := event.AnnotationID(rng.IntN(100))
		e.Tried = tried
		random, asked := slices.Clone(e.Random), slices.Clone(e.Asked)
		rng.Shuffle(len(e.Random), func(i, j int) { e.Random[i], e.Random[j] = e.Random[j], e.Random[i] })
		rng.Shuffle(len(e.Asked), func(i, j int) { e.Asked[i], e.Asked[j] = e.Asked[j], e.Asked[i] })
		got, err := Run(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		var want []event.Trial
		last := tried
		for i, x := range random {
			if x.First <= tried {
				continue
			}
			last = x.First
			before := 0
			for before < len(asked) && asked[before].First < x.First {
				before++
			}
			if n := min(i, before); n > 0 {
				want = append(want, event.Trial{Asked: fromScratch(t, q, asked[:n], x), Random: fromScratch(t, q, random[:n], x)})
			}
		}
		if len(got.Trials) != len(want) || got.Tried != last || got.More {
			t.Fatalf("%d trials up to %d, more %v; want %d up to %d", len(got.Trials), got.Tried, got.More, len(want), last)
		}
		differ := 0
		for i := range want {
			if want[i] != got.Trials[i] {
				differ++ // on the border between two answers
			}
		}
		if differ > 1 {
			t.Fatalf("%v, want %v", got.Trials, want)
		}
	})
}

func fromScratch(t *rapid.T, q *head.Spec, of []Answer, x Answer) bool {
	var examples []model.Example
	for _, a := range of {
		examples = append(examples, a.Example)
	}
	m, err := tune.Build(context.Background(), q, examples, tune.Defaults(q), 1e-4, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	_, accuracy := q.Kind.Evaluate(q, m, []model.Example{x.Example})
	return accuracy > 0
}

// No model has learned the answer that it predicts: of answers that nothing tells, none is right more often
// than by chance.
func TestNobodyKnowsTheAnswer(t *testing.T) {
	q := headtest.Choices(t, "single")
	examples := headtest.Noisy(180, 1)
	e := entryOf(q, examples, func(i int) bool { return i%2 == 0 })
	got, err := Run(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	asked, random := 0, 0
	for _, x := range got.Trials {
		if x.Asked {
			asked++
		}
		if x.Random {
			random++
		}
	}
	if n := len(got.Trials); n != 89 || asked > n/2 || random > n/2 {
		t.Errorf("of %d answers %d and %d are right", n, asked, random)
	}
}

// What one run has no time for the next one does.
func TestManyTrialsAreMadeInPieces(t *testing.T) {
	q := headtest.Choices(t, "single")
	e := entryOf(q, headtest.Noisy(480, 0.1), func(i int) bool { return i%2 == 0 })
	var trials []event.Trial
	for runs := 0; ; runs++ {
		got, err := Run(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		trials = append(trials, got.Trials...)
		if e.Tried = got.Tried; !got.More {
			if runs != 2 {
				t.Errorf("%d runs", runs)
			}
			break
		}
		if len(got.Trials) != maxTrials {
			t.Errorf("%d trials in one run", len(got.Trials))
		}
	}
	right := 0
	for _, x := range trials[100:] {
		if x.Asked && x.Random {
			right++
		}
	}
	if len(trials) != 239 || right < 100 {
		t.Errorf("%d trials, of the last ones both were right of %d", len(trials), right)
	}
	again, err := Run(t.Context(), e)
	if err != nil || len(again.Trials) != 0 || again.Tried != e.Tried || again.Random != 240 || again.Asked != 240 {
		t.Errorf("%+v, %v", again, err)
	}
}

// A model holds the latest of its answers.
func TestModelsAreBounded(t *testing.T) {
	q := headtest.Choices(t, "single")
	e := entryOf(q, headtest.Noisy(2*window+700, 0.1), func(i int) bool { return i%2 == 0 })
	c := newContestant(e, e.Random)
	for _, size := range []int{3, window - 1, window + 5, window + 350} {
		if _, err := c.predict(t.Context(), size, e.Asked[0].Example); err != nil {
			t.Fatal(err)
		}
		if want := min(size, window); c.model.Len() != want || !c.model.Has(e.Random[size-1].Example.ID) || !c.model.Has(e.Random[size-want].Example.ID) {
			t.Errorf("after %d answers it has %d", size, c.model.Len())
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	q := headtest.Choices(t, "single")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, entryOf(q, headtest.Noisy(20, 0), func(i int) bool { return i%2 == 0 })); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// BenchmarkRun is what the trials of two new random answers take, at the bound of a model.
func BenchmarkRun(b *testing.B) {
	q := headtest.Choices(b, "single")
	examples := headtest.Noisy(2*window+4, 0.1)
	for b.Loop() {
		e := entryOf(q, examples, func(i int) bool { return i%2 == 0 })
		e.Tried = e.Random[window-1].First
		if got, err := Run(b.Context(), e); err != nil || len(got.Trials) != 2 {
			b.Fatalf("%+v, %v", got, err)
		}
	}
}
