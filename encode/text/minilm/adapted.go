package minilm

import (
	"math"
	"slices"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

const adaptedLayers = lowrank.MostLayers

// adapterBase is what adapters of this encoder are for.
var adapterBase = lowrank.Base{Name: baseName, Layers: adaptedLayers, Hidden: hiddenSize, Inner: feedForwardSize}

// ParseAdapter reads the byte form of an adapter. The errors are those of damaged bytes, and of
// an adapter of another encoder.
func (e *Encoder) ParseAdapter(data []byte) (*lowrank.Adapter, error) {
	return lowrank.ParseAdapter(data, adapterBase)
}

// Network says what is trained of the encoder: the last layers, for the mean of their tokens.
func (e *Encoder) Network() lowrank.Network {
	return lowrank.Network{Base: adapterBase, Heads: headCount, Epsilon: normEpsilon}
}

// LastLayers returns the weights of the layers that an adapter changes, without one, 21 MB of
// new memory for the matrices. The other slices are the encoder's own: read them only.
func (e *Encoder) LastLayers() []lowrank.LayerWeights {
	out := make([]lowrank.LayerWeights, 0, adaptedLayers)
	for i := layerCount - adaptedLayers; i < layerCount; i++ {
		l := &e.baseModel().layers[i]
		w := lowrank.LayerWeights{
			AttentionGain: l.norm1.weight, AttentionNormBias: l.norm1.bias,
			OutputGain: l.norm2.weight, OutputNormBias: l.norm2.bias,
		}
		for m := range lowrank.MatrixCount {
			w.Matrices[m] = lowrank.LinearWeights{Weight: l.dequantize(m), Bias: l.matrixBias(m)}
		}
		out = append(out, w)
	}
	return out
}

// FirstLayers returns the state of a text's tokens after the layers that an adapter does not
// change, [CLS] and [SEP] among them: tokens by Dim numbers, in new memory. It reads the first
// pieces, so that there are at most maxTokens tokens, at most MaxPieces and at least 3.
func (e *Encoder) FirstLayers(text string, maxTokens int) []float32 {
	s := e.free.acquire()
	defer e.free.release(s)
	s.pieces = e.tokens.Append(s.pieces[:0], text, max(1, min(maxTokens, MaxPieces)-specialPieces))
	s.reset()
	s.addText(s.pieces)
	e.model.forward(s, e.model.layers[:layerCount-adaptedLayers])
	return slices.Clone(s.x[:len(s.ids)*hiddenSize])
}

// WithAdapter returns an encoder whose last layers are changed by a, and its matrices
// rounded to int8 again, which takes a few tens of milliseconds and 5 MB. Its vectors of
// texts have the last part only. It encodes as fast as e. An adapter that e has already is
// replaced, not added to. a is one of this encoder: ParseAdapter refuses others.
func (e *Encoder) WithAdapter(a *lowrank.Adapter) *Encoder {
	adapted := *e
	adapted.base, adapted.adapterHash = e.baseModel(), a.Hash()
	m := *adapted.base
	m.lastOnly = true
	for i := layerCount - adaptedLayers; i < layerCount; i++ {
		l := &m.layers[i]
		old := *l
		l.qkv = linear{make([]float32, 3*hiddenSize), old.qkv.bias, make([]byte, len(old.qkv.tiles))}
		l.attention = linear{make([]float32, hiddenSize), old.attention.bias, make([]byte, len(old.attention.tiles))}
		l.inner = linear{make([]float32, feedForwardSize), old.inner.bias, make([]byte, len(old.inner.tiles))}
		l.output.scale = make([]float32, hiddenSize)
		for matrix := range lowrank.MatrixCount {
			w := old.dequantize(matrix)
			down, up := a.Factors(i-(layerCount-adaptedLayers), matrix)
			addLowRank(w, down, up, a.Rank())
			l.requantize(matrix, w)
		}
	}
	adapted.model = &m
	return &adapted
}

// baseModel returns the model without an adapter.
func (e *Encoder) baseModel() *model {
	if e.base != nil {
		return e.base
	}
	return e.model
}

// addLowRank adds transpose(up) down, of rank rows each, to w. Products of two float32 are exact
// in float64, so fused additions give the same sums.
func addLowRank(w, down, up []float32, rank int) {
	in, out := len(down)/rank, len(up)/rank
	sums := make([]float64, in)
	for o := range out {
		row := w[o*in:][:in]
		for i, v := range row {
			sums[i] = float64(v)
		}
		for r := range rank {
			v := float64(up[r*out+o])
			for i, x := range down[r*in:][:in] {
				sums[i] += v * float64(x)
			}
		}
		for i, v := range sums {
			row[i] = float32(v)
		}
	}
}

// tileRow tells where a matrix of the layer holds the weights of an output, from the
// tileable part of its inputs that begins with from: in tiles, tileOut bytes apart.
func (l *layer) tileRow(matrix, output, from int) []byte {
	tile, at := output/tileOut, output%tileOut
	switch matrix {
	case lowrank.Query, lowrank.Key, lowrank.Value:
		return l.qkv.tiles[(matrix*widthTiles+tile)*tileSize+at:]
	case lowrank.AttentionOutput:
		return l.attention.tiles[tile*tileSize+at:]
	case lowrank.Intermediate: // a quarter of it, a quarter of the output's, and so on
		return l.inner.tiles[(tile+tile/widthTiles*widthTiles)*tileSize+at:]
	}
	return l.inner.tiles[((2*(from/hiddenSize)+1)*widthTiles+tile)*tileSize+at:]
}

// scales returns the scales of a matrix's outputs.
func (l *layer) scales(matrix int) []float32 {
	switch matrix {
	case lowrank.Query, lowrank.Key, lowrank.Value:
		return l.qkv.scale[matrix*hiddenSize:][:hiddenSize]
	case lowrank.AttentionOutput:
		return l.attention.scale
	case lowrank.Intermediate:
		return l.inner.scale
	}
	return l.output.scale
}

// matrixBias returns the biases of a matrix's outputs.
func (l *layer) matrixBias(matrix int) []float32 {
	switch matrix {
	case lowrank.Query, lowrank.Key, lowrank.Value:
		return l.qkv.bias[matrix*hiddenSize:][:hiddenSize]
	case lowrank.AttentionOutput:
		return l.attention.bias
	case lowrank.Intermediate:
		return l.inner.bias
	}
	return l.output.bias
}

// dequantize returns a matrix of the layer in float32, outputs by inputs.
func (l *layer) dequantize(matrix int) []float32 {
	in, out := adapterBase.MatrixSize(matrix)
	w := make([]float32, out*in)
	for o, scale := range l.scales(matrix) {
		for from := 0; from < in; from += hiddenSize {
			tile := l.tileRow(matrix, o, from)
			row := w[o*in+from:][:hiddenSize]
			for i := range row {
				row[i] = float32(float32(int8(tile[i*tileOut])) * scale)
				if matrix == lowrank.Output {
					row[i] = float32(row[i] * l.factor[from+i])
				}
			}
		}
	}
	return w
}

// requantize rounds a matrix, outputs by inputs, to int8 with a scale for each output, as
// tools/minilm/weights.py does it, and stores it. It changes w.
func (l *layer) requantize(matrix int, w []float32) {
	in, _ := adapterBase.MatrixSize(matrix)
	scales := l.scales(matrix)
	for o := range scales {
		row := w[o*in:][:in]
		most := float32(0)
		for i := range row {
			if matrix == lowrank.Output {
				row[i] /= l.factor[i]
			}
			most = max(most, row[i], -row[i])
		}
		scales[o] = 1
		if most > 0 {
			scales[o] = most / math.MaxInt8
		}
		for from := 0; from < in; from += hiddenSize {
			tile := l.tileRow(matrix, o, from)
			for i, v := range row[from:][:hiddenSize] {
				tile[i*tileOut] = byte(int8(math.RoundToEven(float64(v / scales[o]))))
			}
		}
	}
}
