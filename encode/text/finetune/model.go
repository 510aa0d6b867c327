package finetune

import "github.com/hone-ml/hone/encode/text/internal/lowrank"

// shape is the network of the last layers, and the rank of what is trained.
type shape struct {
	lowrank.Network
	rank int
}

func (s *shape) headSize() int { return s.Hidden / s.Heads }

// frozenLayer is a layer of the base: its matrices packed for products with the rows of
// a batch, and transposed for products with gradients. The first three are one.
type frozenLayer struct {
	qkv, attention, inner, output                 packedMatrix
	qkvBack, attentionBack, innerBack, outputBack packedMatrix
	qkvBias, attentionBias, innerBias, outputBias []float32
	gain1, bias1, gain2, bias2                    []float32
}

func newFrozenLayer(s *shape, w *lowrank.LayerWeights) frozenLayer {
	pack := func(in int, parts ...lowrank.LinearWeights) (forward, back packedMatrix, bias []float32) {
		each := len(parts[0].Bias)
		out := len(parts) * each
		at := func(o, i int) float32 { return parts[o/each].Weight[o%each*in+i] }
		for _, p := range parts {
			bias = append(bias, p.Bias...)
		}
		return newPackedMatrix(in, out, func(i, o int) float32 { return at(o, i) }), newPackedMatrix(out, in, at), bias
	}
	l := frozenLayer{gain1: w.AttentionGain, bias1: w.AttentionNormBias, gain2: w.OutputGain, bias2: w.OutputNormBias}
	m := &w.Matrices
	l.qkv, l.qkvBack, l.qkvBias = pack(s.Hidden, m[lowrank.Query], m[lowrank.Key], m[lowrank.Value])
	l.attention, l.attentionBack, l.attentionBias = pack(s.Hidden, m[lowrank.AttentionOutput])
	l.inner, l.innerBack, l.innerBias = pack(s.Hidden, m[lowrank.Intermediate])
	l.output, l.outputBack, l.outputBias = pack(s.Inner, m[lowrank.Output])
	return l
}

// lowRank is what is trained of a matrix: a of rank by inputs and b of rank by outputs. Its
// slices are parts of the parameters, or of their gradients.
type lowRank struct{ a, b []float32 }

// splitParameters cuts parameters, in the order of lowrank.NewAdapter, by matrix.
func splitParameters(s *shape, parameters []float32) []lowRank {
	parts := make([]lowRank, 0, s.Layers*lowrank.MatrixCount)
	for range s.Layers {
		for m := range lowrank.MatrixCount {
			in, out := s.MatrixSize(m)
			a, b := s.rank*in, s.rank*out
			parts = append(parts, lowRank{parameters[:a:a], parameters[a : a+b : a+b]})
			parameters = parameters[a+b:]
		}
	}
	return parts
}

// columns are a lowRank's matrices transposed, rows of 16 of which the first rank are
// used: what a product reads to go from inputs, or from gradients of outputs, to the rank.
type columns struct{ a, b []float32 }

// network is a frozen base with the parameters that are trained.
type network struct {
	shape
	layers     []frozenLayer
	parameters []float32
	parts      []lowRank // of parameters
	columns    []columns // of parts
	activation activation
}

// newNetwork makes a network whose parameters are zero.
func newNetwork(s shape, weights []lowrank.LayerWeights) *network {
	n := &network{shape: s, parameters: make([]float32, s.AdapterSize(s.rank)), activation: activations[s.Activation]}
	for i := range weights {
		n.layers = append(n.layers, newFrozenLayer(&s, &weights[i]))
	}
	n.parts = splitParameters(&s, n.parameters)
	for i := range n.parts {
		in, out := s.MatrixSize(i % lowrank.MatrixCount)
		n.columns = append(n.columns, columns{make([]float32, in*tileOut), make([]float32, out*tileOut)})
	}
	return n
}

// refresh makes the columns those of the parameters.
func (n *network) refresh() {
	for i, p := range n.parts {
		in, out := n.MatrixSize(i % lowrank.MatrixCount)
		transpose(n.columns[i].a, tileOut, p.a, in, n.rank, in)
		transpose(n.columns[i].b, tileOut, p.b, out, n.rank, out)
	}
}
