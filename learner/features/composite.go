package features

import (
	"math/bits"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/vector"
)

// Lookup finds the vectors that a slow encoder has computed. It never waits for the encoder.
type Lookup interface {
	Name() string
	// Has reports whether what was asked for under a key has been computed.
	Has(key event.ContentKey) bool
	// HasTokens reports whether the encoder has vectors of tokens too.
	HasTokens() bool
	// Parts are the kinds of the parts of a text's vector.
	Parts() []encode.Part
	// AppendText appends the parts of the vector of a request's text to dense. ok is false when it has not
	// been computed yet. Parts that are missing are nil, and so are those of a text that will
	// never have a vector.
	AppendText(dense [][]float32, request encode.Request) (_ [][]float32, ok bool)
	// Tokens does the like for each of the n tokens of a text, which have one part each.
	Tokens(text string, n int) (xs [][]float32, ok bool)
}

// EncoderSet is a set of slow encoders: bit i stands for the i-th of the process.
type EncoderSet uint64

// Has reports whether an encoder is in the set.
func (s EncoderSet) Has(encoder int) bool { return s>>encoder&1 == 1 }

// With returns the set with one encoder more.
func (s EncoderSet) With(encoder int) EncoderSet { return s | 1<<encoder }

// Each yields the indices in ascending order.
func (s EncoderSet) Each(yield func(encoder int) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(bits.TrailingZeros64(uint64(s))) {
			return
		}
	}
}

// composite adds the vectors of slow encoders to those of a fast one, as the last dense parts
// in the order of the slow encoders. A part is nil until it has been computed. The encoding
// is a function of the text once all parts have been. It is safe for concurrent use.
type composite struct {
	encode.Encoder // the fast one
	slow           []slowPart
}

// slowPart is a slow encoder with its place among those of the process, for EncoderSet, and the
// adapter that it is asked for, "" unless it has adapters.
type slowPart struct {
	place   int
	adapter string
	Lookup
}

// name identifies what the part computes.
func (s slowPart) name() string {
	if s.adapter == "" {
		return s.Name()
	}
	return s.Name() + "@" + s.adapter
}

// request returns the request for the vector of a text.
func (s slowPart) request(text string) encode.Request {
	return encode.Request{Text: text, Adapter: s.adapter}
}

func (e *composite) Name() string {
	name := e.Encoder.Name()
	for _, s := range e.slow {
		name += "+" + s.name()
	}
	return name
}

// Parts returns the kinds of the dense parts.
func (e *composite) Parts() []encode.Part {
	parts := slices.Clone(encode.DenseParts(e.Encoder))
	for _, s := range e.slow {
		parts = append(parts, s.Parts()...)
	}
	return parts
}

func (e *composite) Encode(text string) vector.Vector {
	v, _ := e.encode(text)
	return v
}

// encode also returns the slow encoders whose part is missing. When the fast encoder finds
// no features in a text, the slow ones are not asked.
func (e *composite) encode(text string) (v vector.Vector, missing EncoderSet) {
	v = e.Encoder.Encode(text)
	if v.Empty() {
		return v, 0
	}
	v.Dense = v.Dense[:len(v.Dense):len(v.Dense)]
	for _, s := range e.slow {
		var ok bool
		if v.Dense, ok = s.AppendText(v.Dense, s.request(text)); !ok {
			missing = missing.With(s.place)
		}
	}
	return v, missing
}

// InContext returns the vectors of tokens in their context, for encode.EncodeTokens.
func (e *composite) InContext(text string, tokens []token.Token) [][][]float32 {
	all, _ := e.inContext(text, tokens)
	return all
}

// inContext also returns the slow encoders whose vectors of tokens are missing.
func (e *composite) inContext(text string, tokens []token.Token) (all [][][]float32, missing EncoderSet) {
	for _, s := range e.slow {
		if !s.HasTokens() {
			continue
		}
		xs, ok := s.Tokens(text, len(tokens))
		if all = append(all, xs); !ok {
			missing = missing.With(s.place)
		}
	}
	return all, missing
}

// Fast returns the encoder without the slow parts.
func (e *composite) Fast() encode.Encoder { return e.Encoder }

// missingVector names a vector that a slow encoder has not computed yet.
type missingVector struct {
	encoder uint32
	key     event.ContentKey
}

// missTracker encodes, and records which vectors are missing. It is for one goroutine.
type missTracker struct {
	*composite
	missing []missingVector
}

func (t *missTracker) Encode(text string) vector.Vector {
	v, missing := t.encode(text)
	t.note(missing, func(s slowPart) encode.Request { return s.request(text) })
	return v
}

func (t *missTracker) InContext(text string, tokens []token.Token) [][][]float32 {
	all, missing := t.inContext(text, tokens)
	t.note(missing, func(slowPart) encode.Request { return encode.Request{Text: text, Tokens: true} })
	return all
}

func (t *missTracker) note(missing EncoderSet, request func(slowPart) encode.Request) {
	if missing == 0 {
		return
	}
	for _, s := range t.slow {
		if missing.Has(s.place) {
			t.missing = append(t.missing, missingVector{uint32(s.place), request(s).Key()})
		}
	}
}

// requestCollector collects the requests to one slow encoder and computes no slow vector. It
// is for one goroutine.
type requestCollector struct {
	*composite
	encoder  int
	requests []encode.Request
}

func (c *requestCollector) Encode(text string) vector.Vector {
	v := c.Encoder.Encode(text)
	if v.Empty() {
		return v
	}
	for _, s := range c.slow {
		if s.place == c.encoder {
			c.requests = append(c.requests, s.request(text))
		}
	}
	return v
}

func (c *requestCollector) InContext(text string, _ []token.Token) (all [][][]float32) {
	for _, s := range c.slow {
		if !s.HasTokens() {
			continue
		}
		if all = append(all, nil); s.place == c.encoder {
			c.requests = append(c.requests, encode.Request{Text: text, Tokens: true})
		}
	}
	return all
}
