package encoders_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/vector"
)

// The names of encoders are part of what is stored: under another name every text is
// encoded again and every model begins anew.
func TestGoldenNames(t *testing.T) {
	if _, err := encoders.Open(encoders.MiniLM, encoders.Options{}); errors.Is(err, minilm.ErrNotBuiltIn) {
		t.Skip(err)
	}
	var out strings.Builder
	for _, name := range []string{
		encoders.Hashed, encoders.Words, encoders.Static, encoders.MiniLM, encoders.Model2Vec + "../text/model2vec/testdata/uncased",
		encoders.BERT + "../text/bert/testdata/mean", encoders.OpenAI + "http://localhost:1",
	} {
		e, err := encoders.Open(name, encoders.Options{OpenAIModel: "a-model"})
		if err != nil {
			t.Fatal(err)
		}
		given := strings.Replace(name, "../text/", "../", 1) // where the folder lies is no matter
		fmt.Fprintf(&out, "%s\n  fast %s\n", given, e.Fast.Name())
		for _, s := range e.Slow {
			fmt.Fprintf(&out, "  slow %s\n  together %s\n", s.Name(), e.Blocking().Name())
		}
		if trainer := encoders.TrainerOf(e); trainer != nil {
			fmt.Fprintf(&out, "  adapted %s\n", encoders.AdaptedName(trainer.BaseName()))
		}
	}
	golden.Check(t, "golden/names.txt", []byte(out.String()))
}

// What a stored vector is, and what it is stored under.
func TestGoldenVectors(t *testing.T) {
	var out strings.Builder
	for _, n := range []encode.Request{{Text: "a text"}, {Text: "a text", Tokens: true}, {}} {
		fmt.Fprintf(&out, "%q tokens %t: %x\n", n.Text, n.Tokens, n.Key())
	}
	packed, err := encode.EncodeRequests(context.Background(), known{}, []encode.Request{{Text: "ab"}, {Text: "ab", Tokens: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range packed {
		kind, dim, ok := vector.PackedAs(b)
		fmt.Fprintf(&out, "%x %v %v %v\n", b, kind, dim, ok)
	}
	// The terms of n-grams, whose buckets models have weights for; those of two dozen
	// buckets in the order of the text.
	v := ngram.New().Encode("Zoë met 3 friends.")
	for _, x := range v.Terms[:min(24, len(v.Terms))] {
		fmt.Fprintf(&out, "%+v\n", x)
	}
	fmt.Fprintf(&out, "%d terms\n", len(v.Terms))
	golden.Check(t, "golden/vectors.txt", []byte(out.String()))
}

// known is an encoder whose vectors say the text's bytes.
type known struct{}

func (known) Name() string { return "known" }

func (known) EncodeBatch(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		out[i] = []float32{float32(len(text)), float32(math.Pi), -1, 0.5}
	}
	return out, nil
}

func (known) EncodeTokens(_ context.Context, texts []string) ([][][]float32, error) {
	out := make([][][]float32, len(texts))
	for i := range texts {
		out[i] = [][]float32{{0.25, -1, 1}}
	}
	return out, nil
}
