package minilm

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
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

// LastLayers returns the weights of the last AdaptedLayers layers without an adapter, 21
// MB of new memory for the matrices. The other slices are the encoder's own: read them only.
func (e *Encoder) LastLayers() []LayerWeights {
	out := make([]LayerWeights, 0, AdaptedLayers)
	for i := layerCount - AdaptedLayers; i < layerCount; i++ {
		l := &e.baseModel().layers[i]
		w := LayerWeights{
			AttentionGain: l.norm1.weight, AttentionNormBias: l.norm1.bias,
			OutputGain: l.norm2.weight, OutputNormBias: l.norm2.bias,
		}
		for m := range MatrixCount {
			w.Matrices[m] = LinearWeights{l.dequantize(m), l.matrixBias(m)}
		}
		out = append(out, w)
	}
	return out
}

// FirstLayers returns for each text the state of its tokens after the layers that an
// adapter does not change, [CLS] and [SEP] among them: tokens by Dim numbers. Of a text it
// reads the first pieces, so that there are at most maxTokens tokens, at most MaxPieces
// and at least 3. It uses up to workers cores, which makes no difference to the result.
// The only error is the context's.
func (e *Encoder) FirstLayers(ctx context.Context, texts []string, maxTokens, workers int) ([][]float32, error) {
	states := make([][]float32, len(texts))
	limit := max(1, min(maxTokens, MaxPieces)-specialPieces)
	var next atomic.Int64
	work := func() {
		s := e.free.acquire()
		defer e.free.release(s)
		for i := int(next.Add(1)) - 1; i < len(texts) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
			s.pieces = e.tokens.Append(s.pieces[:0], texts[i], limit)
			s.reset()
			s.addText(s.pieces)
			e.model.forward(s, e.model.layers[:layerCount-AdaptedLayers])
			states[i] = slices.Clone(s.x[:len(s.ids)*hiddenSize])
		}
	}
	var others sync.WaitGroup
	for range min(workers, len(texts)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return states, ctx.Err()
}

// WithAdapter returns an encoder whose last layers are changed by a, and its matrices
// rounded to int8 again, which takes a few tens of milliseconds and 5 MB. Its vectors of
// texts have the last part only. It encodes as fast as e. An adapter that e has already is
// replaced, not added to.
func (e *Encoder) WithAdapter(a *Adapter) *Encoder {
	adapted := *e
	adapted.base, adapted.adapterHash = e.baseModel(), a.Hash()
	m := *adapted.base
	m.lastOnly = true
	weights := a.weights
	for i := layerCount - AdaptedLayers; i < layerCount; i++ {
		l := &m.layers[i]
		old := *l
		l.qkv = linear{make([]float32, 3*hiddenSize), old.qkv.bias, make([]byte, len(old.qkv.tiles))}
		l.attention = linear{make([]float32, hiddenSize), old.attention.bias, make([]byte, len(old.attention.tiles))}
		l.inner = linear{make([]float32, feedForwardSize), old.inner.bias, make([]byte, len(old.inner.tiles))}
		l.output.scale = make([]float32, hiddenSize)
		for matrix := range MatrixCount {
			in, out := MatrixSize(matrix)
			w := old.dequantize(matrix)
			addLowRank(w, weights[:a.rank*in], weights[a.rank*in:][:a.rank*out], in, out, a.rank)
			weights = weights[a.rank*(in+out):]
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

// addLowRank adds transpose(b) a to w. Products of two float32 are exact in float64, so
// fused additions give the same sums.
func addLowRank(w []float32, a, b []uint16, in, out, rank int) {
	rows := make([]float64, rank*in)
	for i, h := range a {
		rows[i] = float64(fromFloat16(h))
	}
	sums := make([]float64, in)
	for o := range out {
		row := w[o*in:][:in]
		for i, v := range row {
			sums[i] = float64(v)
		}
		for r := range rank {
			v := float64(fromFloat16(b[r*out+o]))
			for i, x := range rows[r*in:][:in] {
				sums[i] += v * x
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
	case Query, Key, Value:
		return l.qkv.tiles[(matrix*widthTiles+tile)*tileSize+at:]
	case AttentionOutput:
		return l.attention.tiles[tile*tileSize+at:]
	case Intermediate: // a quarter of it, a quarter of the output's, and so on
		return l.inner.tiles[(tile+tile/widthTiles*widthTiles)*tileSize+at:]
	}
	return l.inner.tiles[((2*(from/hiddenSize)+1)*widthTiles+tile)*tileSize+at:]
}

// scales returns the scales of a matrix's outputs.
func (l *layer) scales(matrix int) []float32 {
	switch matrix {
	case Query, Key, Value:
		return l.qkv.scale[matrix*hiddenSize:][:hiddenSize]
	case AttentionOutput:
		return l.attention.scale
	case Intermediate:
		return l.inner.scale
	}
	return l.output.scale
}

// matrixBias returns the biases of a matrix's outputs.
func (l *layer) matrixBias(matrix int) []float32 {
	switch matrix {
	case Query, Key, Value:
		return l.qkv.bias[matrix*hiddenSize:][:hiddenSize]
	case AttentionOutput:
		return l.attention.bias
	case Intermediate:
		return l.inner.bias
	}
	return l.output.bias
}

// dequantize returns a matrix of the layer in float32, outputs by inputs.
func (l *layer) dequantize(matrix int) []float32 {
	in, out := MatrixSize(matrix)
	w := make([]float32, out*in)
	for o, scale := range l.scales(matrix) {
		for from := 0; from < in; from += hiddenSize {
			tile := l.tileRow(matrix, o, from)
			row := w[o*in+from:][:hiddenSize]
			for i := range row {
				row[i] = float32(float32(int8(tile[i*tileOut])) * scale)
				if matrix == Output {
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
	in, _ := MatrixSize(matrix)
	scales := l.scales(matrix)
	for o := range scales {
		row := w[o*in:][:in]
		most := float32(0)
		for i := range row {
			if matrix == Output {
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
