package simulate

import (
	"context"
	"errors"
	"slices"

	"github.com/hone-ml/hone/evaluate/odds"
	"github.com/hone-ml/hone/evaluate/shares"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler"
)

// DrawnEstimate is what labels of tasks that were drawn with known odds say of all tasks that there are to learn from.
type DrawnEstimate struct {
	// Shares are those of the labels, in the order of the label config.
	Shares []LabelShare `json:"shares"`
	// Accuracy is that of the model, to be compared with the one on the test data: a drawn answer counts as right when the model
	// of all others says it. Null before there is a model.
	Accuracy *odds.Interval `json:"accuracy"`
}

// LabelShare is how large a share of the tasks has a label: as estimated, and in truth.
type LabelShare struct {
	Label string `json:"label"`
	odds.Interval
	Truth float64 `json:"truth"`
	// Random is how wide the interval of as many random labels is at Truth.
	Random float64 `json:"random_width"`
}

// drawnHit is what is kept of a draw for the accuracy: of the answer's being right the guess is the model's confidence.
type drawnHit struct {
	right, rest, foreseen float64
}

// drawing is the state of a curve with odds.
type drawing struct {
	effect float64 // sampler.Drawing.DesignEffect
	draws  []event.Draw
	hits   []drawnHit // of each draw
	last   sampler.Draws
}

// errNoOdds says why odds cannot be simulated.
var errNoOdds = errors.New("with odds the shares of labels are estimated, and the data are not labelled with the labels of one control over whole texts: leave --odds out, or give a label config with one control that is learned, such as Choices")

// drawNext draws n tasks.
func (r *curveRun) drawNext(ctx context.Context, n int) (items []sampler.Item, err error) {
	d := r.drawing
	d.last, err = r.ranker.Draw(ctx, projectID, sampler.Drawing{Tasks: r.open, Labelled: r.answered, Count: n, Number: uint64(len(d.draws)), DesignEffect: d.effect}, d.last)
	if err != nil {
		return nil, err
	}
	r.queue.Confidence = d.last.Confidence
	q := &r.questions[0]
	confidence := make([]float64, len(d.last.Tasks))
	for i, e := range d.last.Estimates {
		dist := q.distributionFor(e)
		confidence[i] = event.Estimate{Classes: &dist}.Confidence()
	}
	for i, x := range d.last.Each {
		items = append(items, sampler.Item{Task: x.Task, Random: x.Random})
		at := slices.IndexFunc(d.last.Tasks, func(t event.Task) bool { return t.ID == x.Task })
		d.hits = append(d.hits, drawnHit{confidence[at], drawableSum(x.Odds, confidence), odds.Foresee(x.Odds, confidence)})
		d.draws = append(d.draws, d.last.Record(i))
	}
	return items, nil
}

// drawableSum sums up the guesses of what can be drawn.
func drawableSum(q, guess []float64) (sum float64) {
	for i, p := range q {
		if p > 0 {
			sum += guess[i]
		}
	}
	return sum
}

// drawnEstimate estimates the shares of the labels and the accuracy; nil before the first draw.
func (r *curveRun) drawnEstimate(ctx context.Context) (*DrawnEstimate, error) {
	d := r.drawing
	if len(d.draws) == 0 {
		return nil, nil
	}
	q := &r.questions[0]
	answers := event.ControlAnswers{Control: q.Name, Labels: q.labels, Exclusive: !q.Multiple, Of: map[event.TaskID][]float64{}}
	truth := make([]float64, len(q.labels))
	has := func(i, l int) float64 {
		if t := r.pool[i].truth[0]; t != nil && slices.Contains(t.labels, q.labels[l]) {
			return 1
		}
		return 0
	}
	for l := range q.labels {
		for i := range r.pool {
			truth[l] += has(i, l) / float64(len(r.pool))
		}
	}
	for _, x := range d.draws {
		y := make([]float64, len(q.labels))
		for l := range y {
			y[l] = has(r.at[x.Task], l)
		}
		answers.Of[x.Task] = y
	}
	out := &DrawnEstimate{}
	for l, s := range shares.Estimate(len(r.pool), d.draws, answers, nil).Shares {
		out.Shares = append(out.Shares, LabelShare{Label: s.Label, Interval: s.Interval, Truth: truth[l], Random: odds.RandomWidth(truth[l], len(d.draws), len(r.pool))})
	}
	var err error
	out.Accuracy, err = r.drawnAccuracy(ctx)
	return out, err
}

// leftOut is of how many draws, the last ones, the accuracy is estimated: leave-one-out takes that many.
const leftOut = 200

// drawnAccuracy estimates the accuracy. The values are the hits of models of all other labels, and the guesses how confident the
// model was of its answer at the draw. What was labelled before these draws is left out.
func (r *curveRun) drawnAccuracy(ctx context.Context) (*odds.Interval, error) {
	from := max(0, len(r.drawing.draws)-leftOut)
	draws, hits := r.drawing.draws[from:], r.drawing.hits[from:]
	ids := make([]event.TaskID, len(draws))
	for i, t := range draws {
		ids[i] = t.Task
	}
	left, err := r.learner.LeaveOneOut(ctx, projectID, ids, 0)
	if err != nil {
		return nil, err
	}
	hit := map[event.TaskID]bool{}
	for _, h := range left.Heads[r.questions[0].Name] {
		hit[h.Task] = h.Correct
	}
	steps, known := make([]odds.Step, len(draws)), 0.0
	for m, t := range draws {
		s := odds.Step{Q: t.Q, Guess: hits[m].right, Known: known, Rest: hits[m].rest, Left: t.Left, Size: t.Left + m, Foreseen: hits[m].foreseen}
		if hit[t.Task] {
			s.Value = 1
		}
		steps[m] = s
		known += s.Value
	}
	if e, ok := odds.Estimate(len(r.open)+len(draws), steps); ok && len(hit) > 0 {
		return &e, nil
	}
	return nil, nil
}
