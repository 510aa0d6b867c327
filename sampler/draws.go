package sampler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/hone-ml/hone/evaluate/odds"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/draw"
	"github.com/hone-ml/hone/sampler/strategy"
)

// Draw is one draw among tasks that are neither labelled nor drawn.
type Draw struct {
	Task event.TaskID
	// Odds are the probability of each task of Draws.Tasks to be drawn, 0 of one that was drawn before;
	// Q is that of Task, and N how many there were.
	Odds []float64
	Q    float64
	N    int
	// Random is set when all had the same probability, as in a share of the draws that is drawn too. Those
	// are a simple random sample.
	Random bool
}

// Record returns the i-th draw as it is stored, without number, time and what was known.
func (d *Draws) Record(i int) event.Draw {
	of := &d.Each[i]
	out := event.Draw{Task: of.Task, Q: of.Q, Left: of.N, Within: d.within, Random: of.Random, Strategy: d.RankedBy, Version: d.Version}
	at := slices.IndexFunc(d.Tasks, func(t event.Task) bool { return t.ID == of.Task })
	for _, q := range of.Odds {
		if q > 0 {
			out.Inverse += 1 / q
		}
	}
	for control, guess := range d.guesses() {
		c := event.DrawnControl{Control: control, Labels: guess.labels}
		for _, p := range guess.p {
			rest := 0.0
			for i, q := range of.Odds {
				if q > 0 {
					rest += p[i]
				}
			}
			c.Guess, c.Rest, c.Foreseen = append(c.Guess, float32(p[at])), append(c.Rest, float32(rest)), append(c.Foreseen, float32(odds.Foresee(of.Odds, p)))
		}
		out.Controls = append(out.Controls, c)
	}
	slices.SortFunc(out.Controls, func(a, b event.DrawnControl) int { return cmp.Compare(a.Control, b.Control) })
	return out
}

// guess is what the model says of a control's labels.
type guess struct {
	labels []string
	p      [][]float64 // by label and task
}

func newGuess(d *event.Distribution, tasks int) guess {
	g := guess{labels: d.Labels}
	even := 0.5
	if d.Exclusive {
		even = 1 / float64(len(d.Labels))
	}
	for range d.Labels {
		g.p = append(g.p, slices.Repeat([]float64{even}, tasks))
	}
	return g
}

// guesses returns by control what the model says of those that may be drawn. Where it says nothing of a task all labels
// are as likely. A control whose sides have no meaning of their own is left out.
func (d *Draws) guesses() map[string]guess {
	out := map[string]guess{}
	for i, estimates := range d.Estimates {
		for _, e := range estimates {
			if e.Classes == nil || e.Classes.Labelled == nil {
				continue
			}
			g, is := out[e.Control]
			if !is {
				g = newGuess(e.Classes, len(d.Estimates))
				out[e.Control] = g
			}
			for l, p := range e.Classes.P {
				g.p[l][i] = p
			}
		}
	}
	return out
}

// Draws are draws one after the other, by one snapshot.
type Draws struct {
	Each []Draw
	// Tasks are those that may be drawn: all, or of many a sample that is drawn at random. Estimates
	// are what the heads say of them; the scorer may use them again with its next call.
	Tasks     []event.Task
	Estimates [][]event.Estimate
	Version   string
	// RankedBy is that of Status.
	RankedBy string
	// Confidence is that of Status.
	Confidence map[string]event.Confidence

	within  uint64   // the largest TaskID.Hash of Tasks, where they are a sample; of all tasks the largest there is
	coverer *coverer // what the next draws go on from
}

// CanDraw reports whether a strategy says of each task by how much it gains, which odds are made of.
func CanDraw(name string) bool {
	_, picks := pickers[name]
	return !picks || name == strategy.NameCoverage
}

// Drawing is what may be drawn, and how often.
type Drawing struct {
	// Tasks are those that nobody has labelled, and Labelled is as for Rank. Drawn are those of Tasks that were drawn
	// before: they are not drawn again, and what is near them gains less.
	Tasks    []event.Task
	Labelled map[event.TaskID]uint64
	Drawn    map[event.TaskID]bool
	// Count is how many to draw, and Number how many were drawn of the project before.
	Count  int
	Number uint64
	// DesignEffect is at most that of the odds (draw.DesignEffect), above 1: with a higher one the strategy has more of its
	// way, and what is estimated from the draws is less certain.
	DesignEffect float64
}

// Draw draws tasks, one after the other, fewer than asked for when there are not so many. The probability of
// each is known: ε/n + (1-ε) s, where n is how many tasks are neither labelled nor drawn, ε the share of
// random ones, and s the softmax of the logarithms of the strategy's gains, given what is labelled and drawn, at the lowest temperature
// that keeps to the design effect. The gain is that of coverage, or else 1 less the score. A draw is a function of
// seed, number, tasks and gains. before are the draws before, from which computing goes on.
func (r *Ranker) Draw(ctx context.Context, p event.ProjectID, of Drawing, before Draws) (Draws, error) {
	if !CanDraw(r.name) {
		return Draws{}, fmt.Errorf("the strategy %s does not say by how much a task gains, which odds are made of", r.name)
	}
	sample := slices.Clone(of.Tasks)
	within := uint64(math.MaxUint64)
	if len(sample) > sampleSize {
		sample = sampleTasks(sample, sampleSize, sampleOrder)
		within = sampleOrder(sample[len(sample)-1].ID)
	}
	// A fixed order, so that the same numbers draw the same tasks.
	slices.SortFunc(sample, func(a, b event.Task) int { return cmp.Compare(a.ID, b.ID) })
	sel := &selection{r: r, sample: sample}
	covers := r.picker.vectors && r.vectors != nil && r.pool != nil
	if covers {
		if sel.coverer = before.coverer; sel.coverer == nil {
			sel.coverer = &coverer{}
		}
		if err := sel.update(ctx, r, p, sample, r.covering(of.Labelled)); err != nil {
			return Draws{}, err
		}
		covers = sel.space.Len() > 0 && 2*sel.space.Len() >= len(sample)
	}
	q, err := sel.score(ctx, p)
	if err != nil {
		return Draws{}, err
	}
	out := Draws{Tasks: sample, Estimates: sel.estimates, Version: q.Version, RankedBy: r.name, Confidence: q.Confidence, within: within, coverer: sel.coverer}
	gains := sel.gainsByScore
	switch {
	case covers:
		gains = sel.gainsByCoverage(of.Drawn)
	case r.random || !sel.knows:
		out.RankedBy = strategy.NameRandom
	case r.picker.vectors:
		out.RankedBy = strategy.NameMargin // it stands in
	}
	taken := maps.Clone(of.Drawn)
	if taken == nil {
		taken = map[event.TaskID]bool{}
	}
	for number := range of.Count {
		gain, err := gains(ctx)
		if err != nil {
			return Draws{}, err
		}
		d := Draw{}
		for i, t := range sample {
			if taken[t.ID] {
				gain[i] = -1
			} else {
				d.N++
			}
		}
		temperature := draw.Temperature(gain, r.share, of.DesignEffect)
		chosen := draw.One(gain, r.share, temperature, r.seed, of.Number+uint64(number))
		if chosen.Index < 0 {
			break
		}
		d.Odds = draw.Odds(gain, r.share, temperature)
		d.Task, d.Q, d.Random = sample[chosen.Index].ID, d.Odds[chosen.Index], chosen.Even || out.RankedBy == strategy.NameRandom
		out.Each = append(out.Each, d)
		taken[d.Task] = true
		if sel.picked != nil {
			sel.picked(d.Task)
		}
	}
	return out, nil
}

// gainsByScore are 1 less the scores: where nothing is known, and of the strategy random, the same for all.
func (s *selection) gainsByScore(context.Context) ([]float64, error) {
	out := make([]float64, len(s.sample))
	for i, t := range s.sample {
		out[i] = 1
		if !s.r.random {
			out[i] = s.uncertainty(int64(t.ID))
		}
	}
	return out, nil
}

// gainsByCoverage are how much each task would raise the coverage, after those that are drawn.
func (s *selection) gainsByCoverage(drawn map[event.TaskID]bool) func(context.Context) ([]float64, error) {
	var before, ids []int64
	for _, t := range s.sample {
		ids = append(ids, int64(t.ID))
		if drawn[t.ID] {
			before = append(before, int64(t.ID))
		}
	}
	g := s.space.Gains(before, s.uncertainty, s.order)
	s.picked = func(t event.TaskID) { g.Pick(int64(t)) }
	return func(ctx context.Context) ([]float64, error) { return g.Of(ctx, ids) }
}
