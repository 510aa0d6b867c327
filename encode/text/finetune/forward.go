package finetune

import (
	"math"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// addLowRank projects rows of x, the inputs of a matrix of a layer, to the rank, keeps that
// in projected, and adds what the parameters make of it to y.
func (n *network) addLowRank(layer, matrix, rows int, x []float32, ldx int, projected, y []float32, ldy int) {
	at := layer*lowrank.MatrixCount + matrix
	in, out := n.MatrixSize(matrix)
	matmul(rows, in, tileOut, x, ldx, n.columns[at].a, tileOut, projected, tileOut, false)
	matmul(rows, n.rank, out, projected, tileOut, n.parts[at].b, out, y, ldy, true)
}

// forward runs the texts of a group through the network and leaves the last layer's output
// in b.out, unless it is told to stop.
func (n *network) forward(b *batch, g *textGroup, s *groupScratch) {
	rows, hidden, first := g.endRow-g.firstRow, n.Hidden, g.firstRow
	for i := range n.layers {
		l, a := &n.layers[i], &b.layers[i]
		if !s.proceed() {
			return
		}
		x := a.x[first*hidden:]
		qkv := a.qkv[first*3*hidden:]
		l.qkv.times(rows, x, hidden, qkv, 3*hidden, false)
		for m := lowrank.Query; m <= lowrank.Value; m++ {
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
		n.addLowRank(i, lowrank.AttentionOutput, rows, attended, hidden, a.projected[lowrank.AttentionOutput][first*tileOut:], hat, hidden)
		addBias(rows, hat, hidden, l.attentionBias)
		normalizeRows(rows, hat, s.one, a.inverse1[first:], l.gain1, l.bias1, n.Epsilon)

		inner := a.inner[first*n.Inner:][:rows*n.Inner]
		l.inner.times(rows, s.one, hidden, inner, n.Inner, false)
		n.addLowRank(i, lowrank.Intermediate, rows, s.one, hidden, a.projected[lowrank.Intermediate][first*tileOut:], inner, n.Inner)
		addBias(rows, inner, n.Inner, l.innerBias)
		n.activation.forward(s.wide, inner)
		if !s.proceed() {
			return
		}

		hat = a.hat2[first*hidden:][:rows*hidden]
		copy(hat, s.one)
		l.output.times(rows, s.wide, n.Inner, hat, hidden, true)
		n.addLowRank(i, lowrank.Output, rows, s.wide, n.Inner, a.projected[lowrank.Output][first*tileOut:], hat, hidden)
		addBias(rows, hat, hidden, l.outputBias)
		out := b.out
		if i+1 < len(n.layers) {
			out = b.layers[i+1].x
		}
		normalizeRows(rows, hat, out[first*hidden:], a.inverse2[first:], l.gain2, l.bias2, n.Epsilon)
	}
}

// attend computes the attention of a text's tokens to each other (Vaswani et al. 2017,
// "Attention Is All You Need").
func (n *network) attend(b *batch, a *layerActivations, text int, s *groupScratch) {
	from, size, hidden := b.starts[text], n.headSize(), n.Hidden
	tokens := b.starts[text+1] - from
	padded := paddedLength(tokens)
	scale := float32(1 / math.Sqrt(float64(size)))
	for h := range n.Heads {
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
