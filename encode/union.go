package encode

import (
	"strings"

	"github.com/hone-ml/hone/vector"
)

// Embedder turns texts into dense vectors. Like an Encoder it must be a pure
// function of the text and safe for concurrent use.
type Embedder interface {
	// Name identifies the embedding as Encoder.Name does the encoding.
	Name() string
	// Encode gives the text's vector, of length 1, in dst's memory if that is large
	// enough; no elements when it has nothing to say of the text.
	Encode(dst []float32, text string) []float32
}

// Union is the encoder of hashed's terms and, as Dense and in this order, of the
// embedders' vectors.
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
