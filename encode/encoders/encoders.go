// Package encoders opens encoders by the names in the configuration.
package encoders

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/remote"
	"github.com/hone-ml/hone/encode/text/bert"
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
	// BERT, before the name of a folder, are those of Static and, coming later, the vectors
	// of the sentence transformer in that folder.
	BERT = "bert:"
	// OpenAI, before the address of a server that speaks /v1/embeddings, are the
	// n-grams and that server's vectors.
	OpenAI = "openai:"
)

// Options configure encoders that need more than a name.
type Options struct {
	// OpenAIModel and OpenAIKey are for the server of OpenAI; the key goes nowhere
	// else. OpenAITimeout bounds one attempt of a request.
	OpenAIModel   string
	OpenAIKey     func() string
	OpenAITimeout time.Duration
}

// Encoder is an encoder that a name stands for, with its slow parts.
type Encoder struct {
	// Fast returns vectors at once. Each of Slow adds a dense part later, in this order.
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

// entry is a named encoder.
type entry struct {
	// name is the name, without the address if the encoder has one.
	name string
	// address describes the address after name to users; empty if there is none.
	address string
	// open opens the encoder at an address.
	open func(address string, o Options) (Encoder, error)
}

// entries is the only list of encoders, in the order in which users see it.
var entries = []entry{
	{name: MiniLM, open: openMiniLM},
	{name: Static, open: fast(Default)},
	{name: Hashed, open: fast(func() encode.Encoder { return ngram.New() })},
	{name: Words, open: fast(func() encode.Encoder { return ngram.NewWords() })},
	{name: Model2Vec, address: "DIR", open: openModel2Vec},
	{name: BERT, address: "DIR", open: openBERT},
	{name: OpenAI, address: "URL", open: openRemote},
}

// Names returns the names that Open knows; of those with an address, the part before it.
func Names() []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.name + e.address
	}
	return names
}

// BuiltIn returns the names of the encoders that are complete in this program: Open needs no
// address, key or file for them.
func BuiltIn() []string {
	var names []string
	for _, e := range entries {
		if e.address != "" {
			continue
		}
		if _, err := e.open("", Options{}); err == nil { // a program may be built without the transformer
			names = append(names, e.name)
		}
	}
	return names
}

// Open opens an encoder by its name. The error lists the names, or says why it cannot be opened.
func Open(name string, o Options) (Encoder, error) {
	for _, e := range entries {
		if address, ok := strings.CutPrefix(name, e.name); ok && (address == "" || e.address != "") {
			return e.open(address, o)
		}
	}
	return Encoder{}, fmt.Errorf("unknown encoder %q; use one of %s", name, strings.Join(Names(), ", "))
}

// fast opens an encoder without an address that makes all vectors at once.
func fast(encoder func() encode.Encoder) func(string, Options) (Encoder, error) {
	return func(string, Options) (Encoder, error) { return Encoder{Fast: encoder()}, nil }
}

func openMiniLM(string, Options) (Encoder, error) {
	e, err := minilm.Load()
	if err != nil {
		return Encoder{}, err
	}
	return Encoder{Fast: Default(), Slow: []encode.BatchEncoder{transformer{e.Windowed()}}}, nil
}

func openModel2Vec(dir string, _ Options) (Encoder, error) {
	e, err := model2vec.Open(dir)
	if err != nil {
		return Encoder{}, err
	}
	return Encoder{Fast: encode.Union(ngram.New(), e)}, nil
}

func openBERT(dir string, _ Options) (Encoder, error) {
	e, err := bert.Open(dir)
	if err != nil {
		return Encoder{}, err
	}
	var slow encode.BatchEncoder = folderTransformer{e}
	if e.HasPlaces() {
		slow = tokenTransformer{folderTransformer{e}}
	}
	return Encoder{Fast: Default(), Slow: []encode.BatchEncoder{slow}}, nil
}

func openRemote(url string, o Options) (Encoder, error) {
	c, err := remote.New(remote.Options{URL: url, Model: o.OpenAIModel, Key: o.OpenAIKey, Timeout: o.OpenAITimeout})
	if err != nil {
		return Encoder{}, err
	}
	return Encoder{Fast: ngram.New(), Slow: []encode.BatchEncoder{c}}, nil
}

// transformer runs each batch on one core. Callers run several batches to use more. It is an
// encode.PartsEncoder too.
type transformer struct{ *minilm.Encoder }

func (t transformer) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	return t.Encoder.EncodeBatch(ctx, texts, 1)
}

var (
	// wholeParts are the kinds of the parts of a text's vector, adaptedParts of that of an
	// encoder with an adapter.
	wholeParts   = []encode.Part{encode.Middle, encode.Sentence}
	adaptedParts = []encode.Part{encode.Adapted}
)

// kindsOf returns the kinds of so many parts.
func kindsOf(parts int) []encode.Part {
	if parts == len(wholeParts) {
		return wholeParts
	}
	return adaptedParts
}

// Parts implements encode.PartsEncoder.
func (t transformer) Parts() []encode.Part { return kindsOf(t.Encoder.Parts()) }

// folderTransformer says of which kinds the parts of a text's vector are.
type folderTransformer struct{ *bert.Encoder }

// Parts implements encode.PartsEncoder.
func (t folderTransformer) Parts() []encode.Part { return kindsOf(t.Encoder.Parts()) }

// tokenTransformer is one that knows where in a text its tokens stand.
type tokenTransformer struct{ folderTransformer }

// EncodeTokens implements encode.TokenEncoder.
func (t tokenTransformer) EncodeTokens(ctx context.Context, texts []string) ([][][]float32, error) {
	return t.EncodeInContext(ctx, texts, tokenPlaces(texts))
}

// EncodeTokens implements encode.TokenEncoder.
func (t transformer) EncodeTokens(ctx context.Context, texts []string) ([][][]float32, error) {
	return t.EncodeInContext(ctx, texts, tokenPlaces(texts))
}

// tokenPlaces returns where the tokens of texts are.
func tokenPlaces(texts []string) [][]wordpiece.Span {
	places := make([][]wordpiece.Span, len(texts))
	for i, text := range texts {
		for _, token := range token.Segment(nil, text) {
			places[i] = append(places[i], wordpiece.Span(token))
		}
	}
	return places
}

// Default returns the encoder that is used when none is configured.
func Default() encode.Encoder { return encode.Union(ngram.New(), static.Default()) }
