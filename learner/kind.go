package learner

import (
	"context"
	"encoding/json"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// kind is how the controls of one type are learned: what is read of them, the
// model under the head, what it answers and how it is judged. A kind has no
// state of its own; it may be used by any number of goroutines. None embeds another:
// each says all of itself, and what only some can do has an interface of its own.
type kind interface {
	// features are those of a task's data, empty when there is nothing to go by. It must
	// be a pure function of the data and of what question.seed stands for: encodings are
	// cached.
	features(q *question, data []byte, e encode.Encoder) vector.Vector
	// lesson is what the annotators of a task said of the question.
	lesson(q *question, t event.TaskState) lesson
	// newModel is the model, knowing nothing yet.
	newModel(q *question, s model.Settings) trainer
	// snapshot is a model that newModel made as it is now, for readers.
	snapshot(q *question, m trainer) mind
	// score counts in p how well the model predicts an example it has not learned.
	score(q *question, m trainer, e model.Example, p *score.Prequential)
	// evaluate gives the loss that settings are compared by, summed over examples, and
	// the accuracy.
	evaluate(q *question, m trainer, examples []model.Example) (loss, accuracy float64)
	// space is what settings the kind has.
	space() space
}

// space is what settings a kind starts with and which are worth trying.
type space struct {
	defaults model.Settings // before any were chosen, where there are no dense parts
	ridges   []float64      // in falling order
	// tunable is true where the weights of the feature parts are chosen, and settings
	// while labels come in: of models of texts' vectors.
	tunable bool
}

// labelPrior is a kind whose label names say something of the answer before anybody
// has labelled.
type labelPrior interface {
	// prior is the first guess of the weights; nil when the names say nothing.
	prior(q *question, e encode.Encoder) model.Prior
}

// featureSpace is a kind that reads texts otherwise than others do.
type featureSpace interface {
	// reads names how: its features are told from those of other kinds by it.
	reads() string
}

// interactive is a mind that can go on from what an annotator has drawn.
type interactive interface {
	// extend is answer without what is drawn already or would overlap it; no regions
	// when nothing is drawn of the control. It works before anything was learned.
	extend(id string, in input, drawn []labelstudio.Region, s *scratch) (regions []labelstudio.Region, confidence float64)
}

// textFeatures are those of the text that the annotator read, for kinds that read no
// more than that.
func textFeatures(q *question, data []byte, e encode.Encoder) vector.Vector {
	text, err := q.text(data)
	if err != nil {
		return vector.Vector{}
	}
	return e.Encode(text)
}

// trainer is the model under a head. It holds examples and walks to the optimum
// of exactly those, whatever its history. It is for one goroutine.
type trainer interface {
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
	Examples(f func(model.Example) bool)
	Duals(f func(e model.Example, duals []float32) bool)
	// DualNumbers is how many numbers Duals gives, over all examples.
	DualNumbers() int
	Settle(ctx context.Context, tolerance float64) model.Settled
	// Bound is the most by which a probability can differ from the optimum's, +Inf
	// when it is not known.
	Bound() float64
}

// mind is a head's model as it was at one moment. It is immutable and read by
// any number of goroutines.
type mind interface {
	// Examples is how many it has learned; with none it knows nothing.
	Examples() int
	// answer is what the head says of a task, no regions when it says "none of
	// them", and how sure it is of that, 0 to 1.
	answer(id string, in input, s *scratch) (regions []labelstudio.Region, confidence float64)
	// distribution is what the head believes of a task; p, of length width, is
	// memory for its P.
	distribution(in input, p []float64, s *scratch) event.Distribution
	width() int
}

// predictor is a model or a view of one.
type predictor interface {
	Predict(x vector.Vector, p []float64, s *model.Scratch)
}

// input is a task as a mind sees it.
type input struct {
	data json.RawMessage
	x    vector.Vector
}

// scratch is working memory of one goroutine.
type scratch struct {
	model.Scratch
	p      []float64
	belief belief
}

// floats are n numbers to write to.
func (s *scratch) floats(n int) []float64 {
	if cap(s.p) < n {
		s.p = make([]float64, n)
	}
	return s.p[:n]
}

// kindOf is the kind that learns a control.
func kindOf(c labelstudio.Control) kind {
	switch c.Type {
	case "Taxonomy":
		return taxonomy{}
	case "Rating":
		return rating{}
	case "Number":
		return number{}
	case "Pairwise":
		return pairwise{}
	}
	if c.LabelsSpans() {
		return spans{}
	}
	return choices{}
}
