package encode

import (
	"context"
	"fmt"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/vector"
)

// Request asks a slow encoder for the vector of a text, or if Tokens is set for the vectors of
// its tokens. Adapter says which one of an AdapterEncoder's encoders is asked; "" of others.
type Request struct {
	Text    string
	Tokens  bool
	Adapter string
}

// Key returns the text's content key, with its last bit flipped if Tokens is set, and mixed with a
// hash of the adapter.
func (n Request) Key() [16]byte {
	k := content.Key(n.Text)
	if n.Tokens {
		k[len(k)-1] ^= 1
	}
	if n.Adapter != "" {
		for i, b := range content.Key(n.Adapter) {
			k[i] ^= b
		}
	}
	return k
}

// EncodeRequests has a slow encoder encode requests and returns the packed vectors, in order.
// The encoder must be a TokenEncoder if a request is for tokens. The errors are the encoder's,
// and those of a wrong number of vectors or of vectors that cannot be packed.
func EncodeRequests(ctx context.Context, slow BatchEncoder, requests []Request) ([][]byte, error) {
	type group struct {
		texts  []string
		places []int
	}
	groups := map[Request]*group{} // by all but the text
	var order []Request
	for i, n := range requests {
		of := Request{Tokens: n.Tokens, Adapter: n.Adapter}
		g := groups[of]
		if g == nil {
			g = new(group)
			groups[of], order = g, append(order, of)
		}
		g.texts, g.places = append(g.texts, n.Text), append(g.places, i)
	}
	out := make([][]byte, len(requests))
	for _, of := range order {
		g := groups[of]
		if of.Tokens {
			tokens, ok := slow.(TokenEncoder)
			if !ok {
				return nil, fmt.Errorf("%s has no vectors of tokens", slow.Name())
			}
			xs, err := tokens.EncodeTokens(ctx, g.texts)
			if err = packAll(out, g.places, xs, vector.PackTokens, err); err != nil {
				return nil, err
			}
			continue
		}
		xs, err := encodeTexts(ctx, slow, of.Adapter, g.texts)
		if err = packAll(out, g.places, xs, packParts(len(PartsOf(slow))), err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func encodeTexts(ctx context.Context, slow BatchEncoder, adapter string, texts []string) ([][]float32, error) {
	if adapter == "" {
		return slow.EncodeBatch(ctx, texts)
	}
	a, ok := slow.(AdapterEncoder)
	if !ok {
		return nil, fmt.Errorf("%s has no adapters", slow.Name())
	}
	return a.EncodeAdapted(ctx, adapter, texts)
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
