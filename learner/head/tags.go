package head

import (
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// tagView is a tagger as it was at one moment: immutable, for any number of
// goroutines.
type tagView struct {
	classes  int // labels
	finds    *model.View
	names    *model.View // nil when there is but one label
	examples int
	knows    bool // some example has a span
}

func (t *tagView) Examples() int { return t.examples }

// Tags of the model that finds spans.
const (
	outside = iota
	begins
	inside
	tags
)

// shy is what is taken off the log-odds of a token being outside of all spans.
// Spans are rare, and finding one more is worth more than leaving out a wrong one:
// what a span's probability must reach for the best F1 is half of that F1 (Lipton,
// Elkan & Naryanaswamy 2014, "Optimal thresholding of classifiers to maximize F1
// measure").
const shy = 1

// belief is what a view says of a text's tokens.
type belief struct {
	p     []float64 // tags a token
	names []float64 // labels a token; only of tokens that may be in a span
	back  []uint8
	n     int
}

// believe fills the scratch with the probabilities of the tokens' tags and labels.
func (t *tagView) believe(tokens []vector.Vector, starts []int, s *Scratch) {
	b := &s.belief
	b.n = len(tokens)
	b.p = grown(b.p, tags*b.n)
	for i, x := range tokens {
		t.finds.Predict(x, b.p[i*tags:(i+1)*tags], &s.Scratch)
	}
	// Nothing goes on from before the text.
	t.forbid(b, 0)
	for _, i := range starts {
		t.forbid(b, i)
	}
	b.names = grown(b.names, t.classes*b.n)
	for i, x := range tokens {
		names := b.names[i*t.classes : (i+1)*t.classes]
		switch {
		case t.names == nil:
			names[0] = 1
		case b.p[i*tags] < surelyOutside:
			t.names.Predict(x, names, &s.Scratch)
		default: // costs time and says nothing
			for l := range names {
				names[l] = 1 / float64(t.classes)
			}
		}
	}
}

// surelyOutside is the probability above which no span can be found at a token,
// shyness or not.
const surelyOutside = 0.99

// forbid gives what a token says for being inside to beginning.
func (t *tagView) forbid(b *belief, i int) {
	if i < b.n {
		b.p[i*tags+begins] += b.p[i*tags+inside]
		b.p[i*tags+inside] = 0
	}
}

func grown(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n, n+n/2)
	}
	return s[:n]
}

// found is a span of tokens.
type found struct {
	from, to, label int
	score           float64
}

func (f found) same(g found) bool { return f.from == g.from && f.to == g.to && f.label == g.label }

// find is the likeliest way to mark the text (Viterbi), shyness taken off: spans in order
// that do not overlap.
func (t *tagView) find(s *Scratch) []found {
	b := &s.belief
	if b.n == 0 || !t.knows {
		return nil
	}
	b.back = slices.Grow(b.back[:0], tags*b.n)[:tags*b.n]
	var score [tags]float64
	score[inside] = math.Inf(-1)
	score[begins] = math.Inf(-1)
	for i := range b.n {
		p := b.p[i*tags : (i+1)*tags]
		back := b.back[i*tags : (i+1)*tags]
		top := uint8(outside)
		for y := range uint8(tags) {
			if score[y] > score[top] {
				top = y
			}
		}
		in := uint8(begins)
		if score[inside] > score[begins] {
			in = inside
		}
		back[outside], back[begins], back[inside] = top, top, in
		score[outside], score[begins], score[inside] = score[top]+logOf(p[outside])-shy, score[top]+logOf(p[begins]), score[in]+logOf(p[inside])
	}
	y := uint8(outside)
	for c := range uint8(tags) {
		if score[c] > score[y] {
			y = c
		}
	}
	var out []found
	end := -1
	for i := b.n - 1; i >= 0; i-- {
		if y != outside && end < 0 {
			end = i + 1
		}
		if y == begins {
			out = append(out, t.named(b, i, end))
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

// named gives a span its label, the one its tokens agree on best, and its score:
// the probability, a token, that it is a span with that label.
func (t *tagView) named(b *belief, from, to int) found {
	f := found{from: from, to: to}
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
	best += logOf(b.p[from*tags+begins])
	for i := from + 1; i < to; i++ {
		best += logOf(b.p[i*tags+inside])
	}
	f.score = math.Exp(best / float64(to-from))
	return f
}

// sureness of a text, 0 to 1, is how sure the model is where there is or may be
// a span: the mean over tokens of the likeliest tag's lead over the second, each
// counting with the probability that the token is in a span. Long texts are not
// surer than short ones because most of their tokens are plainly outside.
func (t *tagView) sureness(s *Scratch) float64 {
	b := &s.belief
	const floor = 0.002 // of a token's weight, so that a text with no hint of a span is sure
	var sum, weights float64
	for i := range b.n {
		p := b.p[i*tags : (i+1)*tags]
		names := b.names[i*t.classes : (i+1)*t.classes]
		weight := 1 - p[outside] + floor
		weights += weight
		sum += weight * lead(p, names)
	}
	if weights == 0 {
		return 0
	}
	return min(max(sum/weights, 0), 1)
}

// lead is by how much the likeliest of outside and each tag and label is ahead of
// the second.
func lead(p, names []float64) float64 {
	first, second := p[outside], 0.0
	one := func(v float64) {
		switch {
		case v > first:
			first, second = v, first
		case v > second:
			second = v
		}
	}
	for _, n := range names {
		one(p[begins] * n)
		one(p[inside] * n)
	}
	return first - second
}

// truth are the spans of an example, by majority of the annotators at each token.
func (t *tagView) truth(e model.Example) []found {
	var out []found
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
		out = append(out, found{from: int(token), to: int(token) + 1, label: label})
	}
	return out
}

// loss of what is believed of an example: the mean log-loss of a token, and the
// squared error of the tags summed over tokens.
func (t *tagView) loss(e model.Example, s *Scratch) (logs, squares float64) {
	b := &s.belief
	k := 2 * t.classes
	at := 0
	for i := range b.n {
		p := b.p[i*tags : (i+1)*tags]
		want := [tags]float64{1, 0, 0}
		for ; at < len(e.Target) && int(e.Target[at].Class)/k == i; at++ {
			share := e.Target[at]
			label, tag := int(share.Class)%k/2, begins+int(share.Class)%2
			q := float64(share.P)
			want[outside] -= q
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
