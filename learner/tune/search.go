package tune

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

const (
	// MaxCompared is how many examples Compare looks at, at most.
	MaxCompared = 3000
	// CompareSteps is at most how many times Compare calls tick.
	CompareSteps = 2

	// folds by a hash of the task id, so that neither order nor time matters.
	folds = 5
	// minCompared is the number of examples below which nothing is compared: the
	// folds would be noise.
	minCompared = 50
	// tuneTolerance is enough to compare settings by.
	tuneTolerance = 0.2
)

// search chooses settings by the cross-validated loss of a kind. What it finds
// depends on the question and the examples only.
type search struct {
	q     *head.Spec
	train [][]model.Example
	test  [][]model.Example
	last  []head.Incremental // where the next fit of a fold starts
	n     int
	// cores has a place for each model that is being fitted.
	cores chan struct{}
	// tick is called after each of at most steps losses.
	tick func()
}

// newSearch is over examples in the order of their ids; a fold is one of parts.
func newSearch(q *head.Spec, parts [][]model.Example, cores chan struct{}, tick func()) *search {
	s := &search{q: q, cores: cores, tick: tick}
	for f := range parts {
		var train []model.Example
		for g := range parts {
			if g != f {
				train = append(train, parts[g]...)
			}
		}
		if len(train) == 0 || len(parts[f]) == 0 {
			continue
		}
		s.train, s.test = append(s.train, train), append(s.test, parts[f])
		s.n += len(parts[f])
	}
	s.last = make([]head.Incremental, len(s.train))
	return s
}

// Steps is at most how many losses a search computes, and calls tick.
func Steps(q *head.Spec) int {
	n := 1
	for _, a := range dimensions(q) {
		n += len(a.values) - 1
	}
	return n
}

// losses are those of the examples, fold by fold, each by a model of the other
// folds.
func (s *search) losses(ctx context.Context, settings model.Settings) ([]float64, error) {
	losses := make([][]float64, len(s.train))
	err := s.eachFold(ctx, settings, func(f int, m head.Incremental) {
		for i := range s.test[f] {
			l, _ := s.q.Kind.Evaluate(s.q, m, s.test[f][i:i+1])
			losses[f] = append(losses[f], l)
		}
	})
	return slices.Concat(losses...), err
}

// accuracy is the mean over the examples, each judged by a model of the other folds.
func (s *search) accuracy(ctx context.Context, settings model.Settings) (float64, error) {
	right := make([]float64, len(s.train))
	err := s.eachFold(ctx, settings, func(f int, m head.Incremental) {
		_, accuracy := s.q.Kind.Evaluate(s.q, m, s.test[f])
		right[f] = accuracy * float64(len(s.test[f]))
	})
	return total(right) / float64(s.n), err
}

// eachFold calls judge with a model of the other folds, for several folds at once.
func (s *search) eachFold(ctx context.Context, settings model.Settings, judge func(fold int, m head.Incremental)) error {
	g, ctx := errgroup.WithContext(ctx)
	for f := range s.train {
		g.Go(func() error {
			select {
			case s.cores <- struct{}{}:
				defer func() { <-s.cores }()
			case <-ctx.Done():
				return ctx.Err()
			}
			m, err := fit(ctx, s.q, s.train[f], settings, s.last[f], tuneTolerance)
			if err != nil {
				return err
			}
			s.last[f] = m
			judge(f, m)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.tick()
	return nil
}

func total(losses []float64) float64 {
	var sum float64
	for _, l := range losses {
		sum += l
	}
	return sum
}

// gain is by how much losses are lower than those before, less its standard error:
// the one-standard-error rule (Breiman, Friedman, Olshen & Stone 1984, section
// 3.4.3) on the differences, example by example. One more difference, of the mean
// loss, is a prior: with a handful of examples the error itself is hardly known.
func gain(before, after []float64) float64 {
	n := float64(len(before))
	mean := total(before) / n
	var sum, squares float64
	for i, l := range before {
		d := l - after[i]
		sum += d
		squares += d * d
	}
	return sum - math.Sqrt(max(0, squares-sum*sum/n)+mean*mean)
}

// best walks along each axis in turn from the defaults, up and down, as long as it
// gets better, and stays with what is best. What is not clearly better than the
// defaults is not taken: of a dozen settings some look better by chance, and where
// most classes have no example yet the price is what the label names say of them.
func (s *search) best(ctx context.Context) (model.Settings, float64, error) {
	at := Defaults(s.q)
	if s.n == 0 {
		return at, math.Inf(1), ctx.Err()
	}
	losses, err := s.losses(ctx, at)
	if err != nil {
		return at, 0, err
	}
	for _, a := range dimensions(s.q) {
		here, before := at, losses
		most := 0.0
		for _, way := range []int{-1, 1} {
			last := total(before)
			for i := a.start + way; i >= 0 && i < len(a.values); i += way {
				there := here
				a.set(&there, a.values[i])
				l, err := s.losses(ctx, there)
				if err != nil {
					return at, 0, err
				}
				if g := gain(before, l); g > most {
					at, losses, most = there, l, g
				}
				if total(l) >= last {
					break
				}
				last = total(l)
			}
		}
	}
	return at, total(losses), nil
}

// Search chooses settings for the examples, which may come in any order. cores has a
// place for each model that is fitted at once; tick is called after each of at most Steps
// losses. It depends on nothing but its arguments. The error is the context's.
func Search(ctx context.Context, q *head.Spec, examples []model.Example, cores chan struct{}, tick func()) (model.Settings, error) {
	s, _, err := newSearch(q, byFold(examples), cores, tick).best(ctx)
	return s, err
}

// byFold deals examples to the folds, each in the order of ids.
func byFold(examples []model.Example) [][]model.Example {
	examples = slices.Clone(examples)
	slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) })
	parts := make([][]model.Example, folds)
	for _, e := range examples {
		f := hashID(e.ID) % folds
		parts[f] = append(parts[f], e)
	}
	return parts
}

// Comparison is the cross-validated accuracy of a retrain's settings and of the live
// ones, NaN with too few examples.
type Comparison struct{ Candidate, Live float64 }

// Compare measures two settings on the same folds. A choice never hears of it.
func Compare(ctx context.Context, q *head.Spec, examples []model.Example, candidate, live model.Settings, cores chan struct{}, tick func()) (Comparison, error) {
	c := Comparison{math.NaN(), math.NaN()}
	if len(examples) < minCompared {
		return c, ctx.Err()
	}
	if len(examples) > MaxCompared {
		examples = slices.Clone(examples)
		slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(hashID(a.ID), hashID(b.ID)) })
		examples = examples[:MaxCompared]
	}
	s := newSearch(q, byFold(examples), cores, tick)
	var err error
	if c.Candidate, err = s.accuracy(ctx, candidate); err != nil {
		return c, err
	}
	c.Live = c.Candidate
	if !Equal(candidate, live) {
		c.Live, err = s.accuracy(ctx, live)
	}
	return c, err
}

// fit trains a model, starting from another's duals if from is not nil.
func fit(ctx context.Context, q *head.Spec, examples []model.Example, s model.Settings, from head.Incremental, tolerance float64) (head.Incremental, error) {
	m, err := begin(ctx, q, examples, s, from)
	if err != nil {
		return nil, err
	}
	m.Settle(ctx, tolerance)
	return m, ctx.Err()
}

// Build is fit from nothing, for many examples: it tells in between which share of the
// way it has gone. The bound falls by about the same factor each time, so the way is
// measured by its logarithm.
func Build(ctx context.Context, q *head.Spec, examples []model.Example, s model.Settings, tolerance float64, gone func(share float64)) (head.Incremental, error) {
	m, err := begin(ctx, q, examples, s, nil)
	if err != nil {
		return nil, err
	}
	bound := m.Settle(ctx, math.MaxFloat64).Bound
	for whole := math.Log(bound / tolerance); bound > tolerance && ctx.Err() == nil; {
		next := max(tolerance, bound/2)
		if bound = m.Settle(ctx, next).Bound; bound > next {
			break // what is left is rounding
		}
		gone(min(1, 1-math.Log(bound/tolerance)/whole))
	}
	return m, ctx.Err()
}

// begin is a model that holds the examples.
func begin(ctx context.Context, q *head.Spec, examples []model.Example, s model.Settings, from head.Incremental) (head.Incremental, error) {
	m := q.Kind.NewModel(q, s)
	if from != nil {
		var err error
		from.Duals(func(e model.Example, p []float32) bool {
			err = m.Resume(e, p)
			return err == nil && ctx.Err() == nil
		})
		if err != nil {
			return nil, err
		}
	} else {
		for _, e := range examples {
			if ctx.Err() != nil {
				break
			}
			if err := m.Put(e); err != nil {
				return nil, err
			}
		}
	}
	return m, ctx.Err()
}

func hashID(id int64) uint64 {
	var b [8]byte
	for i := range b {
		b[i] = byte(id >> (8 * i))
	}
	return xxhash.Sum64(b[:])
}

// Equal reports whether two settings make the same model.
func Equal(a, b model.Settings) bool {
	return a.Ridge == b.Ridge && a.Bias == b.Bias && slices.Equal(a.Parts, b.Parts) && slices.Equal(a.Trust, b.Trust)
}
