package head

import (
	"context"
	"fmt"

	"github.com/hone-ml/hone/learner/model"
)

// tokenBits of a token's id in the models are its place in the text; the others
// are the id of the text.
const tokenBits = 15 // token.MaxTokens fit

// tagger is the model of spans: two models whose examples are the tokens of the
// texts it holds. Each is a convex problem over exactly those, so what holds of one
// model holds of the two.
type tagger struct {
	labels   int
	boundary *model.Model // tags of all tokens
	names    *model.Model // labels of tokens in spans; nil when there is but one
	settings model.Settings
	texts    map[int64]model.Example
	tokens   int
	inSpans  int
}

func newTagger(labels int, s model.Settings) *tagger {
	t := &tagger{labels: labels, boundary: model.New(tags, model.Exclusive, s), settings: s, texts: map[int64]model.Example{}}
	if labels > 1 {
		t.names = model.New(labels, model.Exclusive, s)
	}
	return t
}

func (t *tagger) view() *taggerView {
	v := &taggerView{classes: t.labels, boundary: t.boundary.View(), examples: len(t.texts), hasSpans: t.inSpans > 0}
	if t.names != nil {
		v.names = t.names.View()
	}
	return v
}

func (t *tagger) Len() int { return len(t.texts) }

func (t *tagger) Has(id int64) bool { _, ok := t.texts[id]; return ok }

func (t *tagger) Settings() model.Settings { return t.settings }

func (t *tagger) Put(e model.Example) error { return t.Resume(e, nil) }

// Resume takes duals as Duals gave them: those of the tags of all tokens, then those
// of the labels of tokens in spans. Others are as none.
func (t *tagger) Resume(e model.Example, duals []float32) error {
	n := len(e.X.Tokens)
	if n >= 1<<tokenBits {
		return fmt.Errorf("example %d: %d tokens, at most %d can be told apart", e.ID, n, 1<<tokenBits-1)
	}
	byToken, err := t.split(e)
	if err != nil {
		return err
	}
	in := 0
	for _, target := range byToken {
		if len(target) > 0 {
			in++
		}
	}
	t.Remove(e.ID)
	t.texts[e.ID] = e
	t.tokens += n
	t.inSpans += in
	if len(duals) != n*tags+t.named(in) {
		duals = nil
	}
	at := 0
	put := func(m *model.Model, x model.Example) error {
		if duals == nil {
			return m.Put(x)
		}
		at += m.Classes()
		return m.Resume(x, duals[at-m.Classes():at])
	}
	for i, x := range e.X.Tokens {
		if err := put(t.boundary, model.Example{ID: tokenID(e.ID, i), X: x, Target: tagTarget(byToken[i]), Weight: e.Weight}); err != nil {
			return err
		}
	}
	for i, x := range e.X.Tokens {
		if len(byToken[i]) == 0 || t.names == nil {
			continue
		}
		target, weight := labelTarget(byToken[i])
		if err := put(t.names, model.Example{ID: tokenID(e.ID, i), X: x, Target: target, Weight: e.Weight * weight}); err != nil {
			return err
		}
	}
	return nil
}

func tokenID(text int64, token int) int64 { return text<<tokenBits | int64(token) }

// split gives each token its part of the target, classes counted from its own first.
func (t *tagger) split(e model.Example) ([][]model.Share, error) {
	out := make([][]model.Share, len(e.X.Tokens))
	k := int32(2 * t.labels)
	for _, s := range e.Target {
		i := s.Class / k
		if s.Class < 0 || int(i) >= len(out) {
			return nil, fmt.Errorf("example %d: class %d is of no token of %d", e.ID, s.Class, len(out))
		}
		if s.P > 0 {
			out[i] = append(out[i], model.Share{Class: s.Class % k, P: s.P})
		}
	}
	return out, nil
}

// tagTarget is the target of the model that finds spans.
func tagTarget(shares []model.Share) []model.Share {
	var p [tags]float32
	for _, s := range shares {
		p[tagB+s.Class%2] += s.P
	}
	p[tagO] = max(0, 1-p[tagB]-p[tagI])
	out := make([]model.Share, 0, tags)
	for y, v := range p {
		if v > 0 {
			out = append(out, model.Share{Class: int32(y), P: min(v, 1)})
		}
	}
	return out
}

// labelTarget is the target of the model that names spans, and its weight: how many
// of the annotators had the token in a span.
func labelTarget(shares []model.Share) (target []model.Share, weight float64) {
	var sum float32
	for _, s := range shares {
		sum += s.P
	}
	for _, s := range shares {
		if last := len(target) - 1; last >= 0 && target[last].Class == s.Class/2 {
			target[last].P += s.P / sum
			continue
		}
		target = append(target, model.Share{Class: s.Class / 2, P: s.P / sum})
	}
	for i := range target {
		target[i].P = min(target[i].P, 1)
	}
	return target, float64(sum)
}

func (t *tagger) Remove(id int64) bool {
	e, ok := t.texts[id]
	if !ok {
		return false
	}
	delete(t.texts, id)
	t.tokens -= len(e.X.Tokens)
	last := int32(-1)
	for _, s := range e.Target {
		if token := s.Class / int32(2*t.labels); token != last && s.P > 0 {
			t.inSpans--
			last = token
		}
	}
	for i := range e.X.Tokens {
		t.boundary.Remove(tokenID(id, i))
		if t.names != nil {
			t.names.Remove(tokenID(id, i))
		}
	}
	return true
}

func (t *tagger) Examples(f func(model.Example) bool) {
	for _, e := range t.texts {
		if !f(e) {
			return
		}
	}
}

func (t *tagger) Duals(f func(e model.Example, duals []float32) bool) {
	read := func(m *model.Model) map[int64][]float32 {
		out := map[int64][]float32{}
		if m != nil {
			m.Duals(func(e model.Example, p []float32) bool {
				out[e.ID] = p
				return true
			})
		}
		return out
	}
	finds, names := read(t.boundary), read(t.names)
	var all []float32
	for id, e := range t.texts {
		all = all[:0]
		for i := range e.X.Tokens {
			all = append(all, finds[tokenID(id, i)]...)
		}
		for i := range e.X.Tokens {
			all = append(all, names[tokenID(id, i)]...)
		}
		if !f(e, all) {
			return
		}
	}
}

// DualNumbers is how many numbers Duals gives in all.
func (t *tagger) DualNumbers() int { return t.tokens*tags + t.named(t.inSpans) }

// named is how many numbers the labels of tokens in spans have.
func (t *tagger) named(tokens int) int {
	if t.names == nil {
		return 0
	}
	return tokens * t.labels
}

func (t *tagger) Settle(ctx context.Context, tolerance float64) model.Settled {
	s := t.boundary.Settle(ctx, tolerance)
	if t.names != nil {
		n := t.names.Settle(ctx, tolerance)
		s = model.Settled{Passes: s.Passes + n.Passes, Bound: max(s.Bound, n.Bound), Done: s.Done && n.Done}
	}
	return s
}

func (t *tagger) Bound() float64 {
	if t.names == nil {
		return t.boundary.Bound()
	}
	return max(t.boundary.Bound(), t.names.Bound())
}
