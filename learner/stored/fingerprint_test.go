package stored

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/vector"
)

// Vectors of several encoders come one after the other: each makes the example another.
func TestEachPartThatComesMakesAnotherExample(t *testing.T) {
	for n := range 12 {
		for of, build := range map[string]func([][]float32) vector.Vector{
			"texts":  func(parts [][]float32) vector.Vector { return vector.Vector{Dense: parts} },
			"packed": func(parts [][]float32) vector.Vector { return vector.Vector{Dense: parts}.Compact() },
		} {
			met := map[uint64]string{}
			for has := range 1 << n {
				parts := partsOf(has, n)
				sum := Fingerprint(nil, build(parts), []byte("data"))
				if other, was := met[sum]; was {
					t.Fatalf("%d parts of %s: %b is taken for %s", n, of, has, other)
				}
				met[sum] = fmt.Sprintf("%b", has)
			}
		}
	}
}

// A token has three parts that are a function of the text, then one of each encoder that
// may come later.
func TestEachPartOfTokensThatComesMakesAnotherExample(t *testing.T) {
	for n := range 6 {
		met := map[uint64]int{}
		for has := range 1 << n {
			token := vector.Vector{Dense: slices.Concat([][]float32{{1}, nil, nil}, partsOf(has, n))}
			sum := Fingerprint(nil, vector.Vector{Tokens: []vector.Vector{{}, token}}, []byte("data"))
			if other, was := met[sum]; was {
				t.Fatalf("%d encoders: %b is taken for %b", n, has, other)
			}
			met[sum] = has
		}
	}
}

func partsOf(has, n int) [][]float32 {
	parts := make([][]float32, n)
	for i := range parts {
		if has>>i&1 == 1 {
			parts[i] = []float32{1}
		}
	}
	return parts
}

// Sums of choices are stored, and are made of these: others would have every project
// choose its settings again.
func TestFingerprintsStayWhatTheyWere(t *testing.T) {
	target := []model.Share{{Class: 1, P: 0.5}, {Class: 3, P: 0.25}}
	for _, c := range []struct {
		x    vector.Vector
		want uint64
	}{
		{vector.Vector{}, 0x1c549f68eb5335fb},
		{vector.Vector{Dense: [][]float32{{1}, nil}}, 0x124992f9a2f1b01a},
		{vector.Vector{Dense: [][]float32{{1}, {1}}}, 0x782977480baaf81c},
		{vector.Vector{Tokens: []vector.Vector{{Dense: [][]float32{{1}, nil, {1}, {1}}}}}, 0xbdb2aeb0eeea34fb},
	} {
		if got := Fingerprint(target, c.x, []byte("data")); got != c.want {
			t.Errorf("%+v: %#x, was %#x", c.x, got, c.want)
		}
	}
}
