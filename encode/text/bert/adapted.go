package bert

import (
	"slices"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// addedFactors are what an adapter adds to the matrices of a layer.
type addedFactors [lowrank.MatrixCount]factors

// factors are two matrices whose product is added to a larger one: from its inputs to the rank,
// in the first of kernels.TileOut columns, and from the rank to its outputs.
type factors struct{ down, up matrix }

func newFactors(a *lowrank.Adapter, layer, matrix int) factors {
	down, up := a.Factors(layer, matrix)
	rank := a.Rank()
	in, out := len(down)/rank, len(up)/rank
	f := factors{newMatrix(in, kernels.TileOut), newMatrix(rank, out)}
	f.down.fill(0, down)
	column := make([]float32, rank)
	for o := range out {
		for r := range column {
			column[r] = up[r*out+o]
		}
		f.up.fill(o, column)
	}
	return f
}

// addFactors adds the product of all rows of a with what an adapter adds to a matrix to c; nothing
// without an adapter.
func (s *scratch) addFactors(c []float32, ldc int, a []float32, added *addedFactors, matrix int) {
	if added == nil {
		return
	}
	f := &added[matrix]
	s.multiplyAll(s.ranks, a, &f.down)
	s.multiply(c, ldc, s.ranks, kernels.TileOut, &f.up, 0, 0, f.up.out, true)
}

// adaptedLayers returns how many layers an adapter changes.
func (e *Encoder) adaptedLayers() int { return min(lowrank.MostLayers, len(e.model.layers)) }

// Network says what is trained of the encoder: the last layers, at most lowrank.MostLayers, for
// what the folder's model makes of them.
func (e *Encoder) Network() lowrank.Network {
	m := e.model
	return lowrank.Network{
		Base:  lowrank.Base{Name: e.name, Layers: e.adaptedLayers(), Hidden: m.Width, Inner: m.Inner},
		Heads: m.Heads, Epsilon: float64(m.epsilon), Activation: m.activate.kind, Pooling: m.pooling, After: m.after,
	}
}

// ParseAdapter reads the byte form of an adapter. The errors are those of damaged bytes, and of
// an adapter of another encoder.
func (e *Encoder) ParseAdapter(data []byte) (*lowrank.Adapter, error) {
	return lowrank.ParseAdapter(data, e.Network().Base)
}

// LastLayers returns the weights of the layers that an adapter changes, without one. The matrices
// are in new memory; the other slices are the encoder's own: read them only.
func (e *Encoder) LastLayers() []lowrank.LayerWeights {
	out := make([]lowrank.LayerWeights, 0, e.adaptedLayers())
	width := e.model.Width
	for i := len(e.model.layers) - e.adaptedLayers(); i < len(e.model.layers); i++ {
		l := &e.model.layers[i]
		w := lowrank.LayerWeights{
			AttentionGain: l.norm1.weight, AttentionNormBias: l.norm1.bias,
			OutputGain: l.norm2.weight, OutputNormBias: l.norm2.bias,
		}
		for m := lowrank.Query; m <= lowrank.Value; m++ {
			w.Matrices[m] = lowrank.LinearWeights{Weight: l.qkv.rows(m*width, width), Bias: l.qkv.bias[m*width:][:width]}
		}
		for m, of := range map[int]*linear{lowrank.AttentionOutput: &l.attention, lowrank.Intermediate: &l.inner, lowrank.Output: &l.output} {
			w.Matrices[m] = lowrank.LinearWeights{Weight: of.rows(0, of.out), Bias: of.bias}
		}
		out = append(out, w)
	}
	return out
}

// rows returns count outputs of a matrix from first on, as fill takes them.
func (m *matrix) rows(first, count int) []float32 {
	rows := make([]float32, count*m.in)
	for in := 0; in < m.in; in += blockDepth {
		for r := range count {
			out := first + r
			t, depth := m.tile(in, out/kernels.TileOut*kernels.TileOut)
			for i := range depth {
				rows[r*m.in+in+i] = t[i*kernels.TileOut+out%kernels.TileOut]
			}
		}
	}
	return rows
}

// FirstLayers returns the state of a text's tokens after the layers that an adapter does not
// change, those around the text among them: tokens by Network.Hidden numbers, in new memory. It
// reads the first tokens of the text, so that there are at most maxTokens tokens, and at most as
// many as the network takes at once, but no fewer than eight of the text, if it has as many.
func (e *Encoder) FirstLayers(text string, maxTokens int) []float32 {
	s := e.free.acquire(e.model)
	defer e.free.release(s)
	limit := min(e.room, max(leastRoom, maxTokens-len(e.before)-len(e.after)))
	s.reset()
	s.addText(e.before, e.tokens.Append(nil, e.prepare(text), limit), e.after)
	s.embed()
	for i := range e.model.layers[:len(e.model.layers)-e.adaptedLayers()] {
		l := &e.model.layers[i]
		s.layer(l)
		s.addNorm(l.output.bias, l.norm2, false)
	}
	return slices.Clone(s.x[:len(s.ids)*e.model.Width])
}

// WithAdapter returns an encoder whose last layers are changed by a. It shares the weights with e
// and takes about three times the adapter's bytes beside. Its vectors of texts have the last part
// only. An adapter that e has already is replaced, not added to. a is one of this encoder:
// ParseAdapter refuses others.
func (e *Encoder) WithAdapter(a *lowrank.Adapter) *Encoder {
	adapted := *e
	adapted.adapterHash = a.Hash()
	m := *e.model
	m.lastOnly = true
	m.layers = slices.Clone(m.layers)
	for i := range e.adaptedLayers() {
		added := new(addedFactors)
		for matrix := range added {
			added[matrix] = newFactors(a, i, matrix)
		}
		m.layers[len(m.layers)-e.adaptedLayers()+i].added = added
	}
	adapted.model = &m
	return &adapted
}

// Parts returns the number of parts of a text's vector: the constant Parts, or 1 with an adapter.
// That has the last part only, because it stands beside the two of its base.
func (e *Encoder) Parts() int {
	if e.model.lastOnly {
		return 1
	}
	return Parts
}
