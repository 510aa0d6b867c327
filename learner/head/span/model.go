package span

import (
	"context"
	"fmt"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/learner/model"
)

// tokenBits is how many bits of a token's id in the models are its place in the text. The
// others are the id of the text.
const tokenBits = 15 // token.MaxTokens fit

// Defaults returns settings that were the best on parts of two training sets, tweets and
// Danish news, from 100 to 500 texts, and are flat around there.
func Defaults() model.Settings {
	return model.Settings{Ridge: 0.1, Bias: 0.1, Parts: token.PartWeights()}
}

// Ridges returns the ridges worth trying, in falling order.
func Ridges() []float64 { return []float64{1, 0.3, 0.1, 0.03} }

// Tagger learns texts with marked spans, by two models whose examples are the tokens of
// the texts. Each model is a convex problem over exactly those, so what holds of one
// holds of the two. An example's target is a Scheme's. It is for one goroutine.
type Tagger struct {
	labels   int
	boundary *model.Model // learns the tags of all tokens
	label    *model.Model // learns the labels of tokens in spans; nil with a single label
	settings model.Settings
	texts    map[int64]model.Example
	tokens   int
	inSpans  int // tokens in spans
}

// NewTagger returns a tagger for so many labels that knows nothing.
func NewTagger(labels int, s model.Settings) *Tagger {
	t := &Tagger{labels: labels, boundary: model.New(numTags, model.Exclusive, s), settings: s, texts: map[int64]model.Example{}}
	if labels > 1 {
		t.label = model.New(labels, model.Exclusive, s)
	}
	return t
}

// View returns the tagger as it is now, for readers.
func (t *Tagger) View() *View {
	v := &View{classes: t.labels, boundary: t.boundary.View(), examples: len(t.texts), hasSpans: t.inSpans > 0}
	if t.label != nil {
		v.label = t.label.View()
	}
	return v
}

// Len returns how many texts it holds.
func (t *Tagger) Len() int { return len(t.texts) }

// Has reports whether it holds a text.
func (t *Tagger) Has(id int64) bool { _, ok := t.texts[id]; return ok }

// Settings returns those it was made with.
func (t *Tagger) Settings() model.Settings { return t.settings }

// Upsert adds a text or replaces the one with its id. The error is of a target that is of
// no token, or of too many tokens; nothing changes then.
func (t *Tagger) Upsert(e model.Example) error { return t.UpsertWarm(e, nil) }

// UpsertWarm is Upsert with a warm start: duals are those that Duals yielded. Duals of another
// length are ignored.
func (t *Tagger) UpsertWarm(e model.Example, duals []float32) error {
	n := len(e.X.Tokens)
	if n >= 1<<tokenBits {
		return fmt.Errorf("example %d: %d tokens, at most %d can be told apart", e.ID, n, 1<<tokenBits-1)
	}
	byToken, err := splitTarget(e, t.labels)
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
	if len(duals) != n*numTags+t.labelDuals(in) {
		duals = nil
	}
	at := 0
	put := func(m *model.Model, x model.Example) error {
		if duals == nil {
			return m.Upsert(x)
		}
		at += m.Classes()
		return m.UpsertWarm(x, duals[at-m.Classes():at])
	}
	for i, x := range e.X.Tokens {
		if err := put(t.boundary, model.Example{ID: tokenID(e.ID, i), X: x, Target: tagTarget(byToken[i]), Weight: e.Weight}); err != nil {
			return err
		}
	}
	for i, x := range e.X.Tokens {
		if len(byToken[i]) == 0 || t.label == nil {
			continue
		}
		target, weight := labelTarget(byToken[i])
		if err := put(t.label, model.Example{ID: tokenID(e.ID, i), X: x, Target: target, Weight: e.Weight * weight}); err != nil {
			return err
		}
	}
	return nil
}

func tokenID(text int64, token int) int64 { return text<<tokenBits | int64(token) }

// Remove forgets a text and reports whether it held it.
func (t *Tagger) Remove(id int64) bool {
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
		if t.label != nil {
			t.label.Remove(tokenID(id, i))
		}
	}
	return true
}

// Examples calls f with each text, in no order, until it is false.
func (t *Tagger) Examples(f func(model.Example) bool) {
	for _, e := range t.texts {
		if !f(e) {
			return
		}
	}
}

// Duals calls f with each text, in no order, until it is false. duals are those of the
// tags of all tokens, then those of the labels of tokens in spans; they are valid until f
// returns.
func (t *Tagger) Duals(f func(e model.Example, duals []float32) bool) {
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
	boundary, label := read(t.boundary), read(t.label)
	var all []float32
	for id, e := range t.texts {
		all = all[:0]
		for i := range e.X.Tokens {
			all = append(all, boundary[tokenID(id, i)]...)
		}
		for i := range e.X.Tokens {
			all = append(all, label[tokenID(id, i)]...)
		}
		if !f(e, all) {
			return
		}
	}
}

// DualNumbers returns how many numbers Duals gives in all.
func (t *Tagger) DualNumbers() int { return t.tokens*numTags + t.labelDuals(t.inSpans) }

// labelDuals returns how many duals the label model has for so many tokens in spans.
func (t *Tagger) labelDuals(tokens int) int {
	if t.label == nil {
		return 0
	}
	return tokens * t.labels
}

// Optimize optimizes both models until no probability can differ from the optimum's by more
// than the tolerance, or until the context ends.
func (t *Tagger) Optimize(ctx context.Context, tolerance float64) model.Progress {
	s := t.boundary.Optimize(ctx, tolerance)
	if t.label != nil {
		n := t.label.Optimize(ctx, tolerance)
		s = model.Progress{Passes: s.Passes + n.Passes, Bound: max(s.Bound, n.Bound), Done: s.Done && n.Done}
	}
	return s
}

// Bound returns the most by which a probability can differ from the optimum's, +Inf when
// it is not known.
func (t *Tagger) Bound() float64 {
	if t.label == nil {
		return t.boundary.Bound()
	}
	return max(t.boundary.Bound(), t.label.Bound())
}
