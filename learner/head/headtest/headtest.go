// Package headtest makes specs and examples for tests of what learns heads.
package headtest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// Choices is the spec of a Choices control with the labels a, b and c.
func Choices(t testing.TB, choice string) *head.Spec {
	t.Helper()
	return SpecOf(t, `<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="`+choice+`">
		<Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices></View>`)
}

// SpecOf is of the first control of a config.
func SpecOf(t testing.TB, config string) *head.Spec {
	t.Helper()
	cfg, err := labelconfig.Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	return head.NewSpec(head.Decide(cfg).Learned()[0])
}

// Noisy examples of Choices: a word tells the class, and a share of the labels is wrong.
// The same arguments make the same examples.
func Noisy(n int, wrong float64) []model.Example {
	rng := rand.New(rand.NewPCG(11, 12))
	h := ngram.New()
	out := make([]model.Example, n)
	for i := range out {
		class := rng.IntN(3)
		s := ""
		for range 6 {
			s += fmt.Sprintf("w%d ", rng.IntN(400))
		}
		s += []string{"alpha", "beta", "gamma"}[class]
		if rng.Float64() < wrong {
			class = rng.IntN(3)
		}
		out[i] = model.Example{ID: int64(i + 1), X: h.Encode(s), Weight: 1, Target: []model.Share{{Class: int32(class), P: 1}}}
	}
	return out
}
