package learner

import (
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/vector"
)

// lookup is what a slow encoder has made so far. It never blocks on the encoder.
type lookup interface {
	Name() string
	// HasTokens reports whether the encoder has vectors of tokens too.
	HasTokens() bool
	// Text is the vector of a text; ok is false when it is not there yet. A text that
	// will never have one has nil.
	Text(text string) (x []float32, ok bool)
	// Tokens is Text for the n tokens of a text.
	Tokens(text string, n int) (xs [][]float32, ok bool)
}

// composite adds the slow encoder's vector to a fast one's as the last dense part, nil
// until it has been computed. So it is a function of the text and of what has arrived,
// and in the end of the text alone. It is safe for concurrent use.
type composite struct {
	encode.Encoder // the fast one
	slow           lookup
}

func (e *composite) Name() string { return e.Encoder.Name() + "+" + e.slow.Name() }

func (e *composite) Encode(text string) vector.Vector {
	v, _ := e.encode(text)
	return v
}

// encode also says whether the slow part is all there. Texts in which the fast
// encoder sees nothing are never asked about: there is nothing to go by.
func (e *composite) encode(text string) (v vector.Vector, complete bool) {
	v = e.Encoder.Encode(text)
	if v.Empty() {
		return v, true
	}
	x, ok := e.slow.Text(text)
	v.Dense = append(v.Dense[:len(v.Dense):len(v.Dense)], x)
	return v, ok
}

// InContext is what encode.EncodeTokens asks for.
func (e *composite) InContext(text string, tokens []token.Token) ([][]float32, bool) {
	xs, _ := e.slow.Tokens(text, len(tokens))
	return xs, e.slow.HasTokens()
}

// Fast is the encoder without the slow part.
func (e *composite) Fast() encode.Encoder { return e.Encoder }

// missTracker encodes and remembers which texts have no slow part yet. It is for one
// goroutine.
type missTracker struct {
	*composite
	missing []event.TextKey
}

func (t *missTracker) Encode(text string) vector.Vector {
	v, ok := t.encode(text)
	if !ok {
		t.missing = append(t.missing, encode.Request{Text: text}.Key())
	}
	return v
}

func (t *missTracker) InContext(text string, tokens []token.Token) ([][]float32, bool) {
	xs, ok := t.slow.Tokens(text, len(tokens))
	if !ok && t.slow.HasTokens() {
		t.missing = append(t.missing, encode.Request{Text: text, Tokens: true}.Key())
	}
	return xs, t.slow.HasTokens()
}

// requestCollector only collects what is read of the slow encoder. It is for one
// goroutine.
type requestCollector struct {
	*composite
	requests []encode.Request
}

func (c *requestCollector) Encode(text string) vector.Vector {
	v := c.Encoder.Encode(text)
	if !v.Empty() {
		c.requests = append(c.requests, encode.Request{Text: text})
	}
	return v
}

func (c *requestCollector) InContext(text string, _ []token.Token) ([][]float32, bool) {
	if c.slow.HasTokens() {
		c.requests = append(c.requests, encode.Request{Text: text, Tokens: true})
	}
	return nil, c.slow.HasTokens()
}
