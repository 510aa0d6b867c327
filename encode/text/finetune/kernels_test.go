package finetune

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// product is a product of matrices: c = a b, or c += a b.
type product struct {
	m, k, n, lda, ldc int
	a, b, c           []float32
	add               bool
}

func normals(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// drawProduct draws a product of any shape: rows that are no multiple of a block, an inner
// dimension beyond depth, and rows further apart than they are long.
func drawProduct(t *rapid.T) product {
	p := product{
		m: rapid.IntRange(1, 40).Draw(t, "rows"), k: rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(depth-2, 2*depth+2)).Draw(t, "inner"),
		n: tileOut * rapid.IntRange(1, 4).Draw(t, "sixteens"), add: rapid.Bool().Draw(t, "add"),
	}
	p.lda, p.ldc = p.k+rapid.IntRange(0, 5).Draw(t, "a apart"), p.n+rapid.IntRange(0, 5).Draw(t, "c apart")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	p.a, p.b, p.c = normals(rng, p.m*p.lda), normals(rng, p.k*p.n), normals(rng, p.m*p.ldc+3)
	return p
}

// run returns the result, of a packed b or of a plain one.
func (p *product) run(packed bool) []float32 {
	c := slices.Clone(p.c)
	if packed {
		b := newPackedMatrix(p.k, p.n, func(i, j int) float32 { return p.b[i*p.n+j] })
		b.times(p.m, p.a, p.lda, c, p.ldc, p.add)
	} else {
		matmul(p.m, p.k, p.n, p.a, p.lda, p.b, p.n, c, p.ldc, p.add)
	}
	return c
}

// compare allows a difference of most times the sum of what is added up, and none between
// and behind the rows.
func (p *product) compare(t *rapid.T, what string, got, want []float32, most float64) {
	t.Helper()
	for i := range want {
		r, j := i/p.ldc, i%p.ldc
		if r >= p.m || j >= p.n {
			if got[i] != p.c[i] {
				t.Fatalf("%s: number %d of row %d of %d by %d is overwritten", what, j, r, p.m, p.n)
			}
			continue
		}
		size := math.Abs(float64(p.c[i]))
		for k := range p.k {
			size += math.Abs(float64(p.a[r*p.lda+k]) * float64(p.b[k*p.n+j]))
		}
		if math.Abs(float64(got[i])-float64(want[i])) > most*size {
			t.Fatalf("%s: row %d, column %d of %d by %d by %d is %g, want %g", what, r, j, p.m, p.k, p.n, got[i], want[i])
		}
	}
}

// Products agree with the definition.
func TestProducts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProduct(t)
		want := slices.Clone(p.c)
		for r := range p.m {
			for j := range p.n {
				var sum float64
				if p.add {
					sum = float64(p.c[r*p.ldc+j])
				}
				for k := range p.k {
					sum += float64(p.a[r*p.lda+k]) * float64(p.b[k*p.n+j])
				}
				want[r*p.ldc+j] = float32(sum)
			}
		}
		p.compare(t, "packed", p.run(true), want, 1e-5)
		p.compare(t, "plain", p.run(false), want, 1e-5)
	})
}

func near(t *rapid.T, what string, got float32, want, most float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > most {
		t.Fatalf("%s: %g, want %g", what, got, want)
	}
}

func TestElementwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-12, 12), 1, 70).Draw(t, "row")
		rows, out, gradient := slices.Clone(x), make([]float32, len(x)), make([]float32, len(x))
		for i := range gradient {
			gradient[i] = 2
		}
		gelu(out, x)
		forward := slices.Clone(out)
		geluBack(out, gradient, x)
		most, sum := math.Inf(-1), 0.0
		for _, v := range x {
			most = max(most, float64(v))
		}
		for _, v := range x {
			sum += math.Exp(0.3 * (float64(v) - most))
		}
		softmax(rows, 0.3)
		for i, v := range x {
			v := float64(v)
			cdf := 0.5 * (1 + math.Erf(v/math.Sqrt2))
			near(t, "GELU", out[i], v*cdf, 3e-6)
			if forward[i] != out[i] {
				t.Fatalf("GELU of %g is %g forward and %g backward", v, forward[i], out[i])
			}
			near(t, "derivative of GELU", gradient[i], 2*(cdf+v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi)), 3e-6)
			near(t, "softmax", rows[i], math.Exp(0.3*(v-most))/sum, 1e-6)
			near(t, "exp", exp(-float32(math.Abs(v))), math.Exp(-math.Abs(v)), 3e-7)
		}
	})
}

// The other activations and their derivatives are those of their definitions, wherever.
func TestOtherActivations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.OneOf(rapid.Float32Range(-12, 12), rapid.Float32Range(-1e20, 1e20)), 1, 20).Draw(t, "row")
		for name, of := range map[lowrank.Activation]func(v float64) (y, slope float64){
			lowrank.GELUTanh: func(v float64) (y, slope float64) {
				const scale = 0.7978845608028654
				th := math.Tanh(scale * (v + 0.044715*v*v*v))
				y, slope = v/2*(1+th), (1+th)/2
				if math.Abs(v) < 20 {
					slope += v / 2 * (1 - th*th) * scale * (1 + 3*0.044715*v*v)
				}
				return y, slope
			},
			lowrank.ReLU: func(v float64) (y, slope float64) {
				if v > 0 {
					return v, 1
				}
				return 0, 0
			},
		} {
			out, back, gradient := make([]float32, len(x)), make([]float32, len(x)), slices.Repeat([]float32{2}, len(x))
			activations[name].forward(out, x)
			activations[name].backward(back, gradient, x)
			for i, v := range x {
				y, slope := of(float64(v))
				near(t, "activation", out[i], y, 1e-6*(1+math.Abs(float64(v))))
				near(t, "derivative", gradient[i], 2*slope, 1e-5)
				if out[i] != back[i] {
					t.Fatalf("%g is %g forward and %g backward", v, out[i], back[i])
				}
			}
		}
	})
}

// Rows come out with mean 0 and deviation 1, and the gradient is the slope.
func TestNormalizeRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 50).Draw(t, "width")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		z, gain, bias, g := normals(rng, 3*width), normals(rng, width), normals(rng, width), normals(rng, 3*width)
		// along is the sum of g times the results, in float64.
		along := func(row int, z []float32, shift float64, at int) float64 {
			x := make([]float64, width)
			var mean, squares, sum float64
			for i := range x {
				x[i] = float64(z[row*width+i])
				if i == at {
					x[i] += shift
				}
				mean += x[i] / float64(width)
			}
			for _, v := range x {
				squares += (v - mean) * (v - mean) / float64(width)
			}
			for i, v := range x {
				sum += float64(g[row*width+i]) * ((v-mean)/math.Sqrt(squares)*float64(gain[i]) + float64(bias[i]))
			}
			return sum
		}
		hat, out, inverse, back := slices.Clone(z), make([]float32, 3*width), make([]float32, 3), slices.Clone(g)
		normalizeRows(3, hat, out, inverse, gain, bias, 1e-12)
		normalizeRowsBack(3, back, hat, inverse, gain)
		for r := range 3 {
			if inverse[r] > 20 {
				continue // all alike: what rounding leaves is what is scaled up
			}
			var sum float64
			for i := range width {
				sum += float64(g[r*width+i]) * float64(out[r*width+i])
			}
			near(t, "normalised rows", float32(sum), along(r, z, 0, 0), 1e-3)
			at := rapid.IntRange(0, width-1).Draw(t, "at")
			const by = 1e-5
			slope := (along(r, z, by, at) - along(r, z, -by, at)) / (2 * by)
			near(t, "gradient", back[r*width+at], slope, 1e-3*float64(inverse[r])*float64(width))
		}
	})
}
