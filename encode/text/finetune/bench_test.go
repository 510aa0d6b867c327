package finetune

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// report prints the floating-point operations a second, and those a second of the
// processor's time, which on a machine with other work says what a core would do alone.
func report(b *testing.B, operations, cpu float64) {
	b.ReportMetric(operations/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	if cpu > 0 {
		b.ReportMetric(operations/cpu/1e9, "GFLOP/cpu-s")
		b.ReportMetric(cpu/float64(b.N), "cpu-s/op")
	}
}

// BenchmarkGEMM multiplies the rows of a group with the feed-forward layer's two matrices, on
// one core. tools/finetune/gemm.py does it in numpy.
func BenchmarkGEMM(b *testing.B) {
	for _, size := range [][3]int{{groupRows, 384, 1536}, {groupRows, 1536, 384}, {groupRows, 384, 384}} {
		m, k, n := size[0], size[1], size[2]
		b.Run(fmt.Sprintf("%dx%dx%d", m, k, n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			a, c, weights := normals(rng, m*k), make([]float32, m*n), normals(rng, k*n)
			p := newPackedMatrix(k, n, func(i, j int) float32 { return weights[i*n+j] })
			start := cpuSeconds()
			for b.Loop() {
				p.times(m, a, k, c, n, false)
			}
			report(b, 2*float64(m*k*n)*float64(b.N), cpuSeconds()-start)
		})
	}
}

// BenchmarkTrain adapts to texts of 24 tokens, by the default recipe for so many labels, on all cores.
func BenchmarkTrain(b *testing.B) {
	e := base(b)
	words := strings.Fields("card bank money account transfer my the lost was is not new how what when where get pay top up")
	for _, labels := range []int{50, 200, 1000} {
		b.Run(fmt.Sprint(labels), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(2, 2))
			examples := make([]Example, labels)
			for i := range examples {
				text := make([]string, 22)
				for j := range text {
					text[j] = words[rng.IntN(len(words))]
				}
				examples[i] = Example{strings.Join(text, " "), i % 4}
			}
			recipe := DefaultRecipe(labels)
			var yields atomic.Int64
			o := Options{Workers: runtime.GOMAXPROCS(0), Yield: func() { yields.Add(1) }}
			start := cpuSeconds()
			for b.Loop() {
				if _, err := Train(b.Context(), e, examples, recipe, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(1000*(cpuSeconds()-start)/float64(yields.Load()), "cpu-ms/yield")
			// The base's products, forward and backward: those of the first layers and of
			// low rank are not counted.
			s := e.Network()
			weights := s.Layers * (4*s.Hidden*s.Hidden + 2*s.Hidden*s.Inner)
			report(b, 4*float64(weights)*24*float64(recipe.Steps*recipe.Batch)*float64(b.N), cpuSeconds()-start)
		})
	}
}
