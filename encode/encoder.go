package encode

import "github.com/hone-ml/hone/vector"

// Encoder turns texts into vectors at once. It must be a pure function of the text and safe for
// concurrent use.
type Encoder interface {
	// Name identifies the encoding: equal names mean equal vectors of equal texts, also after
	// a restart or an upgrade.
	Name() string
	// Encode returns the vector of a text, which must not be changed. It is empty when the
	// text has no features.
	Encode(text string) vector.Vector
}
