package tune

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
)

// embedded gives examples the two dense parts of a transformer, which say a little of their class.
func embedded(q *head.Spec, examples []model.Example) (*head.Spec, []model.Example) {
	out := *q
	out.Parts = []encode.Part{encode.Middle, encode.Sentence}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range examples {
		for range out.Parts {
			d := make([]float32, 384)
			for j := range d {
				d[j] = float32(rng.NormFloat64()) / 20
			}
			d[examples[i].Target[0].Class] += 0.3
			examples[i].X.Dense = append(examples[i].X.Dense, d)
		}
		examples[i].X = examples[i].X.Compact()
	}
	return &out, examples
}

// BenchmarkSearch reports by what factor a choice takes less time in kernels.
func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{64, 512} {
		b.Run(fmt.Sprintf("%d_labels", n), func(b *testing.B) {
			q, examples := embedded(headtest.Choices(b, "single"), headtest.Noisy(n, 0.3))
			with, without := b.Elapsed(), b.Elapsed()
			for b.Loop() {
				began := b.Elapsed()
				s := newSearch(q, CrossValidate(q, examples, crossValidation), make(chan struct{}, 1), func() {})
				if _, err := s.average(b.Context()); err != nil {
					b.Fatal(err)
				}
				between := b.Elapsed()
				if _, err := Search(b.Context(), q, examples, make(chan struct{}, 1), func() {}); err != nil {
					b.Fatal(err)
				}
				without, with = without+between-began, with+b.Elapsed()-between
			}
			b.ReportMetric(without.Seconds()/with.Seconds(), "times-as-fast")
			b.ReportMetric(float64(with.Milliseconds())/float64(b.N), "ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A kernel changes how long a choice takes, not what is chosen.
func TestSearchInAKernelChoosesTheSame(t *testing.T) {
	for _, wrong := range []float64{0, 0.3, 0.6} {
		q, examples := embedded(headtest.Choices(t, "single"), headtest.Noisy(120, wrong))
		in := newSearch(q, CrossValidate(q, examples, crossValidation), make(chan struct{}, 2), func() {}).withKernels()
		if in.kernels[0] == nil || in.kernels[0].Len() != len(examples) {
			t.Fatal("no kernel of all examples")
		}
		a, err := in.average(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := newSearch(q, in.folds, make(chan struct{}, 2), func() {}).average(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		near := func(x, y float64) bool { return x <= 1.1*y && y <= 1.1*x }
		same := near(a.Ridge, b.Ridge) && near(a.Bias, b.Bias) && near(a.Power, b.Power) && len(a.Parts) == len(b.Parts)
		for i := range a.Parts {
			same = same && near(a.Parts[i], b.Parts[i])
		}
		if !same {
			t.Errorf("%g wrong: %+v in a kernel, %+v without", wrong, a, b)
		}
	}
}
