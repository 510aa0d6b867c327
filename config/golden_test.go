package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hone-ml/hone/internal/golden"
)

// Every key, its variable, its kind of value and its default.
func TestGoldenKeys(t *testing.T) {
	c := Default()
	c.Learner.Encoder = "minilm" // also where the tag nominilm leaves it out
	var out strings.Builder
	for _, f := range configFields {
		fmt.Fprintf(&out, "%s %s %q\n", f.key, f.env, f.format(&c))
	}
	fmt.Fprintln(&out, Encoders, EncoderKinds, Strategies)
	golden.Check(t, "golden/keys.txt", []byte(out.String()))
}
