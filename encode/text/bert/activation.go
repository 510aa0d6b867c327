package bert

import (
	"math"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// activation is what stands between the matrices of a feed-forward layer. run sets a row to the
// activation of the row plus a bias; ones are as many ones.
type activation struct {
	kind lowrank.Activation
	run  func(row, ones, bias []float32)
}

// activations are those that are supported, by the names that config.json has.
var activations = map[string]activation{
	"gelu":              {lowrank.GELU, geluExact},
	"":                  {lowrank.GELU, geluExact}, // BERT's default
	"gelu_new":          {lowrank.GELUTanh, geluTanh},
	"gelu_pytorch_tanh": {lowrank.GELUTanh, geluTanh},
	"relu":              {lowrank.ReLU, reluRow},
}

func geluExact(row, ones, bias []float32) { kernels.GELU(row, ones, bias, ones) }

// geluTanh is the form of GELU with the hyperbolic tangent.
func geluTanh(row, _, bias []float32) {
	const scale = 0.7978845608028654 // sqrt(2/pi)
	for i, v := range row {
		x := float64(v + bias[i])
		row[i] = float32(x / 2 * (1 + math.Tanh(scale*(x+0.044715*x*x*x))))
	}
}

func reluRow(row, _, bias []float32) {
	for i, v := range row {
		row[i] = max(0, v+bias[i])
	}
}
