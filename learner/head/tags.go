package head

import (
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// taggerView is a tagger as it was at one moment: immutable, for any number of
// goroutines.
type taggerView struct {
	classes  int // labels
	boundary *model.View
	names    *model.View // nil when there is but one label
	examples int
	hasSpans bool // some example has a span
}

func (t *taggerView) Examples() int { return t.examples }

// Tags of the model that finds spans.
const (
	tagO = iota
	tagB
	tagI
	tags
)

// outsidePenalty is what is taken off the log-odds of a token being outside of all spans.
// Spans are rare, and finding one more is worth more than leaving out a wrong one:
// what a span's probability must reach for the best F1 is half of that F1 (Lipton,
// Elkan & Naryanaswamy 2014, "Optimal thresholding of classifiers to maximize F1
// measure").
const outsidePenalty = 1

// tokenProbs is what a view says of a text's tokens.
type tokenProbs struct {
	p     []float64 // tags a token
	names []float64 // labels a token; only of tokens that may be in a span
	back  []uint8
	n     int
}

// predictTokens fills the scratch with the probabilities of the tokens' tags and labels.
func (t *taggerView) predictTokens(tokens []vector.Vector, starts []int, s *Scratch) {
	b := &s.tokenProbs
	b.n = len(tokens)
	b.p = grow(b.p, tags*b.n)
	for i, x := range tokens {
		t.boundary.Predict(x, b.p[i*tags:(i+1)*tags], &s.Scratch)
	}
	// Nothing goes on from before the text.
	t.noInsideAt(b, 0)
	for _, i := range starts {
		t.noInsideAt(b, i)
	}
	b.names = grow(b.names, t.classes*b.n)
	for i, x := range tokens {
		names := b.names[i*t.classes : (i+1)*t.classes]
		switch {
		case t.names == nil:
			names[0] = 1
		case b.p[i*tags] < prunedOutside:
			t.names.Predict(x, names, &s.Scratch)
		default: // costs time and says nothing
			for l := range names {
				names[l] = 1 / float64(t.classes)
			}
		}
	}
}

// prunedOutside is the probability above which no span can be found at a token,
// shyness or not.
const prunedOutside = 0.99

// noInsideAt gives what a token says for being inside to beginning.
func (t *taggerView) noInsideAt(b *tokenProbs, i int) {
	if i < b.n {
		b.p[i*tags+tagB] += b.p[i*tags+tagI]
		b.p[i*tags+tagI] = 0
	}
}

func grow(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n, n+n/2)
	}
	return s[:n]
}

// candidate is a span of tokens.
type candidate struct {
	from, to, label int
	score           float64
}

func (f candidate) same(g candidate) bool {
	return f.from == g.from && f.to == g.to && f.label == g.label
}

// viterbi is the likeliest way to mark the text (Viterbi), shyness taken off: spans in order
// that do not overlap.
func (t *taggerView) viterbi(s *Scratch) []candidate {
	b := &s.tokenProbs
	if b.n == 0 || !t.hasSpans {
		return nil
	}
	b.back = slices.Grow(b.back[:0], tags*b.n)[:tags*b.n]
	var score [tags]float64
	score[tagI] = math.Inf(-1)
	score[tagB] = math.Inf(-1)
	for i := range b.n {
		p := b.p[i*tags : (i+1)*tags]
		back := b.back[i*tags : (i+1)*tags]
		top := uint8(tagO)
		for y := range uint8(tags) {
			if score[y] > score[top] {
				top = y
			}
		}
		in := uint8(tagB)
		if score[tagI] > score[tagB] {
			in = tagI
		}
		back[tagO], back[tagB], back[tagI] = top, top, in
		score[tagO], score[tagB], score[tagI] = score[top]+logOf(p[tagO])-outsidePenalty, score[top]+logOf(p[tagB]), score[in]+logOf(p[tagI])
	}
	y := uint8(tagO)
	for c := range uint8(tags) {
		if score[c] > score[y] {
			y = c
		}
	}
	var out []candidate
	end := -1
	for i := b.n - 1; i >= 0; i-- {
		if y != tagO && end < 0 {
			end = i + 1
		}
		if y == tagB {
			out = append(out, t.labelCandidate(b, i, end))
			end = -1
		}
		y = b.back[i*tags+int(y)]
	}
	slices.Reverse(out)
	return out
}

func logOf(p float64) float64 {
	if p == 0 {
		return math.Inf(-1)
	}
	return math.Log(p)
}

// labelCandidate gives a span its label, the one its tokens agree on best, and its score:
// the probability, a token, that it is a span with that label.
func (t *taggerView) labelCandidate(b *tokenProbs, from, to int) candidate {
	f := candidate{from: from, to: to}
	best := math.Inf(-1)
	for l := range t.classes {
		var sum float64
		for i := from; i < to; i++ {
			sum += logOf(max(b.names[i*t.classes+l], 1e-12))
		}
		if sum > best {
			best, f.label = sum, l
		}
	}
	best += logOf(b.p[from*tags+tagB])
	for i := from + 1; i < to; i++ {
		best += logOf(b.p[i*tags+tagI])
	}
	f.score = math.Exp(best / float64(to-from))
	return f
}

// certainty of a text, 0 to 1, is how sure the model is where there is or may be
// a span: the mean over tokens of the likeliest tag's lead over the second, each
// counting with the probability that the token is in a span. Long texts are not
// surer than short ones because most of their tokens are plainly outside.
func (t *taggerView) certainty(s *Scratch) float64 {
	b := &s.tokenProbs
	const floor = 0.002 // of a token's weight, so that a text with no hint of a span is sure
	var sum, weights float64
	for i := range b.n {
		p := b.p[i*tags : (i+1)*tags]
		names := b.names[i*t.classes : (i+1)*t.classes]
		weight := 1 - p[tagO] + floor
		weights += weight
		sum += weight * margin(p, names)
	}
	if weights == 0 {
		return 0
	}
	return min(max(sum/weights, 0), 1)
}

// margin is by how much the likeliest of outside and each tag and label is ahead of
// the second.
func margin(p, names []float64) float64 {
	first, second := p[tagO], 0.0
	one := func(v float64) {
		switch {
		case v > first:
			first, second = v, first
		case v > second:
			second = v
		}
	}
	for _, n := range names {
		one(p[tagB] * n)
		one(p[tagI] * n)
	}
	return first - second
}

// truth are the spans of an example, by majority of the annotators at each token.
func (t *taggerView) truth(e model.Example) []candidate {
	var out []candidate
	k := int32(2 * t.classes)
	for at := 0; at < len(e.Target); {
		token := e.Target[at].Class / k
		var in float32
		best := e.Target[at]
		for ; at < len(e.Target) && e.Target[at].Class/k == token; at++ {
			in += e.Target[at].P
			if e.Target[at].P > best.P {
				best = e.Target[at]
			}
		}
		if in < 0.5 {
			continue
		}
		label, goesOn := int(best.Class%k/2), best.Class%2 == 1
		if last := len(out) - 1; goesOn && last >= 0 && out[last].to == int(token) {
			out[last].to++
			continue
		}
		out = append(out, candidate{from: int(token), to: int(token) + 1, label: label})
	}
	return out
}

// loss of what is believed of an example: the mean log-loss of a token, and the
// squared error of the tags summed over tokens.
func (t *taggerView) loss(e model.Example, s *Scratch) (logs, squares float64) {
	b := &s.tokenProbs
	k := 2 * t.classes
	at := 0
	for i := range b.n {
		p := b.p[i*tags : (i+1)*tags]
		want := [tags]float64{1, 0, 0}
		for ; at < len(e.Target) && int(e.Target[at].Class)/k == i; at++ {
			share := e.Target[at]
			label, tag := int(share.Class)%k/2, tagB+int(share.Class)%2
			q := float64(share.P)
			want[tagO] -= q
			want[tag] += q
			name := b.names[i*t.classes+label]
			logs -= q * math.Log(max(name, 1e-12))
			squares += q * (1 - name) * (1 - name)
		}
		for y, w := range want {
			logs -= w * math.Log(max(p[y], 1e-12))
			squares += (w - p[y]) * (w - p[y])
		}
	}
	return score.Ratio(logs, float64(b.n)), squares
}
