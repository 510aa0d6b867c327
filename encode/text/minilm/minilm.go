// Package minilm encodes texts by all-MiniLM-L6-v2, a sentence transformer of six
// layers (Wang et al. 2020, "MiniLM: Deep Self-Attention Distillation for
// Task-Agnostic Compression of Pre-Trained Transformers"; Reimers & Gurevych 2019,
// "Sentence-BERT"), in pure Go with kernels in its assembler, for AVX2 and, the
// products, for arm64. The weights are
// compiled into the program (tools/minilm), unless it is built with the tag
// nominilm.
//
// The matrices are int8 with a scale for each output and stay so in memory. A
// matrix meets rows that are rounded to 16 bits, each with a scale of its own, so
// its sums are of integers, exact, and cost half of what float32 would. A tile of
// 384 inputs by 16 outputs is spread out into the nearest cache, the rows of a batch
// of texts pass by it, and the next one takes its place.
//
// All else is in float32, each operation rounded in a fixed order. So a text has bit
// for bit the same vector whatever was encoded beside it, on however many cores, with
// the kernels or without them.
package minilm

import (
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

const (
	// MaxPieces is how many word pieces go through the transformer at once, [CLS]
	// and [SEP] among them, as in the reference.
	MaxPieces = maxPositions
	// MaxWindows is how many windows of a text a windowed encoder reads.
	MaxWindows = 16

	// Parts is how many vectors of Dim numbers, each of length 1, stand one after the other in
	// the vector of a text: that of the middle layers, and that of the last.
	Parts = 2

	// specialPieces are [CLS] and [SEP].
	specialPieces = 2
	// textSize is the length of a text's vector.
	textSize = Parts * hiddenSize
)

// ErrNotBuiltIn is the error of Load in a program that was built without weights.
var ErrNotBuiltIn = errors.New("this program has no transformer: it was built with the tag nominilm; build it without, or choose another encoder")

// Encoder makes vectors of texts. It is immutable and safe for concurrent use.
type Encoder struct {
	model   *model
	tokens  *wordpiece.Tokenizer
	windows int
	free    *scratchPool
}

var loadEmbedded = sync.OnceValues(func() (*Encoder, error) {
	if len(embeddedWeights) == 0 {
		return nil, ErrNotBuiltIn
	}
	return newEncoder(embeddedWeights, static.Default().Tokenizer())
})

// Load returns the encoder of the weights in the program, always the same one. The first
// call takes a few milliseconds; the matrices are not copied. The error is ErrNotBuiltIn,
// or one of parsing when the build is broken.
func Load() (*Encoder, error) { return loadEmbedded() }

// newEncoder makes an encoder of the bytes of a weights file, which it keeps.
func newEncoder(data []byte, tokens *wordpiece.Tokenizer) (*Encoder, error) {
	m, err := parse(data, tokens)
	if err != nil {
		return nil, err
	}
	return &Encoder{model: m, tokens: tokens, windows: 1, free: newScratchPool()}, nil
}

// Windowed returns an encoder with the same weights that reads a text of more than
// MaxPieces in up to MaxWindows windows of equal length without overlap. The vector of
// such a text is the normalised mean of its windows' vectors; shorter texts keep their
// vectors. e itself reads the first MaxPieces pieces only, as the reference does.
func (e *Encoder) Windowed() *Encoder {
	w := *e
	w.windows = MaxWindows
	return &w
}

// Name identifies the encoding: equal names mean equal vectors for equal texts.
// The number goes up with every change of the weights or of the arithmetic.
func (e *Encoder) Name() string {
	if e.windows > 1 {
		return "minilm/2+windows"
	}
	return "minilm/2"
}

// Dim is the length of a token's vector, and of each part of a text's vector.
func (e *Encoder) Dim() int { return hiddenSize }

// Note says where the weights come from and under which licence.
func (e *Encoder) Note() string { return e.model.note }

// Encode returns the text's vector, Parts times Dim numbers. The first part is of the middle
// layers, which know what kind of sentence it is, see addMiddle. The last part is what the
// reference returns: the mean of the last layer over all tokens, which knows what the text is
// about. Each has length 1. Encode uses dst's memory if that is large enough. A text without
// word pieces, such as an empty one, has the vector of [CLS] [SEP], as in the reference.
func (e *Encoder) Encode(dst []float32, text string) []float32 {
	s := e.free.acquire()
	defer e.free.release(s)
	s.pieces = e.tokens.Append(s.pieces[:0], text, e.maxPieces())
	dst = slices.Grow(dst[:0], textSize)[:textSize]
	e.encode(s, dst, nil)
	return dst
}

// Tokens are the parts of a text and their vectors in its context.
type Tokens struct {
	// IDs are the word pieces, without [CLS] and [SEP].
	IDs []int32
	// Spans are their places in the text, in bytes.
	Spans []wordpiece.Span
	// Vectors has Dim numbers for each piece: the last layer, of any length.
	Vectors []float32
	// Text is the text's vector, as Encode returns it.
	Text []float32
}

// Vector returns the vector of piece number i.
func (t *Tokens) Vector(i int) []float32 { return t.Vectors[i*hiddenSize:][:hiddenSize:hiddenSize] }

// EncodeTokens replaces what dst holds by the text's tokens, reusing its memory.
// Pieces beyond what the encoder reads are left out.
func (e *Encoder) EncodeTokens(dst *Tokens, text string) {
	s := e.free.acquire()
	defer e.free.release(s)
	dst.IDs, dst.Spans = e.tokens.AppendSpans(dst.IDs[:0], dst.Spans[:0], text, e.maxPieces())
	s.pieces = append(s.pieces[:0], dst.IDs...)
	dst.Vectors = slices.Grow(dst.Vectors[:0], len(dst.IDs)*hiddenSize)[:len(dst.IDs)*hiddenSize]
	dst.Text = slices.Grow(dst.Text[:0], textSize)[:textSize]
	e.encode(s, dst.Text, dst.Vectors)
}

// maxPieces returns how many pieces of a text the encoder reads.
func (e *Encoder) maxPieces() int { return e.windows * (MaxPieces - specialPieces) }

// encode writes the vector of s.pieces to dst, and the tokens' vectors to vectors as far
// as that has room.
func (e *Encoder) encode(s *scratch, dst, vectors []float32) {
	count := windowCount(len(s.pieces))
	for i := range count {
		from, to := windowBounds(len(s.pieces), count, i)
		s.reset()
		s.addText(s.pieces[from:to])
		e.model.forward(s, e.model.layers[:])
		if vectors != nil {
			copy(vectors[from*hiddenSize:to*hiddenSize], s.x[hiddenSize:])
		}
		if count == 1 {
			s.directions(dst, 0)
			return
		}
		s.directions(s.vector[:], 0)
		if i == 0 {
			clear(s.total[:])
		}
		s.total.include(s.vector[:])
	}
	s.total.normalize(dst)
}

// textTotal sums up vectors of texts.
type textTotal [Parts][hiddenSize]float64

func (t *textTotal) include(v []float32) {
	for part := range t {
		accumulate(&t[part], v[part*hiddenSize:])
	}
}

// normalize writes each part of the sum, scaled to length 1, to dst.
func (t *textTotal) normalize(dst []float32) {
	for part := range t {
		normalize(dst[part*hiddenSize:][:hiddenSize], &t[part])
	}
}

// windowCount returns how many windows that many pieces take.
func windowCount(pieces int) int {
	return max(1, (pieces+MaxPieces-specialPieces-1)/(MaxPieces-specialPieces))
}

// windowBounds returns the range of pieces that window i of count has.
func windowBounds(pieces, count, i int) (from, to int) {
	return pieces * i / count, pieces * (i + 1) / count
}

func accumulate(total *[hiddenSize]float64, v []float32) {
	for i, x := range v[:hiddenSize] {
		total[i] += float64(x)
	}
}

// normalize writes total, scaled to length 1, to dst.
func normalize(dst []float32, total *[hiddenSize]float64) {
	var squares float64
	for _, v := range total {
		squares += float64(v * v) // the conversion forbids a fused, so differently rounded, addition
	}
	scale := 0.0
	if squares > 0 {
		scale = 1 / math.Sqrt(squares)
	}
	for i, v := range total {
		dst[i] = float32(v * scale)
	}
}
