// Package encoders makes the encoder that a name in the configuration stands for.
package encoders

import (
	"fmt"
	"strings"

	"github.com/hone-ml/hone/learner/feature"
	"github.com/hone-ml/hone/learner/feature/static"
)

const (
	// Hashed are hashed word and character n-grams alone.
	Hashed = "hashed"
	// Static are those and, as the one dense part, the vectors in the program.
	Static = "static"
)

// Names are those that Open knows.
func Names() []string { return []string{Static, Hashed} }

// Open makes the encoder of a name. The error says which there are.
func Open(name string) (feature.Encoder, error) {
	switch name {
	case Hashed:
		return feature.NewHashed(), nil
	case Static:
		return Default(), nil
	}
	return nil, fmt.Errorf("unknown encoder %q; use one of %s", name, strings.Join(Names(), ", "))
}

// Default is the encoder when nothing is configured.
func Default() feature.Encoder { return feature.Join(feature.NewHashed(), static.Default()) }
