// Package static encodes texts by a table of one vector a word piece that is
// compiled into the program: a text's vector is the direction of the sum of its
// pieces' vectors, less what texts have in common. The table is distilled from a sentence transformer
// (tools/distill), as in Model2Vec (Tulkens & van Dongen 2024), with frequent
// pieces weighted down (Arora, Liang & Ma 2017, "A simple but tough-to-beat
// baseline for sentence embeddings").
package static

import (
	_ "embed"
	"encoding/binary"
	"math"
	"sync"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

//go:embed table.bin
var embeddedTable []byte

//go:embed mean.bin
var embeddedMean []byte

const (
	// MaxPieces is how many word pieces of a text are read; the rest is ignored.
	MaxPieces = 4096

	maxFactor = 1<<16 - 1
	// maxBlockPieces is how many pieces can be summed before 32 bits could overflow, with
	// a sign or without.
	maxBlockPieces = (1<<31 - 1) / (128 * maxFactor)
)

// Encoder makes vectors of texts. It is immutable and safe for concurrent use.
type Encoder struct {
	table   *vectorTable
	tokens  *wordpiece.Tokenizer
	factors []uint32
	mean    []float64 // of the directions of texts of all kinds
	pool    sync.Pool
}

// scratch is the working memory of one Encode.
type scratch struct {
	ids []int32
	// sums are the sums of a block, each word two of them side by side.
	sums    []uint64
	total   []int64
	narrow  []int32 // of a block, where a processor sums them whole
	centred []float64
}

var loadDefault = sync.OnceValues(func() (*Encoder, error) { return newEncoder(embeddedTable, embeddedMean) })

// Default returns the encoder of the table in the program. The first call takes some
// milliseconds; the rows of the table are not copied.
func Default() *Encoder {
	e, err := loadDefault()
	if err != nil {
		panic(err) // the program was built with a broken table
	}
	return e
}

// Name identifies the encoding: equal names mean equal vectors for equal texts.
// The number goes up with every change of the table or of how it is read.
func (e *Encoder) Name() string { return "static/2" }

// Dim is the length of the vectors.
func (e *Encoder) Dim() int { return e.table.dim }

// Tokenizer is the tokenizer of the table's vocabulary, that of BERT base uncased.
func (e *Encoder) Tokenizer() *wordpiece.Tokenizer { return e.tokens }

// Note says where the table comes from and under which licence.
func (e *Encoder) Note() string { return e.table.note }

// Encode returns the text's vector, Dim numbers of length 1, in dst's memory if that is
// large enough. The result has no elements if no piece of the text has a vector, as in an
// empty text or one in a script that the vocabulary lacks. Equal texts have equal vectors
// to the bit on every machine, as the sums are of integers.
func (e *Encoder) Encode(dst []float32, text string) []float32 {
	s := e.pool.Get().(*scratch)
	defer e.pool.Put(s)
	s.ids = e.tokens.Append(s.ids[:0], text, MaxPieces)
	clear(s.total)
	for ids := s.ids; len(ids) > 0; {
		n := min(len(ids), maxBlockPieces)
		e.sumRows(s, ids[:n])
		ids = ids[n:]
	}
	var squares float64
	for _, v := range s.total {
		squares += float64(float64(v) * float64(v)) // the conversion forbids a fused, so differently rounded, addition
	}
	if squares == 0 {
		return dst[:0]
	}
	if cap(dst) < len(s.total) {
		dst = make([]float32, len(s.total))
	}
	dst = dst[:len(s.total)]
	scale := 1 / math.Sqrt(squares)
	squares = 0
	for i, v := range s.total {
		d := float64(float64(v)*scale) - e.mean[i]
		s.centred[i] = d
		squares += float64(d * d)
	}
	if squares == 0 {
		return dst[:0] // the mean's very direction
	}
	scale = 1 / math.Sqrt(squares)
	for i, d := range s.centred {
		dst[i] = float32(d * scale)
	}
	return dst
}

// maxWordPieces is how many pieces of one word are read.
const maxWordPieces = 64

// EmbedWord returns the first dim numbers of the sum of the word's pieces, scaled to length
// 1, in dst's memory if that is large enough. The first numbers tell most. The result has
// no elements if no piece has a vector. The mean that is subtracted from texts is not
// subtracted from words.
func (e *Encoder) EmbedWord(dst []float32, word string, dim int) []float32 {
	s := e.pool.Get().(*scratch)
	defer e.pool.Put(s)
	s.ids = e.tokens.Append(s.ids[:0], word, maxWordPieces)
	dim = min(dim, e.table.dim)
	total := s.total[:dim]
	clear(total)
	for _, id := range s.ids {
		f := int64(e.factors[id])
		if f == 0 {
			continue
		}
		for i, v := range e.table.row(id)[:dim] {
			total[i] += f * int64(int8(v))
		}
	}
	var squares float64
	for _, v := range total {
		squares += float64(float64(v) * float64(v))
	}
	if squares == 0 {
		return dst[:0]
	}
	if cap(dst) < dim {
		dst = make([]float32, dim)
	}
	dst = dst[:dim]
	scale := 1 / math.Sqrt(squares)
	for i, v := range total {
		dst[i] = float32(float64(v) * scale)
	}
	return dst
}

// sumGo adds the vectors of up to maxBlockPieces pieces to s.total. It adds two numbers of
// 32 bits in one word at a time. Rows are shifted from -128..127 to 0..255, so that no
// number borrows from its neighbour; the end subtracts the shift.
func (e *Encoder) sumGo(s *scratch, ids []int32) {
	const (
		lanes = 0x000000ff000000ff
		sign  = 0x8080808080808080
	)
	clear(s.sums)
	var factors uint64
	for _, id := range ids {
		f := uint64(e.factors[id])
		if f == 0 {
			continue
		}
		factors += f
		row, sums := e.table.row(id), s.sums
		for len(row) >= 8 && len(sums) >= 4 {
			w := binary.LittleEndian.Uint64(row) ^ sign
			sums[0] += (w & lanes) * f
			sums[1] += (w >> 8 & lanes) * f
			sums[2] += (w >> 16 & lanes) * f
			sums[3] += (w >> 24 & lanes) * f
			row, sums = row[8:], sums[4:]
		}
	}
	shift := int64(factors * 128)
	for i, v := range s.sums {
		at := i/4*8 + i%4
		s.total[at] += int64(v&math.MaxUint32) - shift
		s.total[at+4] += int64(v>>32) - shift
	}
}
