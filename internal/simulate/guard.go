package simulate

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hone-ml/hone/evaluate/guard"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/sampler/strategy"
)

// Guarded says how the strategy of a curve compared with random, as `hone status` would.
type Guarded struct {
	// Left is there when the strategy was left for random.
	Left *LeftAt `json:"left,omitempty"`
	// Random and Asked are how many of the labels were asked for at random and by the strategy,
	// until that was left.
	Random int `json:"random"`
	Asked  int `json:"asked"`
	// Controls are the comparisons, by control.
	Controls []GuardedControl `json:"controls"`
}

// LeftAt is when, and why, a strategy was left for random.
type LeftAt struct {
	Labels  int    `json:"labels"`
	Control string `json:"control"`
}

// GuardedControl compares two models of equally many answers, Asked of those that the strategy asked for
// and Random of random ones: the share of Trials that each had right, with bounds of the
// difference.
type GuardedControl struct {
	Control string  `json:"control"`
	Trials  int     `json:"trials"`
	Asked   float64 `json:"asked"`
	Random  float64 `json:"random"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	// Saved is how many of Trials labels the strategy saves: a point figure; null of few trials.
	Saved *int `json:"saved"`
}

// guardPorts are the guard's ports to a curve, whose comparison is in memory.
type guardPorts struct {
	l        *learner.Learner
	strategy string
	share    float64
	acquired map[event.TaskID]event.Acquisition
	stored   event.Comparison
}

func (g *guardPorts) Progress(p event.ProjectID) (labels int, snapshot uint64) {
	st, _ := g.l.Status(p)
	return st.Labels, st.Snapshot
}

func (g *guardPorts) Contest(ctx context.Context, p event.ProjectID, of event.Entrants) (event.Contest, error) {
	return g.l.Contest(ctx, p, of)
}

func (g *guardPorts) Acquisitions(context.Context, event.ProjectID) (map[event.TaskID]event.Acquisition, error) {
	return g.acquired, nil
}

func (g *guardPorts) Comparison(context.Context, event.ProjectID) (event.Comparison, error) {
	return g.stored, nil
}

func (g *guardPorts) PutComparison(_ context.Context, _ event.ProjectID, c event.Comparison) error {
	g.stored = c
	return nil
}

func (g *guardPorts) Asking(event.ProjectID) (string, float64) { return g.strategy, g.share }

// watch has a guard compare the strategy of a curve with random. Random itself has none.
func (r *curveRun) watch(ctx context.Context, so sampler.Options) (err error) {
	if so.Strategy == strategy.NameRandom {
		return nil
	}
	r.ports = &guardPorts{l: r.learner, strategy: so.Strategy, share: so.RandomShare, acquired: map[event.TaskID]event.Acquisition{}}
	so.Strategy = strategy.NameRandom
	random, err := sampler.NewRanker(so)
	if err != nil {
		return err
	}
	r.guard, err = guard.New(guard.Options{
		Models: r.ports, Store: r.ports, Settings: r.ports,
		OnLeft: func(event.ProjectID) { r.ranker, r.queue, r.leftAt = random, sampler.Queue{}, r.labels },
	})
	if err != nil {
		return err
	}
	return r.guard.Check(ctx, projectID)
}

// noteAsked notes how the task in a place of the queue came to be asked.
func (r *curveRun) noteAsked(place int, q sampler.Item) {
	if r.ports != nil {
		r.ports.acquired[q.Task] = event.Acquisition{Place: place, Strategy: r.ports.strategy, Random: q.Random}
	}
}

// guarded returns how the strategy compared with random, nil for random itself.
func (r *curveRun) guarded(ctx context.Context) (*Guarded, error) {
	if r.guard == nil {
		return nil, nil
	}
	st, err := r.guard.Status(ctx, projectID)
	if err != nil {
		return nil, err
	}
	out := &Guarded{Random: st.Random, Asked: st.Asked, Controls: []GuardedControl{}}
	if st.Left != nil {
		out.Left = &LeftAt{Labels: r.leftAt, Control: st.Left.Control}
	}
	for _, c := range st.Controls {
		out.Controls = append(out.Controls, GuardedControl(c))
	}
	return out, nil
}

// GuardTable writes how each strategy compared with random; nothing without a comparison.
func (r Result) GuardTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	strategies, by := r.byStrategy()
	header := false
	for _, s := range strategies {
		if by[s][0].Guard == nil {
			continue
		}
		if !header {
			_, _ = fmt.Fprintln(t, "\nstrategy\tshare it chose\tleft for random\tafter labels\tlabels saved of random answers (point figures)")
			header = true
		}
		_, _ = fmt.Fprintln(t, guardRow(s, by[s]))
	}
	return t.Flush()
}

// guardRow is the row of one strategy: sums over its curves.
func guardRow(name string, curves []Curve) string {
	var asked, random, left, labels int
	saved, of, known := 0, 0, 0
	for _, c := range curves {
		asked, random = asked+c.Guard.Asked, random+c.Guard.Random
		if c.Guard.Left != nil {
			left++
			labels += c.Guard.Left.Labels
		}
		for _, control := range c.Guard.Controls {
			if control.Saved != nil {
				saved, of, known = saved+*control.Saved, of+control.Trials, known+1
			}
		}
	}
	row := fmt.Sprintf("%s\t%.3f\t%d of %d runs\t", name, float64(asked)/float64(max(1, asked+random)), left, len(curves))
	if left > 0 {
		row += fmt.Sprintf("%d", labels/left)
	}
	if row += "\t"; known > 0 {
		row += fmt.Sprintf("%+.0f of %.0f", float64(saved)/float64(known), float64(of)/float64(known))
	}
	return row
}
