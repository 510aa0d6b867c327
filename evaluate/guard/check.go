package guard

import (
	"context"
	"strings"

	"github.com/hone-ml/hone/evaluate/confseq"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

const (
	// alpha bounds the probability that a strategy is ever left, of a comparison in which it is no worse
	// than random.
	alpha = 0.05
	// minTrials is the number of trials before which no strategy is left: what models of a handful of answers
	// are worth says little of what comes.
	minTrials = 30
	// maxTrials is after how many trials of a control a comparison ends.
	maxTrials = 10_000
)

// Check looks at a project if enough labels have come since the last look. It makes the trials that are
// due, stores what came of them, and leaves the strategy for random when that is
// worse for a control. The error is that of the store or the models, or the context's.
func (g *Guard) Check(ctx context.Context, p event.ProjectID) error {
	labels, snapshot := g.o.Models.Progress(p)
	c, err := g.o.Store.Comparison(ctx, p)
	if err != nil {
		return err
	}
	now := look{labels, snapshot}
	name, share := g.o.Settings.Asking(p)
	if left := isLeft(c, name); left || whyOff(name, share) != "" {
		g.metrics.publish(p, left, c)
		return nil
	}
	if c.Strategy != name {
		return g.begin(ctx, p, c, name, now)
	}
	if !g.isDue(p, now) {
		return nil
	}
	for more := true; more; {
		if c, more, err = g.step(ctx, p, c, labels); err != nil {
			return err
		}
	}
	g.setLooked(p, now)
	return nil
}

// isLeft reports whether a strategy was left for random in a comparison.
func isLeft(c event.Comparison, name string) bool { return c.Left != nil && c.Strategy == name }

// begin starts a comparison, of answers that are yet to come.
func (g *Guard) begin(ctx context.Context, p event.ProjectID, was event.Comparison, name string, now look) error {
	found, err := g.o.Models.Contest(ctx, p, event.Entrants{})
	if err != nil {
		return err
	}
	c := event.Comparison{Strategy: name, Since: g.o.Now().UTC(), After: found.Newest}
	if _, err := g.replace(ctx, p, was, c); err != nil {
		return err
	}
	g.metrics.publish(p, false, c)
	g.setLooked(p, now)
	return nil
}

// step makes some of the trials that are due. more is true when there may be more.
func (g *Guard) step(ctx context.Context, p event.ProjectID, c event.Comparison, labels int) (next event.Comparison, more bool, err error) {
	entrants, err := g.entrants(ctx, p, c)
	if err != nil {
		return c, false, err
	}
	found, err := g.o.Models.Contest(ctx, p, entrants)
	if err != nil || len(found.Controls) == 0 {
		return c, false, err
	}
	next = event.Comparison{Strategy: c.Strategy, Since: c.Since, After: c.After, Controls: map[string]event.ControlComparison{}}
	if len(c.Controls) == 0 {
		next.After = min(c.After, found.Newest) // of a project that was replaced ids begin anew
	}
	for _, f := range found.Controls {
		more = more || f.More
		next.Controls[f.Control] = add(c.Controls[f.Control], f)
		if f.Random+f.Asked > next.Random+next.Asked {
			next.Random, next.Asked = f.Random, f.Asked
		}
	}
	next.Left = g.verdict(next, labels)
	stored, err := g.replace(ctx, p, c, next)
	if err != nil || !stored {
		return c, false, err
	}
	g.metrics.publish(p, next.Left != nil, next)
	if next.Left == nil {
		return next, more, nil
	}
	g.o.Logger.WithField("project", int64(p)).Warn(Reason(p, next.Strategy, *next.Left))
	if g.o.OnLeft != nil {
		g.o.OnLeft(p)
	}
	return next, false, nil
}

// entrants are the tasks that take part.
func (g *Guard) entrants(ctx context.Context, p event.ProjectID, c event.Comparison) (event.Entrants, error) {
	out := event.Entrants{After: c.After, Tried: map[string]event.AnnotationID{}}
	acquired, err := g.o.Store.Acquisitions(ctx, p)
	for t, a := range acquired {
		switch {
		case a.Random:
			out.Random = append(out.Random, t)
		case a.Place > 0: // else the queue did not ask for it
			out.Asked = append(out.Asked, t)
		}
	}
	for name, control := range c.Controls {
		out.Tried[name] = control.Tried
	}
	return out, err
}

// add adds trials to those of a control. Those under another question do not count any more.
func add(c event.ControlComparison, found event.ControlContest) event.ControlComparison {
	if c.Key != found.Key {
		c.Trials = ""
	}
	var trials strings.Builder
	trials.WriteString(c.Trials)
	for _, t := range found.Trials {
		if trials.Len() < maxTrials {
			trials.WriteByte(letterOf(t))
		}
	}
	return event.ControlComparison{Key: found.Key, Tried: found.Tried, Trials: trials.String()}
}

// verdict returns why the strategy is to be left, nil when it is not. Each of several controls has a part of alpha
// (Bonferroni).
func (g *Guard) verdict(c event.Comparison, labels int) *event.Left {
	for _, control := range sorted(c.Controls) {
		d := differences(c.Controls[control].Trials)
		low, high := bounds(d, len(c.Controls))
		if d.N() >= minTrials && high < 0 {
			asked, random := shares(c.Controls[control].Trials)
			return &event.Left{At: g.o.Now().UTC(), Control: control, Labels: labels, Trials: d.N(), Asked: asked, Random: random, Low: low, High: high}
		}
	}
	return nil
}

// bounds returns the bounds of a difference, of one of several controls. Each of them misses the
// difference with a probability of at most its part of alpha.
func bounds(d confseq.Differences, controls int) (low, high float64) {
	return d.Interval(2 * alpha / float64(max(1, controls)))
}

// replace stores a comparison in place of the one that was read, unless another has come
// meanwhile: the strategy was set anew, or the project replaced.
func (g *Guard) replace(ctx context.Context, p event.ProjectID, was, c event.Comparison) (stored bool, err error) {
	g.storing.Lock()
	defer g.storing.Unlock()
	is, err := g.o.Store.Comparison(ctx, p)
	if err != nil || is.Strategy != was.Strategy || !is.Since.Equal(was.Since) {
		return false, err
	}
	return true, g.o.Store.PutComparison(ctx, p, c)
}

// Restart begins the comparison of a project anew with its next look, also after its strategy was left. It is
// stored when it returns nil; the error is the store's.
func (g *Guard) Restart(ctx context.Context, p event.ProjectID) error {
	g.storing.Lock()
	defer g.storing.Unlock()
	if err := g.o.Store.PutComparison(ctx, p, event.Comparison{}); err != nil {
		return err
	}
	g.clearLooked(p)
	g.Ask(p)
	return nil
}

// Strategy returns the strategy by which a project is ranked whose settings name one: random where that
// one was left.
func (g *Guard) Strategy(p event.ProjectID, name string) string {
	c, err := g.o.Store.Comparison(context.Background(), p)
	if err == nil && isLeft(c, name) {
		return strategy.NameRandom
	}
	return name
}
