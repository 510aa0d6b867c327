package bert

import (
	"math"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
)

// activations are those of the feed-forward layers, by the names that config.json has. Each sets
// a row to the activation of the row plus a bias; ones are as many ones.
var activations = map[string]func(row, ones, bias []float32){
	"gelu":              geluExact,
	"":                  geluExact, // BERT's default
	"gelu_new":          geluTanh,
	"gelu_pytorch_tanh": geluTanh,
	"relu":              reluRow,
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
