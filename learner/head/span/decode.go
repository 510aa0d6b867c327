package span

import (
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/vector"
)

// View is a Tagger as it was at one moment. It is immutable and read by any number of
// goroutines.
type View struct {
	classes  int // how many labels
	boundary *model.View
	label    *model.View // nil with a single label
	examples int
	hasSpans bool // some example has a span
}

// Examples returns how many texts the tagger had learned.
func (v *View) Examples() int { return v.examples }

// Tags of the boundary model.
const (
	tagO = iota
	tagB
	tagI
	numTags
)

// outsidePenalty is taken off the log-odds of a token being outside of all spans. Spans
// are rare, and finding one more is worth more than leaving out a wrong one: what a
// span's probability must reach for the best F1 is half of that F1 (Lipton, Elkan &
// Naryanaswamy 2014, "Optimal thresholding of classifiers to maximize F1 measure").
const outsidePenalty = 1

// Scratch is working memory of one goroutine.
type Scratch struct {
	model.Scratch
	probs tokenProbs
}

// tokenProbs holds the probabilities of a text's tokens.
type tokenProbs struct {
	tags   []float64 // numTags for each token
	labels []float64 // one for each label, for each token
	back   []uint8   // the tag before each tag on the best way to it, for each token
	n      int       // tokens
}

// ofTags returns the probabilities of a token's tags.
func (b *tokenProbs) ofTags(token int) []float64 { return b.tags[token*numTags : (token+1)*numTags] }

// ofLabels returns the probabilities of a token's labels, of which there are classes.
func (b *tokenProbs) ofLabels(token, classes int) []float64 {
	return b.labels[token*classes : (token+1)*classes]
}

// predictTokens fills the scratch with the probabilities of the tokens' tags and labels.
// starts are the tokens where a passage starts; token 0 always does.
func (v *View) predictTokens(tokens []vector.Vector, starts []int, s *Scratch) {
	b := &s.probs
	b.n = len(tokens)
	b.tags = grow(b.tags, numTags*b.n)
	for i, x := range tokens {
		v.boundary.Predict(x, b.ofTags(i), &s.Scratch)
	}
	b.noInsideAt(0)
	for _, i := range starts {
		b.noInsideAt(i)
	}
	b.labels = grow(b.labels, v.classes*b.n)
	for i, x := range tokens {
		v.predictLabels(x, b.ofTags(i)[tagO], b.ofLabels(i, v.classes), &s.Scratch)
	}
}

// predictLabels fills p with the probabilities of a token's labels. A token that is surely
// outside has them all alike: its labels are never read, and take long to predict.
func (v *View) predictLabels(x vector.Vector, outside float64, p []float64, s *model.Scratch) {
	switch {
	case v.label == nil:
		p[0] = 1
	case outside < prunedOutside:
		v.label.Predict(x, p, s)
	default:
		for l := range p {
			p[l] = 1 / float64(v.classes)
		}
	}
}

// prunedOutside is the probability of being outside above which a token is in no span
// that is found, in spite of the penalty.
const prunedOutside = 0.99

// noInsideAt adds the probability that a token is inside to that of beginning: nothing
// goes on from before it.
func (b *tokenProbs) noInsideAt(token int) {
	if token < b.n {
		p := b.ofTags(token)
		p[tagB] += p[tagI]
		p[tagI] = 0
	}
}

func grow(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n, n+n/2)
	}
	return s[:n]
}

// candidate is a span of tokens, from the one to before the other.
type candidate struct {
	from, to, label int
	score           float64
}

func (f candidate) same(g candidate) bool {
	return f.from == g.from && f.to == g.to && f.label == g.label
}

// viterbi returns the spans of the likeliest tags, with the penalty (Viterbi 1967): in
// order, and none overlaps another.
func (v *View) viterbi(s *Scratch) []candidate {
	b := &s.probs
	if b.n == 0 || !v.hasSpans {
		return nil
	}
	b.back = slices.Grow(b.back[:0], numTags*b.n)[:numTags*b.n]
	last := b.forward()
	var out []candidate
	end := -1
	for i := b.n - 1; i >= 0; i-- {
		if last != tagO && end < 0 {
			end = i + 1
		}
		if last == tagB {
			out = append(out, v.labelCandidate(b, i, end))
			end = -1
		}
		last = b.back[i*numTags+int(last)]
	}
	slices.Reverse(out)
	return out
}

// forward fills back, and returns the last tag of the best way.
func (b *tokenProbs) forward() uint8 {
	var score [numTags]float64
	score[tagI] = math.Inf(-1)
	score[tagB] = math.Inf(-1)
	for i := range b.n {
		p := b.ofTags(i)
		back := b.back[i*numTags : (i+1)*numTags]
		top := best(score)
		in := uint8(tagB) // what an inside may follow
		if score[tagI] > score[tagB] {
			in = tagI
		}
		back[tagO], back[tagB], back[tagI] = top, top, in
		score[tagO], score[tagB], score[tagI] = score[top]+logOf(p[tagO])-outsidePenalty, score[top]+logOf(p[tagB]), score[in]+logOf(p[tagI])
	}
	return best(score)
}

// best returns the tag with the highest score, the first of equals.
func best(score [numTags]float64) uint8 {
	top := uint8(tagO)
	for y := range uint8(numTags) {
		if score[y] > score[top] {
			top = y
		}
	}
	return top
}

func logOf(p float64) float64 {
	if p == 0 {
		return math.Inf(-1)
	}
	return math.Log(p)
}

// labelCandidate gives a span of tokens the label that is likeliest of all its tokens
// together. Its score is the geometric mean over the tokens of the probability that they
// are in a span with that label.
func (v *View) labelCandidate(b *tokenProbs, from, to int) candidate {
	f := candidate{from: from, to: to}
	best := math.Inf(-1)
	for l := range v.classes {
		var sum float64
		for i := from; i < to; i++ {
			sum += logOf(max(b.labels[i*v.classes+l], 1e-12))
		}
		if sum > best {
			best, f.label = sum, l
		}
	}
	best += logOf(b.ofTags(from)[tagB])
	for i := from + 1; i < to; i++ {
		best += logOf(b.ofTags(i)[tagI])
	}
	f.score = math.Exp(best / float64(to-from))
	return f
}

// certainty returns how sure the model is of a text's spans, 0 to 1: the mean over tokens
// of the margin (Scheffer, Decomain & Wrobel 2001), each weighted by the probability that the
// token is in a span. So tokens that are plainly outside count little. It is a mean and no sum,
// as a sum asks for the longest texts (Settles & Craven 2008, "An analysis of active learning
// strategies for sequence labeling tasks"): doubt of one span of many, or in a text so long that
// the small chances of its other tokens add up, counts less than doubt of all of a short text.
func (v *View) certainty(s *Scratch) float64 {
	b := &s.probs
	const floor = 0.002 // of a token's weight, so that a text with no hint of a span is sure
	var sum, weights float64
	for i := range b.n {
		p := b.ofTags(i)
		weight := 1 - p[tagO] + floor
		weights += weight
		sum += weight * margin(p, b.ofLabels(i, v.classes))
	}
	if weights == 0 {
		return 0
	}
	return min(max(sum/weights, 0), 1)
}

// margin returns the difference between the likeliest and the second likeliest of being
// outside and of each pair of a tag and a label.
func margin(tags, labels []float64) float64 {
	first, second := tags[tagO], 0.0
	consider := func(p float64) {
		switch {
		case p > first:
			first, second = p, first
		case p > second:
			second = p
		}
	}
	for _, l := range labels {
		consider(tags[tagB] * l)
		consider(tags[tagI] * l)
	}
	return first - second
}
