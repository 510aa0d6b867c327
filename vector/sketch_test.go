package vector

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What is expanded from a sketch points where the vector did, part by part.
func TestSketchKeepsDirections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		v := Vector{Terms: []Term{NewTerm(3, 4)}, Scale: 1}
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			var d []float32
			if n := rapid.IntRange(0, 400).Draw(t, "numbers"); n >= 100 {
				d = make([]float32, n)
				for i := range d {
					d[i] = float32(random.NormFloat64())
				}
			}
			v.Dense = append(v.Dense, d)
		}
		if rapid.Bool().Draw(t, "compact") {
			v = v.Compact()
		}
		var b, other Buffer
		s := v.Sketch(&b)
		want := v.Expand(&b)
		if !hasNumbers(want.Dense) {
			require.Nil(t, s)
			return
		}
		require.LessOrEqual(t, len(s), MaxSketch)
		got, ok := ExpandSketch(s, &other)
		require.True(t, ok)
		require.Empty(t, got.Terms)
		require.Len(t, got.Dense, len(want.Dense))
		for i, d := range want.Dense {
			require.Len(t, got.Dense[i], len(d))
			if len(d) == 0 {
				continue
			}
			var xy, xx, yy float64
			for j, x := range d {
				y := float64(got.Dense[i][j])
				xy, xx, yy = xy+float64(x)*y, xx+float64(x)*float64(x), yy+y*y
			}
			require.Greater(t, xy/math.Sqrt(xx*yy), 0.97)
			require.InEpsilon(t, xy, yy, 1e-3, "of least squares")
		}
	})
}

// What does not fit is left out from the first part on.
func TestSketchIsBounded(t *testing.T) {
	var b Buffer
	long := make([]float32, 1200)
	long[7] = 1
	s := Vector{Dense: [][]float32{long, long, long}}.Sketch(&b)
	require.LessOrEqual(t, len(s), MaxSketch)
	v, ok := ExpandSketch(s, &b)
	require.True(t, ok)
	require.Len(t, v.Dense, 3)
	assert.Empty(t, v.Dense[0])
	assert.Empty(t, v.Dense[1])
	assert.Len(t, v.Dense[2], 1200)
	assert.Nil(t, Vector{Dense: [][]float32{make([]float32, 5000)}}.Sketch(&b))
	assert.Nil(t, Vector{Terms: []Term{NewTerm(1, 1)}}.Sketch(&b))
}

func FuzzExpandSketch(f *testing.F) {
	var b Buffer
	f.Add(Vector{Dense: [][]float32{{1, -2, 3}, nil, {4}}}.Sketch(&b))
	f.Add([]byte{2, 5, 0})
	f.Fuzz(func(t *testing.T, s []byte) {
		var b Buffer
		if v, ok := ExpandSketch(s, &b); ok && len(v.Dense) != int(s[0]) {
			t.Fatalf("%d parts of %d", len(v.Dense), s[0])
		}
	})
}
