package simulate

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/sampler/strategy"
)

// Options say what is simulated.
type Options struct {
	// Strategies are names that the sampler knows; each is one set of curves.
	Strategies []string
	// Labels are the numbers of labels at which the model is measured, rising.
	// Those beyond the data are measured once, with all of it.
	Labels []int
	// Batch is how many tasks are labelled between two rankings of the pool.
	Batch int
	// Seeds is the number of repetitions, from seed 0: each has an order of its
	// own for what is random.
	Seeds int
	// Jobs is how many curves are run at once, one a core if zero. The results do
	// not depend on it.
	Jobs int
	// Encoder is the learner's; its default if nil. It is shared by all curves.
	Encoder encode.Encoder
	// Trainer adapts the encoder to the labels, as for hone serve; nil for none. It is shared by
	// all curves.
	Trainer encode.Trainer
	// QueueSize, Front and RandomShare are the sampler's; queue and front are at
	// least a batch.
	QueueSize, Front int
	RandomShare      float64
	// RankWhole is the sampler's: larger pools are not scored whole at each ranking.
	RankWhole int
	// Dir is where the curves' databases are for as long as they run; the
	// system's directory for temporary files if empty.
	Dir string
	// Estimate has the accuracy over all tasks estimated at each point, as for status.
	Estimate bool
	// Start is how many tasks are asked at random first, by every strategy: with the same seed the
	// same ones, in the same order.
	Start int
	// Asked notes in each curve which tasks were asked.
	Asked bool
	// Unguarded keeps a strategy that is worse than random, which hone serve would leave.
	Unguarded bool
	// Odds has each task drawn with a known probability, from which the shares of the labels and the
	// accuracy are estimated at each point; and all is run without odds too, to be compared with.
	Odds bool
	// DesignEffect is sampler.Drawing.DesignEffect; needed with Odds, above 1.
	DesignEffect float64
	// Progress, when not nil, is told how many labels of all were given. It is
	// called by one curve at a time.
	Progress func(done, all int)

	// scorer, unless nil, stands between the ranking and the learner: a test plants a strategy with it.
	scorer func(sampler.Scorer) sampler.Scorer
}

// Validate says everything that is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(len(o.Strategies) == 0, "no strategy; name some of %q", strategy.Names())
	for i, s := range o.Strategies {
		if _, err := strategy.Named(s); err != nil {
			errs = append(errs, err)
		}
		bad(slices.Contains(o.Strategies[:i], s), "strategy %q is named twice", s)
		bad(o.Odds && !sampler.CanDraw(s), "the strategy %s does not say by how much a task gains, which odds are made of; leave it or --odds out", s)
	}
	bad(o.Odds && !(o.DesignEffect > 1), "design effect %g; it must be above 1", o.DesignEffect)
	bad(len(o.Labels) == 0, "no numbers of labels; give some, such as 0,10,25,50,100")
	for i, n := range o.Labels {
		bad(n < 0, "%d labels; it must be 0 or more", n)
		bad(i > 0 && n <= o.Labels[i-1], "the numbers of labels must rise: %d comes after %d", n, o.Labels[max(0, i-1)])
	}
	bad(o.Batch < 1, "batch %d; it must be at least 1", o.Batch)
	bad(o.Start < 0, "%d tasks to start with; it must be 0 or more", o.Start)
	bad(o.Odds && o.Start > 0, "%d tasks to start with, which have no odds; leave them or odds out", o.Start)
	bad(o.Seeds < 1, "%d seeds; it must be at least 1", o.Seeds)
	bad(o.RankWhole < 0, "pools of %d tasks are ranked whole; it must be 0 (as hone serve) or more", o.RankWhole)
	bad(o.Jobs < 0, "%d jobs; it must be 0 (one a core) or more", o.Jobs)
	return errors.Join(errs...)
}

// Result holds all curves. Its JSON is a format that people script against.
type Result struct {
	Curves []Curve `json:"curves"`
	// HeldOut is there when no test data were given.
	HeldOut *HeldOut `json:"held_out,omitempty"`
	// WithoutOdds are curves of the same strategies and seeds, with Options.Odds, in which tasks are not drawn.
	WithoutOdds []Curve `json:"without_odds,omitempty"`
	// Prices are what the odds cost; absent without them.
	Prices []Price `json:"odds_price,omitempty"`
	// Saved are the labels that each other strategy saves against random; absent without
	// random.
	Saved []Saving `json:"saved,omitempty"`
	// Summed sums up each strategy's curves; absent where there are too few points.
	Summed []Area `json:"areas,omitempty"`
	// Compared are the paired differences of the first strategy and each other one; random has
	// them in Summed. Absent where there is no other, or no area.
	Compared []Difference `json:"differences,omitempty"`
}

// Curve is one learning curve.
type Curve struct {
	Strategy string  `json:"strategy"`
	Seed     int     `json:"seed"`
	Points   []Point `json:"points"`
	// Guard is how the strategy compared with random; absent of random.
	Guard *Guarded `json:"guard,omitempty"`
	// Asked are the tasks in the order in which they were asked, with Options.Asked: the lines they
	// begin at, or of a Label Studio export their places in the list, from 1.
	Asked []int `json:"asked,omitempty"`
	// Seconds is the time the whole curve took, and RankSeconds what the rankings took of it.
	Seconds     float64 `json:"seconds"`
	RankSeconds float64 `json:"rank_seconds"`
}

// Point is one measurement on the test data. With several controls every figure
// is the mean over them. A task the model abstains from counts as wrong, and as
// equal probabilities for all labels.
type Point struct {
	Labels int `json:"labels"`
	// Accuracy is the share of tasks whose labels are exactly right.
	Accuracy float64 `json:"accuracy"`
	// MacroF1 is the mean over the labels that the test data have.
	MacroF1 float64 `json:"macro_f1"`
	// SpanF1 is the F1 of all spans together, one being right when both ends and the
	// label are; the mean over the controls that label spans, 0 without any. For
	// those MacroF1 is the mean over labels, and LogLoss and ECE leave them out.
	SpanF1 float64 `json:"span_f1,omitempty"`
	// LogLoss is the mean negative logarithm of the truth's probability, per task.
	LogLoss float64 `json:"log_loss"`
	// ECE is the expected calibration error in 15 bins (Naeini, Cooper &
	// Hauskrecht 2015).
	ECE float64 `json:"ece"`
	// MAE and RMSE are the mean absolute error and the root of the mean squared one,
	// the means over the Rating and Number controls; 0 without any. Macro-F1 and
	// log-loss leave Numbers out; a Number is right when it is within a step or a
	// tenth of its range.
	MAE  float64 `json:"mae,omitempty"`
	RMSE float64 `json:"rmse,omitempty"`
	// PoolEstimate is there with Options.Estimate, once a label was asked for at random.
	PoolEstimate *PoolEstimate `json:"pool_estimate,omitempty"`
	// Drawn is there with Options.Odds, once a task was drawn.
	Drawn *DrawnEstimate `json:"drawn,omitempty"`
}

// Run simulates every strategy with every seed. Equal data and options give
// equal results, whatever runs at once, but for the seconds.
func Run(ctx context.Context, d *Data, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, err
	}
	if o.Estimate && len(d.questions) != 1 {
		return Result{}, errOneControl
	}
	if o.Odds && (len(d.questions) != 1 || d.questions[0].isNumber() || d.questions[0].isSpans()) {
		return Result{}, errNoOdds
	}
	points := slices.Clone(o.Labels)
	for i := range points {
		points[i] = min(points[i], d.Pool())
	}
	points = slices.Compact(points)
	if o.Jobs == 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	res := Result{HeldOut: d.heldOut}
	for _, s := range o.Strategies {
		for seed := range o.Seeds {
			res.Curves = append(res.Curves, Curve{Strategy: s, Seed: seed})
		}
	}
	var mu sync.Mutex
	if o.Odds {
		res.WithoutOdds = slices.Clone(res.Curves)
	}
	done, all := 0, (len(res.Curves)+len(res.WithoutOdds))*points[len(points)-1]
	onLabels := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if done += n; o.Progress != nil {
			o.Progress(done, all)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(o.Jobs)
	run := func(c *Curve, o Options) {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := d.runCurve(ctx, o, points, c, onLabels); err != nil {
				return fmt.Errorf("strategy %s, seed %d: %w", c.Strategy, c.Seed, err)
			}
			return nil
		})
	}
	for i := range res.Curves {
		run(&res.Curves[i], o)
	}
	o.Odds = false
	for i := range res.WithoutOdds {
		run(&res.WithoutOdds[i], o)
	}
	if err := g.Wait(); err != nil {
		return Result{}, err
	}
	res.Saved, res.Summed, res.Compared, res.Prices = res.Savings(), res.Areas(), res.Differences(), res.OddsPrices()
	return res, nil
}
