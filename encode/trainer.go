package encode

import "context"

// LabelledText is a text with the number of its class.
type LabelledText struct {
	Text  string
	Class int
}

// Trainer trains an encoder further on labelled texts: a pure function of them, in any order. It
// must be safe for concurrent use. The vectors of what it returns have one part, of the kind
// Adapted. The error is that of the training, such as texts of one class alone, or the context's.
type Trainer interface {
	Train(ctx context.Context, texts []LabelledText) (BatchEncoder, error)
}
