package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hone-ml/hone/evaluate"
	"github.com/hone-ml/hone/event"
)

// PoolEstimate is what `hone status` would say of the accuracy over all tasks, to be compared
// with the accuracy on the test data.
type PoolEstimate struct {
	event.Accuracy
	// ExactLow and ExactHigh are Clopper and Pearson's bounds on the same answers.
	ExactLow  float64 `json:"exact_low"`
	ExactHigh float64 `json:"exact_high"`
}

// errOneControl says why accuracies cannot be estimated.
var errOneControl = errors.New("the accuracy is estimated by control, and the data are of several: leave --estimate out, or give a label config with one control that is learned")

// estimate estimates the accuracy from the labels that were asked for at random; nil when there
// are none.
func (r *curveRun) estimate(ctx context.Context) (*PoolEstimate, error) {
	left, err := r.learner.LeaveOneOut(ctx, projectID, r.random, 0)
	if err != nil {
		return nil, err
	}
	control := r.questions[0].Name
	exact, ok := evaluate.Estimate(left.Heads[control], event.Confidence{})
	if !ok {
		return nil, nil
	}
	out := &PoolEstimate{ExactLow: exact.Low, ExactHigh: exact.High}
	out.Accuracy, _ = evaluate.Estimate(left.Heads[control], r.queue.Confidence[control])
	out.Control = control
	return out, nil
}

// EstimateTable writes, by strategy and number of labels, how often the 95 % intervals held the
// accuracy on the test data, and how wide they were.
func (r Result) EstimateTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(t, "\nstrategy\tlabels\truns\trandom answers\tinterval holds\twidth\texact interval holds\twidth")
	type sums struct{ runs, random, holds, width, exactHolds, exactWidth float64 }
	add := func(s *sums, p Point) {
		e := p.PoolEstimate
		s.runs++
		s.random += float64(e.Random)
		s.width += e.High - e.Low
		s.exactWidth += e.ExactHigh - e.ExactLow
		if e.Low <= p.Accuracy && p.Accuracy <= e.High {
			s.holds++
		}
		if e.ExactLow <= p.Accuracy && p.Accuracy <= e.ExactHigh {
			s.exactHolds++
		}
	}
	write := func(strategy, labels string, s sums) {
		if s.runs > 0 {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%.0f\t%.1f\t%.3f\t%.3f\t%.3f\t%.3f\n", strategy, labels, s.runs, s.random/s.runs, s.holds/s.runs, s.width/s.runs, s.exactHolds/s.runs, s.exactWidth/s.runs)
		}
	}
	var all sums
	for _, row := range r.Rows() {
		var of sums
		for _, c := range r.Curves {
			for _, p := range c.Points {
				if c.Strategy == row.Strategy && p.Labels == row.Labels && p.PoolEstimate != nil {
					add(&of, p)
					add(&all, p)
				}
			}
		}
		write(row.Strategy, fmt.Sprint(row.Labels), of)
	}
	write("all", "", all)
	return t.Flush()
}
