package encode

import (
	"context"
	"fmt"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/vector"
)

// Request asks a slow encoder for the vector of a text, or if Tokens is set for the vectors of
// its tokens.
type Request struct {
	Text   string
	Tokens bool
}

// Key returns the text's content key, with its last bit flipped if Tokens is set.
func (n Request) Key() [16]byte {
	k := content.Key(n.Text)
	if n.Tokens {
		k[len(k)-1] ^= 1
	}
	return k
}

// EncodeRequests has a slow encoder encode requests and returns the packed vectors, in order.
// The encoder must be a TokenEncoder if a request is for tokens. The errors are the encoder's,
// and those of a wrong number of vectors or of vectors that cannot be packed.
func EncodeRequests(ctx context.Context, slow BatchEncoder, requests []Request) ([][]byte, error) {
	var texts [2][]string // for vectors of texts, and of tokens
	var places [2][]int
	for i, n := range requests {
		k := 0
		if n.Tokens {
			k = 1
		}
		texts[k], places[k] = append(texts[k], n.Text), append(places[k], i)
	}
	out := make([][]byte, len(requests))
	if len(texts[0]) > 0 {
		xs, err := slow.EncodeBatch(ctx, texts[0])
		if err = packAll(out, places[0], xs, packParts(len(PartsOf(slow))), err); err != nil {
			return nil, err
		}
	}
	if len(texts[1]) > 0 {
		tokens, ok := slow.(TokenEncoder)
		if !ok {
			return nil, fmt.Errorf("%s has no vectors of tokens", slow.Name())
		}
		xs, err := tokens.EncodeTokens(ctx, texts[1])
		if err = packAll(out, places[1], xs, vector.PackTokens, err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// packParts returns the function that packs vectors of that many parts.
func packParts(parts int) func([]float32) ([]byte, error) {
	return func(x []float32) ([]byte, error) { return vector.PackParts(x, parts) }
}

// packAll packs xs into out at their places. It passes on err, the encoder's.
func packAll[X any](out [][]byte, places []int, xs []X, pack func(X) ([]byte, error), err error) error {
	if err == nil && len(xs) != len(places) {
		err = fmt.Errorf("vectors for %d texts, not for %d", len(xs), len(places))
	}
	for i := 0; i < len(xs) && err == nil; i++ {
		out[places[i]], err = pack(xs[i])
	}
	return err
}
