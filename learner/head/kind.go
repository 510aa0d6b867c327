package head

import (
	"context"
	"encoding/json"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// Kind is how the controls of one type are learned: what is read of them, the
// model under the head, what it answers and how it is judged. A kind has no
// state of its own; it may be used by any number of goroutines. None embeds another:
// each says all of itself, and what only some can do has an interface of its own.
type Kind interface {
	// Features are those of a task's data, empty when there is nothing to go by. It must
	// be a pure function of the data and of what Spec.Seed stands for: encodings are
	// cached.
	Features(q *Spec, data []byte, e encode.Encoder) vector.Vector
	// Aggregate is what the annotators of a task said of the control.
	Aggregate(q *Spec, t event.TaskState) Aggregate
	// NewModel is the model, knowing nothing yet.
	NewModel(q *Spec, s model.Settings) Incremental
	// Snapshot is a model that NewModel made as it is now, for readers.
	Snapshot(q *Spec, m Incremental) Predictor
	// Score counts in p how well the model predicts an example it has not learned.
	Score(q *Spec, m Incremental, e model.Example, p *score.Prequential)
	// Evaluate gives the loss that settings are compared by, summed over examples, and
	// the accuracy.
	Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64)
	// Space is what settings the kind has.
	Space() Space
}

// Space is what settings a kind starts with and which are worth trying.
type Space struct {
	Defaults model.Settings // before any were chosen, where there are no dense parts
	Ridges   []float64      // in falling order
	// Tunable is true where the weights of the feature parts are chosen, and settings
	// while labels come in: of models of texts' vectors.
	Tunable bool
}

// ridges are those of models of texts, in falling order.
var ridges = []float64{0.3, 0.1, 0.03, 0.01, 0.003, 0.001}

// LabelPrior is a kind whose label names say something of the answer before anybody
// has labelled.
type LabelPrior interface {
	// Prior is the first guess of the weights; nil when the names say nothing.
	Prior(q *Spec, e encode.Encoder) model.Prior
}

// FeatureSpace is a kind that reads texts otherwise than others do.
type FeatureSpace interface {
	// Reads names how: its features are told from those of other kinds by it.
	Reads() string
}

// Interactive is a Predictor that can go on from what an annotator has drawn.
type Interactive interface {
	// Extend is Answer without what is drawn already or would overlap it; no regions
	// when nothing is drawn of the control. It works before anything was learned.
	Extend(id string, in Sample, drawn []regions.Region, s *Scratch) (regions []regions.Region, confidence float64)
}

// textFeatures are those of the text that the annotator read, for kinds that read no
// more than that.
func textFeatures(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	text, err := q.text(data)
	if err != nil {
		return vector.Vector{}
	}
	return e.Encode(text)
}

// Incremental is the model under a head. It holds examples and walks to the optimum
// of exactly those, whatever its history. It is for one goroutine.
type Incremental interface {
	Len() int
	Has(id int64) bool
	Settings() model.Settings
	// Put adds an example or replaces the one with its id.
	Put(e model.Example) error
	// Resume is Put from where a former run ended: duals as Duals gave them.
	// They decide how long the walk takes, not where it ends.
	Resume(e model.Example, duals []float32) error
	// Remove forgets an example completely and reports whether it was there.
	Remove(id int64) bool
	// Examples calls f with each example, in no order, until it is false.
	Examples(f func(model.Example) bool)
	// Duals is Examples with where the walk is; the slice is valid until f returns.
	Duals(f func(e model.Example, duals []float32) bool)
	// DualNumbers is how many numbers Duals gives, over all examples.
	DualNumbers() int
	// Settle walks until no probability can differ from the optimum's by more than the
	// tolerance, or until the context ends.
	Settle(ctx context.Context, tolerance float64) model.Settled
	// Bound is the most by which a probability can differ from the optimum's, +Inf
	// when it is not known.
	Bound() float64
}

// Predictor is a head's model as it was at one moment. It is immutable and read by
// any number of goroutines.
type Predictor interface {
	// Examples is how many it has learned; with none it knows nothing.
	Examples() int
	// Answer is what the head says of a task, no regions when it says "none of
	// them", and how sure it is of that, 0 to 1.
	Answer(id string, in Sample, s *Scratch) (regions []regions.Region, confidence float64)
	// Distribution is what the head believes of a task; p, of length Width, is
	// memory for its P.
	Distribution(in Sample, p []float64, s *Scratch) event.Distribution
	// Width is how many numbers a distribution has.
	Width() int
}

// classifier is a model or a view of one.
type classifier interface {
	Predict(x vector.Vector, p []float64, s *model.Scratch)
}

// Sample is a task as a Predictor sees it.
type Sample struct {
	Data json.RawMessage
	X    vector.Vector
}

// Scratch is working memory of one goroutine.
type Scratch struct {
	model.Scratch
	p          []float64
	tokenProbs tokenProbs
}

// floats are n numbers to write to.
func (s *Scratch) floats(n int) []float64 {
	if cap(s.p) < n {
		s.p = make([]float64, n)
	}
	return s.p[:n]
}
