package finetune

import (
	"math"

	"github.com/hone-ml/hone/encode/text/minilm"
)

// addLowRank projects rows of x, the inputs of a matrix of a layer, to the rank, keeps that
// in projected, and adds what the parameters make of it to y.
func (n *network) addLowRank(layer, matrix, rows int, x []float32, ldx int, projected, y []float32, ldy int) {
	at := layer*minilm.MatrixCount + matrix
	in, out := n.matrixSize(matrix)
	matmul(rows, in, tileOut, x, ldx, n.columns[at].a, tileOut, projected, tileOut, false)
	matmul(rows, n.rank, out, projected, tileOut, n.parts[at].b, out, y, ldy, true)
}

// forward runs the texts of a group through the network and leaves the last layer's output
// in b.out, unless it is told to stop.
func (n *network) forward(b *batch, g *textGroup, s *groupScratch) {
	rows, hidden, first := g.endRow-g.firstRow, n.hidden, g.firstRow
	for i := range n.layers {
		l, a := &n.layers[i], &b.layers[i]
		if !s.proceed() {
			return
		}
		x := a.x[first*hidden:]
		qkv := a.qkv[first*3*hidden:]
		l.qkv.times(rows, x, hidden, qkv, 3*hidden, false)
		for m := minilm.Query; m <= minilm.Value; m++ {
			n.addLowRank(i, m, rows, x, hidden, a.projected[m][first*tileOut:], qkv[m*hidden:], 3*hidden)
		}
		addBias(rows, qkv, 3*hidden, l.qkvBias)
		for t := g.firstText; t < g.endText; t++ {
			n.attend(b, a, t, s)
		}
		if !s.proceed() {
			return
		}

		hat := a.hat1[first*hidden:][:rows*hidden]
		copy(hat, x)
		attended := a.attended[first*hidden:]
		l.attention.times(rows, attended, hidden, hat, hidden, true)
		n.addLowRank(i, minilm.AttentionOutput, rows, attended, hidden, a.projected[minilm.AttentionOutput][first*tileOut:], hat, hidden)
		addBias(rows, hat, hidden, l.attentionBias)
		normalizeRows(rows, hat, s.one, a.inverse1[first:], l.gain1, l.bias1)

		inner := a.inner[first*n.inner:][:rows*n.inner]
		l.inner.times(rows, s.one, hidden, inner, n.inner, false)
		n.addLowRank(i, minilm.Intermediate, rows, s.one, hidden, a.projected[minilm.Intermediate][first*tileOut:], inner, n.inner)
		addBias(rows, inner, n.inner, l.innerBias)
		gelu(s.wide, inner)
		if !s.proceed() {
			return
		}

		hat = a.hat2[first*hidden:][:rows*hidden]
		copy(hat, s.one)
		l.output.times(rows, s.wide, n.inner, hat, hidden, true)
		n.addLowRank(i, minilm.Output, rows, s.wide, n.inner, a.projected[minilm.Output][first*tileOut:], hat, hidden)
		addBias(rows, hat, hidden, l.outputBias)
		out := b.out
		if i+1 < len(n.layers) {
			out = b.layers[i+1].x
		}
		normalizeRows(rows, hat, out[first*hidden:], a.inverse2[first:], l.gain2, l.bias2)
	}
}

// attend computes the attention of a text's tokens to each other (Vaswani et al. 2017,
// "Attention Is All You Need").
func (n *network) attend(b *batch, a *layerActivations, text int, s *groupScratch) {
	from, size, hidden := b.starts[text], n.headSize(), n.hidden
	tokens := b.starts[text+1] - from
	padded := paddedLength(tokens)
	scale := float32(1 / math.Sqrt(float64(size)))
	for h := range n.heads {
		q := a.qkv[from*3*hidden+h*size:]
		k, v := q[hidden:], q[2*hidden:]
		weights := a.weights[b.weightsAt[text]+h*tokens*padded:][:tokens*padded]
		transpose(s.turned2, padded, k, 3*hidden, tokens, size)
		matmul(tokens, size, padded, q, 3*hidden, s.turned2, padded, weights, padded, false)
		for r := range tokens {
			softmax(weights[r*padded:][:tokens], scale)
		}
		matmul(tokens, tokens, size, weights, padded, v, 3*hidden, a.attended[from*hidden+h*size:], hidden, false)
	}
}

// pool writes the normalised mean of each text's tokens to b.vectors.
func (n *network) pool(b *batch) {
	for t := range len(b.starts) - 1 {
		v := b.vectors[t*n.hidden:][:n.hidden]
		var squares float64
		for i := range v {
			var sum float64
			for r := b.starts[t]; r < b.starts[t+1]; r++ {
				sum += float64(b.out[r*n.hidden+i])
			}
			mean := sum / float64(b.starts[t+1]-b.starts[t])
			v[i] = float32(mean)
			squares += mean * mean
		}
		scale := float32(1 / math.Sqrt(squares))
		for i := range v {
			v[i] *= scale
		}
		b.scales[t] = scale
	}
}
