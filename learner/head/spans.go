package head

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/passage"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// spans learns controls that label stretches of text. A text is a sequence of
// tokens, each at the beginning of a span, inside of one or outside of all (Ramshaw
// & Marcus 1995, "Text chunking using transformation-based learning"). One model
// finds spans whatever their label, another says which label a span has: with few
// labels, what spans have in common is learned from all of them.
type spans struct{}

var (
	_ Kind         = spans{}
	_ FeatureSpace = spans{}
	_ Interactive  = spansPredictor{}
	_ Incremental  = (*tagger)(nil)
)

// document is what can be marked in a task, cut into tokens.
type document struct {
	passages []passage.Passage
	tokens   [][]token.Token // of each passage
	count    int             // of all tokens
}

// document of a task's data. Objects without a text are left out.
func (q *Spec) document(data []byte) document {
	var d document
	for _, o := range q.objects {
		p, err := content.Passage(o, data)
		if err != nil {
			continue
		}
		var tokens []token.Token
		for _, part := range p.Parts {
			from := len(tokens)
			tokens = token.Segment(tokens, p.Text[part[0]:part[1]])
			for i := from; i < len(tokens); i++ {
				tokens[i].Start += part[0]
				tokens[i].End += part[0]
			}
		}
		tokens = tokens[:min(len(tokens), token.MaxTokens-d.count)]
		d.passages, d.tokens = append(d.passages, p), append(d.tokens, tokens)
		d.count += len(tokens)
	}
	return d
}

// reads tells its features from those of whole texts.
func (spans) Reads() string { return "tokens of" }

func (spans) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	var v vector.Vector
	d := q.document(data)
	for i, p := range d.passages {
		v.Tokens = append(v.Tokens, encode.EncodeTokens(e, p.Text, d.tokens[i])...)
	}
	return v
}

// A target's class is token * 2 labels + 2 label, and one more inside of a span
// than at its beginning. Tokens outside are not mentioned.

func (spans) Aggregate(q *Spec, t event.TaskState) Aggregate {
	var d document
	read := false
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		if !read {
			d, read = q.document(t.Task.Data), true
		}
		drawn, err := regions.Decode(result)
		if err != nil {
			return nil, false, err
		}
		var shares []model.Share
		ok, lost := false, 0
		base := 0
		for i, p := range d.passages {
			a := regions.Spans(q.Control, drawn, p)
			ok = ok || a.OK
			lost += a.Lost
			shares = append(shares, q.tag(a.Spans, d.tokens[i], base)...)
			base += len(d.tokens[i])
		}
		if lost > 0 && len(shares) == 0 {
			// To learn that there is nothing would be wrong.
			return nil, false, fmt.Errorf("%d regions are outside of the text, or have no label of the control", lost)
		}
		return shares, ok, nil
	})
}

// tag is the target of tokens, of which base came before. Of spans that have a
// token in common the one that starts first holds, and of those the longest.
func (q *Spec) tag(marked []regions.Span, tokens []token.Token, base int) []model.Share {
	marked = slices.Clone(marked)
	slices.SortStableFunc(marked, func(a, b regions.Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End))
	})
	var out []model.Share
	free := 0 // the first token that no span holds
	for _, s := range marked {
		from, to := tokensCovered(tokens, s.Start, s.End)
		if from < free || from == to {
			continue
		}
		free = to
		p := 1 / float32(len(s.Labels))
		for i := from; i < to; i++ {
			for _, l := range s.Labels {
				c := int32(2*len(q.Labels)*(base+i)) + 2*q.class[l]
				if i > from {
					c++
				}
				out = append(out, model.Share{Class: c, P: p})
			}
		}
	}
	return out
}

// tokensCovered are the tokens that a span holds: those of which more than half, in
// bytes, is in it; and when there are none the one with the most, if any. People
// mark parts of words, and then the word is what they meant.
func tokensCovered(tokens []token.Token, start, end int) (from, to int) {
	first, _ := slices.BinarySearchFunc(tokens, start, func(t token.Token, at int) int {
		if t.End <= at {
			return -1
		}
		return 1
	})
	most, best := 0, first
	from, to = -1, -1
	for i := first; i < len(tokens) && tokens[i].Start < end; i++ {
		t := tokens[i]
		held := min(t.End, end) - max(t.Start, start)
		if 2*held > t.End-t.Start {
			if from < 0 {
				from = i
			}
			to = i + 1
		}
		if held > most {
			most, best = held, i
		}
	}
	switch {
	case from >= 0:
		return from, to
	case most > 0:
		return best, best + 1
	}
	return first, first
}

func (spans) NewModel(q *Spec, s model.Settings) Incremental { return newTagger(len(q.Labels), s) }

func (spans) Snapshot(q *Spec, m Incremental) Predictor { return spansPredictor{q, m.(*tagger).view()} }

// space has defaults that were the best on parts of two training sets, tweets and Danish news, from
// 100 to 500 texts, and are flat around there.
func (spans) Space() Space {
	return Space{
		Defaults: model.Settings{Ridge: 0.1, Bias: 0.1, Parts: token.PartWeights()},
		Ridges:   []float64{1, 0.3, 0.1, 0.03},
	}
}

// test counts the spans by label; the log-loss is a token's mean.
func (spans) Score(q *Spec, m Incremental, e model.Example, p *score.Prequential) {
	t := m.(*tagger).view()
	var s Scratch
	t.predictTokens(e.X.Tokens, nil, &s)
	truth, said := t.truth(e), t.viterbi(&s)
	counts := map[string][3]float64{}
	count := func(label int, what int) {
		c := counts[q.Labels[label]]
		c[what]++
		counts[q.Labels[label]] = c
	}
	right := true
	var answers []score.Answer
	for _, f := range said {
		hit := slices.ContainsFunc(truth, f.same)
		answers = append(answers, score.Answer{Confidence: f.score, Correct: hit})
		if hit {
			count(f.label, 0)
		} else {
			count(f.label, 1)
			right = false
		}
	}
	for _, f := range truth {
		if !slices.ContainsFunc(said, f.same) {
			count(f.label, 2)
			right = false
		}
	}
	loss, _ := t.loss(e, &s)
	p.Add(score.Outcome{Counts: counts, Correct: right, LogLoss: &loss, Answers: answers})
}

// evaluate takes the squared error of the tags' probabilities, summed over tokens, and
// the share of texts of which every span is right.
func (spans) Evaluate(_ *Spec, m Incremental, examples []model.Example) (brier, accuracy float64) {
	t := m.(*tagger).view()
	var s Scratch
	right := 0
	for _, e := range examples {
		t.predictTokens(e.X.Tokens, nil, &s)
		_, b := t.loss(e, &s)
		brier += b
		if slices.EqualFunc(t.truth(e), t.viterbi(&s), candidate.same) {
			right++
		}
	}
	return brier, score.Ratio(float64(right), float64(len(examples)))
}

// spansPredictor is the Predictor of spans.
type spansPredictor struct {
	*Spec
	*taggerView
}

func (p spansPredictor) Width() int { return 2 }

func (p spansPredictor) Answer(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	d := p.document(in.Data)
	if d.count != len(in.X.Tokens) {
		return nil, 0 // another text than was encoded: cannot be
	}
	p.predictTokens(in.X.Tokens, d.starts(), s)
	return p.regions(id, d, p.viterbi(s)), p.certainty(s)
}

// name is the front of the ids of regions in a passage.
func (d document) name(id string, passage int) string {
	if len(d.passages) > 1 {
		id = regions.ObjectID(id, d.passages[passage].Object)
	}
	return id
}

// starts are the tokens where a passage starts, and with it what went before ends.
func (d document) starts() []int {
	out := make([]int, len(d.tokens))
	at := 0
	for i, t := range d.tokens {
		out[i] = at
		at += len(t)
	}
	return out
}

// regions are what was found in a document, as results.
func (p spansPredictor) regions(id string, d document, fs []candidate) []regions.Region {
	var out []regions.Region
	base := 0
	for i, passage := range d.passages {
		tokens := d.tokens[i]
		var marked []regions.Span
		for _, f := range fs {
			if f.from >= base && f.from < base+len(tokens) {
				marked = append(marked, regions.Span{
					Start: tokens[f.from-base].Start, End: tokens[f.to-1-base].End,
					Labels: []string{p.Labels[f.label]}, Score: f.score,
				})
			}
		}
		out = append(out, regions.EncodeSpans(p.Control, d.name(id, i), passage, marked)...)
		base += len(tokens)
	}
	return out
}

// Distribution has two outcomes, the spans as found or others: there are too many
// ways to mark a text to list them, and every strategy orders by this alike.
func (p spansPredictor) Distribution(in Sample, out []float64, s *Scratch) event.Distribution {
	p.predictTokens(in.X.Tokens, nil, s)
	c := (1 + p.certainty(s)) / 2
	out[0], out[1] = c, 1-c
	return event.Distribution{Control: p.Control.Name, Labels: spanOutcomes, P: out, Exclusive: true}
}

var spanOutcomes = []string{"as predicted", "otherwise"}
