package encode

import "github.com/hone-ml/hone/vector"

// Encoder turns texts into vectors. It must be a pure function of the text and
// safe for concurrent use.
type Encoder interface {
	// Name identifies the encoding: equal names mean equal vectors for equal
	// texts, also after a restart or an upgrade.
	Name() string
	Encode(text string) vector.Vector
}
