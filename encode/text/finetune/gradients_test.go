package finetune

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// tinyShapes are networks of small layers, which have between them each activation, pooling and
// step after it.
var tinyShapes = map[string]shape{
	"mean": {lowrank.Network{Base: lowrank.Base{Layers: 2, Hidden: 32, Inner: 48}, Heads: 2, Epsilon: 1e-12}, 3},
	"first": {lowrank.Network{
		Base: lowrank.Base{Layers: 1, Hidden: 48, Inner: 32}, Heads: 1, Epsilon: 0.01,
		Activation: lowrank.GELUTanh, Pooling: lowrank.PoolFirst,
	}, 2},
	"max": {lowrank.Network{
		Base: lowrank.Base{Layers: 3, Hidden: 32, Inner: 64}, Heads: 2, Epsilon: 1e-5,
		Activation: lowrank.ReLU, Pooling: lowrank.PoolMax, After: []lowrank.Dense{{}},
	}, 1},
	"root": {lowrank.Network{
		Base: lowrank.Base{Layers: 2, Hidden: 32, Inner: 32}, Heads: 2, Epsilon: 1e-12, Pooling: lowrank.PoolRootMean,
		After: []lowrank.Dense{denseStep(32, 40, true), {}, denseStep(40, 24, false)},
	}, 16},
}

func denseStep(in, out int, tanh bool) lowrank.Dense {
	rng := rand.New(rand.NewPCG(uint64(in), 3))
	d := lowrank.Dense{Weight: normals(rng, in*out), Bias: normals(rng, out), Tanh: tanh}
	for i := range d.Weight {
		d.Weight[i] *= 0.2
	}
	return d
}

// tinyTrainer is a network of small layers of random weights, with texts for it.
func tinyTrainer(t *testing.T, s shape, workers int) *trainer {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, mean, spread float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(mean + spread*rng.NormFloat64())
		}
		return v
	}
	layers := make([]lowrank.LayerWeights, s.Layers)
	for i := range layers {
		for m := range lowrank.MatrixCount {
			in, out := s.MatrixSize(m)
			layers[i].Matrices[m] = lowrank.LinearWeights{Weight: draw(in*out, 0, 0.2), Bias: draw(out, 0, 0.1)}
		}
		layers[i].AttentionGain, layers[i].AttentionNormBias = draw(s.Hidden, 1, 0.1), draw(s.Hidden, 0, 0.1)
		layers[i].OutputGain, layers[i].OutputNormBias = draw(s.Hidden, 1, 0.1), draw(s.Hidden, 0, 0.1)
	}
	n := newNetwork(s, layers)
	n.initialize(rng)
	for _, p := range n.parts {
		copy(p.b, draw(len(p.b), 0, 0.2))
	}
	n.refresh()
	var states [][]float32
	var texts []labelledText
	var all []int
	for i := range 21 {
		states, texts, all = append(states, draw((3+i)*s.Hidden, 0, 1)), append(texts, labelledText{i % 3, i % 19}), append(all, i)
	}
	r := DefaultRecipe(1)
	r.Temperature = 0.5
	tr := newTrainer(n, states, texts, [][]int{all}, &r, &Options{Workers: workers})
	t.Cleanup(tr.workers.close)
	return tr
}

// The gradient of each A and B of each layer is the slope of the loss, of each kind of network.
func TestGradients(t *testing.T) {
	for name, s := range tinyShapes {
		t.Run(name, func(t *testing.T) { checkGradients(t, tinyTrainer(t, s, 1)) })
	}
}

func checkGradients(t *testing.T, tr *trainer) {
	t.Helper()
	if _, err := tr.lossGradient(t.Context(), tr.plan[0]); err != nil {
		t.Fatal(err)
	}
	gradient := append([]float32(nil), tr.gradient...)
	parts := splitParameters(&tr.network.shape, gradient)
	for i, p := range tr.network.parts {
		for name, pair := range map[string][2][]float32{"A": {p.a, parts[i].a}, "B": {p.b, parts[i].b}} {
			values, g := pair[0], pair[1]
			steep := length(g)
			saved := append([]float32(nil), values...)
			shifted := func(by float64) float64 {
				for j := range values {
					values[j] = saved[j] + float32(by*float64(g[j])/steep)
				}
				tr.network.refresh()
				loss, err := tr.lossGradient(t.Context(), tr.plan[0])
				if err != nil {
					t.Fatal(err)
				}
				return loss
			}
			by, most := 0.02, 0.02
			if tr.network.Pooling == lowrank.PoolMax || tr.network.Activation == lowrank.ReLU {
				by, most = 0.005, 0.1 // the loss has kinks
			}
			slope := (shifted(by) - shifted(-by)) / (2 * by)
			copy(values, saved)
			if !(steep > 0) || math.Abs(slope-steep) > most*steep {
				t.Errorf("layer %d, matrix %d, %s: slope %.6g, gradient of length %.6g", i/lowrank.MatrixCount, i%lowrank.MatrixCount, name, slope, steep)
			}
		}
	}
}
