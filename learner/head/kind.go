package head

import (
	"context"
	"encoding/json"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head/span"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// Kind says how the controls of one type are learned. It has no state; any number of
// goroutines may use it. No kind embeds another, so that each says all of itself. What
// only some kinds can do has an interface of its own.
type Kind interface {
	// Features encodes a task's data. The vector is empty when there is nothing to encode.
	// It must be a pure function of the data and of what Spec.Seed hashes, because it is
	// cached.
	Features(q *Spec, data []byte, e encode.Encoder) vector.Vector
	// Aggregate reads the answers of a task's annotators and returns their mean.
	Aggregate(q *Spec, t event.TaskState) Aggregate
	// NewModel returns a model without examples.
	NewModel(q *Spec, s model.Settings) Incremental
	// Snapshot returns a model of NewModel as it is now, for readers.
	Snapshot(q *Spec, m Incremental) Predictor
	// Score adds to p how well the model predicts an example that it has not learned.
	Score(q *Spec, m Incremental, e model.Example, p *score.Prequential)
	// Evaluate returns the loss by which settings are compared, as the sum over examples,
	// and the accuracy, 0 to 1.
	Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64)
	// Space returns the settings that the kind can have.
	Space() Space
}

// Space holds the settings a kind starts with, and those worth trying.
type Space struct {
	Defaults model.Settings // before settings are chosen, without dense parts
	Ridges   []float64      // in falling order
	// Tunable is true when the weights of the feature parts are chosen too, and settings
	// are chosen while labels come in. It is so for kinds that learn vectors of texts.
	Tunable bool
}

// ridges are those worth trying for kinds that learn vectors of texts.
var ridges = []float64{0.3, 0.1, 0.03, 0.01, 0.003, 0.001}

// Probable is a kind that predicts the probabilities of classes.
type Probable interface {
	// LogLosses returns the log-loss of examples, each with its weight, as the sum over them:
	// one for each of some powers to which the probabilities are raised (Sharpen).
	LogLosses(q *Spec, m Incremental, examples []model.Example, weights, powers []float64) []float64
	// ConfidenceLosses is LogLosses of how sure the model is of its answers: where one class holds, of
	// the event that the likeliest class is right (top-label calibration; Gupta & Ramdas, ICLR 2022).
	// How the rest of the probability is spread, over classes that nobody has labelled too, says
	// nothing of that.
	ConfidenceLosses(q *Spec, m Incremental, examples []model.Example, weights, powers []float64) []float64
}

// Kernelized is a kind whose models can be made from the inner products of their examples, to compare
// settings on them.
type Kernelized interface {
	// NewModelInKernel is NewModel for examples of a kernel. Evaluate, LogLosses and ConfidenceLosses take the
	// model, with examples of the kernel; Score and Snapshot do not.
	NewModelInKernel(q *Spec, k *model.Kernel, s model.Settings) Incremental
}

// LabelPrior is a kind that predicts from the names of labels before anybody has labelled.
type LabelPrior interface {
	// Prior returns the mean that the weights are pulled to; nil if the names say nothing.
	Prior(q *Spec, e encode.Encoder) model.Prior
}

// FeatureSpace is a kind whose features of a text differ from those of other kinds.
type FeatureSpace interface {
	// Reads names the difference. It is part of the key by which features are cached.
	Reads() string
}

// Interactive is a Predictor that can continue what an annotator has drawn.
type Interactive interface {
	// Propagate predicts like Predict, and leaves out what is drawn already or would
	// overlap it. There are no regions when nothing is drawn of the control. It works
	// before anything is learned.
	Propagate(id string, in Sample, drawn []regions.Region, s *Scratch) (regions []regions.Region, confidence float64)
}

// textFeatures encodes the text that the annotator read.
func textFeatures(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	text, err := q.text(data)
	if err != nil {
		return vector.Vector{}
	}
	return e.Encode(text)
}

// Incremental is the model under a head. It holds examples and approaches the optimum
// of exactly those, whatever its history. It is for one goroutine.
type Incremental interface {
	Len() int
	Has(id int64) bool
	Settings() model.Settings
	// Upsert adds an example or replaces the one with its id.
	Upsert(e model.Example) error
	// UpsertWarm is Upsert with a warm start: duals are those that Duals yielded in an
	// earlier run. They save steps and do not change the optimum.
	UpsertWarm(e model.Example, duals []float32) error
	// Remove forgets an example completely and reports whether it was there.
	Remove(id int64) bool
	// Examples calls f with each example, in no order, until it is false.
	Examples(f func(model.Example) bool)
	// Duals is Examples with the dual variables. The slice is valid until f returns.
	Duals(f func(e model.Example, duals []float32) bool)
	// DualNumbers returns how many numbers Duals gives, over all examples.
	DualNumbers() int
	// Optimize optimizes until no probability can differ from the optimum's by more than the
	// tolerance, or until the context ends.
	Optimize(ctx context.Context, tolerance float64) model.Progress
	// Bound returns the most by which a probability can differ from the optimum's, +Inf
	// when it is not known.
	Bound() float64
}

// Predictor is a head's model as it was at one moment. It is immutable and read by
// any number of goroutines.
type Predictor interface {
	// Examples returns how many examples it has learned.
	Examples() int
	// Predict returns the answer to a task as regions whose ids begin with id, and the
	// confidence in it, 0 to 1. There are no regions when the answer is "none of them".
	Predict(id string, in Sample, s *Scratch) (regions []regions.Region, confidence float64)
	// Estimate says how sure the head is of a task. p, of length Classes, is memory that the
	// estimate keeps.
	Estimate(in Sample, p []float64, s *Scratch) event.Estimate
	// Classes returns how many labels have a probability: 0 for a head that does not
	// choose among labels.
	Classes() int
}

// classifier predicts probabilities: a model, or a view of one.
type classifier interface {
	Predict(x vector.Vector, p []float64, s *model.Scratch)
}

// evaluated is a model as they need it that compare settings: in a kernel or not.
type evaluated interface {
	PredictExample(e model.Example, p []float64, s *model.Scratch)
	NoLabelShare() float64
}

// exampleClassifier is a model as a classifier of one example.
type exampleClassifier struct {
	evaluated
	e model.Example
}

func (c exampleClassifier) Predict(_ vector.Vector, p []float64, s *model.Scratch) {
	c.PredictExample(c.e, p, s)
}

// Sample is a task that a Predictor predicts: its data, and their features.
type Sample struct {
	Data json.RawMessage
	X    vector.Vector
}

// Scratch is working memory of one goroutine.
type Scratch struct {
	model.Scratch
	p     []float64
	spans span.Scratch
}

// floats returns memory for n numbers, valid until the next call.
func (s *Scratch) floats(n int) []float64 {
	if cap(s.p) < n {
		s.p = make([]float64, n)
	}
	return s.p[:n]
}
