package encode

import "context"

// LabelledText is a text with the number of its class.
type LabelledText struct {
	Text  string
	Class int
}

// Trainer trains an encoder further on labelled texts. It must be safe for concurrent use.
type Trainer interface {
	// Name says how it trains: what it makes of the same texts is another when the name is.
	Name() string
	// Train returns what the training changes, to be stored: a pure function of the texts, in
	// any order. The error is that of the training, such as texts of one class alone, or the
	// context's.
	Train(ctx context.Context, texts []LabelledText) (adapter []byte, err error)
	// Adapted returns the encoder with what Train returned. Its vectors have one part, of the
	// kind Adapted. The error is that of damaged bytes.
	Adapted(adapter []byte) (BatchEncoder, error)
}
