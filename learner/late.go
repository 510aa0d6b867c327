package learner

import (
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/feature"
	"github.com/hone-ml/hone/vector"
)

// late is a fast encoder's vectors with a slow one's as the last dense part, nil
// while it is not there. So it is a function of the text and of what has arrived,
// and in the end of the text alone.
type late struct {
	feature.Encoder
	vectors *vectors
}

func (e *late) Name() string { return e.Encoder.Name() + "+" + e.vectors.slow.Name() }

func (e *late) Encode(text string) vector.Vector {
	v, _ := e.encode(text)
	return v
}

// encode also says whether the slow part is all there. Texts in which the fast
// encoder sees nothing are never asked about: there is nothing to go by.
func (e *late) encode(text string) (vector.Vector, bool) {
	v := e.Encoder.Encode(text)
	if v.Empty() {
		return v, true
	}
	x, ok := e.vectors.get(text)
	v.Dense = append(v.Dense[:len(v.Dense):len(v.Dense)], x)
	return v, ok
}

// InContext is what feature.EncodeTokens asks for.
func (e *late) InContext(text string, tokens []feature.Token) ([][]float32, bool) {
	xs, _ := e.vectors.ofTokens(text, len(tokens))
	return xs, e.vectors.tokenwise
}

// Fast is the encoder without the slow part.
func (e *late) Fast() feature.Encoder { return e.Encoder }

// attempt encodes and remembers which texts have no slow part yet. It is for one
// goroutine.
type attempt struct {
	*late
	missing []event.TextKey
}

func (a *attempt) Encode(text string) vector.Vector {
	v, ok := a.encode(text)
	if !ok {
		a.missing = append(a.missing, keyOf(feature.Need{Text: text}))
	}
	return v
}

func (a *attempt) InContext(text string, tokens []feature.Token) ([][]float32, bool) {
	xs, ok := a.vectors.ofTokens(text, len(tokens))
	if !ok && a.vectors.tokenwise {
		a.missing = append(a.missing, keyOf(feature.Need{Text: text, Tokens: true}))
	}
	return xs, a.vectors.tokenwise
}

// gather only collects what a question needs of the slow encoder for a task.
type gather struct {
	*late
	needs []feature.Need
}

func (g *gather) Encode(text string) vector.Vector {
	v := g.Encoder.Encode(text)
	if !v.Empty() {
		g.needs = append(g.needs, feature.Need{Text: text})
	}
	return v
}

func (g *gather) InContext(text string, _ []feature.Token) ([][]float32, bool) {
	if g.vectors.tokenwise {
		g.needs = append(g.needs, feature.Need{Text: text, Tokens: true})
	}
	return nil, g.vectors.tokenwise
}

// needs are what the question needs of the slow encoder for a task's data, without
// repetition.
func (q *question) needs(e *late, data []byte, needs map[event.TextKey]feature.Need) {
	g := gather{late: e}
	q.kind.features(q, data, &g)
	for _, n := range g.needs {
		needs[keyOf(n)] = n
	}
}
