package encode

import "context"

// BatchEncoder embeds texts at a price: milliseconds of a core each, or a request to
// another machine, which may be down. Each text is therefore encoded once and its
// vector kept. It must be safe for concurrent use.
type BatchEncoder interface {
	// Name identifies the embedding as Encoder.Name does the encoding: vectors are
	// kept under it.
	Name() string
	// EncodeBatch gives a vector a text, in order, all of one dimension; their length
	// does not matter. A vector without numbers is one that will never be had: the
	// text says nothing, or is refused for what it is. An error is about all of them
	// and may pass. The vectors are the caller's.
	EncodeBatch(ctx context.Context, texts []string) ([][]float32, error)
}

// TokenEncoder is a BatchEncoder that also has vectors of a text's tokens in their
// context, under the same name.
type TokenEncoder interface {
	BatchEncoder
	// EncodeTokens gives each text a vector for each of the tokens that Segment finds in
	// it, in order, all of one dimension; nil for a token that will never have one. All
	// else is as for EncodeBatch.
	EncodeTokens(ctx context.Context, texts []string) ([][][]float32, error)
}
