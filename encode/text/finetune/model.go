package finetune

import "github.com/hone-ml/hone/encode/text/minilm"

// shape is the size of a model. Sizes are multiples of 16, as is hidden/heads.
type shape struct {
	layers, hidden, heads, inner, rank int
}

// baseShape is the shape of the encoder's last layers.
func baseShape(rank int) shape {
	const headSize = 32
	hidden, inner := minilm.MatrixSize(minilm.Intermediate)
	return shape{layers: minilm.AdaptedLayers, hidden: hidden, heads: hidden / headSize, inner: inner, rank: rank}
}

func (s *shape) headSize() int { return s.hidden / s.heads }

// matrixSize returns the numbers of inputs and outputs of a matrix of a layer.
func (s *shape) matrixSize(matrix int) (in, out int) {
	switch matrix {
	case minilm.Intermediate:
		return s.hidden, s.inner
	case minilm.Output:
		return s.inner, s.hidden
	}
	return s.hidden, s.hidden
}

// frozenLayer is a layer of the base: its matrices packed for products with the rows of
// a batch, and transposed for products with gradients. The first three are one.
type frozenLayer struct {
	qkv, attention, inner, output                 packedMatrix
	qkvBack, attentionBack, innerBack, outputBack packedMatrix
	qkvBias, attentionBias, innerBias, outputBias []float32
	gain1, bias1, gain2, bias2                    []float32
}

func newFrozenLayer(s *shape, w *minilm.LayerWeights) frozenLayer {
	pack := func(in int, parts ...minilm.LinearWeights) (forward, back packedMatrix, bias []float32) {
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
	l.qkv, l.qkvBack, l.qkvBias = pack(s.hidden, m[minilm.Query], m[minilm.Key], m[minilm.Value])
	l.attention, l.attentionBack, l.attentionBias = pack(s.hidden, m[minilm.AttentionOutput])
	l.inner, l.innerBack, l.innerBias = pack(s.hidden, m[minilm.Intermediate])
	l.output, l.outputBack, l.outputBias = pack(s.inner, m[minilm.Output])
	return l
}

// lowRank is what is trained of a matrix: a of rank by inputs and b of rank by outputs. Its
// slices are parts of the parameters, or of their gradients.
type lowRank struct{ a, b []float32 }

// splitParameters cuts parameters, in the order of minilm.NewAdapter, by matrix.
func splitParameters(s *shape, parameters []float32) []lowRank {
	parts := make([]lowRank, 0, s.layers*minilm.MatrixCount)
	for range s.layers {
		for m := range minilm.MatrixCount {
			in, out := s.matrixSize(m)
			a, b := s.rank*in, s.rank*out
			parts = append(parts, lowRank{parameters[:a:a], parameters[a : a+b : a+b]})
			parameters = parameters[a+b:]
		}
	}
	return parts
}

// parameterCount returns how many numbers are trained.
func parameterCount(s *shape) int {
	n := 0
	for m := range minilm.MatrixCount {
		in, out := s.matrixSize(m)
		n += s.rank * (in + out)
	}
	return s.layers * n
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
}

// newNetwork makes a network whose parameters are zero.
func newNetwork(s shape, weights []minilm.LayerWeights) *network {
	n := &network{shape: s, parameters: make([]float32, parameterCount(&s))}
	for i := range weights {
		n.layers = append(n.layers, newFrozenLayer(&s, &weights[i]))
	}
	n.parts = splitParameters(&s, n.parameters)
	for i := range n.parts {
		in, out := s.matrixSize(i % minilm.MatrixCount)
		n.columns = append(n.columns, columns{make([]float32, in*tileOut), make([]float32, out*tileOut)})
	}
	return n
}

// refresh makes the columns those of the parameters.
func (n *network) refresh() {
	for i, p := range n.parts {
		in, out := n.matrixSize(i % minilm.MatrixCount)
		transpose(n.columns[i].a, tileOut, p.a, in, n.rank, in)
		transpose(n.columns[i].b, tileOut, p.b, out, n.rank, out)
	}
}
