package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/sampler/strategy"
)

// known are the names that hone passes.
var known = Names{Encoders: encoders.Names(), Strategies: strategy.Names()}

// Every key, its variable, its kind of value and its default.
func TestGoldenKeys(t *testing.T) {
	c := Default()
	c.Learner.Encoder = "minilm" // also where the tag nominilm leaves it out
	var out strings.Builder
	for _, f := range configFields {
		fmt.Fprintf(&out, "%s %s %q\n", f.key, f.env, f.format(&c))
	}
	var whole, withAddress []string
	for _, name := range known.Encoders {
		if strings.Contains(name, ":") {
			withAddress = append(withAddress, name)
		} else {
			whole = append(whole, name)
		}
	}
	fmt.Fprintln(&out, whole, withAddress, known.Strategies)
	golden.Check(t, "golden/keys.txt", []byte(out.String()))
}
