package tune

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

const (
	// MaxCompared is how many examples Compare uses at most.
	MaxCompared = 3000
	// MinCompared is the number of examples below which Compare gives no result: it would
	// be noise.
	MinCompared = 50
	// CompareSteps is how many times Compare calls onStep at most.
	CompareSteps = 2

	// crossValidation is the number of folds of Search and Compare.
	crossValidation = 5
	// tuneTolerance is how near to the optimum a model is fitted to compare settings.
	tuneTolerance = 0.2

	// defaultWeight is how much likelier the default of a dimension is than each other value
	// before there are examples.
	defaultWeight = 2
	// negligible is how much larger the loss of a value is that has no weight to speak of.
	negligible = 6
	// powerPenalty is the loss of a power of 2 or a half, before there are examples.
	powerPenalty = 2
	// balanceExponent is between 0, where every example has the same weight, and 1, where every
	// class has.
	balanceExponent = 0.3
	// leastVariance keeps the loss finite when every prediction is right.
	leastVariance = 1e-9
)

// powers of probabilities that are tried.
var powers = []float64{0.35, 0.5, 0.7, 1, 1.4, 2, 2.8}

// search weighs settings by the cross-validated loss of a kind. The choice depends on
// the spec and the examples only.
type search struct {
	q     *head.Spec
	folds []Fold
	// balanced are weights of the examples of each fold's Test: one of a rare class
	// counts more than one of a frequent class: else settings that hardly ever say the rare
	// one look best. weighExamples sets them.
	balanced  [][]float64
	warmStart []head.Incremental // by fold, the model whose duals the next fit starts from
	kernels   []*model.Kernel    // by fold, in which its models are; nil without
	n         int                // examples
	cores     chan struct{}      // has a place for each model that is fitted at once
	onStep    func()             // called after each loss
}

// Fold is a part of the examples that is held out: a model of Train predicts Test. The features of
// both are by Spec's encoder, which has not learned from Test.
type Fold struct {
	Spec        *head.Spec
	Train, Test []model.Example
}

// newSearch returns a search over folds, which each have their examples in the order of
// ids. Folds without examples to learn from or to predict are left out.
func newSearch(q *head.Spec, folds []Fold, cores chan struct{}, onStep func()) *search {
	s := &search{q: q, cores: cores, onStep: onStep}
	for _, f := range folds {
		if len(f.Train) > 0 && len(f.Test) > 0 {
			s.folds = append(s.folds, f)
			s.n += len(f.Test)
		}
	}
	s.warmStart = make([]head.Incremental, len(s.folds))
	s.kernels = make([]*model.Kernel, len(s.folds))
	return s
}

// maxInKernel is the number of examples above which a kernel would take too much memory: 4 MB for each part.
const maxInKernel = 1100

// withKernels makes the kernels of the folds, which pay when many settings are tried.
func (s *search) withKernels() *search {
	if _, ok := s.q.Kind.(head.Kernelized); !ok {
		return s
	}
	examples := map[*head.Spec]map[int64]model.Example{} // by the spec that has their features
	for _, fold := range s.folds {
		if examples[fold.Spec] == nil {
			examples[fold.Spec] = map[int64]model.Example{}
		}
		for _, e := range slices.Concat(fold.Train, fold.Test) {
			examples[fold.Spec][e.ID] = e
		}
	}
	kernels := map[*head.Spec]*model.Kernel{}
	for f, fold := range s.folds {
		all := examples[fold.Spec]
		if len(all) > maxInKernel {
			continue
		}
		if kernels[fold.Spec] == nil {
			kernels[fold.Spec] = model.NewKernel(slices.SortedFunc(maps.Values(all), func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) }))
		}
		s.kernels[f] = kernels[fold.Spec]
	}
	return s
}

// newModel returns a model without examples for those of a fold.
func (s *search) newModel(fold int, settings model.Settings) head.Incremental {
	q, k := s.folds[fold].Spec, s.kernels[fold]
	if k != nil {
		return q.Kind.(head.Kernelized).NewModelInKernel(q, k, settings)
	}
	return q.Kind.NewModel(q, settings)
}

// Steps returns how many losses a search computes at most, each followed by onStep.
func Steps(q *head.Spec) int {
	n := sourceSteps(q) + 1 // the last is of the power
	for _, d := range dimensions(q) {
		n += len(d.values)
	}
	return n
}

// loss returns the loss of all examples in nats, each by a model of the other folds. Of a kind
// that predicts probabilities it is the least of lossesByPower: settings that rank the classes
// well but are too sure of themselves, or not sure enough, are hardly worse for it. Of another
// kind it is what a normal distribution with the mean loss as its variance would have.
func (s *search) loss(ctx context.Context, settings model.Settings) (float64, error) {
	if _, ok := s.q.Kind.(head.Probable); ok {
		losses, err := s.lossesByPower(ctx, settings, powers, powerPenalty, s.logLosses)
		if err != nil {
			return 0, err
		}
		return slices.Min(losses), nil
	}
	losses := make([]float64, len(s.folds))
	err := s.eachFold(ctx, settings, func(f int, m head.Incremental) {
		losses[f], _ = s.q.Kind.Evaluate(s.folds[f].Spec, m, s.folds[f].Test)
	})
	n := float64(s.n)
	return n / 2 * math.Log(max(sum(losses)/n, leastVariance)), err
}

// lossesByPower returns the sum of the folds' losses with the probabilities raised to each of some powers
// in place of that of the settings. A power of 2 or a half has the penalty in addition, one that is
// nearer to 1 less.
func (s *search) lossesByPower(ctx context.Context, settings model.Settings, powers []float64, penalty float64, of func(fold int, m head.Incremental) []float64) ([]float64, error) {
	settings.Power = 0                        // the models are to say what they say by themselves
	losses := make([][]float64, len(s.folds)) // by fold and power
	err := s.eachFold(ctx, settings, func(f int, m head.Incremental) { losses[f] = of(f, m) })
	if err != nil {
		return nil, err
	}
	total := make([]float64, len(powers))
	for i, power := range powers {
		octaves := math.Log2(power)
		total[i] = penalty * octaves * octaves
		for _, l := range losses {
			total[i] += l[i]
		}
	}
	return total, nil
}

// logLosses returns the log-loss of a fold, of which rare classes count more.
func (s *search) logLosses(fold int, m head.Incremental) []float64 {
	f := s.folds[fold]
	return s.q.Kind.(head.Probable).LogLosses(f.Spec, m, f.Test, s.balanced[fold], powers)
}

// weighExamples sets balanced.
func (s *search) weighExamples() {
	counts, total := map[int32]float64{}, 0.0
	for _, fold := range s.folds {
		for _, e := range fold.Test {
			counts[e.Majority()]++
		}
	}
	for _, n := range counts {
		total += math.Pow(n, 1-balanceExponent)
	}
	for _, fold := range s.folds {
		weights := make([]float64, len(fold.Test))
		for i, e := range fold.Test {
			weights[i] = math.Pow(counts[e.Majority()], -balanceExponent) * float64(s.n) / total
		}
		s.balanced = append(s.balanced, weights)
	}
}

// accuracy returns the mean over the examples, each by a model of the other folds.
func (s *search) accuracy(ctx context.Context, settings model.Settings) (float64, error) {
	correct := make([]float64, len(s.folds))
	err := s.eachFold(ctx, settings, func(f int, m head.Incremental) {
		_, accuracy := s.q.Kind.Evaluate(s.folds[f].Spec, m, s.folds[f].Test)
		correct[f] = accuracy * float64(len(s.folds[f].Test))
	})
	return sum(correct) / float64(s.n), err
}

// eachFold calls evaluate with a model of the other folds, for several folds at once.
func (s *search) eachFold(ctx context.Context, settings model.Settings, evaluate func(fold int, m head.Incremental)) error {
	g, ctx := errgroup.WithContext(ctx)
	for f := range s.folds {
		g.Go(func() error {
			select {
			case s.cores <- struct{}{}:
				defer func() { <-s.cores }()
			case <-ctx.Done():
				return ctx.Err()
			}
			m := s.newModel(f, settings)
			if err := fit(ctx, m, s.folds[f].Train, s.warmStart[f], tuneTolerance); err != nil {
				return err
			}
			s.warmStart[f] = m
			evaluate(f, m)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.onStep()
	return nil
}

func sum(values []float64) float64 {
	var s float64
	for _, v := range values {
		s += v
	}
	return s
}

// average takes one dimension after the other, from the defaults with the source of the prior that
// chooseSource chooses, and has the mean of its values, each weighed by the likelihood exp(-loss)
// of the held-out examples: an average over a posterior instead of its mode (Hoeting, Madigan, Raftery & Volinsky 1999, "Bayesian model
// averaging: a tutorial"), with one model in the end. Of a few examples all values are nearly as
// likely, and the mean is near the default, which counts defaultWeight times; of many, one value
// is left. To take the best value instead costs .01 to .03 of accuracy with 25 to 100 labels,
// since of a dozen settings some look better by chance.
func (s *search) average(ctx context.Context) (model.Settings, error) {
	if s.n == 0 {
		return Defaults(s.q), ctx.Err()
	}
	s.weighExamples()
	at, err := s.chooseSource(ctx)
	if err != nil {
		return at, err
	}
	return s.weigh(ctx, at, dimensions(s.q))
}

// weigh is average for some dimensions, the others as they are at at. At at these dimensions have their
// defaults.
func (s *search) weigh(ctx context.Context, at model.Settings, dimensions []dimension) (model.Settings, error) {
	known := math.NaN() // the loss at these settings
	for _, d := range dimensions {
		losses, err := s.tryValues(ctx, at, d, known)
		if err != nil {
			return at, err
		}
		weights := likelihoods(losses)
		if !d.flat {
			weights[slices.Index(d.values, d.byDefault)] *= defaultWeight
		}
		value := d.mean(weights)
		d.set(&at, value)
		known = math.NaN()
		if i := slices.Index(d.values, value); i >= 0 { // of many examples one value is left
			known = losses[i]
		}
	}
	return at, nil
}

// likelihoods returns exp(-loss) of each, the largest as 1.
func likelihoods(losses []float64) []float64 {
	out, least := make([]float64, len(losses)), slices.Min(losses)
	for i, l := range losses {
		out[i] = math.Exp(least - l)
	}
	return out
}

// tryValues returns the losses of the values of a dimension, the other settings as they are; +Inf of a value
// that was not tried. It goes up and down from the default as long as a value can have any weight.
// known is the loss of the default, NaN if that is not known.
func (s *search) tryValues(ctx context.Context, at model.Settings, d dimension, known float64) ([]float64, error) {
	losses := slices.Repeat([]float64{math.Inf(1)}, len(d.values))
	try := func(i int) (err error) {
		there := at
		d.set(&there, d.values[i])
		losses[i], err = s.loss(ctx, there)
		return err
	}
	start := slices.Index(d.values, d.byDefault)
	if losses[start] = known; math.IsNaN(known) {
		if err := try(start); err != nil {
			return nil, err
		}
	}
	for _, way := range []int{-1, 1} {
		for i := start + way; i >= 0 && i < len(losses); i += way {
			if err := try(i); err != nil {
				return nil, err
			}
			if losses[i] > losses[i-way] && losses[i] > slices.Min(losses)+negligible {
				break // it rises: what is beyond is worse
			}
		}
	}
	return losses, nil
}

// Search chooses settings for the examples, which may be in any order. cores has a place
// for each model that is fitted at once; onStep is called at most Steps times. The choice
// depends on the spec and the examples only. The error is the context's.
func Search(ctx context.Context, q *head.Spec, examples []model.Example, cores chan struct{}, onStep func()) (model.Settings, error) {
	s := newSearch(q, CrossValidate(q, examples, crossValidation), cores, onStep).withKernels()
	at, err := s.average(ctx)
	if err != nil || s.n == 0 {
		return at, err
	}
	at.Power, err = s.finer(examples).power(ctx, at)
	return at, err
}

// SearchAdapted chooses how much an adapted part counts, on folds, at least one, whose specs have the same
// control and kinds of parts, the adapted one last. base are the settings of a model without it, which stay as
// they are. cores is as in Search. The choice depends on the folds and base only. The error is the context's.
func SearchAdapted(ctx context.Context, folds []Fold, base model.Settings, cores chan struct{}) (model.Settings, error) {
	s := newSearch(folds[0].Spec, folds, cores, func() {}).withKernels()
	at := Fit(s.q, base)
	for len(at.Trust) > 0 && len(at.Trust) < len(s.q.Parts) {
		at.Trust = append(at.Trust, 0)
	}
	if s.n == 0 {
		return at, ctx.Err()
	}
	var chosen []dimension
	for _, d := range dimensions(s.q) {
		if d.adapted {
			d.set(&at, d.byDefault)
			chosen = append(chosen, d)
		}
	}
	s.weighExamples()
	at, err := s.weigh(ctx, at, chosen)
	if err != nil {
		return at, err
	}
	at.Power, err = s.power(ctx, at)
	return at, err
}

// CrossValidate returns n folds: each example is in the Test of one and in the Train of the others, in
// the order of ids. A hash of the task id says in which, so that neither order nor time matters.
func CrossValidate(q *head.Spec, examples []model.Example, n int) []Fold {
	examples = slices.Clone(examples)
	slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) })
	folds := make([]Fold, n)
	for f := range folds {
		folds[f].Spec = q
		for _, e := range examples {
			if FoldOf(e.ID, n) == f {
				folds[f].Test = append(folds[f].Test, e)
			} else {
				folds[f].Train = append(folds[f].Train, e)
			}
		}
	}
	return folds
}

// FoldOf returns which of n folds a task is in.
func FoldOf(id int64, n int) int { return int(event.TaskID(id).Hash() % uint64(n)) } //nolint:gosec // less than n

// Equal reports whether two settings make the same model.
func Equal(a, b model.Settings) bool {
	return a.Ridge == b.Ridge && a.Bias == b.Bias && slices.Equal(a.Parts, b.Parts) && slices.Equal(a.Trust, b.Trust) && a.Lines == b.Lines && a.Power == b.Power
}
