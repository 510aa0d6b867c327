package encode

import (
	"context"
	"fmt"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/vector"
)

// Request is what a model reads of a slow encoder: a text's own vector, or those of its
// tokens.
type Request struct {
	Text   string
	Tokens bool
}

// Key names the request by the text's key, with the last bit turned for its tokens.
func (n Request) Key() [16]byte {
	k := content.Key(n.Text)
	if n.Tokens {
		k[len(k)-1] ^= 1
	}
	return k
}

// EncodeRequests has a slow encoder answer requests and packs what it gives, in order. Those of
// tokens need one that has such vectors. The errors are the encoder's, and about answers
// that make no sense.
func EncodeRequests(ctx context.Context, slow BatchEncoder, requests []Request) ([][]byte, error) {
	var texts [2][]string // of texts, and of tokens
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
		if err = packAll(out, places[0], xs, vector.Pack, err); err != nil {
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

func packAll[X any](out [][]byte, places []int, xs []X, pack func(X) ([]byte, error), err error) error {
	if err == nil && len(xs) != len(places) {
		err = fmt.Errorf("vectors for %d texts, not for %d", len(xs), len(places))
	}
	for i := 0; i < len(xs) && err == nil; i++ {
		out[places[i]], err = pack(xs[i])
	}
	return err
}
