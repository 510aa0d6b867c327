package head

import (
	"encoding/json"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head/span"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// spans learns controls that label stretches of text; package span does the work.
type spans struct{}

var (
	_ Kind         = spans{}
	_ FeatureSpace = spans{}
	_ Interactive  = spansPredictor{}
	_ Incremental  = (*span.Tagger)(nil)
)

// scheme returns what package span needs of the spec.
func (q *Spec) scheme() *span.Scheme {
	return &span.Scheme{Control: q.Control, Objects: q.objects, Labels: q.Labels, Classes: q.class, Silent: q.silent}
}

// Reads tells its features from those of whole texts.
func (spans) Reads() string { return "tokens of" }

func (spans) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	return span.NewDocument(q.objects, data).Features(e)
}

func (spans) Aggregate(q *Spec, t event.TaskState) Aggregate {
	scheme := q.scheme()
	var d span.Document
	read := false
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		if !read {
			d, read = scheme.Document(t.Task.Data), true
		}
		drawn, err := regions.Decode(result)
		if err != nil {
			return nil, false, err
		}
		return scheme.Target(d, drawn)
	})
}

func (spans) NewModel(q *Spec, s model.Settings) Incremental {
	return span.NewTagger(len(q.Labels), s)
}

func (spans) Snapshot(q *Spec, m Incremental) Predictor {
	return spansPredictor{q, span.NewPredictor(q.scheme(), m.(*span.Tagger).View())}
}

func (spans) Space() Space { return Space{Defaults: span.Defaults(), Ridges: span.Ridges()} }

// Score counts the spans by label; the log-loss is the mean over tokens.
func (spans) Score(q *Spec, m Incremental, e model.Example, p *score.Prequential) {
	p.Add(m.(*span.Tagger).View().Outcome(q.Labels, e, new(span.Scratch)))
}

// Evaluate takes the squared error of the tags' probabilities, summed over tokens, and
// the share of texts of which every span is right.
func (spans) Evaluate(_ *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	view := m.(*span.Tagger).View()
	var s span.Scratch
	correct := 0
	for _, e := range examples {
		brier, exact := view.Brier(e, &s)
		loss += brier
		if exact {
			correct++
		}
	}
	return loss, score.Ratio(float64(correct), float64(len(examples)))
}

// spansPredictor is the Predictor of spans.
type spansPredictor struct {
	*Spec
	tagger span.Predictor
}

func (p spansPredictor) Examples() int { return p.tagger.Examples() }

func (p spansPredictor) Classes() int { return 0 }

func (p spansPredictor) Predict(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	return p.tagger.Predict(id, in.Data, in.X.Tokens, &s.spans)
}

func (p spansPredictor) Propagate(id string, in Sample, drawn []regions.Region, s *Scratch) ([]regions.Region, float64) {
	return p.tagger.Propagate(id, in.Data, in.X.Tokens, drawn, &s.spans)
}

// Estimate has no classes: there are too many ways to mark a text to list them. The certainty is
// token-wise (Settles & Craven 2008; span.View).
func (p spansPredictor) Estimate(in Sample, _ []float64, s *Scratch) event.Estimate {
	return event.Estimate{Control: p.Control.Name, Certainty: p.tagger.Certainty(in.X.Tokens, &s.spans)}
}
