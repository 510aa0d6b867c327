package learner_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

// entrantsOf has every third task drawn at random, and every seventh asked by nobody.
func entrantsOf(tasks int) (of event.Entrants) {
	for id := range event.TaskID(tasks) {
		switch id++; {
		case id%7 == 0:
		case id%3 == 0:
			of.Random = append(of.Random, id)
		default:
			of.Asked = append(of.Asked, id)
		}
	}
	return of
}

func contestOf(t fataler, l *learner.Learner, of event.Entrants) event.Contest {
	t.Helper()
	c, err := l.Contest(bg, 1, of)
	must(t, err)
	return c
}

// Whatever was edited, deleted and labelled in whatever order: what is compared are models of the labels that
// there are, as if there had never been others.
func TestAContestIsAFunctionOfTheLabels(t *testing.T) {
	const tasks = 36
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		final := labels(tasks) // and what is deleted is taken out
		final.Annotations = slices.DeleteFunc(final.Annotations, func(event.Annotation) bool { return rng.IntN(5) == 0 })
		history := []*event.Changed{{Project: 1, Source: event.FromWebhook, At: at(0), LabelConfig: single, Tasks: final.Tasks}}
		stays := map[event.AnnotationID]event.Annotation{}
		for _, a := range final.Annotations {
			stays[a.ID] = a
		}
		for _, id := range rng.Perm(tasks) {
			a := labels(tasks).Annotations[id]
			say := func(c event.Changed) {
				c.Project, c.Source, c.At, c.LabelConfig = 1, event.FromWebhook, at(len(history)), single
				history = append(history, &c)
			}
			is, keeps := stays[a.ID]
			if !keeps || rng.IntN(4) == 0 {
				a.UpdatedAt, a.Result = at(0), result(region("c", []string{"card", "money", "app"}[rng.IntN(3)]))
				say(event.Changed{Annotations: []event.Annotation{a}})
			}
			if keeps {
				say(event.Changed{Annotations: []event.Annotation{is}})
			} else {
				say(event.Changed{DeletedAnnotations: []event.AnnotationID{a.ID}})
			}
		}
		open := func(changes ...*event.Changed) *learner.Learner {
			dir, remove := tempDir(t)
			d, err := state.Open(dir, state.Options{})
			must(t, err)
			l, err := learner.New(d, learner.Options{Encoder: ngram.New()})
			must(t, err)
			t.Cleanup(func() {
				must(t, errors.Join(l.Stop(bg), d.Close()))
				remove()
			})
			for _, c := range changes {
				apply(t, l, c)
			}
			rest(t, l)
			return l
		}
		of := entrantsOf(tasks)
		of.Tried = map[string]event.AnnotationID{"c": event.AnnotationID(rng.IntN(10))}
		of.After = event.AnnotationID(rng.IntN(5))
		got, want := contestOf(t, open(history...), of), contestOf(t, open(final), of)
		if len(got.Controls) != 1 || len(want.Controls) != 1 || got.Newest != want.Newest {
			t.Fatalf("%+v, want %+v", got, want)
		}
		g, w := got.Controls[0], want.Controls[0]
		differ := 0
		for i := range min(len(g.Trials), len(w.Trials)) {
			if g.Trials[i] != w.Trials[i] {
				differ++ // on the border between two answers
			}
		}
		if len(g.Trials) != len(w.Trials) || differ > 1 {
			t.Fatalf("%v, want %v", g.Trials, w.Trials)
		}
		g.Trials, w.Trials = nil, nil
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("%+v, want %+v", g, w)
		}
	})
}

// Tasks that nobody drew and no strategy asked take no part, nor do answers of before, nor those of an unknown
// project; a changed label config makes another question.
func TestWhoTakesPartInAContest(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{Encoder: ngram.New()})
	if c := contestOf(t, l, entrantsOf(9)); c.Newest != 0 || len(c.Controls) != 0 {
		t.Errorf("an unknown project: %+v", c)
	}
	apply(t, l, labels(63))
	rest(t, l)
	of := entrantsOf(63)
	c := contestOf(t, l, of)
	if len(c.Controls) != 1 || c.Newest != 63 || c.Controls[0].Random != 18 || c.Controls[0].Asked != 36 || len(c.Controls[0].Trials) != 17 || c.Controls[0].Tried != 60 {
		t.Fatalf("%+v", c)
	}
	of.After = 30
	after := contestOf(t, l, of).Controls[0]
	if after.Random != 9 || after.Asked != 19 || len(after.Trials) != 8 {
		t.Errorf("%+v", after)
	}
	changed := labels(0)
	changed.LabelConfig, changed.At = fewer, at(9)
	apply(t, l, changed)
	rest(t, l)
	if now := contestOf(t, l, of).Controls[0]; now.Key == after.Key || now.Random >= after.Random {
		t.Errorf("under other labels %+v", now)
	}
	must(t, l.Stop(bg))
	if _, err := l.Contest(bg, 1, of); !errors.Is(err, learner.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// BenchmarkApplyBesideAContest is BenchmarkApply of 10,000 labels, and the same beside contests at the bound of
// their models: one each 200 labels, as the guard has them, or one after the other.
func BenchmarkApplyBesideAContest(b *testing.B) {
	const n = 10_000
	l := start(b, openDisk(b), learner.Options{})
	apply(b, l, labels(n))
	rest(b, l)
	var of event.Entrants
	for id := range event.TaskID(n) {
		if id++; id%10 == 0 {
			of.Random = append(of.Random, id)
		} else {
			of.Asked = append(of.Asked, id)
		}
	}
	of.Tried = map[string]event.AnnotationID{"c": n - 200}
	next := n
	for _, c := range []struct {
		name  string
		every int // labels
	}{{"alone", 0}, {"guard", 200}, {"always", 1}} {
		b.Run(c.name, func(b *testing.B) {
			due, contests := make(chan struct{}, 1), 0
			var ended sync.WaitGroup
			ended.Go(func() {
				for range due {
					contestOf(b, l, of)
					contests++
				}
			})
			var took []time.Duration
			for b.Loop() {
				next++
				if c.every > 0 && next%c.every == 0 {
					select {
					case due <- struct{}{}:
					default: // one is under way, and the next one waits
					}
				}
				all := labels(0)
				s, label := sentence(uint64(next))
				all.Tasks = []event.Task{{ID: event.TaskID(next), Data: data(s), UpdatedAt: at(1)}}
				all.Annotations = []event.Annotation{{ID: event.AnnotationID(next), Task: event.TaskID(next), UpdatedAt: at(1), Result: result(region("c", label))}}
				began := time.Now()
				apply(b, l, all)
				took = append(took, time.Since(began))
			}
			close(due)
			ended.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(contests), "contests")
		})
	}
}

// BenchmarkContestEntries is how long a contest of 10,000 labels holds the lane, with nothing new to predict.
func BenchmarkContestEntries(b *testing.B) {
	const n = 10_000
	l := start(b, openDisk(b), learner.Options{})
	apply(b, l, labels(n))
	rest(b, l)
	of := entrantsOf(n)
	of.Tried = map[string]event.AnnotationID{"c": n}
	for b.Loop() {
		contestOf(b, l, of)
	}
}
