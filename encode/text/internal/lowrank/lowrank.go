// Package lowrank holds what fine-tuning adds to the last layers of a transformer, at low rank
// (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"), and what the encoders
// that adapt say of these layers.
package lowrank

// MostLayers is how many layers adapters change: the last ones, of a network that has as many.
const MostLayers = 3

// The matrices of a layer, in the order in which LayerWeights and Adapter hold them.
const (
	Query = iota
	Key
	Value
	AttentionOutput
	Intermediate
	Output
	MatrixCount
)

// LinearWeights is a matrix, outputs by inputs and row-major, with a bias for each output.
type LinearWeights struct {
	Weight, Bias []float32
}

// LayerWeights holds what a layer is made of, in float32: its matrices, Query to Output,
// and the gains and biases of its two normalisations.
type LayerWeights struct {
	Matrices                                                     [MatrixCount]LinearWeights
	AttentionGain, AttentionNormBias, OutputGain, OutputNormBias []float32
}

// Base is the encoder that an adapter is for.
type Base struct {
	// Name identifies the encoder and its weights, in at most 32 bytes.
	Name string
	// Layers is how many layers are adapted, Hidden the length of a token's vector, and Inner
	// that of the feed-forward layer between.
	Layers, Hidden, Inner int
}

// MatrixSize returns the numbers of inputs and outputs of a matrix of a layer: Query to
// Output.
func (b *Base) MatrixSize(matrix int) (in, out int) {
	switch matrix {
	case Intermediate:
		return b.Hidden, b.Inner
	case Output:
		return b.Inner, b.Hidden
	}
	return b.Hidden, b.Hidden
}

// AdapterSize returns how many numbers an Adapter of a rank has.
func (b *Base) AdapterSize(rank int) int {
	n := 0
	for m := range MatrixCount {
		in, out := b.MatrixSize(m)
		n += rank * (in + out)
	}
	return b.Layers * n
}

// Activation is what a feed-forward layer does to each number between its two matrices.
type Activation int

// The activations. GELU is the form with the error function (Hendrycks & Gimpel 2016), GELUTanh
// that with the hyperbolic tangent.
const (
	GELU Activation = iota
	GELUTanh
	ReLU
)

// Pooling says how the vectors of tokens become that of a text.
type Pooling int

// The ways of pooling. PoolMean is the mean, PoolRootMean the sum by the root of the number of
// tokens, PoolFirst the first token's vector, and PoolMax the largest number in each place.
const (
	PoolMean Pooling = iota
	PoolRootMean
	PoolFirst
	PoolMax
)

// Dense is a step after the pooling: a matrix, outputs by inputs, with a bias, and maybe the
// hyperbolic tangent. Without a matrix it scales to length 1.
type Dense struct {
	Weight, Bias []float32
	Tanh         bool
}

// Network is what training knows of an encoder beside the weights of the layers. Hidden, Inner
// and Hidden by Heads are multiples of 16.
type Network struct {
	Base
	Heads      int
	Epsilon    float64 // of the normalisations
	Activation Activation
	Pooling    Pooling
	After      []Dense // the pooling
}
