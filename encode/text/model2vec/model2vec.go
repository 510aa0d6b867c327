// Package model2vec embeds texts by a Model2Vec folder (Tulkens & van Dongen 2024):
// a vector a token, in model.safetensors, and the tokenizer, in tokenizer.json.
package model2vec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hone-ml/hone/encode/text/internal/safetensors"
	"github.com/hone-ml/hone/encode/text/internal/tokenizer"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/internal/cut"
)

const (
	// maxTensors and maxJSON bound the files; the largest published ones have half a
	// gigabyte and some 40 MB.
	maxTensors = 4 << 30
	maxJSON    = 256 << 20
	// defaultLength is how many tokens are read when config.json does not say.
	defaultLength = 512
)

// Encoder makes vectors of texts. It is immutable and safe for concurrent use.
type Encoder struct {
	name    string
	rows    safetensors.Tensor
	dim     int
	weights []float32 // by token; nil: 1
	mapping []int32   // token to row; nil: the same
	tokens  *tokenizer.Tokenizer
	length  int // tokens read of a text
	chars   int // characters read of a text
	pool    sync.Pool
}

type scratch struct {
	ids  []int32
	sums []float64
}

// Open reads a folder. Errors name the file and what of it is wrong or not
// supported.
func Open(dir string) (*Encoder, error) {
	sum := sha256.New()
	read := func(name string, most int64) ([]byte, error) {
		b, err := readFile(filepath.Join(dir, name), most)
		if err != nil {
			return nil, err
		}
		_, _ = fmt.Fprintf(sum, "%s %d\n", name, len(b))
		_, _ = sum.Write(b)
		return b, nil
	}
	var files [3][]byte
	for i, name := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
		most := int64(maxJSON)
		if i == 2 {
			most = maxTensors
		}
		var err error
		if files[i], err = read(name, most); err != nil {
			return nil, fmt.Errorf("no Model2Vec folder: %w", err)
		}
	}
	e, err := parseFiles(files[0], files[1], files[2])
	if err != nil {
		return nil, fmt.Errorf("the Model2Vec folder %s: %w", dir, err)
	}
	e.name = "model2vec/1 " + hex.EncodeToString(sum.Sum(nil)[:8])
	return e, nil
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d MiB", path, most>>20)
	}
	return b, err
}

// parseFiles makes an encoder of the bytes of the three files. It keeps those of tensors.
func parseFiles(config, tokens, tensors []byte) (*Encoder, error) {
	var c struct {
		MaxLength json.RawMessage `json:"max_length"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	e := &Encoder{length: defaultLength}
	switch {
	case c.MaxLength == nil:
	case string(c.MaxLength) == "null":
		e.length = math.MaxInt32
	default:
		if err := json.Unmarshal(c.MaxLength, &e.length); err != nil || e.length < 1 {
			return nil, fmt.Errorf("config.json: max_length %s is no number of tokens", c.MaxLength)
		}
	}
	var err error
	if e.tokens, err = tokenizer.Parse(tokens); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if err := e.tensors(tensors); err != nil {
		return nil, fmt.Errorf("model.safetensors: %w", err)
	}
	e.chars = token.MaxText
	if e.length < token.MaxText/max(e.tokens.MedianLength(), 1) {
		e.chars = e.length * max(e.tokens.MedianLength(), 1)
	}
	e.pool.New = func() any { return &scratch{sums: make([]float64, e.dim)} }
	return e, nil
}

func (e *Encoder) tensors(data []byte) error {
	ts, err := safetensors.Parse(data)
	if err != nil {
		return err
	}
	var ok bool
	if e.rows, ok = ts["embeddings"]; !ok {
		if e.rows, ok = ts["embedding.weight"]; !ok {
			return errors.New(`it has no tensor "embeddings"`)
		}
	}
	if len(e.rows.Shape) != 2 || e.rows.Shape[0] < 1 || e.rows.Shape[1] < 1 || e.rows.Shape[1] > 1<<16 {
		return fmt.Errorf("embeddings have the shape %v, want tokens and dimensions", e.rows.Shape)
	}
	if _, err := e.rows.Number(0); err != nil {
		return fmt.Errorf("embeddings: %w", err)
	}
	rows := e.rows.Shape[0]
	e.dim = e.rows.Shape[1]
	n := e.tokens.Size()
	if t, ok := ts["mapping"]; ok {
		if e.mapping, err = rowIndices(&t, n, rows); err != nil {
			return fmt.Errorf("mapping: %w", err)
		}
	} else if rows < n {
		return fmt.Errorf("it has %d vectors for the %d tokens of tokenizer.json", rows, n)
	}
	if t, ok := ts["weights"]; ok {
		if len(t.Shape) != 1 || t.Shape[0] < n {
			return fmt.Errorf("weights have the shape %v for %d tokens", t.Shape, n)
		}
		e.weights = make([]float32, n)
		for i := range e.weights {
			w, err := t.Number(i)
			if err != nil {
				return fmt.Errorf("weights: %w", err)
			}
			e.weights[i] = float32(w)
		}
	}
	for i := range rows * e.dim {
		if _, err := e.rows.Number(i); err != nil {
			return fmt.Errorf("embeddings: %w", err)
		}
	}
	return nil
}

// Name implements encode.Embedder. It comes from the files' content.
func (e *Encoder) Name() string { return e.name }

// Dim is the length of the vectors.
func (e *Encoder) Dim() int { return e.dim }

// Encode implements encode.Embedder. It returns the normalised mean of the tokens' vectors,
// as the reference does with normalize. It ignores that setting in config.json, since a
// part of a feature vector has length 1.
func (e *Encoder) Encode(dst []float32, text string) []float32 {
	s := e.pool.Get().(*scratch)
	defer e.pool.Put(s)
	s.ids = e.tokens.Append(s.ids[:0], cut.Runes(text, e.chars), e.length)
	clear(s.sums)
	for _, id := range s.ids {
		if id == e.tokens.Unknown() {
			continue
		}
		weight, row := 1.0, int(id)
		if e.weights != nil {
			weight = float64(e.weights[id])
		}
		if e.mapping != nil {
			row = int(e.mapping[id])
		}
		for i := range s.sums {
			v, _ := e.rows.Number(row*e.dim + i) // they were all read before
			s.sums[i] += float64(v * weight)     // the conversion forbids a fused addition
		}
	}
	var squares float64
	for _, v := range s.sums {
		squares += float64(v * v)
	}
	if !(squares > 0) || math.IsInf(squares, 0) {
		return dst[:0]
	}
	dst = slices.Grow(dst[:0], e.dim)[:e.dim]
	scale := 1 / math.Sqrt(squares)
	for i, v := range s.sums {
		dst[i] = float32(v * scale)
	}
	return dst
}

// rowIndices returns the first n numbers of a tensor as indices of rows. One that is not below
// limit is an error.
func rowIndices(t *safetensors.Tensor, n, limit int) ([]int32, error) {
	if len(t.Shape) != 1 || t.Shape[0] < n {
		return nil, fmt.Errorf("it has the shape %v for %d tokens", t.Shape, n)
	}
	out := make([]int32, n)
	for i := range out {
		var v int64
		switch t.Type {
		case "I32":
			v = int64(int32(binary.LittleEndian.Uint32(t.Data[4*i:])))
		case "I64":
			v = int64(binary.LittleEndian.Uint64(t.Data[8*i:]))
		default:
			return nil, fmt.Errorf("it has numbers of the type %.20q", t.Type)
		}
		if v < 0 || v >= int64(limit) || v > math.MaxInt32 {
			return nil, fmt.Errorf("token %d has the row %d of %d", i, v, limit)
		}
		out[i] = int32(v)
	}
	return out, nil
}
