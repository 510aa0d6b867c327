package encode

import (
	"context"

	"github.com/hone-ml/hone/vector"
)

// BatchEncoder is a slow encoder of texts: each costs milliseconds of a core, or a request to
// another machine, which may be down. Each text is therefore encoded once and its vector
// stored. It must be safe for concurrent use.
type BatchEncoder interface {
	// Name identifies the embedding, as Encoder.Name identifies the encoding. Vectors are
	// stored under it.
	Name() string
	// EncodeBatch returns one vector for each text, in order, all of one dimension and of
	// any length. An empty vector means that the text will never have one: it has no
	// content, or was refused. An error concerns all texts, and a retry may succeed. The
	// caller owns the vectors.
	EncodeBatch(ctx context.Context, texts []string) ([][]float32, error)
}

// AppendParts appends the parts of a packed vector to dense parts, as many as the encoder has: nil
// for those that are not there. ok is false for bytes that are no packed vector.
func AppendParts(dense [][]float32, e BatchEncoder, packed []byte) (_ [][]float32, ok bool) {
	n := len(PartsOf(e))
	parts, ok := vector.UnpackParts(packed)
	if len(parts) != n {
		ok = ok && len(parts) == 0
		parts = make([][]float32, n)
	}
	return append(dense, parts...), ok
}

// TokenEncoder is a BatchEncoder that also computes vectors of a text's tokens in their context,
// under the same name.
type TokenEncoder interface {
	BatchEncoder
	// EncodeTokens returns for each text one vector for each token that token.Segment finds in
	// it, in order, all of one dimension. A token that will never have a vector has nil. All
	// else is as for EncodeBatch.
	EncodeTokens(ctx context.Context, texts []string) ([][][]float32, error)
}
