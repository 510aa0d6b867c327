package encode

import (
	"strings"

	"github.com/hone-ml/hone/vector"
)

// Embedder turns texts into dense vectors at once. It must be a pure function of the text and
// safe for concurrent use.
type Embedder interface {
	// Name identifies the embedding, as Encoder.Name identifies the encoding.
	Name() string
	// Encode returns the vector of a text, of length 1, in the memory of dst if that is large
	// enough. The vector is empty when the text has no features.
	Encode(dst []float32, text string) []float32
}

// Union returns an encoder with the terms of hashed and, as dense parts in this order, the vectors
// of the embedders.
func Union(hashed Encoder, dense ...Embedder) Encoder {
	names := []string{hashed.Name()}
	for _, d := range dense {
		names = append(names, d.Name())
	}
	return &union{name: strings.Join(names, "+"), hashed: hashed, dense: dense}
}

type union struct {
	name   string
	hashed Encoder
	dense  []Embedder
}

func (j *union) Name() string { return j.name }

func (j *union) Encode(text string) vector.Vector {
	v := j.hashed.Encode(text)
	v.Dense = make([][]float32, len(j.dense))
	for i, d := range j.dense {
		if x := d.Encode(nil, text); len(x) > 0 {
			v.Dense[i] = x
		}
	}
	return v
}
