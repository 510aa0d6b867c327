// Package encoders makes the encoder that a name in the configuration stands for.
package encoders

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/remote"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/encode/text/model2vec"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

const (
	// Hashed are hashed word and character n-grams alone.
	Hashed = "hashed"
	// Words are hashed word 1- and 2-grams alone, what Vowpal Wabbit reads of a text.
	Words = "words"
	// Static are Hashed and, as the one dense part, the vectors in the program.
	Static = "static"
	// MiniLM are those of Static and, coming later, the vectors of the transformer in
	// the program, of long texts by windows.
	MiniLM = "minilm"
	// Model2Vec, before the name of a folder, are the n-grams and that folder's
	// vectors.
	Model2Vec = "model2vec:"
	// OpenAI, before the address of a server that speaks /v1/embeddings, are the
	// n-grams and that server's vectors.
	OpenAI = "openai:"
)

// Names are those that Open knows, and the beginnings of those that go on with an
// address.
func Names() []string {
	return []string{MiniLM, Static, Hashed, Words, Model2Vec + "DIR", OpenAI + "URL"}
}

// Options are what the encoders need beyond their names.
type Options struct {
	// OpenAIModel and OpenAIKey are for the server of OpenAI; the key goes nowhere
	// else. OpenAITimeout bounds one attempt of a request.
	OpenAIModel   string
	OpenAIKey     func() string
	OpenAITimeout time.Duration
}

// Encoder is what a name stands for.
type Encoder struct {
	// Fast makes the vectors at once; each of Slow adds a dense part later, in this order.
	Fast encode.Encoder
	Slow []encode.BatchEncoder
}

// Blocking is the encoder for where time does not matter: it waits for the slow
// parts. It is nil when there are none.
func (e Encoder) Blocking() *encode.Blocking {
	if len(e.Slow) == 0 {
		return nil
	}
	return encode.NewBlocking(e.Fast, e.Slow...)
}

// Open makes the encoder of a name. The error says which there are.
func Open(name string, o Options) (Encoder, error) {
	switch {
	case name == Hashed:
		return Encoder{Fast: ngram.New()}, nil
	case name == Words:
		return Encoder{Fast: ngram.NewWords()}, nil
	case name == Static:
		return Encoder{Fast: Default()}, nil
	case name == MiniLM:
		e, err := minilm.Load()
		if err != nil {
			return Encoder{}, err
		}
		return Encoder{Fast: Default(), Slow: []encode.BatchEncoder{transformer{e.Windowed()}}}, nil
	case strings.HasPrefix(name, Model2Vec):
		e, err := model2vec.Open(strings.TrimPrefix(name, Model2Vec))
		if err != nil {
			return Encoder{}, err
		}
		return Encoder{Fast: encode.Union(ngram.New(), e)}, nil
	case strings.HasPrefix(name, OpenAI):
		c, err := remote.New(remote.Options{
			URL: strings.TrimPrefix(name, OpenAI), Model: o.OpenAIModel, Key: o.OpenAIKey, Timeout: o.OpenAITimeout,
		})
		if err != nil {
			return Encoder{}, err
		}
		return Encoder{Fast: ngram.New(), Slow: []encode.BatchEncoder{c}}, nil
	}
	return Encoder{}, fmt.Errorf("unknown encoder %q; use one of %s", name, strings.Join(Names(), ", "))
}

// transformer runs each batch on one core; whoever wants more runs several.
type transformer struct{ *minilm.Encoder }

func (t transformer) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	return t.Encoder.EncodeBatch(ctx, texts, 1)
}

// EncodeTokens implements encode.TokenEncoder.
func (t transformer) EncodeTokens(ctx context.Context, texts []string) ([][][]float32, error) {
	places := make([][]wordpiece.Span, len(texts))
	for i, text := range texts {
		for _, token := range token.Segment(nil, text) {
			places[i] = append(places[i], wordpiece.Span(token))
		}
	}
	return t.EncodeInContext(ctx, texts, places)
}

// Default is the encoder when nothing is configured.
func Default() encode.Encoder { return encode.Union(ngram.New(), static.Default()) }
